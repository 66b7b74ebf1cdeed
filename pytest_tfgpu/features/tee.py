"""A copy of what this process and its children write to standard error, while it goes where it always went."""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import select
import subprocess
import sys
import termios
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
        self._original = os.dup(2)
        self._descriptors = (1, 2) if os.path.sameopenfile(1, 2) else (2,)
        file = os.memfd_create("pytest-tfgpu")
        source, self._pipe = os.pipe()
        try:
            os.ftruncate(file, copier.SIZE)
            self._page = mmap.mmap(file, copier.SIZE)
            self._start(source, file)
        except BaseException:
            os.close(self._pipe)
            os.close(self._original)
            raise
        finally:
            os.close(source)
            os.close(file)
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
        if os.getpid() != self._owner or self._pipe < 0:
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
        waiting = fcntl.ioctl(self._pipe, termios.FIONREAD, b"\0\0\0\0")
        return waiting != b"\0\0\0\0" or copier.number(self._page, copier.BUSY) != 0

    def close(self) -> None:
        """Let the descriptors lead where they led before. In a fork of the process nothing happens."""
        if os.getpid() != self._owner or self._pipe < 0:
            return
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        ours = os.fstat(self._pipe)
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(descriptor), ours):
                    os.dup2(self._original, descriptor)
        self._wait()
        os.close(self._pipe)
        os.close(self._original)
        self._pipe = -1
