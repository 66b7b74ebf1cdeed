"""The end of the session: failures by cause, skips by requirement, and the reports that were asked for."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.features.recorder import Collected, Recorder
from pytest_tfgpu.nesting import own_environment
from pytest_tfgpu.session import ENDED, Session

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_tfgpu.features.memory import Memory
    from pytest_tfgpu.model import CauseCount, Host, Report, TestDiagnosis, TestResult
    from pytest_tfgpu.reporters import Reporter, Target


class Summary:
    """Says at the end what the failures have in common, and writes the reports."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._environment = own_environment()
        self._targets: list[tuple[Target, Reporter]] = []
        if session.settings.report or self._environment.get("GITHUB_ACTIONS") == "true":
            from pytest_tfgpu.features.delivery import targets_of

            self._targets = targets_of(config, session, self._environment)
        self._began = time.time()
        self._lines: list[str] = []
        self._commands: list[str] = []
        self._said = False
        self._report: Report | None = None
        self._recorder: Recorder | None = None
        self._hosts: dict[str, Host] = {}
        if self._targets:
            self._recorder = Recorder(session)
            config.pluginmanager.register(self._recorder, "tfgpu-recorder")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Leave JSON reports that say they are incomplete: they stay where the session is killed."""
        for target, reporter in self._targets:
            if target.format == "json":
                with self._session.guard("the json report"), suppress(OSError):
                    from pytest_tfgpu.features.delivery import put, unfinished

                    put(unfinished(self._began), target, reporter)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int | pytest.ExitCode) -> None:
        if self._targets:
            with self._session.guard("writing a report"):
                self._report = report = self._build(int(exitstatus))
                for target, reporter in self._targets:
                    with self._session.guard(f"the {target.format} report"):
                        self._write(report, target, reporter)
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or exitstatus in ENDED or self._is_silent():
            self._say(terminal)

    def _write(self, report: Report, target: Target, reporter: Reporter) -> None:
        from pytest_tfgpu.features.delivery import deliver

        try:
            said, commands = deliver(report, target, reporter, self._config, self._environment)
        except OSError as error:
            self._session.note(f"the {target.format} report could not be written: {error}")
        else:
            self._lines += said
            self._commands += commands

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what an xdist worker has to say of itself."""
        told = getattr(node, "workeroutput", {}).get("tfgpu", {})
        for line in told.get("problems", ()):
            self._session.note(line)
        if "host" in told:
            with self._session.guard("taking over the facts of another host"):
                self._take_over(told, str(node.gateway.id))

    def _take_over(self, told: dict[str, Any], worker: str) -> None:
        """Note what the workers of another host say of it; a verdict stands where one of them has one."""
        from dataclasses import replace

        from pytest_tfgpu.model import Host

        host = Host.from_json({**told, "workers": [worker]})
        known = self._hosts.get(told["host"])
        if known is not None:
            latest = host if known.preflight.verdict == "not-asked" else known
            host = replace(latest, workers=(*known.workers, worker))
        self._hosts[told["host"]] = host

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        if not self._said:
            self._say(terminalreporter)

    def _say(self, terminal: TerminalReporter | None) -> None:
        """Print the summary, the plugin's own faults, and what GitHub reads; without a terminal the last alone."""
        self._said = True
        if terminal is not None:
            with self._session.guard("the summary"):
                if not self._is_silent():
                    self._show(terminal)
            said = self._session.problems or self._commands
            if said and self._config.get_terminal_writer().width_of_current_line:  # of the tests' progress
                terminal.write_line("")
            for line in self._session.problems:
                terminal.write_line(f"pytest-tfgpu: {line}", yellow=True)
        for line in self._commands:
            print(line) if terminal is None else terminal.write_line(line)

    def _show(self, terminal: TerminalReporter) -> None:
        said = self._report or self._collected()
        memory = self._memory()
        if not (said.diagnoses or said.skips or memory or self._lines):
            return
        parts = [self._lines]
        if said.diagnoses or said.skips or memory:
            from pytest_tfgpu.reporters.links import linker
            from pytest_tfgpu.reporters.terminal import causes_lines, memory_lines, skips_lines
            from pytest_tfgpu.reporters.text import encodable

            width, encoding = _compat.screen(self._config)
            report = encodable(self._report or self._build(None), encoding)
            every = self._config.get_verbosity() > 0
            link = linker(os.environ) if terminal.hasmarkup else None
            causes = causes_lines(report, width, markup=self._paint, link=link, every=every)
            most = self._session.settings.memory
            parts = [causes, skips_lines(report, width), memory_lines(report, most), *parts]
        terminal.write_sep("=", "tfgpu summary")
        for number, part in enumerate(part for part in parts if part):
            for line in ([""] if number else []) + part:
                terminal.write_line(line)

    def _memory(self) -> list[dict[str, Any]]:
        """Return what is known of the GPU memory of the tests."""
        memory: Memory | None = self._config.pluginmanager.get_plugin("tfgpu-memory")
        return [] if memory is None else memory.rows

    def _is_silent(self) -> bool:
        return bool(self._config.getoption("no_summary", False))

    def _paint(self, text: str, style: str) -> str:
        return self._config.get_terminal_writer().markup(text, **{style: True})

    def _collected(self) -> Collected:
        """Gather what the reports carry: those that were recorded, else those that pytest's terminal keeps."""
        reports: Iterable[pytest.TestReport | pytest.CollectReport] = ()
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if self._recorder is not None:
            reports = self._recorder.remarkable
        elif terminal is not None:
            kept = (terminal.stats.get(category, ()) for category in ("failed", "error", "skipped"))
            reports = chain.from_iterable(kept)
        collected = Collected()
        for report in reports:
            collected.add(report)
        return collected

    def _build(self, exit_status: int | None) -> Report:
        from dataclasses import replace

        from pytest_tfgpu.features.delivery import unfinished
        from pytest_tfgpu.model import Facts, MemoryUse, Skip, TestDiagnosis
        from pytest_tfgpu.redaction import Redactor

        collected = self._collected()
        diagnoses = tuple(TestDiagnosis.from_json(item) for item in collected.diagnoses.values())
        tests = () if self._recorder is None else self._recorder.tests(self._session.gpus_of_workers)
        report = replace(
            unfinished(self._began),
            seconds=round(time.time() - self._began, 3),
            complete=True,
            exit_status=exit_status,
            facts=self._session.facts if self._targets else Facts(),
            preflight=self._session.preflight,
            outcomes=self._outcomes(tests),
            tests=tests,
            diagnoses=diagnoses,
            causes=_by_cause(diagnoses),
            skips=tuple(map(Skip.from_json, collected.skips.values())),
            memory=tuple(map(MemoryUse.of, self._memory())),
            hosts=tuple(self._hosts.values()),
            problems=tuple(self._session.problems),
        )
        return Redactor({**self._environment, **os.environ}).report(report)

    def _outcomes(self, tests: tuple[TestResult, ...]) -> dict[str, int]:
        """Count as pytest's last line does; without a terminal reporter, count the tests."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None:
            return dict(Counter(test.outcome for test in tests))
        counts = {
            category: sum(getattr(report, "count_towards_summary", True) for report in reports)
            for category, reports in terminal.stats.items()
            if category
        }
        return {category: count for category, count in counts.items() if count}


def _by_cause(diagnoses: tuple[TestDiagnosis, ...]) -> tuple[CauseCount, ...]:
    """Group the tests by the cause of their failure, the most frequent first; subtests count as their test."""
    from pytest_tfgpu.model import CauseCount

    nodeids: dict[str, dict[str, None]] = {}
    for diagnosis in diagnoses:
        nodeids.setdefault(diagnosis.cause, {})[diagnosis.nodeid] = None
    counts = [CauseCount(cause, len(ids), tuple(ids)) for cause, ids in nodeids.items()]
    return tuple(sorted(counts, key=lambda count: -count.count))
