"""The preflight's child process: imports TensorFlow, runs the checks, reports each step as a line of JSON.

Started by its path. It takes one line of JSON on standard input, and ends as soon as that closes, for then
its parent is gone. Its reports go to a private copy of standard output; standard output itself is sent to
standard error, so that a stray `print` disturbs nothing.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

LONGEST_LINE = 1 << 20
"""Bytes of one reported line; a result with more details than that loses them."""


class Channel:
    """The way back to the parent. Each line carries the parent's token, to be told from what others print."""

    def __init__(self) -> None:
        self.token = ""
        self._descriptor = os.dup(1)
        os.dup2(2, 1)

    def send(self, event: str, **values: Any) -> None:
        """Report one step; ends the process where nobody listens any more."""
        line = self._encode(event, values)
        if len(line) > LONGEST_LINE and "result" in values:
            line = self._encode(event, {**values, "result": {**values["result"], "details": {}}})
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            os._exit(1)

    def _encode(self, event: str, values: dict[str, Any]) -> bytes:
        data = {"tfgpu": self.token, "event": event, **values}
        return b"\n" + json.dumps(data, default=str).encode() + b"\n"


def read_request() -> dict[str, Any]:
    """Read the one line of JSON that says what to do."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(0, 1 << 16)
        if not piece:
            os._exit(1)
        line += piece
    request: dict[str, Any] = json.loads(line)
    return request


def watch_parent() -> None:
    """End this process when standard input closes."""

    def watch() -> None:
        while os.read(0, 1 << 12):
            pass
        os._exit(1)

    threading.Thread(target=watch, name="tfgpu-parent", daemon=True).start()


def settle_path() -> None:
    """Take the folder of this file out of the search, and let the package it belongs to be found last."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    root = str(here.parents[1])
    sys.path += [root] if root not in sys.path else []


def import_tensorflow(channel: Channel, more_path: list[str]) -> Any:
    """Import TensorFlow and report its version, or report why there is none and return None.

    A folder that happens to be called `tensorflow` is not TensorFlow. The parent's folders are searched only
    after this Python's own.
    """
    from importlib.util import find_spec

    spec = find_spec("tensorflow")
    sys.path += (
        [entry for entry in more_path if entry not in sys.path] if spec is None or not spec.origin else []
    )
    spec = find_spec("tensorflow")
    if spec is None or not spec.origin:
        channel.send("missing")
        return None
    if not Path(spec.origin).with_name("python").is_dir():
        channel.send("not-tensorflow", path=spec.origin)
        return None
    began = time.perf_counter()
    try:
        import tensorflow

        version = str(tensorflow.__version__)
    except BaseException as error:
        from pytest_tfgpu.preflight.worker import describe

        channel.send("import-failed", error=describe(error))
        return None
    channel.send("imported", version=version, path=spec.origin, seconds=time.perf_counter() - began)
    sys.path += [entry for entry in more_path if entry not in sys.path]
    return tensorflow


def watch_time(seconds: float) -> None:
    """Write Python's stack to standard error and end this process, should it still run after so many seconds.

    Works where native code holds the interpreter's lock, which nothing else here does.
    """
    faulthandler.dump_traceback_later(seconds, exit=True)


def main() -> None:
    """Do what the request says, and end without TensorFlow's own tidying up, which can crash or hang."""
    channel = Channel()
    request = read_request()
    channel.token = request["token"]
    watch_parent()
    watch_time(request["limit"])
    faulthandler.enable()
    channel.send("started", python=sys.version.split()[0])
    settle_path()
    if request["device"] == "gpu":
        channel.send("asking-driver")
        from pytest_tfgpu.preflight import probe

        channel.send("driver", driver=probe.driver())
    channel.send("importing")
    tf = import_tensorflow(channel, request["sys_path"])
    if tf is not None:
        from pytest_tfgpu.preflight.worker import check_devices, peak_memory_kib

        watch_time(request["limit"])
        check_devices(tf, request, channel, lambda: watch_time(request["limit"]))
        channel.send("done", peak_memory_kib=peak_memory_kib())
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
