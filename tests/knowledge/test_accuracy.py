"""How often the diagnosis is right on labelled failures from public threads, where they are at hand."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def _benchmark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accuracy", ROOT / "benchmarks" / "accuracy.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_accuracy_does_not_drop() -> None:
    """The figures of the labelled failures stay at least what they are promised to be."""
    benchmark = _benchmark()
    path = benchmark.default_cases()
    if not path.exists():
        pytest.skip("the labelled failures aren't here")
    figures = benchmark.measure(benchmark.read(path))
    assert figures["top1"] >= 0.95
    assert figures["top3"] >= 0.99
    assert figures["silent_on_lookalikes"] == 1.0
    assert figures["overconfident"] == 0
    assert figures["missed"] == 0


def test_the_measure_counts_what_it_says() -> None:
    """A right answer, a false alarm and a miss are counted as such."""
    benchmark = _benchmark()
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
