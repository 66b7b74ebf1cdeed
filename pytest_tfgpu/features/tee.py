"""A copy of what this process and its children write to standard error, while it goes where it always went."""

from __future__ import annotations

import contextlib
import mmap
import os
import select
import subprocess
import sys
from pathlib import Path

from pytest_tfgpu.features import copier

_START = 20.0
"""Seconds that the copying process is given to start."""
_PATIENCE = 500
"""Milliseconds that what was written is given to arrive."""


class Tee:
    """Lets file descriptor 2 lead through a process that passes everything on; Linux only.

    Where file descriptor 1 leads to the same place it goes the same way, so that the order of the two stays. It isn't
    for terminals: programs behave otherwise where they don't write to one.

    Raises OSError where it can't be set up; nothing has changed then.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._descriptors = (1, 2) if os.path.sameopenfile(1, 2) else (2,)
        with contextlib.ExitStack() as undo:
            self._original = _closed_by(undo, os.dup(2))
            source, pipe = os.pipe()
            self._pipe = _closed_by(undo, pipe)
            with contextlib.ExitStack() as done:
                _closed_by(done, source)
                file = _closed_by(done, os.memfd_create("pytest-tfgpu"))
                os.ftruncate(file, copier.SIZE)
                self._page = mmap.mmap(file, copier.SIZE)
                self._start(source, file)
            undo.pop_all()
        self._identity = os.fstat(self._pipe)
        self._broken = select.poll()
        self._broken.register(self._pipe, 0)
        for descriptor in self._descriptors:
            os.dup2(self._pipe, descriptor)

    def _start(self, source: int, file: int) -> None:
        try:
            subprocess.run(
                [sys.executable, "-I", "-S", str(Path(copier.__file__)), str(file)],
                stdin=source,
                stdout=self._original,
                stderr=subprocess.DEVNULL,
                pass_fds=(file,),
                start_new_session=True,
                timeout=_START,
                check=True,
            )
        except (subprocess.SubprocessError, TypeError, ValueError) as error:
            raise OSError(f"the copying process didn't start: {error}") from error
        if not copier.number(self._page, copier.WORKER):
            raise OSError("the copying process didn't start")

    @property
    def holds_stdout(self) -> bool:
        """Whether what is written to standard output is in the copy, too."""
        return 1 in self._descriptors

    def read(self) -> bytes | None:
        """Return the start and the end of what was written since the last call; None where that can't be said.

        The latter where somebody writes without end, or the copying process is gone: then everything is as before.
        """
        if not self._is_ours():
            return b""
        if self._broken.poll(0):
            self.close()
            return None
        arrived = self._wait()
        if copier.number(self._page, copier.PASSED) == copier.number(self._page, copier.READ):
            return b"" if arrived else None
        data = copier.kept(self._page) if arrived else None
        copier.put(self._page, copier.READ, copier.number(self._page, copier.PASSED))
        return data

    def _wait(self) -> bool:
        """Wait until all that was written has arrived. Counts, for tests may have stopped the clock."""
        for _ in range(_PATIENCE):
            if not self._under_way():
                return True
            self._broken.poll(1)
        return False

    def _under_way(self) -> bool:
        import fcntl
        import termios

        waiting = fcntl.ioctl(self._pipe, termios.FIONREAD, b"\0\0\0\0")
        return waiting != b"\0\0\0\0" or copier.number(self._page, copier.BUSY) != 0

    def _is_ours(self) -> bool:
        """Whether this is the process that set it up, and nobody closed its pipe."""
        return os.getpid() == self._owner and self._leads_to_us(self._pipe)

    def _leads_to_us(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._identity)
        except OSError:
            return False

    def close(self) -> None:
        """Let the descriptors lead where they led before. In a fork of the process nothing happens."""
        if not self._is_ours():
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for descriptor in self._descriptors:
            if self._leads_to_us(descriptor):
                os.dup2(self._original, descriptor)
        self._wait()
        os.close(self._pipe)
        os.close(self._original)
        self._pipe = -1


def _closed_by(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
