"""What only looks like a failure of the GPU, or is none at all: nothing of the GPU is blamed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_tfgpu.diagnosis import engine
from pytest_tfgpu.diagnosis.evidence import from_text

OTHERS = [
    json.loads(line) for line in Path(__file__).with_name("silence.jsonl").read_text("utf-8").splitlines()
]
"""Class, message and log lines of failures of files, networks, data, programs and other tools."""


@pytest.mark.parametrize("texts", OTHERS, ids=lambda texts: texts[1][:40])
def test_nothing_of_the_gpu_is_blamed(texts: list[str]) -> None:
    """Silence, or a cause of the category `not-gpu`."""
    exception, message, *log = texts
    ranked = engine.rank(from_text(exception, message, log))
    assert [candidate.cause.id for candidate in ranked if candidate.cause.category != "not-gpu"] == []
