"""Looks for requirement markers while pytest collects; a session without one pays for nothing else."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.markers import BY_NAME
from pytest_tfgpu.session import Session

if TYPE_CHECKING:
    from pytest_tfgpu.features.gate import Gate


class Gating:
    """Checks the arguments of requirement markers, and sets up the gate where there is one."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._gate: Gate | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.outcome == "passed":
            with self._session.guard("checking requirement markers"):
                errors = list(dict.fromkeys(self._errors(collector, report.result)))
                if errors:
                    _compat.fail_collection(report, "\n\n".join(errors))
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        if self._gate is None and any(mark.name in BY_NAME for item in items for mark in item.own_markers):
            self._open()

    def _errors(
        self, collector: pytest.Collector, nodes: Iterable[pytest.Item | pytest.Collector]
    ) -> Iterable[str]:
        for node in (collector, *nodes):
            for mark in node.own_markers:
                if mark.name in BY_NAME:
                    error = self._open().fault(node, mark)
                    if error is not None:
                        yield error

    def _open(self) -> Gate:
        if self._gate is None:
            from pytest_tfgpu.features.gate import open_gate

            self._gate = open_gate(self._config, self._session)
        return self._gate
