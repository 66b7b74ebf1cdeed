"""Names that the pages mention exist."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from pytest_tfgpu import hookspecs
from pytest_tfgpu.markers import BY_NAME
from pytest_tfgpu.settings import SETTINGS

from .pages import Page, all_pages

OPTIONS = {row.option for row in SETTINGS}
OPTIONS |= {f"--no-tfgpu-{row.name}" for row in SETTINGS if row.ini == "flag"}
NAMES = {
    r"--(?:no-)?tfgpu-[a-z][a-z-]*[a-z]": OPTIONS,
    r"\bTFGPU_[A-Z_]*": {row.variable for row in SETTINGS} | {"TFGPU_"},
    r"\btfgpu_[a-z_]+": {row.ini_name for row in SETTINGS} | {"tfgpu_cause", "tfgpu_causes", "tfgpu_machine"},
    r"\bpytest_tfgpu_[a-z]+": {name for name in vars(hookspecs) if name.startswith("pytest_tfgpu_")},
    r"\brequires_[a-z]+": set(BY_NAME),
}


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_names_exist(page: Page) -> None:
    """Options, variables, ini settings, hooks and markers that a page mentions are those of the plugin."""
    for pattern, known in NAMES.items():
        unknown = set(re.findall(pattern, page.text)) - known
        assert not unknown, f"{page.name} speaks of {', '.join(sorted(unknown))}"


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_python_names_exist(page: Page) -> None:
    """What a page imports from the package, or mentions with its full name, is there."""
    for module, names in re.findall(r"from (pytest_tfgpu[\w.]*) import ([\w, ]+)", page.text):
        for name in names.split(","):
            assert resolve(f"{module}.{name.strip()}") is not None
    for name in re.findall(r"`(pytest_tfgpu\.[\w.]+)`", page.text):
        assert resolve(name) is not None, f"{page.name} speaks of {name}"


def resolve(name: str) -> Any:
    """Return the module or the attribute of this full name, None where there is none."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found
    return None
