"""A browser, and axe-core: what `.ci/run` installs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from .chromium import Browser, find

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / ".tox" / "axe-core" / "package" / "axe.min.js"


def missing(what: str) -> NoReturn:
    """Skip the test for want of something; fail where `.ci/run` says that it is there."""
    if os.environ.get("TFGPU_TEST_BROWSER") == "required":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Run a Chromium for the tests of this process."""
    program = find()
    if program is None:
        missing("there is no Chromium here (Debian's package: chromium)")
    with Browser(program, tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core, from the file that AXE_CORE names or that `.ci/run` has fetched."""
    path = Path(os.environ.get("AXE_CORE") or AXE)
    if not path.is_file():
        missing(f"there is no axe-core here ({path.name}, to be named by AXE_CORE)")
    return path.read_text("utf-8")
