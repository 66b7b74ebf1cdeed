"""Run code in forks of a process that has imported TensorFlow once: an import takes seconds, a fork doesn't."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from .machine import Machine
from .process import Completed

SERVER = """
import json, os, signal, sys, time, traceback
import numpy, pytest, tensorflow

def run(job):
    os.setsid()
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(os.path.join(job["folder"], name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(job["variables"])
    status = 0
    try:
        exec(compile(job["code"], "<case>", "exec"), {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

def watch(pid, job):
    started, ended, files = time.monotonic(), None, [os.path.join(job["folder"], n) for n in ("stdout", "stderr")]
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        seconds = time.monotonic() - started
        if done:
            return {"exit_status": os.waitstatus_to_exitcode(status), "seconds": seconds, "ended": ended}
        large = any(os.path.exists(f) and os.path.getsize(f) > job["limit"] for f in files)
        if ended is None and (large or seconds > job["seconds"]):
            ended = "output" if large else "time"
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)

print("ready", flush=True)
for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        run(job)
    print(json.dumps(watch(pid, job)), flush=True)
"""


class Forks:
    """A process with TensorFlow imported, on a machine that has every library."""

    def __init__(self, machine: Machine) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env=machine.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._read()

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks has ended")
        return line

    def __enter__(self) -> Forks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            self._process.kill()

    def run(self, machine: Machine, code: str, *, seconds: float = 60, limit: int = 20_000_000) -> Completed:
        """Run `code` in a fork that sees `machine`, which must have all its libraries.

        Ended after `seconds`, or when it has written more than `limit` bytes. `tensorflow` and `numpy` are
        imported; import them in the code all the same.
        """
        if machine.missing:
            raise ValueError("a fork has every library; run the code in a process of its own")
        folder = Path(tempfile.mkdtemp(dir=machine.folder, prefix="fork-"))
        place = {"SIMULATED_GPU": str(machine.folder), "LD_LIBRARY_PATH": str(machine.folder / "lib")}
        variables = {**place, **dict(machine.variables)}
        job = {
            "folder": str(folder),
            "variables": variables,
            "code": code,
            "seconds": seconds,
            "limit": limit,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        done = json.loads(self._read())
        stdout, stderr = (_text(folder / name, limit) for name in ("stdout", "stderr"))
        return Completed(done["exit_status"], stdout, stderr, done["seconds"], done["ended"])


def _text(path: Path, limit: int) -> str:
    with path.open(errors="replace") as file:
        return file.read(limit)
