"""Calls our hooks one provider at a time: what one of them does wrong is its own line, and costs nobody else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_tfgpu.session import Session

OURS = "tfgpu"
"""The name of our own plugin: its entry point. Loaded with `-p pytest_tfgpu.plugin` it has another one for pytest."""


def each(config: pytest.Config, session: Session, hook: str, **arguments: Any) -> Iterator[tuple[str, Any]]:
    """Call a hook, one implementation after the other; yield the name of the provider and what it gave.

    An implementation that raises is left out, with one line among the session's problems.
    """
    for implementation in getattr(config.hook, hook).get_hookimpls():
        ours = getattr(implementation.plugin, "__name__", "") == "pytest_tfgpu.plugin"
        provider = OURS if ours else _shown(config, str(implementation.plugin_name))
        try:
            given = implementation.function(*(arguments[name] for name in implementation.argnames))
        except Exception as error:
            session.note(f"{provider}: {hook} failed: {type(error).__name__}: {error}")
        else:
            yield provider, given


def sequences(
    config: pytest.Config, session: Session, hook: str, kind: type
) -> Iterator[tuple[str, list[Any]]]:
    """Call a hook that returns a sequence of `kind`; yield the name of the provider and its items.

    Anything else that is given is left out, with one line among the session's problems.
    """
    for provider, given in each(config, session, hook):
        wrong = given is not None and not isinstance(given, (list, tuple))
        odd = next((item for item in given or () if not isinstance(item, kind)), None) if not wrong else given
        if wrong or odd is not None:
            session.note(f"{provider}: {hook}: expected a list of {kind.__name__}, got {odd!r:.100}")
        else:
            yield provider, list(given or ())


def _shown(config: pytest.Config, name: str) -> str:
    """Return a plugin's name as a reader knows it: a conftest by its path below the root folder."""
    if not name.endswith(".py"):
        return name
    try:
        return os.path.relpath(name, config.rootpath)
    except ValueError:
        return name
