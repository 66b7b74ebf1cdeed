"""Explained failures: a test, fixture or test module that TensorFlow failed gets the likely cause in its report."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.features import hooks
from pytest_tfgpu.session import Session, attach

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.evidence import Evidence
    from pytest_tfgpu.knowledge.catalog import Catalog
    from pytest_tfgpu.model import Diagnosis, EvidenceLine

SECTION = "tfgpu: cause"
_LOG_LINES = 400


class Failures:
    """Looks at failures only; what it adds never changes an outcome."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._catalog: Catalog | None = None
        self._earlier: list[str] = []
        """Causes of the failures so far in this process."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if call.excinfo is not None and report.outcome == "failed":
            with self._session.guard("explaining a failure"):
                diagnosis = self._explain(call.excinfo.value, report)
                if diagnosis is not None:
                    prop = ("tfgpu_cause", diagnosis.cause)
                    item.user_properties.append(prop)
                    report.user_properties.append(prop)
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.outcome == "failed":
            with self._session.guard("explaining a failure"):
                call = getattr(report, "call", None)
                if call is not None and call.excinfo is not None:
                    self._explain(call.excinfo.value, report)
        return report

    def _explain(
        self, error: BaseException, report: pytest.TestReport | pytest.CollectReport
    ) -> Diagnosis | None:
        diagnosis = getattr(error, "tfgpu_diagnosis", None)
        seen = None
        if diagnosis is None:
            seen = self._evidence(_inside(error), report)
            diagnosis = None if seen is None else self._diagnose(seen)
        if diagnosis is None:
            return None
        from pytest_tfgpu.diagnosis.render import render

        ours = _is_built_in(diagnosis)
        text = "\n".join(render(diagnosis, width=_compat.terminal_width(self._config), explain=ours))
        _compat.add_section(report, SECTION, text)
        attach(report, diagnosis=diagnosis.to_json())
        self._earlier.append(diagnosis.cause)
        if seen is not None:
            heard = {"diagnosis": diagnosis, "evidence": seen, "facts": self._session.facts}
            for _ in hooks.each(self._config, self._session, "pytest_tfgpu_diagnosis", **heard):
                pass
        return diagnosis

    def _evidence(
        self, error: BaseException, report: pytest.TestReport | pytest.CollectReport
    ) -> Evidence | None:
        from pytest_tfgpu.diagnosis import evidence

        if not evidence.is_relevant(error):
            return None
        return evidence.from_exception(error, log=_captured(report), earlier=self._earlier)

    def _diagnose(self, seen: Evidence) -> Diagnosis | None:
        from pytest_tfgpu.diagnosis.engine import diagnose
        from pytest_tfgpu.environment.process import without_this_process

        if self._catalog is None:
            self._catalog = self._load_catalog()
        return diagnose(seen, without_this_process(self._session.facts), self._catalog)

    def _load_catalog(self) -> Catalog:
        """Return the built-in causes with those of other plugins; a faulty one costs only its provider's."""
        from pytest_tfgpu.knowledge.catalog import CatalogError, load
        from pytest_tfgpu.knowledge.schema import Cause

        catalog = load()
        for provider, causes in hooks.sequences(self._config, self._session, "pytest_tfgpu_causes", Cause):
            if provider != hooks.OURS:
                try:
                    catalog = catalog.extended([(provider, causes)])
                except CatalogError as error:
                    self._session.note(str(error))
        return catalog


def _is_built_in(diagnosis: Diagnosis) -> bool:
    """Whether `tfgpu explain` knows the cause: it doesn't know those of a conftest."""
    from pytest_tfgpu.knowledge.catalog import load

    return diagnosis.cause in load()


def _inside(error: BaseException) -> BaseException:
    """Return the exception that a doctest example raised, else the error itself."""
    doctest = sys.modules.get("doctest")
    if doctest is not None:
        for failure in (error, *getattr(error, "failures", ())):
            if isinstance(failure, doctest.UnexpectedException):
                return cast(BaseException, failure.exc_info[1])
    return error


def _captured(report: pytest.TestReport | pytest.CollectReport) -> list[EvidenceLine]:
    """Return the last lines that the test wrote to standard error, TensorFlow's log among them."""
    from pytest_tfgpu.model import EvidenceLine

    lines: list[str] = []
    for name, text in report.sections:
        if name.startswith("Captured stderr"):
            lines += text[-200_000:].splitlines()[-_LOG_LINES:]
    return [EvidenceLine(line, "standard error") for line in lines[-_LOG_LINES:]]
