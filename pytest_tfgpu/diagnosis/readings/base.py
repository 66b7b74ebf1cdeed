"""What a reading answers, and the small parsers that readings share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
_LARGEST = 1 << 63
_SIZE = re.compile(r"(\d[\d,]{0,24}(?:\.\d{0,9})?) ?([KMGTPE]?i?B|[KMG])?(?![\w])", re.IGNORECASE)


def size(value: str) -> int | None:
    """Return bytes: `4.44GiB`, `7510566400`, `2560 MB`; None where it is no size, or one that no machine has."""
    found = _SIZE.match(value.strip())
    if not found:
        return None
    number = float(found[1].replace(",", ""))
    return bounded(int(number * _UNITS.get((found[2] or "b").lower(), 1)))


def bounded(count: int) -> int | None:
    """Return a number of bytes, None where it is none that a machine may have."""
    return count if 0 <= count < _LARGEST else None


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


class Probe:
    """A pattern with texts of which one must be there for it to fit: looking for those first costs next to nothing."""

    def __init__(self, pattern: str, *needles: str, flags: int = 0) -> None:
        """Take a pattern and, in lower case, the needles."""
        self.pattern = re.compile(pattern, flags)
        self._needles = tuple((needle, _letters(needle)) for needle in needles)

    def search(self, case: Case) -> re.Match[str] | None:
        """Return the first match in message or log."""
        known = case.probed
        if self not in known:
            known[self] = self.pattern.search(case.raw) if self._may_fit(case) else None
        return known[self]

    def finditer(self, case: Case) -> Iterator[re.Match[str]]:
        """Yield all matches in message and log."""
        return self.pattern.finditer(case.raw) if self._may_fit(case) else iter(())

    def quote(self, case: Case) -> EvidenceLine | None:
        """Return the log line, else the line of the message, in which it is found."""
        found = self.search(case)
        return case.quote_raw(found.start()) if found else None

    def _may_fit(self, case: Case) -> bool:
        return any(letters in case.letters and needle in case.lower for needle, letters in self._needles)


def _letters(needle: str) -> bytes:
    """Return the longest run of letters of a needle, if any: where no word holds it, the needle isn't in the text."""
    return max(re.findall("[a-z]+", needle), key=len, default="").encode()
