"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suite import MODES, Suite


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    """An empty suite to fill and run."""
    return Suite(tmp_path)


@pytest.fixture(params=MODES.values(), ids=MODES.keys())
def mode(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The arguments of one way to run pytest: plain, with xdist in several ways, without it."""
    arguments: tuple[str, ...] = request.param
    return arguments
