"""Known failures by cause: a test marked `xfail_cause` may fail of that cause, and of no other."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.features.causes import require_known
from pytest_tfgpu.features.failures import look_at_tests
from pytest_tfgpu.markers import Expectation, xfail_cause
from pytest_tfgpu.session import Session, attach, payload

_NAME = xfail_cause.__name__
_SECTION = f"tfgpu: {_NAME}"


class XfailCause:
    """Judges the failures of marked tests by their causes; registered where a test is marked."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._strict = _compat.xfail_is_strict(config)

    def check(self, mark: pytest.Mark) -> None:
        """Raise TypeError or ValueError where the arguments of a mark are wrong, or a cause doesn't exist."""
        require_known(xfail_cause(*mark.args, **mark.kwargs).causes, self._config, self._session)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        expected = [xfail_cause(*mark.args, **mark.kwargs) for mark in item.iter_markers(_NAME)]
        judged = report.outcome == "skipped" or hasattr(report, "wasxfail")
        if expected and not judged and not self._config.getoption("runxfail", False):
            with self._session.guard("judging an expected failure"):
                if report.outcome == "failed":
                    _judge_failure(report, expected)
                elif report.when == "call":
                    self._judge_pass(report, expected)
        return report

    def _judge_pass(self, report: pytest.TestReport, expected: list[Expectation]) -> None:
        over = next((one for one in expected if one.is_over), None)
        if over is not None:
            report.outcome = "failed"
            report.longrepr = (
                f"[XPASS] {_NAME} held until {over.until}, which is over, and the test passes: "
                "the marker can be removed."
            )
        elif self._strict:
            report.outcome = "failed"
            report.longrepr = f"[XPASS(strict)] {_reason(expected[0], *expected[0].causes)}"
        else:
            report.wasxfail = _reason(expected[0], *expected[0].causes)


def _judge_failure(report: pytest.TestReport, expected: list[Expectation]) -> None:
    """Let a failure of an expected cause be one; add to any other why it isn't."""
    data = dict(payload(report))
    cause = data.get("diagnosis", {}).get("cause")
    fitting = next((one for one in expected if cause in one.causes), None)
    if fitting is None:
        wanted = " or ".join(dict.fromkeys(name for one in expected for name in one.causes))
        found = f"this is {cause}" if cause else "no cause of this failure is known"
        _compat.add_section(report, _SECTION, f"Expected to fail of {wanted}; {found}.")
    elif fitting.is_over:
        _compat.add_section(report, _SECTION, f"{cause} was expected until {fitting.until}, which is over.")
    else:
        report.outcome = "skipped"
        report.wasxfail = _reason(fitting, str(cause))
        del data["diagnosis"]
        report.tfgpu = data  # type: ignore[attr-defined]
        attach(report, expected=cause)


def _reason(expected: Expectation, *causes: str) -> str:
    return ", ".join(causes) + (f": {expected.reason}" if expected.reason else "")


def open_expectations(config: pytest.Config, session: Session) -> XfailCause:
    """Return what judges expected failures in this session, registered at the first call."""
    found: XfailCause | None = config.pluginmanager.get_plugin("tfgpu-xfail")
    if found is None:
        look_at_tests(config)  # registered before: the explanation is there when this judges
        found = XfailCause(config, session)
        config.pluginmanager.register(found, "tfgpu-xfail")
    return found
