"""JUnit: the cause in the message of each failure, and of the whole run what its properties can hold."""

from __future__ import annotations

import os
from collections.abc import Generator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu._compat import JUnitFile
from pytest_tfgpu.session import Session, diagnosis_of

if TYPE_CHECKING:
    from pytest_tfgpu.redaction import Redactor


class JUnit:
    """Adds to pytest's JUnit file; registered where one is written."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._causes: dict[str, dict[str, None]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, None, None]:
        diagnosis = diagnosis_of(report)
        if diagnosis is None:
            return (yield)
        file = JUnitFile.of(self._config)
        entry = None if file is None else file.entry(report)
        yield
        with self._session.guard("the JUnit file"):
            if entry is not None:
                entry.explain(self._told(report.nodeid, diagnosis))
        return None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collectreport(self, report: pytest.CollectReport) -> Generator[None, None, None]:
        yield
        diagnosis = diagnosis_of(report)
        if diagnosis is not None:
            with self._session.guard("the JUnit file"):
                file = JUnitFile.of(self._config)
                if file is not None:
                    file.entry(report).explain(self._told(report.nodeid, diagnosis))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        with self._session.guard("the JUnit file"):
            file = JUnitFile.of(self._config)
            if file is not None:
                for name, value in self._properties().items():
                    file.add_property(name, self._redactor.text(value))

    def _told(self, nodeid: str, data: dict[str, Any]) -> str:
        """Count the cause of a failure; return what to say of it."""
        from pytest_tfgpu.model import Diagnosis
        from pytest_tfgpu.reporters.checks import named

        diagnosis = Diagnosis.of(data)
        self._causes.setdefault(diagnosis.cause, {})[nodeid] = None
        return self._redactor.text(named(diagnosis))

    @cached_property
    def _redactor(self) -> Redactor:
        from pytest_tfgpu.redaction import Redactor

        return Redactor(os.environ)

    def _properties(self) -> dict[str, str]:
        """Return what holds for the whole run; nothing where nothing of ours happened."""
        properties = {}
        if self._causes:
            counted = sorted(self._causes.items(), key=lambda item: -len(item[1]))
            properties["tfgpu_causes"] = ", ".join(f"{cause}: {len(nodeids)}" for cause, nodeids in counted)
        preflight = self._session.preflight
        if preflight.verdict != "not-asked":
            from pytest_tfgpu.reporters.checks import verdict
            from pytest_tfgpu.reporters.terminal import machine_line

            properties["tfgpu_preflight"] = verdict(preflight)
            properties["tfgpu_machine"] = machine_line(self._session.facts)
        return properties
