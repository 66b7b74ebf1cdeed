"""What was printed before a failure, by other tests of the process: kept within bounds, and used with care."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.text import LINE_LIMIT

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.evidence import Evidence
    from pytest_tfgpu.knowledge.catalog import Catalog
    from pytest_tfgpu.model import Diagnosis, EvidenceLine, Facts

FIRST, LAST = 200, 200
"""Different lines that are kept: those that came first, and the latest."""
HEAD, TAIL = 100_000, 100_000
"""Characters of one text that are looked at, from its start and from its end: a log may be endless."""

_STAMP = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9}: (?=[IWEF] )"
    r"|(?<![\w:])([IWEF])\d{4} \d\d:\d\d:\d{2,10}\.\d{1,9} +\d{1,10} (?=[\w./-]{1,200}:\d)"
)
"""Time and thread in front of a line of TensorFlow's log: up to 2.16, and in later versions."""
_SPEAKS = re.compile(
    r"cu(?:da|dnn|blas|fft|solver|sparse|pti)|nccl|nvidia|nvml|\bxla\b|ptxas|libdevice|tensorflow",
    re.IGNORECASE,
)
_MEMORY = re.compile(r"allocator", re.IGNORECASE)
_FAULT = "gpu-fault"
_NO_GPU = "gpu-not-visible"
LOSE_GPU = frozenset(
    (
        "cpu-only-build",
        "cuda-library-missing",
        "cuda-version-mismatch",
        "cudnn-missing",
        "driver-library-mismatch",
        "driver-missing",
        "driver-too-old",
        "driver-unhealthy",
        "unsupported-compute-capability",
    )
)
"""Why a process has no GPU. TensorFlow says it once, when it first looks for one; what fails later only shows that it
has none."""


class Past:
    """The different lines of TensorFlow and CUDA so far, each with where it came first and how often it came."""

    def __init__(self) -> None:
        self._lines: dict[str, tuple[str, str, int]] = {}

    def add(self, text: str, place: str) -> None:
        """Take in what was printed at a place, such as `during test_a.py::test_x, call`.

        The allocator's lines are left out: its numbers belong to the test that printed them.
        """
        for line in lines_of(text):
            told = logged(line)
            if told is None or _MEMORY.search(line):
                continue
            line, key = told
            shown, first, count = self._lines.get(key, (line, place, 0))
            self._lines[key] = (shown, first, count + 1)
            if len(self._lines) > FIRST + LAST:
                del self._lines[next(islice(self._lines, FIRST, None))]

    def lines(self) -> Iterator[EvidenceLine]:
        """Yield the lines with where they come from, oldest first."""
        from pytest_tfgpu.model import EvidenceLine

        for text, place, count in self._lines.values():
            again = "" if count == 1 else f", and {count - 1} more time{'s' if count > 2 else ''}"
            yield EvidenceLine(text, f"printed {place}{again}")


def shortened(text: str) -> str:
    """Return a text without its middle where it is long."""
    if len(text) <= HEAD + TAIL:
        return text
    start, end = text[:HEAD], text[-TAIL:]
    return f"{start[: start.rfind(chr(10)) + 1 or HEAD]}{end[end.find(chr(10)) + 1 :]}"


def lines_of(text: str) -> Iterator[str]:
    """Yield the lines of a text, cut to what can be read; of a long text those of its start and of its end."""
    for line in shortened(text).split("\n"):
        if line.strip():
            yield line.rstrip("\r")[:LINE_LIMIT]


def logged(line: str) -> tuple[str, str] | None:
    """Return a line of TensorFlow or CUDA, and the same without its time; None for another one.

    What stands before the time is somebody else's and left out.
    """
    stamp = _STAMP.search(line, 0, 400)
    if stamp is not None:
        return line[stamp.start() :], (stamp[1] or "") + line[stamp.end() :]
    return (line, line) if _SPEAKS.search(line) else None


def diagnose(
    evidence: Evidence,
    past: Iterable[EvidenceLine],
    facts: Facts | None = None,
    catalog: Catalog | None = None,
) -> tuple[Diagnosis | None, Evidence]:
    """Return why it failed, and the evidence for it, to which lines of the past belong where they decided.

    They decide only between causes of which the failure itself shows a sign, and never against what is confirmed
    without them: a line that an earlier test printed on purpose explains nothing.
    """
    from pytest_tfgpu.diagnosis import engine

    found = engine.diagnose(evidence, facts, catalog)
    lines = tuple(past)
    if found is None or found.confidence == "confirmed" or not lines:
        return found, evidence
    wider = replace(
        evidence,
        log=(*evidence.log, *lines),
        earlier=(
            *evidence.earlier,
            *_faults(replace(evidence, chain=(), frames=(), log=lines), facts, catalog),
        ),
    )
    other = engine.diagnose(wider, facts, _open_to(evidence, facts, catalog))
    return (found, evidence) if other is None or other.confidence == "possible" else (other, wider)


def _open_to(evidence: Evidence, facts: Facts | None, catalog: Catalog | None) -> Catalog:
    """Return the causes between which the past may decide: those of which the failure itself shows a sign."""
    from pytest_tfgpu.diagnosis import engine
    from pytest_tfgpu.knowledge.catalog import Catalog, load

    known = catalog or load()
    shown = {candidate.cause.id for candidate in engine.rank(evidence, facts, known)}
    if _NO_GPU in shown:
        shown |= LOSE_GPU
    return Catalog((known.provider(cause.id), cause) for cause in known if cause.id in shown)


def _faults(past: Evidence, facts: Facts | None, catalog: Catalog | None) -> Iterator[str]:
    """Yield the fault of a GPU that the past shows, though the test that met it may have passed."""
    from pytest_tfgpu.diagnosis import engine

    for candidate in engine.rank(past, facts, catalog):
        if candidate.cause.id == _FAULT and candidate.has_root:
            yield _FAULT
