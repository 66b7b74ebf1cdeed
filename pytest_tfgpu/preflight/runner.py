"""Starts the preflight's child, follows it without blocking, and gives what came of it."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from pytest_tfgpu.preflight.data import Answer, Problem, Request
from pytest_tfgpu.preflight.ledger import Ledger
from pytest_tfgpu.preflight.process import Child, program

LONGEST_LOG = 200
"""Lines of standard error that an answer keeps."""


def start(request: Request) -> Run:
    """Start the checks in a child process and return at once. What goes wrong is in the answer."""
    return Run(request)


class Run:
    """A preflight that goes on in the background."""

    def __init__(self, request: Request) -> None:
        self._ledger = Ledger(request)
        self._request = request
        self._began = time.monotonic()
        self._child: Child | None = None
        self._stopped = threading.Event()
        self._answer: Answer | None = None
        self._log: list[str] = []
        self._log_bytes = 0
        self._thread = threading.Thread(target=self._supervise, name="tfgpu-preflight", daemon=True)
        self._thread.start()

    def done(self) -> bool:
        """Whether the answer is there."""
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for the answer, and say whether it is there."""
        self._thread.join(seconds)
        return self.done()

    def progress(self) -> str:
        """Return what goes on now, for a person: `importing TensorFlow`, `GPU 0: conv2d`."""
        return self._ledger.phase

    def stop(self) -> None:
        """End the child, if it still runs, and wait until it is gone."""
        self._stopped.set()
        if self._child is not None:
            self._child.stop()
        self._thread.join()

    def result(self, progress: Callable[[str], object] | None = None) -> Answer:
        """Wait for the answer. `progress` is called, in this thread, with each new text of `progress()`."""
        shown = None
        while self._thread.is_alive():
            if progress is not None and self.progress() != shown:
                shown = self.progress()
                progress(shown)
            self._thread.join(0.05 if progress else None)
        assert self._answer is not None
        return self._answer

    def _supervise(self) -> None:
        ledger, problem = self._ledger, None
        try:
            self._go_through()
        except Exception as error:
            problem = Problem("no-answer", f"the preflight failed by itself: {type(error).__name__}: {error}")
        self._answer = Answer(
            device=self._request.device,
            seconds=time.monotonic() - self._began,
            problem=problem or ledger.problem,
            driver=ledger.driver,
            listed=ledger.listed,
            gpus=ledger.gpus(),
            logs=ledger.logs(),
            loaded=tuple(sorted(ledger.loaded)),
            memory_left_mib=tuple(slot.memory_left_mib for slot in ledger.slots),
            stderr=tuple(self._log[-LONGEST_LOG:]),
            stderr_bytes=self._log_bytes,
            **ledger.values,
        )

    def _go_through(self) -> None:
        """Run one child for all devices, and fresh ones for those that it never came to."""
        ledger = self._ledger
        self._one_child(None)
        while not self._stopped.is_set() and ledger.problem is None and (rest := ledger.remaining()):
            self._one_child(rest[:1] if ledger.separate else rest)

    def _one_child(self, assigned: Sequence[int] | None) -> None:
        ledger = self._ledger
        ledger.begin(assigned)
        child = self._start_child(assigned)
        if child is None:
            return
        try:
            for event in child.events():
                ledger.take(event)
        finally:
            child.close()
        ledger.end(child)
        self._log += child.log()
        self._log_bytes += child.stdout.size + child.stderr.size

    def _start_child(self, assigned: Sequence[int] | None) -> Child | None:
        request = self._request
        executable = request.executable or sys.executable
        if not executable:
            sentence = "the program of this Python is not known, so none can be started"
            self._ledger.problem = Problem("no-python", sentence)
            return None
        command = [executable, *interpreter_flags(), str(program())]
        environment = child_environment(request, assigned)
        child = self._child = Child(command, environment, self._order(assigned), request.timeout)
        if self._stopped.is_set():
            child.stop()
        if child.start_error is not None:
            reason = getattr(child.start_error, "strerror", None) or str(child.start_error)
            self._ledger.problem = Problem("no-python", f"{executable} cannot be started: {reason}")
            return None
        return child

    def _order(self, assigned: Sequence[int] | None) -> dict[str, Any]:
        """Return what the child is told."""
        request = self._request
        slots = [slot.identity for slot in self._ledger.slots] or list(request.gpus)
        chosen = slots if assigned is None else [slots[position] for position in assigned]
        return {
            "device": request.device,
            "checks": [{"name": check.name, "run": check.run} for check in request.checks],
            "memory_free_mib": [gpu.memory_free_mib for gpu in chosen],
            "expected": None if assigned is None else len(assigned),
            "sys_path": list(request.sys_path),
            "together": self._ledger.together,
            "remember": request.remember,
        }


def child_environment(request: Request, assigned: Sequence[int] | None) -> dict[str, str]:
    """Return the outer environment, with only the assigned GPUs visible and TensorFlow's log switched on."""
    environment = dict(os.environ if request.environment is None else request.environment)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    if request.device == "cpu":
        environment |= {"CUDA_VISIBLE_DEVICES": "-1", "HIP_VISIBLE_DEVICES": "-1"}
        return environment
    environment.pop("TF_FORCE_GPU_ALLOW_GROWTH", None)
    environment.setdefault("TF_CPP_VMODULE", "dso_loader=3")
    if assigned is not None:
        environment["CUDA_VISIBLE_DEVICES"] = narrowed(environment.get("CUDA_VISIBLE_DEVICES"), assigned)
    return environment


def narrowed(visible: str | None, positions: Sequence[int]) -> str:
    """Return a CUDA_VISIBLE_DEVICES that leaves those at `positions` of the GPUs that the value `visible` shows."""
    tokens = [token.strip() for token in visible.split(",")] if visible else []
    return ",".join(tokens[place] if place < len(tokens) else str(place) for place in positions)


def interpreter_flags() -> list[str]:
    """Return the options of this Python that decide where modules are found."""
    names = {"isolated": "-I", "ignore_environment": "-E", "no_user_site": "-s", "no_site": "-S"}
    return [option for name, option in names.items() if getattr(sys.flags, name)]
