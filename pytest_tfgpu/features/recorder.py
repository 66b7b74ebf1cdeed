"""What the reports of a session say, put together: one result per test, each diagnosis and unmet requirement once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.session import Session, diagnosis_of, payload

if TYPE_CHECKING:
    from pytest_tfgpu.model import TestResult

_RANK = {"passed": 0, "xpassed": 1, "xfailed": 1, "skipped": 2, "failed": 3, "error": 4}


class Collected:
    """What the reports of a session carry for us, each failure and skip once."""

    def __init__(self) -> None:
        self.diagnoses: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.skips: dict[str, dict[str, Any]] = {}

    def add(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        """Take over what a report carries."""
        data = payload(report)
        diagnosis = diagnosis_of(report)
        if diagnosis is not None:
            phase = report.when or "collect"
            place: dict[str, Any] = {"nodeid": report.nodeid, "phase": phase}
            file, line, _ = report.location or ("", None, "")
            own = file.replace(os.sep, "/") == report.nodeid.partition("::")[0]
            if own and phase != "collect" and line is not None:
                place["line"] = line + 1
            key = (report.nodeid, phase, _compat.subtest(report))
            self.diagnoses[key] = {**diagnosis, **place}
        if "skip" in data:
            self.skips[report.nodeid] = {**data["skip"], "nodeid": report.nodeid}


class Recorder:
    """Keeps one result per test; registered only where a report was asked for."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tests: dict[str, dict[str, Any]] = {}
        self._location: object = None
        self._test: dict[str, Any] = {}
        self.remarkable: list[pytest.TestReport | pytest.CollectReport] = []
        """The reports that may carry something for us."""

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        extra = report.__dict__  # thousands of these are read: attributes would take three times as long
        try:
            if (
                extra["location"] is not self._location
            ):  # the reports of one item share it, but for those of workers
                self._location, nodeid = extra["location"], report.nodeid
                self._test = self._tests.get(nodeid) or {
                    "nodeid": nodeid, "outcome": "passed", "started": report.start, "seconds": 0.0,
                }  # fmt: skip
                self._tests[nodeid] = self._test
            if "context" not in extra:  # not of a subtest
                self._test["seconds"] += extra["duration"]
            if extra["outcome"] != "passed" or "wasxfail" in extra:
                _note(self._test, report)
                self.remarkable.append(report)
            if "worker_id" in extra:
                self._test["worker"] = extra["worker_id"]
        except Exception as error:
            self._session.problem("recording a test", error)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.outcome != "passed":
            self.remarkable.append(report)
        if report.outcome == "failed":
            cause = (diagnosis_of(report) or {}).get("cause")
            self._tests[report.nodeid] = {
                "nodeid": report.nodeid, "outcome": "error", "phase": "collect", "cause": cause,
            }  # fmt: skip

    def tests(self, gpus: Mapping[str, int]) -> tuple[TestResult, ...]:
        """Return one result per test (or module that could not be collected), in order.

        `gpus` has the index of the GPU of each worker that was given one.
        """
        from pytest_tfgpu.model import TestResult

        for test in self._tests.values() if gpus else ():
            if test.get("worker") in gpus:
                test["gpu"] = gpus[test["worker"]]
        return tuple(map(TestResult.of, self._tests.values()))


def _note(test: dict[str, Any], report: pytest.TestReport) -> None:
    """Let the worst outcome of a test's phases be the test's, and its diagnosis the test's cause."""
    outcome = _outcome(report)
    if _RANK[outcome] >= _RANK[test["outcome"]]:
        test["outcome"], test["phase"] = outcome, report.when
    diagnosis = diagnosis_of(report)
    if diagnosis is not None:
        test["cause"] = diagnosis["cause"]
    elif "expected" in payload(report):
        test["cause"] = payload(report)["expected"]


def _outcome(report: pytest.TestReport) -> str:
    expected = hasattr(report, "wasxfail")
    if report.outcome == "failed":
        return "failed" if report.when == "call" else "error"
    if report.outcome == "skipped":
        return "xfailed" if expected else "skipped"
    return "xpassed" if expected else "passed"
