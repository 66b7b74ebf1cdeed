"""What a reading answers, and the small parsers that readings share."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_tfgpu.model import EvidenceLine

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case


@dataclass(frozen=True)
class Reading:
    """A statement that holds. Both parts may be missing."""

    sentence: str = ""
    quote: EvidenceLine | None = None


NO: Reading | None = None

Function = Callable[["Case", str], Reading | None]

_UNITS = {
    "b": 1,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
    "tib": 1 << 40,
    "pib": 1 << 50,
    "eib": 1 << 60,
}
_UNITS |= {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_SIZE = re.compile(r"(\d[\d,]{0,24}(?:\.\d{0,9})?) ?([KMGTPE]?i?B|[KMG])?(?![\w])", re.IGNORECASE)


def size(value: str) -> int | None:
    """Return bytes: `4.44GiB`, `7510566400`, `2560 MB`; None where it is no size."""
    found = _SIZE.match(value.strip())
    if not found:
        return None
    number = float(found[1].replace(",", ""))
    return int(number * _UNITS.get((found[2] or "b").lower(), 1))


def human(count: float) -> str:
    """Return bytes as people read them: `1.9 GiB`."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024 or unit == "GiB":
            return f"{int(count)} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def version(value: str | None) -> tuple[int, ...]:
    """Return the leading numbers of a version, empty where there are none: `8.1.0.77` is (8, 1, 0, 77)."""
    found = re.match(r"\s*v?(\d{1,6}(?:\.\d{1,6}){0,5})", value or "")
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def log_quote(case: Case, pattern: re.Pattern[str]) -> EvidenceLine | None:
    """Return the log line, else the line of the message, in which a pattern is found."""
    for line in case.evidence.log:
        if pattern.search(line.text):
            return EvidenceLine(line.text.strip()[:400], line.origin, line.line)
    for part in case.evidence.message.split("\n"):
        if pattern.search(part):
            return EvidenceLine(part.strip()[:400], "exception")
    return None
