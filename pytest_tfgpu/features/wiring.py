"""Which features are on, in which process, and what the processes hand to one another."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu.session import Session, get
from pytest_tfgpu.settings import DEFAULT_CHECKS, BadSetting

if TYPE_CHECKING:
    from pytest_tfgpu.model import Facts


def register(config: pytest.Config, session: Session, handed: Mapping[str, Any] | None) -> None:
    """Register the features that are on in this process.

    `handed` is what the xdist controller gave this worker, None elsewhere. Raises BadSetting.
    """
    from pytest_tfgpu.features.gating import Gating

    manager = config.pluginmanager
    session.collect_facts = partial(collect_facts, config, session)
    manager.register(Gating(config, session), "tfgpu-gating")
    if session.settings.diagnose:
        from pytest_tfgpu.features.failures import Failures

        manager.register(Failures(config, session), "tfgpu-failures")
    if handed is not None:
        _join(config, session, handed)
        return
    _check_names(config, session)
    from pytest_tfgpu.features.summary import Summary

    manager.register(Summary(config, session), "tfgpu-summary")
    if session.settings.diagnose and config.getoption("xmlpath", None):
        from pytest_tfgpu.features.junit import JUnit

        manager.register(JUnit(config, session), "tfgpu-junit")
    if session.settings.preflight:
        from pytest_tfgpu.features.startup import Startup, wanted

        if wanted(config):
            manager.register(Startup(config, session), "tfgpu-startup")


def _join(config: pytest.Config, session: Session, handed: Mapping[str, Any]) -> None:
    """Take up what the controller handed to this worker."""
    from pytest_tfgpu.features import sharing

    session.worker = str(config.workerinput["workerid"])  # type: ignore[attr-defined]
    session.shared = Path(handed["shared"])
    if session.settings.preflight:
        session.read_verdict = partial(sharing.find, session.shared)
    config.pluginmanager.register(Worker(config, session), "tfgpu-worker")


class Worker:
    """In an xdist worker: tells the controller at the end what went wrong in the plugin."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session

    def pytest_sessionfinish(self) -> None:
        self._config.workeroutput["tfgpu"] = {"problems": self._session.problems}  # type: ignore[attr-defined]


def hand_down(config: pytest.Config) -> dict[str, Any]:
    """Return what an xdist worker gets to know, as plain data."""
    from pytest_tfgpu.features import sharing

    session = get(config)
    if session.shared is None:
        session.shared = sharing.make_folder()
        config.add_cleanup(partial(sharing.remove_folder, session.shared))
    return {"settings": session.settings.to_json(), "shared": str(session.shared)}


def collect_facts(config: pytest.Config, session: Session) -> Facts:
    """Collect the facts of this machine and lay over them what `pytest_tfgpu_facts` hooks give, key by key."""
    from pytest_tfgpu.environment import collect_facts as collect
    from pytest_tfgpu.features import hooks

    facts = collect()
    for provider, given in hooks.each(config, session, "pytest_tfgpu_facts"):
        if isinstance(given, Mapping):
            for key, value in given.items():
                try:
                    facts = facts.with_fact(key, value)
                except ValueError as error:
                    session.note(f"{provider}: pytest_tfgpu_facts: {error}")
        elif given is not None:
            session.note(f"{provider}: pytest_tfgpu_facts: expected a mapping, got {given!r:.100}")
    return facts


def _check_names(config: pytest.Config, session: Session) -> None:
    """Find out before the session whether the checks exist that were asked for."""
    if session.settings.checks == DEFAULT_CHECKS:
        return
    from pytest_tfgpu.features.machine import known_checks, require_known

    try:
        require_known(session.settings.checks, known_checks(config, session))
    except ValueError as error:
        told = "; ".join((str(error), *session.problems))
        raise BadSetting(f"{session.sources['checks']}: {told}") from None
