"""When each test ran, on which worker and GPU: the figures of a picture, drawn by the template."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_tfgpu.model import Report, TestResult
from pytest_tfgpu.reporters.text import count, duration

WIDTH = 2000
"""Units from the first test's start to the last one's end; a picture has fewer pixels."""
HEIGHT = 100
"""Units of a lane's height."""

_NAMED = 200
_WIDE = 20
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
_TICKS = 5
_HEIGHTS = {"skipped": 30, "passed": 60, "xfailed": 60, "xpassed": 60, "failed": 100, "error": 100}
"""How high an outcome is drawn, from the back to the front: it can be told without colour."""


@dataclass(frozen=True)
class Mark:
    """A test that has a name in the picture: its place in units."""

    x: int
    width: int
    y: int
    outcome: str
    title: str


@dataclass(frozen=True)
class Lane:
    """The tests of one worker on one GPU."""

    label: str
    paths: tuple[tuple[str, str], ...]
    """Outcome and outline of all tests that have no name in the picture."""
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Timeline:
    """The tests of a session over time."""

    lanes: tuple[Lane, ...]
    ticks: tuple[tuple[float, str], ...]
    """Where a time stands, in percent, and how it is written."""
    outcomes: tuple[tuple[str, int], ...]
    """Those that are in the picture and how high they are drawn, for its legend."""
    summary: str
    """What the picture shows, in words."""


def timeline(report: Report) -> Timeline | None:
    """Return when the tests ran; None where no test has a time."""
    tests = timed(report)
    if not tests:
        return None
    axis = Axis.of(tests)
    span = axis.span
    named = _worth_a_name(tests, span)
    lanes: dict[str, list[TestResult]] = {}
    for test in tests:
        lanes.setdefault(_label(test), []).append(test)
    drawn = tuple(_lane(label, lanes[label], named, axis) for label in sorted(lanes, key=_natural))
    seen = {test.outcome for test in tests}
    outcomes = tuple((outcome, height) for outcome, height in _HEIGHTS.items() if outcome in seen)
    return Timeline(drawn, _ticks(span), outcomes, _summary(tests, span))


def timed(report: Report) -> list[TestResult]:
    """Return the tests of which it is known when they ran."""
    return [test for test in report.tests if _has_time(test)]


class Axis(NamedTuple):
    """The time from left to right, in seconds."""

    began: float
    span: float

    @classmethod
    def of(cls, tests: Sequence[TestResult]) -> Axis:
        """Return the time in which these tests ran, of which there is one at least."""
        began = min(map(_start, tests))
        return cls(began, max(max(_start(test) + _took(test) for test in tests) - began, 1e-6))

    def place(self, test: TestResult) -> tuple[int, int]:
        """Return from where to where a test is drawn, of `WIDTH`."""
        first = min(int((_start(test) - self.began) / self.span * WIDTH), WIDTH - 4)
        return first, first + max(int(_took(test) / self.span * WIDTH) - 2, 4)


def _summary(tests: Sequence[TestResult], span: float) -> str:
    """Return what is to be seen in a line: `71 tests on 3 workers over 30.9 s`."""
    workers = {test.worker for test in tests if test.worker is not None}
    gpus = {test.gpu for test in tests if test.gpu is not None}
    where = [count(len(workers), "worker")] if workers else []
    where += [count(len(gpus), "GPU")] if gpus else []
    return f"{count(len(tests), 'test')}{' on ' if where else ''}{' and '.join(where)} over {duration(span)}"


def _has_time(test: TestResult) -> bool:
    return test.started is not None and math.isfinite(test.started) and test.outcome in _HEIGHTS


def _start(test: TestResult) -> float:
    return test.started or 0.0


def _took(test: TestResult) -> float:
    seconds = test.seconds or 0.0
    return seconds if 0 < seconds < 1e9 else 0.0


def _worth_a_name(tests: Iterable[TestResult], span: float) -> set[str]:
    """Return the tests that are named: those that failed and those that took long, up to a number."""
    failed = [test for test in tests if _HEIGHTS[test.outcome] == HEIGHT]
    long = [test for test in tests if _took(test) >= span * _WIDE / WIDTH]
    long.sort(key=_took, reverse=True)
    return {test.nodeid for test in [*failed[: _NAMED // 2], *long[: _NAMED // 2]]}


def _label(test: TestResult) -> str:
    gpu = "" if test.gpu is None else f"GPU {test.gpu}"
    return ", ".join(filter(None, (test.worker, gpu))) or "pytest"


def _natural(label: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d{1,9})", label)]


def _lane(label: str, tests: Iterable[TestResult], named: set[str], axis: Axis) -> Lane:
    spans: dict[str, list[tuple[int, int]]] = {outcome: [] for outcome in _HEIGHTS}
    marks = []
    for test in sorted(tests, key=_start):
        first, last = axis.place(test)
        if test.nodeid in named:
            took = duration(_took(test))
            title = f"{test.nodeid}: {test.outcome}{', ' if took else ''}{took}"
            marks.append(Mark(first, last - first, HEIGHT - _HEIGHTS[test.outcome], test.outcome, title))
        else:
            spans[test.outcome].append((first, last))
    marks.sort(key=lambda mark: -mark.y)
    paths = ((outcome, _outline(pieces, _HEIGHTS[outcome])) for outcome, pieces in spans.items() if pieces)
    return Lane(label, tuple(paths), tuple(marks))


def _outline(spans: Sequence[tuple[int, int]], height: int) -> str:
    """Return the outline of spans in the order of their start; those that touch are one."""
    joined: list[tuple[int, int]] = []
    for first, last in spans:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    top = HEIGHT - height
    return "".join(f"M{first} {top}H{last}V{HEIGHT}H{first}z" for first, last in joined)


def _ticks(span: float) -> tuple[tuple[float, str], ...]:
    """Return round times from 0 on, at most as many as fit on a phone."""
    step = next((step for step in _steps(span) if span / step <= _TICKS), span)
    return tuple(
        (round(100 * number * step / span, 2), _clock(number * step))
        for number in range(int(span / step) + 1)
    )


def _steps(span: float) -> Iterable[float]:
    if span < 5:
        scale = 10.0 ** math.floor(math.log10(span / _TICKS))
        return [scale * factor for factor in (1, 2, 5, 10)]
    return _STEPS


def _clock(seconds: float) -> str:
    """Return a time on the axis: `0.2 s`, `15 s`, `2:30 min`, `1:05 h`."""
    if seconds < 60:
        return f"{seconds:g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d} min"
    return f"{minutes // 60}:{minutes % 60:02d} h"
