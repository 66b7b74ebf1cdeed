"""The preflight of a session: started first, judged before the first test, and where need be the session's end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.features import sharing, variables
from pytest_tfgpu.features.machine import chosen, known_checks
from pytest_tfgpu.features.progress import Progress
from pytest_tfgpu.session import ABSENT, UNUSABLE, Session

if TYPE_CHECKING:
    from pytest_tfgpu.features.memo import Memo
    from pytest_tfgpu.model import Check, Preflight
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
        settings = session.settings
        self._overlaps = settings.preflight_overlap or settings.device == "cpu"
        self._checks: tuple[Check, ...] = ()
        self._memo: Memo | None = None
        self._run: Run | None = None
        self._answer: Answer | None = None
        self._verdict: Preflight | None = None
        self._started = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        with self._session.guard("starting the preflight"):
            settings = self._session.settings
            self._checks = chosen(settings.checks, known_checks(self._config, self._session))
            if settings.preflight_cache:
                from pytest_tfgpu.features.memo import Memo

                self._memo = Memo(self._config, self._session, self._checks)
                self._verdict = self._memo.recall()
            if self._verdict is None:
                self._begin()
            self._started = True
            if not self._overlaps:
                self._conclude()

    def _begin(self) -> None:
        from pytest_tfgpu.preflight import begin

        settings = self._session.settings
        self._run = begin(
            self._session.facts,
            device=settings.device,
            checks=self._checks,
            timeout=settings.preflight_timeout,
            remember=self._memo is not None,
        )

    def pytest_report_header(self) -> list[str]:
        from pytest_tfgpu.reporters.terminal import header_line

        lines = []
        with self._session.guard("the header"):
            lines.append(header_line(self._session.facts))
            if self._verdict is not None and self._verdict.age is not None:
                lines.append(f"tfgpu preflight: {self._verdict.verdict}. {self._verdict.reason}")
        return lines

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        if self._ends_without_tests(session):
            return
        with self._session.guard("the preflight"):
            if self._started:
                self._conclude()
        verdict = self._session.preflight = self._verdict or self._failed()
        with self._session.guard("the preflight"):
            if self._session.shared is not None:
                sharing.leave(self._session.shared, verdict)
            self._show(verdict)
        status = self._exit_status(verdict)
        if status is not None:
            _compat.print_collection_errors(self._config)
            pytest.exit(f"tfgpu preflight: {verdict.reason}", returncode=status)

    def pytest_unconfigure(self) -> None:
        if self._run is not None:
            self._run.stop()

    def _ends_without_tests(self, session: pytest.Session) -> bool:
        """Whether no test is going to run, for modules failed to be collected, and the checks still run: end them."""
        goes_on = session.config.option.continue_on_collection_errors
        if not session.testsfailed or goes_on or self._run is None or self._run.done():
            return False
        from pytest_tfgpu.model import Preflight

        self._run.stop()
        reason = "The session ended before the checks did: modules could not be collected."
        self._session.preflight = Preflight("inconclusive", reason, device=self._session.settings.device)
        return True

    def _failed(self) -> Preflight:
        from pytest_tfgpu.model import Preflight

        reason = "The preflight could not be run, through a fault of its own."
        return Preflight("unusable", reason, device=self._session.settings.device)

    def _wait(self) -> Answer | None:
        if self._run is None:
            return None
        progress = Progress(self._config)
        try:
            self._answer = self._run.result(progress.show)
        finally:
            progress.clear()
        return self._answer

    def _again(self) -> Answer | None:
        self._begin()
        return self._wait()

    def _conclude(self) -> None:
        """Wait for the checks, and judge them, unless that has been done."""
        if self._verdict is not None:
            return
        from pytest_tfgpu.features.verdict import conclude

        again = self._again if self._overlaps else None
        require = self._session.settings.require
        self._verdict = conclude(self._session, self._wait(), require=require, again=again)
        self._session.preflight = self._verdict
        if self._memo is not None and self._answer is not None:
            self._memo.keep(self._verdict, self._answer)
        if self._session.settings.on_broken == "skip":
            self._keep_off_broken_gpus(self._verdict)

    def _keep_off_broken_gpus(self, verdict: Preflight) -> None:
        """Let this process, and what it starts, see the other GPUs only, where some are broken and some are not."""
        from pytest_tfgpu.preflight.runner import narrowed

        usable = [position for position, gpu in enumerate(verdict.gpus) if gpu.may_serve]
        if verdict.device == "cpu" or not usable or len(usable) == len(verdict.gpus):
            return
        tokens = narrowed(os.environ.get(variables.VISIBLE), usable)
        variables.set_for_session(self._config, {variables.VISIBLE: tokens})

    def _show(self, preflight: Preflight) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        quiet = self._config.get_verbosity() < 0
        if terminal is None or (quiet and preflight.verdict == "ok"):
            return
        from pytest_tfgpu.reporters.terminal import preflight_lines
        from pytest_tfgpu.reporters.text import encodable

        width, encoding = _compat.screen(self._config)
        terminal.ensure_newline()
        terminal.section("tfgpu preflight")
        for line in preflight_lines(encodable(preflight, encoding), width=width, markup=self._paint):
            terminal.write_line(line)

    def _paint(self, text: str, style: str) -> str:
        return self._config.get_terminal_writer().markup(text, **{style: True})

    def _exit_status(self, preflight: Preflight) -> int | None:
        """Return the status with which the session ends here, None where it goes on."""
        settings = self._session.settings
        if preflight.verdict == "absent":
            return ABSENT if settings.require else None
        if preflight.verdict == "unusable":
            usable = sum(gpu.may_serve for gpu in preflight.gpus)
            short = settings.require == "all" or usable < settings.require
            return UNUSABLE if short or settings.on_broken == "abort" else None
        return None
