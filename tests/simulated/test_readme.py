"""The table of failures in the README of this folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_tfgpu.knowledge.catalog import load

HERE = Path(__file__).parent
LINES = (HERE / "README.md").read_text("utf-8").partition("| failure |")[2].splitlines()
ROWS = [line for line in LINES if line.startswith("| ") and not line.startswith("| ---")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_row(row: str) -> None:
    """Each row names tests that exist here, and causes that are in the catalogue."""
    *_, does, tests, _ = row.split("|")
    source = "".join(path.read_text("utf-8") for path in HERE.glob("test_*.py"))
    named = re.findall(r"`(?:test_\w+\.py::)?(test_\w+)`", tests)
    files = re.findall(r"`(test_\w+\.py)", tests)
    assert named or files or "the same" in tests
    assert all(f"\ndef {name}(" in source for name in named)
    assert all((HERE / name).is_file() for name in files)
    for cause in re.findall(r"\b[a-z]+(?:-[a-z]+)+\b", does):
        assert cause in load(), cause
