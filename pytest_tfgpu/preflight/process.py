"""One child process: started, fed, read to the end, limited, and surely ended. Knows nothing of checks."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Literal

from pytest_tfgpu.preflight.tail import Tail

FLOOD_MIB = 32
"""Bytes on one stream after which a child is ended: some failures of TensorFlow print for ever."""

LONGEST_EVENT = 4 << 20

MARK = b'{"tfgpu"'

EARLY = 1.0
"""Seconds before the limit at which the child itself writes its stack and ends."""

LONGEST_LIMIT = 1e8
"""Seconds: about what faulthandler accepts everywhere."""

GRACE = 5.0
"""Seconds that the readers are given to finish once the child has ended."""

End = Literal["exited", "timeout", "flood", "stopped", "not-started"]


class Child:
    """A running child. Iterate over `events()`, then read `end`, `returncode` and `stderr`."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], request: dict[str, Any], limit: float
    ) -> None:
        """Start `command`; what can't be started has `end == "not-started"` and a `start_error`."""
        import subprocess

        self.limit = limit
        self.end: End = "exited"
        self.returncode: int | None = None
        self.start_error: OSError | ValueError | None = None
        self.stdout, self.stderr = Tail(), Tail()
        self._token = secrets.token_hex(8)
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._flooded = threading.Event()
        new_group: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            new_group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(environment), bufsize=0, **new_group
            )
        except (OSError, ValueError) as error:
            self.end, self.start_error = "not-started", error
            return
        limit_inside = min(max(limit - EARLY, limit * 0.8), LONGEST_LIMIT)
        line = json.dumps({**request, "token": self._token, "limit": limit_inside}).encode() + b"\n"
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        _thread(self._send, self._process.stdin, line)
        self._readers = [
            _thread(self._read_events, self._process.stdout),
            _thread(self._read_log, self._process.stderr),
        ]

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield the child's reports as they come; ends when the child has ended, of itself or by us.

        The time limit starts anew with `imported` and with each `device-done`.
        """
        if self.end == "not-started":
            return
        deadline = time.monotonic() + self.limit
        while not self._is_over(deadline):
            try:
                event = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            if event is None:
                break
            if event["event"] in ("imported", "device-done"):
                deadline = time.monotonic() + self.limit
            yield event
        self._finish(deadline)

    def _is_over(self, deadline: float) -> bool:
        """Whether no more reports are to be waited for; says why in `end`, where that is our doing."""
        if self._stop.is_set():
            self.end = "stopped"
        elif self._flooded.is_set():
            self.end = "flood"
        elif time.monotonic() >= deadline:
            self.end = "timeout"
        elif self._process.poll() is not None and self._queue.empty():
            self._readers[0].join(0.5)
            return self._queue.empty()
        return self.end != "exited"

    def log(self) -> list[str]:
        """Return the kept lines of what the child wrote that is no report: standard output, then standard error."""
        return self.stdout.lines() + self.stderr.lines()

    def close(self) -> None:
        """End the child at once, whatever it does."""
        if self.end != "not-started" and self.returncode is None:
            self._stop.set()
            self._finish(0.0)

    def stop(self) -> None:
        """Ask for the child to be ended; `events()` then ends soon."""
        self._stop.set()

    def _finish(self, deadline: float) -> None:
        """Wait for a child that closed its output, end what is left of it, and let the readers finish."""
        while not self._is_over(deadline) and not self._ended(0.1):
            continue
        self._kill()
        self.returncode = self._process.wait()
        streams = (self._process.stdout, self._process.stderr)
        for reader, stream in zip(self._readers, streams, strict=True):
            reader.join(GRACE)
            if stream is not None and not reader.is_alive():
                stream.close()
        if self._process.stdin is not None:
            self._process.stdin.close()
        if self.end == "exited" and self._flooded.is_set():
            self.end = "flood"

    def _ended(self, seconds: float) -> bool:
        """Wait so long for the child to end, and say whether it has."""
        import subprocess

        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _kill(self) -> None:
        """End the child and every process that it started in its group."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        if self._process.poll() is None:
            self._process.kill()

    def _send(self, stream: IO[bytes], line: bytes) -> None:
        try:
            while line:
                line = line[stream.write(line) :]
        except (OSError, ValueError):
            return

    def _read_events(self, stream: IO[bytes]) -> None:
        rest = b""
        for data in self._read(stream, None):
            block, newline, rest = (rest + data).rpartition(b"\n")
            if MARK in block:
                for line in block.split(b"\n"):
                    self._sort(line)
            elif block.strip():
                self.stdout.feed(block + newline)
            if len(rest) > LONGEST_EVENT:
                self.stdout.feed(rest)
                rest = b""
        self._sort(rest)
        self._queue.put(None)

    def _sort(self, line: bytes) -> None:
        """Queue a line if it is a report with our token; keep anything else as stray output."""
        try:
            event = json.loads(line) if line.startswith(MARK) else None
        except ValueError:
            event = None
        if isinstance(event, dict) and event.get("tfgpu") == self._token:
            self._queue.put(event)
        elif line:
            self.stdout.feed(line + b"\n")

    def _read_log(self, stream: IO[bytes]) -> None:
        for data in self._read(stream, self.stderr):
            del data

    def _read(self, stream: IO[bytes], tail: Tail | None) -> Iterator[bytes]:
        size = 0
        while True:
            try:
                data = stream.read(1 << 16)
            except (OSError, ValueError):
                return
            if not data:
                return
            size += len(data)
            if tail is not None:
                tail.feed(data)
            if size > FLOOD_MIB << 20:
                self._flooded.set()
            else:
                yield data


def _thread(target: Any, *arguments: Any) -> threading.Thread:
    thread = threading.Thread(target=target, args=arguments, name="tfgpu-preflight", daemon=True)
    thread.start()
    return thread


def program() -> Path:
    """Return the file that the child runs."""
    return Path(__file__).with_name("child.py")
