"""Run a program with a limit on its time and on what it writes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Completed:
    """How a program ended."""

    exit_status: int
    """Of the process; negative: the signal that ended it."""
    stdout: str
    stderr: str
    seconds: float
    ended: str | None = None
    """`time` or `output`, where it was ended because it went over that limit."""

    @property
    def text(self) -> str:
        """Everything that was printed: standard output, then standard error."""
        return self.stdout + self.stderr


class Running:
    """A program at work, in a process group of its own.

    It is ended with all its children when it writes more than `limit` bytes to one of its streams.
    """

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str], folder: Path, limit: int = 20_000_000
    ) -> None:
        self.started = time.monotonic()
        self.limit = limit
        self.ended: str | None = None
        self.process = subprocess.Popen(
            list(argv),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._output = bytearray()
        self._errors = bytearray()
        self._said = threading.Condition()
        streams = ((self.process.stdout, self._output), (self.process.stderr, self._errors))
        self._readers = [threading.Thread(target=self._read, args=pair, daemon=True) for pair in streams]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[bytes], kept: bytearray) -> None:
        with stream:
            while data := os.read(stream.fileno(), 65536):
                with self._said:
                    kept += data[: max(0, self.limit - len(kept))]
                    over = len(kept) >= self.limit
                    self._said.notify_all()
                if over:
                    self.end("output")

    def end(self, why: str | None = None) -> None:
        """End the process and its children now."""
        if self.ended is None:
            self.ended = why
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def wait_for(self, text: str, seconds: float = 60) -> None:
        """Wait until standard output holds `text`. Raises TimeoutError where it doesn't in time."""
        wanted, deadline = text.encode(), time.monotonic() + seconds
        with self._said:
            while wanted not in self._output:
                left = deadline - time.monotonic()
                if left <= 0 or (self.process.poll() is not None and not self._said.wait(1)):
                    raise TimeoutError(f"{text!r} was not printed:\n{self._errors.decode(errors='replace')}")
                self._said.wait(min(left, 1))

    def finish(self, seconds: float = 120) -> Completed:
        """Close standard input and wait for the end, at most `seconds`; then end what still runs."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end("time")
            self.process.wait()
        for reader in self._readers:
            reader.join(5)
        self.end(self.ended)
        return Completed(
            self.process.returncode,
            self._output.decode(errors="replace"),
            self._errors.decode(errors="replace"),
            time.monotonic() - self.started,
            self.ended,
        )
