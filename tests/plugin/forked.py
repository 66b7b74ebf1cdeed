"""Run pytest several times in forks of one process that has imported TensorFlow: an import takes seconds."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.suite import Outcome, Suite, clean_environment

SERVER = """
import json, os, sys
import pytest, tensorflow

def run(job):
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        os.dup2(os.open(job["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
        stream.reconfigure(encoding=job["encoding"], errors="strict")
    sys.stdin = open(os.devnull)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    status = int(pytest.main(job["arguments"]))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        run(json.loads(line))
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Forked:
    """A process with pytest and TensorFlow imported, whose forks run pytest. Not for xdist: its workers are new."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER],
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def run(
        self,
        suite: Suite,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        encoding: str = "utf-8",
    ) -> Outcome:
        """Run pytest on the suite, with the JSON report beside it; standard output has this encoding."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        output = Path(tempfile.mkdtemp(), "output")
        job = {
            "arguments": ["-p", "no:cacheprovider", "--tfgpu-report=json:report.json", *arguments],
            "encoding": encoding,
            "environment": {**clean_environment(), **(environment or {})},
            "folder": str(suite.folder),
            "output": str(output),
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        return Outcome(status, output.read_text(encoding, "replace"), suite.folder)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
