"""Fixtures for the tests of features."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.plugin.forked import Forked


@pytest.fixture(scope="module")
def forked() -> Iterator[Forked]:
    """A process whose forks run pytest."""
    process = Forked()
    yield process
    process.close()
