"""The pytest plugin: declares options, markers, fixtures and hooks, and registers the features that are on."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu.fixtures import *  # noqa: F403  (pytest finds fixtures among a plugin's names)
from pytest_tfgpu.nesting import announce_session
from pytest_tfgpu.session import KEY, Session
from pytest_tfgpu.settings import BadSetting, Settings, add_options, resolve

if TYPE_CHECKING:
    from pytest_tfgpu.knowledge.schema import Cause
    from pytest_tfgpu.model import Check
    from pytest_tfgpu.reporters import Reporter


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks of pytest-tfgpu."""
    from pytest_tfgpu import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the settings."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings, declare the markers, and register the features that are on."""
    from pytest_tfgpu.features.wiring import register
    from pytest_tfgpu.markers import marker_lines

    for line in marker_lines():
        config.addinivalue_line("markers", line)
    handed = getattr(config, "workerinput", {}).get("tfgpu")
    try:
        settings, sources = (
            resolve(config) if handed is None else (Settings.from_json(handed["settings"]), {})
        )
        config.stash[KEY] = session = Session(settings, sources)
        register(config, session, handed)
    except BadSetting as error:
        raise pytest.UsageError(f"pytest-tfgpu: {error}") from None
    config.add_cleanup(announce_session())


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the settings to an xdist worker."""
    from pytest_tfgpu.features.wiring import hand_down

    node.workerinput["tfgpu"] = hand_down(node)


@pytest.hookimpl(optionalhook=True, wrapper=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """Let `-n auto` start no more workers than the GPUs and the memory have room for, where that was asked for."""
    cores = yield
    from pytest_tfgpu.features.workers import fitting

    return fitting(config, cores)


def pytest_tfgpu_checks() -> Sequence[Check]:
    """Give the checks that come with pytest-tfgpu."""
    from pytest_tfgpu.preflight import builtin_checks

    return builtin_checks()


def pytest_tfgpu_causes() -> Sequence[Cause]:
    """Give the causes that come with pytest-tfgpu."""
    from pytest_tfgpu.knowledge.catalog import builtin_causes

    return builtin_causes()


def pytest_tfgpu_reporters() -> Sequence[Reporter]:
    """Give the reporters that come with pytest-tfgpu."""
    from pytest_tfgpu.reporters import builtin_reporters

    return builtin_reporters()
