"""What is kept of a stream that may be endless."""

from __future__ import annotations

from collections import deque

FIRST_LINES, LAST_LINES, LONGEST_LINE = 40, 80, 1000
LONGEST_BYTES = 4 * LONGEST_LINE
"""Bytes kept of a line, which make LONGEST_LINE characters at least."""


class Tail:
    """The first and the last lines of a stream; what lies between is counted."""

    def __init__(self) -> None:
        self.size = 0
        self._first: list[bytes] = []
        self._last: deque[bytes] = deque(maxlen=LAST_LINES)
        self._count = 0
        self._partial = b""

    def feed(self, data: bytes) -> None:
        """Take in the next bytes."""
        self.size += len(data)
        *lines, rest = (self._partial + data).split(b"\n")
        self._partial = rest[:LONGEST_BYTES]
        self._count += len(lines)
        room = FIRST_LINES - len(self._first)
        self._first += [line[:LONGEST_BYTES] for line in lines[:room]]
        self._last += [line[:LONGEST_BYTES] for line in lines[room:][-LAST_LINES:]]

    def lines(self) -> list[str]:
        """Return the kept lines, with one between that says how many are left out."""
        missing = self._count - len(self._first) - len(self._last)
        gap = [f"[{missing} lines left out]"] if missing else []
        rest = [self._partial] if self._partial else []
        return [*map(_text, self._first), *gap, *map(_text, self._last), *map(_text, rest)]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")[:LONGEST_LINE]
