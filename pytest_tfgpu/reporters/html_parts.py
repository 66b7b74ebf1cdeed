"""What stands in the HTML report: the report's data in the order and the amounts in which a page shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_tfgpu.model import (
    Category,
    EvidenceLine,
    Report,
    TestDiagnosis,
    TestResult,
)
from pytest_tfgpu.reporters import checks
from pytest_tfgpu.reporters.groups import Group, cause_groups, skip_groups, title
from pytest_tfgpu.reporters.html_machine import devices, facts, memory, slowest_check
from pytest_tfgpu.reporters.html_memory import memory_picture
from pytest_tfgpu.reporters.html_timeline import timeline
from pytest_tfgpu.reporters.terminal import host_lines
from pytest_tfgpu.reporters.text import count, duration, mib

NODEIDS = 50
"""Tests that are named for a cause or a requirement; all are among the tests by file."""
TESTS = 20_000
"""Tests that are listed by file."""
WORDINGS = 5
"""Different diagnoses that are shown of one cause."""

_RANK = ("error", "failed", "xpassed", "xfailed", "skipped", "passed")
_CATEGORIES: dict[Category, str] = {
    "environment": "the machine or what is installed on it",
    "memory": "memory of the GPU or of the host",
    "operation": "what TensorFlow can't do on this device",
    "code": "the program under test",
    "hardware": "the GPU itself",
    "not-gpu": "not a failure of the GPU",
}
_PLURAL = {"warnings": "warning", "error": "error"}
_OUTCOMES = ("error", "failed", "passed", "skipped", "xfailed", "xpassed", "deselected", "rerun", "warnings")


@dataclass(frozen=True)
class Cause:
    """The failures of one cause, or those that nothing is known about."""

    anchor: str
    group: Group
    share: float
    """Of the largest group, in percent."""
    wordings: tuple[tuple[TestDiagnosis, int], ...]
    """A diagnosis of each thing that is said, and how often it is said."""
    unshown: int
    """How many more things are said."""


@dataclass(frozen=True)
class File:
    """The tests of one file, those that went worst first."""

    name: str
    counts: tuple[tuple[str, int], ...]
    seconds: float
    tests: tuple[TestResult, ...]
    unshown: int


def parts(report: Report) -> dict[str, Any]:
    """Return what the template shows, by the names that it uses."""
    groups = cause_groups(report)
    causes = _causes(groups)
    unexplained = [
        test.nodeid for test in report.tests if test.outcome in ("failed", "error") and test.cause is None
    ]
    ran = any(test.outcome != "skipped" for test in report.tests)
    return {
        "report": report,
        "headline": headline(report),
        "state": _state(report),
        "outcomes": _outcomes(report),
        "verdict": checks.verdict(report.preflight).partition(": "),
        "faults": checks.faults(report.preflight),
        "devices": devices(report.facts, report.preflight),
        "slowest_check": slowest_check(report.preflight),
        "causes": causes,
        "causes_title": title(groups) if groups else "",
        "anchors": {cause.group.cause: cause.anchor for cause in causes},
        "unexplained": unexplained,
        "skips": skip_groups(report),
        "timeline": timeline(report) if ran else None,
        "memory_picture": memory_picture(report),
        "slowest": sorted(report.tests, key=lambda test: -(test.seconds or 0))[:10],
        "files": _files(report),
        "facts": list(facts(report.facts)),
        "hosts": host_lines(report),
        "named": NODEIDS,
        "shares": _RANK,
        "categories": _CATEGORIES,
    }


def headline(report: Report) -> str:
    """Return the outcomes in the order in which pytest says them: `2 failed, 7 passed`."""
    said = [f"{number} {name}" for name, number in _outcomes(report) if name not in _PLURAL]
    said += [count(number, _PLURAL[name]) for name, number in _outcomes(report) if name in _PLURAL]
    return ", ".join(said) or "No tests ran"


def _outcomes(report: Report) -> list[tuple[str, int]]:
    known = [name for name in _OUTCOMES if report.outcomes.get(name)]
    return [(name, report.outcomes[name]) for name in [*known, *(set(report.outcomes) - set(_OUTCOMES))]]


def _state(report: Report) -> str:
    """Return `bad` where something failed, `good` where all that ran passed, else `unknown`."""
    broken = report.preflight.verdict == "unusable" or report.exit_status not in (0, None)
    if broken or report.outcomes.get("failed") or report.outcomes.get("error"):
        return "bad"
    return "good" if report.complete and report.exit_status == 0 else "unknown"


def _causes(groups: list[Group]) -> list[Cause]:
    largest = max((group.count for group in groups), default=1) or 1
    found = []
    for number, group in enumerate(groups, 1):
        said = [(diagnoses[0], len(diagnoses)) for diagnoses in group.summaries.values()]
        share = round(100 * group.count / largest, 2)
        unshown = max(len(said) - WORDINGS, 0)
        found.append(Cause(f"cause-{number}", group, share, tuple(said[:WORDINGS]), unshown))
    return found


def _files(report: Report) -> list[File]:
    """Return the tests by file, those that went worst first; beyond a number they are only counted."""
    by_name: dict[str, list[TestResult]] = {}
    listed: dict[str, int] = {}
    for position, test in enumerate(sorted(report.tests, key=_rank)):
        name = test.nodeid.partition("::")[0]
        by_name.setdefault(name, []).append(test)
        if position < TESTS:
            listed[name] = len(by_name[name])
    files = []
    for name, tests in by_name.items():
        counts = Counter(test.outcome for test in tests)
        shown = tuple(tests[: listed.get(name, 0)])
        seconds = sum(test.seconds or 0 for test in tests)
        files.append(File(name, tuple(counts.items()), seconds, shown, len(tests) - len(shown)))
    return files


def _rank(test: TestResult) -> int:
    return _RANK.index(test.outcome) if test.outcome in _RANK else 0


def test_name(nodeid: str) -> str:
    """Return the name of a test within its file; the whole for a module that could not be collected."""
    return nodeid.partition("::")[2] or nodeid


def moment(text: str) -> str:
    """Return an ISO 8601 time in UTC as a person reads it: `2026-11-21 09:00:00 UTC`."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|\+00:00)", text)
    return f"{match[1]} {match[2]} UTC" if match else text


def percent(part: float, whole: float) -> float:
    """Return a share in percent, within 0 and 100."""
    return round(min(max(100 * part / whole, 0), 100), 2) if whole > 0 else 0


def origin(quote: EvidenceLine) -> str:
    """Return where a quote is from: `standard error, line 12`."""
    place = f", line {quote.line}" if quote.line is not None else ""
    return (quote.origin or "seen") + place


FILTERS: dict[str, Callable[..., object]] = {
    function.__name__: function
    for function in (count, duration, memory, mib, moment, origin, percent, test_name)
}
"""What the template calls by name."""
