"""Explained failures: a test, fixture or test module that TensorFlow failed gets the likely cause in its report."""

from __future__ import annotations

import sys
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.features import hooks
from pytest_tfgpu.features.imports import when_imported
from pytest_tfgpu.features.session_log import SessionLog
from pytest_tfgpu.frameworks import FRAMEWORKS
from pytest_tfgpu.session import Session, attach

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.evidence import Evidence
    from pytest_tfgpu.knowledge.catalog import Catalog
    from pytest_tfgpu.model import Diagnosis

SECTION = "tfgpu: cause"
_PROPERTY = "tfgpu_cause"
_ALLURE = "allure_listener"
"""The name under which allure-pytest registers what writes its results."""
_UNHEARD = "TensorFlow's log was not captured here; a decisive line may be missing."


class Failures:
    """Looks at failures only; what it adds never changes an outcome."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._catalog: Catalog | None = None
        self._log = SessionLog(config, session)
        self._earlier: dict[str, None] = {}
        """Causes of the failures so far in this process, each once."""
        when_imported(FRAMEWORKS, self.look_at_tests, config)

    def look_at_tests(self) -> None:
        """Look at every phase of every test from now on: before there is TensorFlow, none is its failure."""
        if not self._config.pluginmanager.has_plugin("tfgpu-phases"):
            self._config.pluginmanager.register(_Phases(self), "tfgpu-phases")

    def hear(self, item: pytest.Item, error: BaseException | None, report: pytest.TestReport) -> None:
        """Keep what a phase of a test printed, and explain its failure."""
        if report.when == "setup" and item.user_properties:  # of an attempt before
            item.user_properties[:] = [given for given in item.user_properties if given[0] != _PROPERTY]
        failed = error is not None and report.outcome == "failed"
        if failed or ((report.sections or self._log.copies) and "tensorflow" in sys.modules):
            with self._session.guard("keeping TensorFlow's log"):
                self._log.hear(report)
        if failed and error is not None:
            with self._session.guard("explaining a failure"):
                diagnosis = self._explain(error, report)
                if diagnosis is not None and not _compat.junit_refuses_properties(self._config):
                    prop = (_PROPERTY, diagnosis.cause)
                    item.user_properties.append(prop)
                    report.user_properties.append(prop)
                if diagnosis is not None and self._config.pluginmanager.has_plugin(_ALLURE):
                    from pytest_tfgpu.features import allure

                    allure.tell(diagnosis, _PROPERTY)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        was_loaded = "tensorflow" in sys.modules
        report = yield
        if report.outcome == "failed" or "tensorflow" in sys.modules:
            with self._session.guard("keeping TensorFlow's log"):
                self._log.hear_collected(report, was_loaded)
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
            diagnosis, seen = self._diagnose(_inside(error))
        if diagnosis is None:
            return None
        from pytest_tfgpu.diagnosis.render import render
        from pytest_tfgpu.reporters.text import encodable

        ours = _is_built_in(diagnosis)
        screen = _compat.screen(self._config)
        lines = render(encodable(diagnosis, screen.encoding), width=screen.width, explain=ours)
        _compat.add_section(report, SECTION, "\n".join(lines))
        attach(report, diagnosis=diagnosis.to_json())
        self._earlier[diagnosis.cause] = None
        if seen is not None:
            heard = {"diagnosis": diagnosis, "evidence": seen, "facts": self._session.facts_now()}
            for _ in hooks.each(self._config, self._session, "pytest_tfgpu_diagnosis", **heard):
                pass
        return diagnosis

    def _diagnose(self, error: BaseException) -> tuple[Diagnosis | None, Evidence | None]:
        from pytest_tfgpu.diagnosis import evidence

        if not evidence.is_relevant(error):
            return None, None
        from pytest_tfgpu.diagnosis.past import diagnose
        from pytest_tfgpu.environment.process import without_this_process

        if self._catalog is None:
            self._catalog = self._load_catalog()
        seen = evidence.from_exception(error, log=self._log.own_lines(), earlier=self._earlier)
        facts = without_this_process(self._session.facts_now())
        found, seen = diagnose(seen, self._log.past_lines(), facts, self._catalog)
        if found is not None and found.confidence == "possible" and self._log.is_deaf:
            found = replace(found, note=f"{found.note} {_UNHEARD}" if found.note else _UNHEARD)
        return found, seen

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


class _Phases:
    """Hands the phases of the tests on; registered once there may be failures of TensorFlow's."""

    def __init__(self, failures: Failures) -> None:
        self._failures = failures

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        self._failures.hear(item, None if call.excinfo is None else call.excinfo.value, report)
        return report


def look_at_tests(config: pytest.Config) -> None:
    """Let failures be explained also where TensorFlow isn't imported: checks fail in other processes."""
    failures: Failures | None = config.pluginmanager.get_plugin("tfgpu-failures")
    if failures is not None:
        failures.look_at_tests()


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
