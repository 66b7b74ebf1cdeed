"""The preflight's child process: imports TensorFlow, runs the checks, reports each step as a line of JSON.

Started by its path. It takes one line of JSON on standard input, and ends as soon as that closes, for then
its parent is gone. Its reports go to a private copy of standard output; standard output itself is sent to
standard error, so that a stray `print` disturbs nothing.
"""

from __future__ import annotations

import faulthandler
import gc
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
    """The two ways to the parent. Each report carries the parent's token: others may print there, too."""

    def __init__(self) -> None:
        self.token = ""
        self._lock = threading.Lock()
        self._requests, self._reports = os.dup(0), os.dup(1)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)

    def receive(self) -> dict[str, Any]:
        """Read the one line of JSON that says what to do; from then on, end with the parent."""
        line = b""
        while not line.endswith(b"\n"):
            line += self._read()
        threading.Thread(target=self._watch, name="tfgpu-parent", daemon=True).start()
        request: dict[str, Any] = json.loads(line)
        self.token = request["token"]
        return request

    def _watch(self) -> None:
        while True:
            self._read()

    def _read(self) -> bytes:
        data = os.read(self._requests, 1 << 16)
        if not data:
            os._exit(1)
        return data

    def send(self, event: str, **values: Any) -> None:
        """Report one step; ends the process where nobody listens any more."""
        line = self._encode(event, values)
        if len(line) > LONGEST_LINE and "result" in values:
            line = self._encode(event, {**values, "result": {**values["result"], "details": {}}})
        try:
            with self._lock:
                while line:
                    line = line[os.write(self._reports, line) :]
        except OSError:
            os._exit(1)

    def _encode(self, event: str, values: dict[str, Any]) -> bytes:
        data = {"tfgpu": self.token, "event": event, **values}
        return b"\n" + json.dumps(data, default=str).encode() + b"\n"


def settle_path() -> None:
    """Take the folder of this file out of the search, and let the package it belongs to be found last."""
    here = Path(__file__).resolve().parent
    sys.path[:] = [entry for entry in sys.path if not entry or Path(entry).resolve() != here]
    extend_path([str(here.parents[1])])


def extend_path(folders: list[str]) -> None:
    """Let these folders be searched last, where they aren't searched already."""
    sys.path += [folder for folder in dict.fromkeys(folders) if folder not in sys.path]


def import_tensorflow(channel: Channel, more_path: list[str]) -> Any:
    """Import TensorFlow and report its version, or report why there is none and return None.

    A folder that happens to be called `tensorflow` is not TensorFlow. The parent's folders are searched only
    after this Python's own.
    """
    from importlib.util import find_spec

    spec = find_spec("tensorflow")
    if spec is None or not spec.origin:
        extend_path(more_path)
        spec = find_spec("tensorflow")
    if spec is None or not spec.origin:
        channel.send("missing")
        return None
    if not Path(spec.origin).with_name("python").is_dir():
        channel.send("not-tensorflow", path=spec.origin)
        return None
    began = time.perf_counter()
    gc.disable()  # what an import makes stays, and would be looked at again and again
    try:
        import tensorflow

        version = str(tensorflow.__version__)
    except BaseException as error:
        from pytest_tfgpu.preflight.worker import describe

        channel.send("import-failed", error=describe(error))
        return None
    finally:
        gc.freeze()
        gc.enable()
    channel.send("imported", version=version, path=spec.origin, seconds=time.perf_counter() - began)
    extend_path(more_path)
    return tensorflow


def watch_time(seconds: float) -> None:
    """Write Python's stack to standard error and end this process, should it still run after so many seconds.

    Works where native code holds the interpreter's lock, which nothing else here does.
    """
    faulthandler.dump_traceback_later(seconds, exit=True)


def main() -> None:
    """Do what the request says, and end without TensorFlow's own tidying up, which can crash or hang."""
    channel = Channel()
    request = channel.receive()
    watch_time(request["limit"])
    faulthandler.enable()
    channel.send("started", python=sys.version.split()[0])
    settle_path()
    try:
        go_through(channel, request)
    except BaseException as error:
        from pytest_tfgpu.preflight.worker import describe

        channel.send("failed", error=describe(error))
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)


def go_through(channel: Channel, request: dict[str, Any]) -> None:
    """Ask the driver, import TensorFlow, run the checks."""
    if request["device"] == "gpu":
        channel.send("asking-driver")
        from pytest_tfgpu.preflight import probe

        channel.send("driver", driver=probe.driver())
    channel.send("importing")
    tf = import_tensorflow(channel, request["sys_path"])
    if tf is not None:
        from pytest_tfgpu.preflight.worker import check_devices, loaded_files, peak_memory_kib

        watch_time(request["limit"])
        check_devices(tf, request, channel, lambda: watch_time(request["limit"]))
        loaded = {"loaded": loaded_files(tf)} if request["remember"] else {}
        channel.send("done", peak_memory_kib=peak_memory_kib(), **loaded)


if __name__ == "__main__":
    main()
