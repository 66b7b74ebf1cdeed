"""GPU memory over time: the figures of a picture, drawn by the template."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pytest_tfgpu.model import MemoryUse, Report
from pytest_tfgpu.reporters.html_timeline import HEIGHT, Axis, timed
from pytest_tfgpu.reporters.text import count, mib

LARGEST = 10
"""Tests that are in the table."""


@dataclass(frozen=True)
class Chart:
    """The peaks of the tests on one GPU."""

    label: str
    outline: str
    largest: str


@dataclass(frozen=True)
class MemoryPicture:
    """How much memory the tests took, by GPU."""

    charts: tuple[Chart, ...]
    largest: tuple[MemoryUse, ...]
    summary: str


def memory_picture(report: Report) -> MemoryPicture | None:
    """Return how much memory the tests took over time; None where nothing is known of it."""
    used = [use for use in report.memory if math.isfinite(use.peak_mib) and use.peak_mib > 0]
    if not used:
        return None
    spans = _spans(report)
    by_gpu: dict[int | None, list[MemoryUse]] = {}
    for use in used:
        by_gpu.setdefault(use.gpu, []).append(use)
    top = max(use.peak_mib for use in used)
    charts = tuple(
        Chart("GPU" if gpu is None else f"GPU {gpu}", _outline(by_gpu[gpu], spans, top), _most(by_gpu[gpu]))
        for gpu in sorted(by_gpu, key=lambda gpu: -1 if gpu is None else gpu)
    )
    largest = tuple(sorted(used, key=lambda use: -use.peak_mib)[:LARGEST])
    tests = count(len({use.nodeid for use in used}), "test")
    return MemoryPicture(charts, largest, f"{tests}, at most {mib(top)}")


def _most(used: list[MemoryUse]) -> str:
    return mib(max(use.peak_mib for use in used))


def _spans(report: Report) -> dict[str, tuple[int, int]]:
    """Return from where to where each test is drawn: as on the timeline."""
    tests = timed(report)
    if not tests:
        return {}
    axis = Axis.of(tests)
    return {test.nodeid: axis.place(test) for test in tests}


def _outline(used: list[MemoryUse], spans: dict[str, tuple[int, int]], top: float) -> str:
    pieces = []
    for use in used:
        if use.nodeid in spans:
            first, last = spans[use.nodeid]
            high = round(HEIGHT * (1 - min(use.peak_mib / top, 1)), 1)
            pieces.append(f"M{first} {high:g}H{last}V{HEIGHT}H{first}z")
    return "".join(pieces)
