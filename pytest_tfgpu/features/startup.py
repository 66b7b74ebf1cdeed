"""The preflight of a session: started first, judged before the first test, and where need be the session's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.features import sharing
from pytest_tfgpu.features.machine import chosen, known_checks
from pytest_tfgpu.features.progress import Progress
from pytest_tfgpu.session import ABSENT, UNUSABLE, Session

if TYPE_CHECKING:
    from pytest_tfgpu.model import Preflight
    from pytest_tfgpu.preflight import Answer, Run

_NO_TESTS = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test", "cacheshow")


def wanted(config: pytest.Config) -> bool:
    """Tell whether tests are going to run; options that only show something need no preflight."""
    return not any(config.getoption(option, None) for option in _NO_TESTS)


class Startup:
    """Registered in the process that the user started, where a preflight was asked for."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._run: Run | None = None
        self._started = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        with self._session.guard("starting the preflight"):
            from pytest_tfgpu.preflight import begin

            session, settings = self._session, self._session.settings
            checks = chosen(settings.checks, known_checks(self._config, session))
            self._run = begin(
                session.facts, device=settings.device, checks=checks, timeout=settings.preflight_timeout
            )
            if self._run is not None and settings.device == "gpu":
                self._wait(self._run)
            self._started = True

    def pytest_report_header(self) -> str | None:
        from pytest_tfgpu.reporters.terminal import header_line

        with self._session.guard("the header"):
            return header_line(self._session.facts)
        return None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        self._session.preflight = self._failed()
        with self._session.guard("the preflight"):
            if self._started:
                self._session.preflight = self._judge()
            if self._session.shared is not None:
                sharing.leave(self._session.shared, self._session.preflight)
            self._show(self._session.preflight)
        status = self._exit_status(self._session.preflight)
        if status is not None:
            _compat.print_collection_errors(self._config)
            pytest.exit(f"tfgpu preflight: {self._session.preflight.reason}", returncode=status)

    def pytest_unconfigure(self) -> None:
        if self._run is not None:
            self._run.stop()

    def _failed(self) -> Preflight:
        from pytest_tfgpu.model import Preflight

        reason = "The preflight could not be run, through a fault of its own."
        return Preflight("unusable", reason, device=self._session.settings.device)

    def _wait(self, run: Run) -> Answer:
        progress = Progress(self._config)
        try:
            return run.result(progress.show)
        finally:
            progress.clear()

    def _judge(self) -> Preflight:
        from pytest_tfgpu.preflight import judge

        settings = self._session.settings
        answer = None if self._run is None else self._wait(self._run)
        return judge(self._session.facts, answer, device=settings.device, require=settings.require)

    def _show(self, preflight: Preflight) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        quiet = self._config.get_verbosity() < 0
        if terminal is None or (quiet and preflight.verdict == "ok"):
            return
        from pytest_tfgpu.reporters.terminal import preflight_lines

        width = _compat.terminal_width(self._config)
        terminal.ensure_newline()
        terminal.section("tfgpu preflight")
        for line in preflight_lines(preflight, width=width, markup=self._paint):
            terminal.write_line(line)

    def _paint(self, text: str, style: str) -> str:
        return self._config.get_terminal_writer().markup(text, **{style: True})

    def _exit_status(self, preflight: Preflight) -> int | None:
        """Return the status with which the session ends here, None where it goes on."""
        settings = self._session.settings
        if preflight.verdict == "absent":
            return ABSENT if settings.require else None
        if preflight.verdict == "unusable":
            usable = sum(gpu.usable for gpu in preflight.gpus)
            short = usable == 0 if settings.require == "all" else usable < settings.require
            return UNUSABLE if short or settings.on_broken == "abort" else None
        return None
