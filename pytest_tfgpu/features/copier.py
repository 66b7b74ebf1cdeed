"""Passes standard input on to standard output and keeps the start and the end of it where another process sees them.

Run by its path, in a process of its own that nothing but the end of its input ends: what a dying writer left in the
pipe still reaches its reader. The argument is the number of a shared memory file:

- four numbers of eight bytes: how much was passed on, whether some is under way, how much of it has been read, and the
  id of this process once it is at work,
- `HEAD` bytes: the first ones that came since it was read last,
- `TAIL` bytes: those after them, as a ring.
"""

import mmap
import os
import select
import signal
import struct
import sys

HEAD, TAIL = 100_000, 100_000
PASSED, BUSY, READ, WORKER, DATA = 0, 8, 16, 24, 32
SIZE = DATA + HEAD + TAIL
_CHUNK = 65536
_IGNORED = ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGTSTP", "SIGPIPE")


def number(page: mmap.mmap, offset: int) -> int:
    """Return one of the numbers."""
    value: int = struct.unpack_from("Q", page, offset)[0]
    return value


def put(page: mmap.mmap, offset: int, value: int) -> None:
    """Set one of the numbers."""
    struct.pack_into("Q", page, offset, value)


def kept(page: mmap.mmap) -> bytes:
    """Return what is kept of what came since it was read last; a line feed stands for what lies between."""
    begin = DATA + HEAD
    size = number(page, PASSED) - number(page, READ)
    if size <= HEAD:
        return page[DATA : DATA + size]
    if size <= HEAD + TAIL:
        return page[DATA : DATA + size]
    cut = begin + (size - HEAD) % TAIL
    return page[DATA:begin] + b"\n" + page[cut:SIZE] + page[begin:cut]


def main(file: int) -> None:
    """Copy until no process writes any more."""
    page = mmap.mmap(file, SIZE)
    for name in _IGNORED:
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    os.chdir("/")
    worker = os.fork()
    if worker:
        put(page, WORKER, worker)
        os._exit(0)
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    passed = 0
    while True:
        waiting.poll()
        put(page, BUSY, 1)
        data = os.read(0, _CHUNK)
        if not data:
            return
        _write(data)
        _keep(page, data, passed - number(page, READ))
        passed += len(data)
        put(page, PASSED, passed)
        put(page, BUSY, 0)


def _write(data: bytes) -> None:
    """Write all of it, also to a pipe that doesn't wait for its reader."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(1, rest) :]
        except BlockingIOError:
            select.select([], [1], [])


def _keep(page: mmap.mmap, data: bytes, position: int) -> None:
    """Put the data where `kept` finds them; `position` is how much came before them."""
    first = data[: max(0, HEAD - position)]
    page[DATA + position : DATA + position + len(first)] = first
    rest = data[len(first) :]
    place = (max(position, HEAD) - HEAD) % TAIL
    while rest:
        part = rest[: TAIL - place]
        begin = DATA + HEAD + place
        page[begin : begin + len(part)] = part
        rest, place = rest[len(part) :], 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
