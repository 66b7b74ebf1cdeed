"""The driver's error reports (Xid) since boot, from the kernel's log where this process may read it."""

from __future__ import annotations

import os
import re
from pathlib import Path

LOG = "dev/kmsg"
LONGEST = 4 << 20
"""Bytes of the log that are read at most."""
_REPORT = re.compile(rb"NVRM: Xid \(PCI:([0-9a-fA-F:]+)(?:\.\d+)?\): (\d+)")


def reports(root: Path = Path("/")) -> dict[str, tuple[int, ...]]:
    """Return place on the PCI bus (`0000:3b:00`) -> numbers of the reports about it, each once, the oldest first.

    Empty where there is none, and where the log may not be read: most containers, and users without the right.
    """
    found: dict[str, dict[int, None]] = {}
    for place, number in _REPORT.findall(_log(root / LOG)):
        found.setdefault(place.decode().lower(), {})[int(number)] = None
    return {place: tuple(numbers) for place, numbers in found.items()}


def _log(path: Path) -> bytes:
    """Read what the log holds now; each read of it gives one record, and none waits for the next."""
    records, size = [], 0
    try:
        file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return b""
    try:
        while size < LONGEST:
            try:
                record = os.read(file, 1 << 14)
            except BrokenPipeError:
                continue
            except OSError:
                break
            if not record:
                break
            records.append(record)
            size += len(record)
    finally:
        os.close(file)
    return b"".join(records)
