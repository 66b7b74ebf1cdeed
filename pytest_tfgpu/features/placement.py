"""Where operations ran that a test asked for on a GPU: TensorFlow moves them elsewhere without a word.

Knows TensorFlow, and is imported by what a test has asked for only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_DEVICE = re.compile(r"device:([A-Z_]+:\d+)$")
_FUNCTION = re.compile(r"(__inference_|__forward_|__backward_|(Stateful)?PartitionedCall)")
_NAMED = 5
"""Operations that are named of those that went the same way."""


class Placement:
    """Compares where operations of this thread were asked for with where they ran, from `start` to `stop`.

    Only operations that compute are looked at: something goes in and something comes out, floating-point or
    complex numbers among it, and no strings, variables or data sets. Of a `tf.function`, TensorFlow tells where
    its parts lie when it runs it for the first time; later runs tell nothing. This doesn't start the devices.
    """

    def __init__(self) -> None:
        self._moved: dict[tuple[str, str], dict[str, None]] = {}
        """(asked for, ran on) -> names of operations."""
        self._traced: dict[str, set[str]] = {}
        """Operation -> where it was asked for in graphs; "": nowhere in particular."""
        self._listens = self._broken = self._collects = False

    def start(self) -> None:
        """Begin to listen; a TensorFlow that doesn't allow it is left alone."""
        try:
            from tensorflow.python.framework import op_callbacks

            op_callbacks.add_op_callback(self._hear)
            self._listens = True
        except Exception:
            self._broken = True

    def stop(self) -> list[str]:
        """Stop listening, and return a sentence for each two devices that differed."""
        if self._listens:
            self._listens = False
            try:
                from tensorflow.python.eager import context
                from tensorflow.python.framework import op_callbacks

                op_callbacks.remove_op_callback(self._hear)
                if self._collects:
                    context.context().disable_graph_collection()
            except Exception:
                self._broken = True
        return [_sentence(list(names), *devices) for devices, names in self._moved.items()]

    def _hear(
        self,
        op_type: str | bytes,
        inputs: Sequence[Any],
        attrs: object,
        outputs: Sequence[Any],
        op_name: object = None,
        graph: object = None,
    ) -> None:
        """Take in one operation that was run or put into a graph. Called by TensorFlow; must not raise."""
        if self._broken:
            return
        try:
            name = op_type.decode() if isinstance(op_type, bytes) else op_type
            if graph is not None:
                self._hear_traced(name, inputs, outputs)
            elif _FUNCTION.match(name):
                self._hear_function()
            elif _computes(inputs, outputs):
                self._compare(name, _short(_current()), _short(outputs[0].device))
        except Exception:
            self._broken = True

    def _hear_traced(self, name: str, inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        if _computes(inputs, outputs):
            self._traced.setdefault(name, set()).add(_short(outputs[0].device))
        if not self._collects:
            from tensorflow.python.eager import context

            if getattr(context.context(), "_context_handle", None):
                context.context().enable_graph_collection()
                self._collects = True

    def _hear_function(self) -> None:
        """Look at the graphs that this call has made TensorFlow place."""
        if not self._collects:
            return
        from tensorflow.python.eager import context

        here = _short(_current())
        metadata = context.context().export_run_metadata()
        for placed in metadata.function_graphs if metadata is not None else ():
            for node in placed.post_optimization_graph.node:
                asked = {device or here for device in self._traced.get(node.op, ())}
                if len(asked) == 1:
                    self._compare(node.op, asked.pop(), _short(node.device))

    def _compare(self, name: str, asked: str, ran: str) -> None:
        if asked.startswith("GPU:") and ran and ran != asked:
            self._moved.setdefault((asked, ran), {})[name] = None


def _current() -> str:
    """Return the device that is asked for where the program is now; "" where none is."""
    from tensorflow.python.eager import context

    return context.context().device_name or ""


def _short(device: str | None) -> str:
    """Give `/job:localhost/replica:0/task:0/device:GPU:0` as `GPU:0`; "" where none is named."""
    found = _DEVICE.search(device or "")
    return found[1] if found else ""


def _computes(inputs: Sequence[Any], outputs: Sequence[Any]) -> bool:
    if not inputs or not outputs:
        return False
    types = [tensor.dtype for tensor in (*inputs, *outputs) if hasattr(tensor, "dtype")]
    odd = any(not kind.is_numpy_compatible or kind.name == "string" for kind in types)
    return not odd and any(kind.is_floating or kind.is_complex for kind in types)


def _sentence(names: list[str], asked: str, ran: str) -> str:
    more = len(names) - _NAMED
    told = ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"TensorFlow ran {told} on /{ran}, not on /{asked}, which was asked for."
