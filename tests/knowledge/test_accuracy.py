"""How often the diagnosis is right on labelled failures from public threads."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from pytest_tfgpu.knowledge.catalog import builtin_causes

ROOT = Path(__file__).parents[2]


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The program that measures and writes the page."""
    return _benchmark()


@pytest.fixture(scope="module")
def threads(benchmark: ModuleType) -> list[dict[str, Any]]:
    """The labelled failures that the project carries."""
    cases: list[dict[str, Any]] = benchmark.read(benchmark.THREADS)
    return cases


def test_accuracy_does_not_drop(benchmark: ModuleType, threads: list[dict[str, Any]]) -> None:
    """Of the failures that the project carries at least as many are right as were when they were learned from."""
    figures = benchmark.measure(threads)
    assert figures["top1"] >= 0.97
    assert figures["top3"] >= 0.975
    assert figures["silent_on_lookalikes"] >= 0.98
    assert figures["overconfident"] == 0


def test_accuracy_on_the_first_failures_does_not_drop(benchmark: ModuleType) -> None:
    """The figures of the failures with which the catalogue was built stay what they are promised to be."""
    path = benchmark.built_with()
    if not path.exists():
        pytest.skip("the failures with which the catalogue was built aren't here")
    figures = benchmark.measure(benchmark.read(path))
    assert figures["top1"] >= 0.98
    assert figures["top3"] >= 0.99
    assert figures["silent_on_lookalikes"] == 1.0
    assert figures["overconfident"] == 0
    assert figures["missed"] == 0


def _all_in_log(case: dict[str, Any]) -> dict[str, Any]:
    told = f"{case['exception']}: {case['message']}" if case["exception"] else case["message"]
    return {**case, "exception": "", "message": "", "log": [*case["log"], *told.split("\n")]}


def _all_in_message(case: dict[str, Any]) -> dict[str, Any]:
    return {**case, "message": "\n".join([case["message"], *case["log"]]), "log": []}


@pytest.mark.parametrize("moved", [_all_in_log, _all_in_message])
def test_where_a_text_was_put_matters_little(
    benchmark: ModuleType,
    threads: list[dict[str, Any]],
    moved: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    """What is given as message or as log, as happens when texts are copied, is read either way."""
    figures = benchmark.measure([moved(case) for case in threads])
    assert figures["top1"] >= 0.965
    assert figures["silent_on_lookalikes"] >= 0.96
    assert figures["overconfident"] == 0


def test_the_failures_are_labelled_and_their_sources_named(threads: list[dict[str, Any]]) -> None:
    """Each failure stands once, with a public source, a known label, and what was said of it blind."""
    known = {cause.id for cause in builtin_causes()} | {"not-gpu"}
    assert len({case["id"] for case in threads}) == len(threads)
    assert [case["id"] for case in threads if not case["source"].startswith("https://")] == []
    assert [case["id"] for case in threads if not {case["cause"], *case["also"]} <= known] == []
    rounds = {case["round"] for case in threads}
    assert rounds == set(range(1, len(rounds) + 1))
    assert all(set(case["blind"]) == {"named", "category", "confidence"} for case in threads)


def test_the_published_figures_are_those_that_are_measured(
    benchmark: ModuleType, threads: list[dict[str, Any]]
) -> None:
    """The page holds today's figures; `python benchmarks/accuracy.py --write` renews it."""
    published = benchmark.PAGE.read_text("utf-8").splitlines()
    measured = benchmark.page(threads).splitlines()
    assert [line for line in measured if line.startswith(("|", "- [")) and line not in published] == []


def test_the_measure_counts_what_it_says(benchmark: ModuleType) -> None:
    """A right answer, a false alarm and a miss are counted as such."""
    cases = [
        {
            "id": "a",
            "exception": "",
            "message": "Cast string to float is not supported",
            "cause": "unsupported-cast",
        },
        {"id": "b", "exception": "", "message": "nothing that is known", "cause": "out-of-memory"},
        {"id": "c", "exception": "", "message": "Dst tensor is not initialized.", "cause": "not-gpu"},
        {
            "id": "d",
            "exception": "",
            "message": "Incompatible shapes: [1] vs. [2]",
            "cause": "x",
            "also": ["shape-mismatch"],
        },
    ]
    figures = benchmark.measure(cases)
    assert (figures["gpu_cases"], figures["top1"], figures["missed"]) == (3, 0.667, 1)
    assert (figures["silent_on_lookalikes"], figures["false_alarms"]) == (0.0, 1)
