"""pytest-xdist's workers: which GPUs each of them sees, and how many of them `-n auto` starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu.features.variables import GROWTH, VISIBLE
from pytest_tfgpu.session import Session

if TYPE_CHECKING:
    from pytest_tfgpu.environment.shares import Place, Share
    from pytest_tfgpu.model import Facts


def asked(session: Session) -> bool:
    """Tell whether workers are to be given GPUs: something was asked for that is about GPUs and whole sessions."""
    settings = session.settings
    given = {"gpus_per_worker", "workers_per_gpu"} & session.sources.keys()
    return settings.device == "gpu" and bool(settings.preflight or settings.lock or given)


def is_local(spec: Any) -> bool:
    """Whether an xdist worker is a process of this host."""
    return bool(spec.popen) and not spec.via


def host_of(spec: Any, run: str) -> str:
    """Return a name that the workers of one run on one other host share, and no others."""
    import hashlib

    address = str(spec.socket or "").rpartition(":")[0]
    where = [run, spec.via, spec.ssh, spec.vagrant_ssh, address]
    return hashlib.sha256(repr(where).encode()).hexdigest()[:32]


def distributes(config: pytest.Config) -> bool:
    """Whether pytest-xdist is going to start workers."""
    return config.getoption("dist", "no") != "no" and bool(config.getoption("tx", None))


def local_workers(config: pytest.Config) -> int:
    """Return how many workers pytest-xdist is going to start on this host."""
    import execnet

    workers = 0
    for given in config.getoption("tx"):
        number, star, spec = given.partition("*")
        several = bool(star) and number.isdecimal()
        workers += (int(number) if several else 1) * is_local(execnet.XSpec(spec if several else given))
    return workers


class Workers:
    """Registered in the process that starts workers, where they are to be given GPUs."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._shares: dict[str, Share] = {}

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[Any]) -> None:
        """Set what each worker sees; a worker that takes the place of one that died has the same specification."""
        with self._session.guard("giving the workers their GPUs"):
            free = [spec for spec in specs if is_local(spec) and VISIBLE not in spec.env]
            names = {id(spec): spec.id for spec in free}
            for spec, share in zip(free, self._assign(len(free)), strict=False):
                spec.env[VISIBLE] = share.tokens
                if share.workers > 1 and GROWTH not in os.environ:
                    spec.env.setdefault(GROWTH, "true")
                self._shares[share.tokens] = share
            if self._shares:
                self._show([(str(names[id(spec)]), self._shares[spec.env[VISIBLE]]) for spec in free])

    def _assign(self, workers: int) -> Sequence[Share]:
        from pytest_tfgpu.environment.shares import assign, places

        here = self._usable(places(self._session.facts))
        self._session.shared_out = tuple(place.key for place in here)
        return assign(here, workers, self._session.settings.gpus_per_worker)

    def _usable(self, places: tuple[Place, ...]) -> tuple[Place, ...]:
        """Leave out the GPUs that failed the preflight, where its answer is known and one is left."""
        preflight = self._session.preflight
        usable = {gpu.index for gpu in preflight.gpus if gpu.may_serve}
        if self._session.settings.on_broken == "warn" or not usable:
            return places
        return tuple(place for place in places if place.gpu.index in usable)

    def give(self, name: str, spec: Any) -> dict[str, int]:
        """Note which GPU a worker has, and return what it may take of the GPUs that it shares (MiB, by their keys)."""
        share = self._shares.get(spec.env.get(VISIBLE, ""))
        if share is None:
            return {}
        index = share.places[0].gpu.index
        if len(share.places) == 1 and index is not None:
            self._session.gpus_of_workers[name] = index
        return share.memory_mib()

    def _show(self, workers: Sequence[tuple[str, Share]]) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._config.get_verbosity() < 0 or self._config.getoption("no_header", False):
            return
        terminal.ensure_newline()
        for line in lines(workers, self._session.settings.workers_per_gpu):
            terminal.write_line(line)


def lines(workers: Sequence[tuple[str, Share]], limit: int | None) -> list[str]:
    """Say which workers have which GPUs, a line for each GPU (or group of them)."""
    having: dict[str, list[str]] = {}
    for name, share in workers:
        having.setdefault(" and ".join(place.name for place in share.places), []).append(name)
    said = [f"tfgpu: {gpus} for {', '.join(names)}" for gpus, names in having.items()]
    most = max(map(len, having.values()))
    if limit is not None and most > limit:
        said.append(f"tfgpu: more than --tfgpu-workers-per-gpu={limit}; '-n auto' starts as many as fit")
    return said


def fitting(config: pytest.Config, cores: int) -> int:
    """Return how many workers `-n auto` starts: `cores`, or fewer where GPUs and memory have no room for them.

    As many as xdist itself would start where nothing was asked for that is about GPUs, where there is none, and where
    the number was set by PYTEST_XDIST_AUTO_NUM_WORKERS or by another plugin.
    """
    from pytest_tfgpu.settings import BadSetting, resolve

    with suppress(BadSetting):  # said later, when pytest is configured
        session = Session(*resolve(config))
        if asked(session) and not _decided(config):
            with session.guard("-n auto"):
                return min([cores, *_rooms(config, session)])
    return cores


def _decided(config: pytest.Config) -> bool:
    """Tell whether somebody else has a word on the number of workers."""
    implementations = config.hook.pytest_xdist_auto_num_workers.get_hookimpls()
    providers = {hook.function.__module__.partition(".")[0] for hook in implementations}
    return bool(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") or providers - {"xdist", "pytest_tfgpu"})


def _rooms(config: pytest.Config, session: Session) -> list[int]:
    """Return for how many workers there is room, by each of the things that they need; nothing without GPUs."""
    from pytest_tfgpu.environment import host
    from pytest_tfgpu.environment.shares import WORKER_HOST_MIB, places, room
    from pytest_tfgpu.features.wiring import collect_facts

    settings = session.settings
    here = places(collect_facts(config, session))
    if not here:
        return []
    if settings.lock:
        from pytest_tfgpu.features.locking import not_in_use

        here = not_in_use(here) or here
    rooms = [room(here, settings.gpus_per_worker, settings.workers_per_gpu)]
    allowed, memory = host.cores_allowed(), host.memory_free_mib()
    if allowed is not None:
        rooms.append(allowed)
    if memory is not None:
        rooms.append(max(1, memory // WORKER_HOST_MIB))
    return rooms


def with_shares(facts: Facts, memory_mib: dict[str, int]) -> Facts:
    """Return the facts with what a worker may take of the GPUs that it shares, by their keys."""
    from dataclasses import replace

    from pytest_tfgpu.environment.shares import key

    gpus = (replace(gpu, memory_share_mib=memory_mib.get(key(gpu))) for gpu in facts.gpus)
    return replace(facts, gpus=tuple(gpus))
