"""The pytest plugin: declares the hooks and wires the features."""

from __future__ import annotations

import pytest


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks of pytest-tfgpu."""
    from pytest_tfgpu import hookspecs

    pluginmanager.add_hookspecs(hookspecs)
