"""Which features are on, in which process, and what the processes hand to one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    if session.settings.rerun:
        from pytest_tfgpu.features import failures, reruns

        if handed is None:
            reruns.require_possible(config, session)
        failures.look_at_tests(config)  # registered before: the cause is there when reruns are judged
        manager.register(reruns.Reruns(config, session), "tfgpu-reruns")
    if session.settings.memory:
        from pytest_tfgpu.features.memory import Memory

        manager.register(Memory(session), "tfgpu-memory")
    if handed is not None:
        _join(config, session, handed)
        return
    _check_names(config, session)
    from pytest_tfgpu.features.summary import Summary

    manager.register(Summary(config, session), "tfgpu-summary")
    if session.settings.diagnose and config.getoption("xmlpath", None):
        from pytest_tfgpu.features.junit import JUnit

        manager.register(JUnit(config, session), "tfgpu-junit")
    if session.settings.diagnose and config.getoption("htmlpath", None):
        from pytest_tfgpu.features.html_column import HtmlColumn

        manager.register(HtmlColumn(), "tfgpu-html-column")
    if session.settings.preflight:
        from pytest_tfgpu.features.startup import Startup, wanted

        if wanted(config):
            manager.register(Startup(config, session), "tfgpu-startup")
    if session.settings.lock or config.getoption("tx", None):
        _share_out(config, session)


def _share_out(config: pytest.Config, session: Session) -> None:
    """Register what gives GPUs to this run and to its workers; the lock goes before the preflight."""
    from pytest_tfgpu.features import workers
    from pytest_tfgpu.features.startup import wanted

    if not workers.asked(session) or not wanted(config):
        return
    if workers.distributes(config):
        config.pluginmanager.register(workers.Workers(config, session), "tfgpu-workers")
    if session.settings.lock:
        from pytest_tfgpu.features.locking import Locking

        config.pluginmanager.register(Locking(config, session), "tfgpu-locking")


def _join(config: pytest.Config, session: Session, handed: Mapping[str, Any]) -> None:
    """Take up what the controller handed to this worker."""
    from pytest_tfgpu.features import sharing

    session.worker = str(config.workerinput["workerid"])  # type: ignore[attr-defined]
    session.shared_out = tuple(handed["shared_out"])
    if handed["shares"]:
        collect = partial(collect_facts, config, session)
        session.collect_facts = partial(_facts_of_share, collect, handed["shares"])
    if handed["shared"] is None:
        session.host = handed["host"]
        with session.guard("meeting the other workers of this host"):
            session.shared = sharing.join(handed["host"])
            config.add_cleanup(partial(sharing.part, session.shared))
    else:
        session.shared = Path(handed["shared"])
        if session.settings.preflight:
            session.read_verdict = partial(sharing.find, session.shared)
    config.pluginmanager.register(Worker(config, session), "tfgpu-worker")


class Worker:
    """In an xdist worker: tells the controller at the end of its host, where that is another, and what went wrong."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session

    def pytest_sessionfinish(self) -> None:
        session = self._session
        told: dict[str, Any] = {}
        if session.host is not None and (session.settings.report or session.settings.preflight):
            with session.guard("telling of this host"):
                import platform

                verdict, name = session.preflight, platform.node()
                if verdict.verdict in ("absent", "unusable"):
                    session.note(f"on {name}: GPU {verdict.verdict}: {verdict.reason}")
                facts = session.facts.to_json()
                told = {"host": session.host, "name": name, "facts": facts, "preflight": verdict.to_json()}
        self._config.workeroutput["tfgpu"] = {"problems": session.problems, **told}  # type: ignore[attr-defined]


def _facts_of_share(collect: Callable[[], Facts], memory_mib: dict[str, int]) -> Facts:
    from pytest_tfgpu.features.workers import with_shares

    return with_shares(collect(), memory_mib)


def hand_down(node: Any) -> dict[str, Any]:
    """Return what an xdist worker gets to know, as plain data."""
    from pytest_tfgpu import _compat
    from pytest_tfgpu.features import sharing, workers

    config, spec = node.config, node.gateway.spec
    session = get(config)
    told = {"settings": session.settings.to_json(), "screen": list(_compat.screen(config))}
    if not workers.is_local(spec):
        run = node.workerinput["testrunuid"]
        return {**told, "shared": None, "host": workers.host_of(spec, run), "shared_out": [], "shares": {}}
    if session.shared is None:
        session.shared = sharing.make_folder()
        config.add_cleanup(partial(sharing.remove_folder, session.shared))
    giver = config.pluginmanager.get_plugin("tfgpu-workers")
    shares = {} if giver is None else giver.give(node.gateway.id, spec)
    return {**told, "shared": str(session.shared), "shared_out": list(session.shared_out), "shares": shares}


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
