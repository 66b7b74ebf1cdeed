"""Reruns by cause (`--tfgpu-rerun`): pytest-rerunfailures runs a test again only where it failed of one of them."""

from __future__ import annotations

from collections.abc import Generator
from importlib import metadata
from typing import Any

import pytest

from pytest_tfgpu.features.causes import require_known
from pytest_tfgpu.session import Session, payload
from pytest_tfgpu.settings import BadSetting

_PLUGIN = "rerunfailures"
_NEEDED = "16.7"
"""From this version on, a condition is asked for each failure, and fixtures are torn down where it isn't met."""


class Reruns:
    """In each process that runs tests: tells pytest-rerunfailures which failures are worth another try."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._causes = frozenset(session.settings.rerun)
        self._failed: list[tuple[BaseException, set[str]]] = []
        """The failures of the running attempt, with the causes that fit."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Let tests be rerun on that condition; those that are marked `flaky` have a rule of their own."""
        mark = pytest.mark.flaky(reruns=self._most(), condition=self._is_worth_it)
        for item in items:
            if item.get_closest_marker("flaky") is None:
                item.add_marker(mark)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "setup":
            self._failed.clear()
        if call.excinfo is not None and report.outcome == "failed":
            self._failed.append((call.excinfo.value, _fitting(payload(report).get("diagnosis", {}))))
        return report

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, sched: Any) -> None:
        """A test whose worker died has no cause that is known: it isn't run again."""
        sched.config.failures_db.set_test_reruns(crashitem, 0)

    def _most(self) -> int:
        """How often a test is rerun: as `--reruns` says, else once."""
        given = self._config.getoption("reruns", None) or self._config.getini("reruns")
        if not given:
            return 1
        return 0 if self._config.getoption("reruns_mode", "") == "append" else int(given)

    def _is_worth_it(self, error: BaseException | None = None) -> bool:
        return any(
            fitting & self._causes for failed, fitting in self._failed if error is None or failed is error
        )


def _fitting(diagnosis: dict[str, Any]) -> set[str]:
    """Return the cause of a failure; of one that is only possible the others, too, that fit as well."""
    others = diagnosis["alternatives"] if diagnosis.get("confidence") == "possible" else ()
    return {diagnosis["cause"], *others} if diagnosis else set()


def require_possible(config: pytest.Config, session: Session) -> None:
    """Find out before the session whether tests can be rerun by these causes. Raises BadSetting."""
    from packaging.version import Version

    source = session.sources.get("rerun", "--tfgpu-rerun")
    if not session.settings.diagnose:
        off = session.sources.get("diagnose", "--no-tfgpu-diagnose")
        raise BadSetting(f"{source}: needs the diagnosis, which is switched off ({off})")
    if not config.pluginmanager.has_plugin(_PLUGIN):
        raise BadSetting(
            f"{source}: needs pytest-rerunfailures, which is not installed or not active: "
            f'python -m pip install "pytest-rerunfailures>={_NEEDED}"'
        )
    found = metadata.version("pytest-rerunfailures")
    if Version(found) < Version(_NEEDED):
        raise BadSetting(f"{source}: needs pytest-rerunfailures {_NEEDED} or newer, found {found}")
    if config.getoption("usepdb", False):
        raise BadSetting(f"{source}: can't be used with --pdb")
    try:
        require_known(session.settings.rerun, config, session)
    except ValueError as error:
        raise BadSetting(f"{source}: {error}") from None
