"""The end of the session: failures by cause, skips by requirement, and the reports that were asked for."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.session import ENDED, Session, payload

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

    from pytest_tfgpu.model import Report, TestDiagnosis
    from pytest_tfgpu.reporters import Reporter, Target


class Collected:
    """What the reports of a session carry for us, each failure and skip once."""

    def __init__(self) -> None:
        self.diagnoses: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.skips: dict[str, dict[str, Any]] = {}

    def add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Take over what a report carries."""
        data = payload(report)
        if "diagnosis" in data:
            phase = report.when or "collect"
            key = (report.nodeid, phase, _compat.subtest(report))
            self.diagnoses[key] = {**data["diagnosis"], "nodeid": report.nodeid, "phase": phase}
        if "skip" in data:
            self.skips[report.nodeid] = {**data["skip"], "nodeid": report.nodeid}


class Recorder:
    """Notes every test as it ends; registered only where a report was asked for."""

    def __init__(self) -> None:
        self.collected = Collected()
        self._tests: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.collected.add(report)
        test = self._tests.setdefault(
            report.nodeid,
            {
                "nodeid": report.nodeid,
                "outcome": "passed",
                "phase": "call",
                "started": report.start,
                "seconds": 0.0,
            },
        )
        test["seconds"] += report.duration
        outcome = _outcome(report)
        if outcome != "passed" and _RANK[outcome] >= _RANK[test["outcome"]]:
            test.update(outcome=outcome, phase=report.when)
        worker = getattr(report, "worker_id", None)
        if worker is not None:
            test["worker"] = worker
        diagnosis = payload(report).get("diagnosis")
        if diagnosis is not None:
            test["cause"] = diagnosis["cause"]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self.collected.add(report)
            if report.outcome == "failed":
                cause = payload(report).get("diagnosis", {}).get("cause")
                self._tests[report.nodeid] = {
                    "nodeid": report.nodeid, "outcome": "error", "phase": "collect", "cause": cause
                }  # fmt: skip

    @property
    def tests(self) -> list[dict[str, Any]]:
        """One entry per test (or module that failed to be collected), in order."""
        return list(self._tests.values())


_RANK = {"passed": 0, "xpassed": 1, "xfailed": 1, "skipped": 2, "failed": 3, "error": 4}


def _outcome(report: pytest.TestReport) -> str:
    expected = hasattr(report, "wasxfail")
    if report.outcome == "failed":
        return "failed" if report.when == "call" else "error"
    if report.outcome == "skipped":
        return "xfailed" if expected else "skipped"
    return "xpassed" if expected else "passed"


class Summary:
    """Says at the end what the failures have in common, and writes the reports."""

    def __init__(
        self, config: pytest.Config, session: Session, targets: list[tuple[Target, Reporter]]
    ) -> None:
        self._config = config
        self._session = session
        self._targets = targets
        self._began = time.time()
        self._lines: list[str] = []
        self._commands: list[str] = []
        self._recorder: Recorder | None = None
        if targets:
            self._recorder = Recorder()
            config.pluginmanager.register(self._recorder, "tfgpu-recorder")

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int | pytest.ExitCode) -> None:
        if self._targets:
            with self._session.guard("writing a report"):
                report = self._report(int(exitstatus))
                for target, reporter in self._targets:
                    with self._session.guard(f"the {target.format} report"):
                        self._write(report, target, reporter)
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or exitstatus in ENDED:
            self._say(terminal)

    def _write(self, report: Report, target: Target, reporter: Reporter) -> None:
        from pytest_tfgpu.features.delivery import deliver

        try:
            said, commands = deliver(report, target, reporter, self._config.rootpath)
        except OSError as error:
            self._lines.append(f"the {target.format} report could not be written: {error}")
        else:
            self._lines += said
            self._commands += commands

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what an xdist worker has to say of itself."""
        told = getattr(node, "workeroutput", {}).get("tfgpu", {})
        for line in told.get("problems", ()):
            if line not in self._session.problems:
                self._session.problems.append(line)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        self._say(terminalreporter)

    def _say(self, terminal: TerminalReporter | None) -> None:
        """Print the summary, the plugin's own faults, and what GitHub reads; without a terminal the last alone."""
        if terminal is not None:
            with self._session.guard("the summary"):
                self._show(terminal)
            for line in self._session.problems:
                terminal.write_line(f"pytest-tfgpu: {line}", yellow=True)
        for line in self._commands:
            print(line) if terminal is None else terminal.write_line(line)

    def _show(self, terminal: TerminalReporter) -> None:
        collected = self._collected()
        if not (collected.diagnoses or collected.skips or self._lines):
            return
        from pytest_tfgpu.reporters.terminal import causes_lines, skips_lines

        report = self._report(None)
        width = _compat.terminal_width(self._config)
        lines = causes_lines(report, width) + skips_lines(report, width) + self._lines
        if lines:
            terminal.section("tfgpu summary")
            for line in lines:
                terminal.write_line(line)

    def _collected(self) -> Collected:
        if self._recorder is not None:
            return self._recorder.collected
        collected = Collected()
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        for category in ("failed", "error", "skipped"):
            for report in terminal.stats.get(category, ()) if terminal is not None else ():
                collected.add(report)
        return collected

    def _report(self, exit_status: int | None) -> Report:
        from pytest_tfgpu._version import __version__
        from pytest_tfgpu.model import Facts, Report, Skip, TestDiagnosis, TestResult

        collected = self._collected()
        diagnoses = tuple(TestDiagnosis.from_json(item) for item in collected.diagnoses.values())
        tests = tuple(map(TestResult.from_json, self._recorder.tests)) if self._recorder is not None else ()
        return Report(
            tfgpu=__version__,
            started=datetime.fromtimestamp(self._began, timezone.utc).isoformat(timespec="seconds"),
            seconds=round(time.time() - self._began, 3),
            complete=True,
            exit_status=exit_status,
            facts=self._session.facts if self._targets else Facts(),
            preflight=self._session.preflight,
            outcomes=self._outcomes(),
            tests=tests,
            diagnoses=diagnoses,
            causes=_by_cause(diagnoses),
            skips=tuple(map(Skip.from_json, collected.skips.values())),
            problems=tuple(self._session.problems),
        )

    def _outcomes(self) -> dict[str, int]:
        """Count as pytest's last line does; without a terminal reporter, count the tests."""
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            counts = {
                category: sum(getattr(report, "count_towards_summary", True) for report in reports)
                for category, reports in terminal.stats.items()
                if category
            }
            return {category: count for category, count in counts.items() if count}
        counts = {}
        for test in self._recorder.tests if self._recorder is not None else ():
            counts[test["outcome"]] = counts.get(test["outcome"], 0) + 1
        return counts


def _by_cause(diagnoses: tuple[TestDiagnosis, ...]) -> tuple[Any, ...]:
    """Group diagnoses by cause, the most frequent first."""
    from pytest_tfgpu.model import CauseCount

    nodeids: dict[str, list[str]] = {}
    for diagnosis in diagnoses:
        nodeids.setdefault(diagnosis.cause, []).append(diagnosis.nodeid)
    counts = [CauseCount(cause, len(ids), tuple(dict.fromkeys(ids))) for cause, ids in nodeids.items()]
    return tuple(sorted(counts, key=lambda count: -count.count))
