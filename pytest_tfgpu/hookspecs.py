"""The hooks of pytest-tfgpu, for `conftest.py` files and plugins.

Implement them with `@pytest.hookimpl(optionalhook=True)`: without it a conftest breaks where the plugin is off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_tfgpu.knowledge.schema import Cause
    from pytest_tfgpu.model import Check, Diagnosis, Facts
    from pytest_tfgpu.reporters import Reporter


@pytest.hookspec
def pytest_tfgpu_checks() -> Sequence[Check]:  # type: ignore[empty-body]
    """Return checks that `--tfgpu-checks` may name, each a `pytest_tfgpu.Check`.

    The check's `run` is an import string; the preflight's child imports it, the pytest process never does.
    Two checks of one name are an error that names both providers.
    """


@pytest.hookspec
def pytest_tfgpu_causes() -> Sequence[Cause]:  # type: ignore[empty-body]
    """Return causes to add to the catalogue. Called at the first failure, not before."""


@pytest.hookspec
def pytest_tfgpu_facts() -> Mapping[str, Any]:  # type: ignore[empty-body]
    """Return facts to lay over those that were found, by the keys of `pytest_tfgpu.Facts`.

    Called once per process, when facts are first needed. A key that is not a fact, or a value of the wrong type,
    is left out, with one line at the end of the session.
    """


@pytest.hookspec
def pytest_tfgpu_reporters() -> Sequence[Reporter]:  # type: ignore[empty-body]
    """Return reporters that `--tfgpu-report=FORMAT:PATH` may name."""


@pytest.hookspec
def pytest_tfgpu_diagnosis(diagnosis: Diagnosis, evidence: Any, facts: Facts) -> None:
    """Called after each diagnosis, in the process that ran the test; what it returns is ignored."""
