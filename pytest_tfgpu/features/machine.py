"""This machine as requirements and fixtures see it: facts, the GPUs a test can get, and checks on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest

from pytest_tfgpu.features import hooks, sharing
from pytest_tfgpu.requirements import NoGpu, Requirement

if TYPE_CHECKING:
    from pytest_tfgpu.model import Check, Facts, Gpu, Preflight
    from pytest_tfgpu.session import Session


_KNOWN = pytest.StashKey[tuple[int, dict[str, "Check"]]]()
"""The checks that the hook gave, and how many gave them: conftest files in sub-folders come later."""


def known_checks(config: pytest.Config, session: Session) -> dict[str, Check]:
    """Return every check that the hook knows, by name. Of two with one name the first stands, and that is said."""
    givers = len(config.hook.pytest_tfgpu_checks.get_hookimpls())
    asked, known = config.stash.get(_KNOWN, (0, {}))
    if asked != givers:
        known = _gathered(config, session)
        config.stash[_KNOWN] = givers, known
    return known


def _gathered(config: pytest.Config, session: Session) -> dict[str, Check]:
    from pytest_tfgpu.model import Check

    checks: dict[str, Check] = {}
    providers: dict[str, str] = {}
    for provider, given in hooks.sequences(config, session, "pytest_tfgpu_checks", Check):
        for check in given:
            if check.name in checks:
                session.note(f"check {check.name!r} is given by {providers[check.name]} and by {provider}")
            else:
                checks[check.name], providers[check.name] = check, provider
    return checks


def chosen(names: Iterable[str], known: Mapping[str, Check]) -> tuple[Check, ...]:
    """Return the checks of these names, each once. Raises ValueError where one is unknown."""
    wanted = tuple(dict.fromkeys(names))
    require_known(wanted, known)
    return tuple(known[name] for name in wanted)


def require_known(names: Iterable[str], known: Iterable[str]) -> None:
    """Raise ValueError where one of the names of checks isn't known."""
    for name in names:
        if name not in known:
            raise ValueError(f"there is no check {name!r}, known are: {', '.join(sorted(known))}")


def _clause(sentence: str | None) -> str:
    """Return a reason so that it goes on from a colon."""
    return (sentence or "for an unknown reason").removeprefix("There is no NVIDIA GPU: ").rstrip(".")


class LocalMachine:
    """What requirements ask (`pytest_tfgpu.requirements.Machine`)."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._wanted: dict[str, None] = {}

    @property
    def device(self) -> Literal["gpu", "cpu"]:
        """`gpu` or `cpu`, as `--tfgpu-device` says."""
        return self._session.settings.device

    @property
    def facts(self) -> Facts:
        """The facts of this machine."""
        return self._session.facts

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of the checks that `--tfgpu-checks` asks for."""
        return self._session.settings.checks

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the GPUs that TensorFlow could use here.

        Raises NoGpu with the reason where there is none.
        """
        if self.device == "cpu":
            raise NoGpu("the CPU only (--tfgpu-device=cpu)")
        from pytest_tfgpu.environment.faults.gpus import without_kernels
        from pytest_tfgpu.environment.presence import presence

        here = presence(self.facts)
        if here.status == "absent":
            raise NoGpu(f"no GPU: {_clause(here.reason)}")
        preflight = self._judged()
        if preflight.verdict == "not-asked":
            if here.status != "present":
                raise NoGpu(f"no GPU that TensorFlow can use: {_clause(here.reason)}")
        elif self._session.settings.on_broken != "warn":
            return self._usable(preflight)
        unfit = without_kernels(self.facts)
        return tuple(gpu for gpu in self.facts.visible if gpu not in unfit)

    def _usable(self, preflight: Preflight) -> tuple[Gpu, ...]:
        usable = {gpu.index for gpu in preflight.gpus if gpu.may_serve}
        if not usable:
            raise NoGpu(f"no GPU that TensorFlow can use: {_clause(preflight.reason)}")
        return tuple(gpu for gpu in self.facts.visible if gpu.index in usable)

    def expect(self, requirement: Requirement) -> None:
        """Note which checks a requirement needs.

        Raises ValueError where no such check is known.
        """
        if not requirement.checks and not requirement.dtypes:
            return
        require_known(requirement.checks, self._known())
        names = (*requirement.checks, *self.checks_of(requirement.dtypes))
        self._wanted.update(dict.fromkeys(names))

    def checks_of(self, dtypes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the checks that compute in these data types, one for each.

        Raises ValueError where none computes in one of them.
        """
        by_type = {dtype: name for name, check in reversed(self._known().items()) for dtype in check.dtypes}
        for dtype in dtypes:
            if dtype not in by_type:
                raise ValueError(f"no check computes in {dtype!r}, known are: {', '.join(sorted(by_type))}")
        return tuple(by_type[dtype] for dtype in dtypes)

    def checked(self) -> Preflight:
        """Return the verdict of the checks; runs them where nobody has."""
        session = self._session
        if session.preflight.verdict == "not-asked":
            if session.shared is None:
                session.preflight = self._run_wanted()
            else:
                visible = self.facts.visible
                patience = session.settings.preflight_timeout * (2 + len(visible))
                subject = ",".join(gpu.uuid or str(gpu.index) for gpu in visible)
                session.preflight = sharing.once(session.shared, self._run_wanted, patience, subject)
        return self._of_usable_gpus(self._of_own_gpus(session.preflight))

    def _judged(self) -> Preflight:
        """Return the verdict so far; on a host that the session's preflight didn't see, the checks are run for it."""
        session = self._session
        return (
            self.checked() if session.host is not None and session.settings.preflight else session.preflight
        )

    def _of_own_gpus(self, preflight: Preflight) -> Preflight:
        """Leave out the GPUs that other workers have."""
        own = {gpu.index for gpu in self.facts.visible}
        if not self._session.shared_out or not own:
            return preflight
        return replace(preflight, gpus=tuple(gpu for gpu in preflight.gpus if gpu.index in own))

    def withheld(self, count: int, fits: Callable[[Gpu], bool]) -> str:
        """Return what to say where other workers of this session have GPUs that would do; or ""."""
        together = self._session.shared_out
        if not together:
            return ""
        from pytest_tfgpu.environment.shares import key, name

        own = self.facts.visible
        others = [gpu for gpu in self.facts.gpus if key(gpu) in together and gpu not in own and fits(gpu)]
        if sum(map(fits, own)) + len(others) < count:
            return ""
        if len(own) < count:
            return f"; the workers have {len(together)} together: --tfgpu-gpus-per-worker={count}"
        all_of_them = f"--tfgpu-gpus-per-worker={len(together)}"
        return f"; {name(others[0])} would do and is another worker's: {all_of_them}"

    def _of_usable_gpus(self, preflight: Preflight) -> Preflight:
        """Leave the broken GPUs out where tests are kept off them, unless all are broken."""
        usable = tuple(gpu for gpu in preflight.gpus if gpu.may_serve)
        keeps_off = self._session.settings.on_broken == "skip" and preflight.device == "gpu"
        return replace(preflight, gpus=usable) if usable and keeps_off else preflight

    def run_checks(self, names: Iterable[str]) -> Preflight:
        """Run these checks now, in a child process, on every device that a test can get.

        Raises ValueError where a name is unknown.
        """
        from pytest_tfgpu.features.verdict import run_checks

        return run_checks(self._session, chosen(names, self._known()))

    def _run_wanted(self) -> Preflight:
        return self.run_checks((*self.checks, *self._wanted))

    def _known(self) -> dict[str, Check]:
        return known_checks(self._config, self._session)
