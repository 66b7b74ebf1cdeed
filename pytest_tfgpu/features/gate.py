"""The gate: tests whose requirements this machine doesn't meet are skipped, with what was found and required."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NoReturn

import pytest

from pytest_tfgpu import _compat
from pytest_tfgpu.features.machine import LocalMachine
from pytest_tfgpu.features.marker_source import as_called, locate
from pytest_tfgpu.features.xfail import open_expectations
from pytest_tfgpu.markers import BY_NAME, REQUIREMENTS, together
from pytest_tfgpu.requirements import Requirement
from pytest_tfgpu.session import Session, attach

_UNMET = "tfgpu_unmet"
"""Attribute of the exception that turns a test away: what the report says of the requirement."""


def build(mark: pytest.Mark) -> Requirement:
    """Return the requirement that a mark stands for.

    Raises TypeError or ValueError where its arguments are wrong.
    """
    return REQUIREMENTS[mark.name](*mark.args, **mark.kwargs)


class Gate:
    """Asks the requirements of each test before its fixtures are set up."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._machine = LocalMachine(config, session)
        self._answers: dict[str, tuple[Requirement, str | None]] = {}
        self._sound: dict[int, pytest.Mark] = {}

    def fault(self, node: pytest.Item | pytest.Collector, mark: pytest.Mark) -> str | None:
        """Return what is wrong with the arguments of a marker, and where it stands; None where they are fine."""
        if id(mark) not in self._sound:
            try:
                if mark.name in REQUIREMENTS:
                    self._machine.expect(build(mark))
                else:
                    open_expectations(self._config, self._session).check(mark)
            except (TypeError, ValueError) as error:
                path, line, written = locate(node, mark)
                where = path if line is None else f"{path}:{line}"
                problem = str(error).removeprefix(f"{mark.name}() ")
                return f"{where}: wrong arguments of a marker: {written}\n{mark.name}: {problem}"
            self._sound[id(mark)] = mark
        return None

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        strict = self._session.settings.strict
        about_gpus: dict[str, tuple[pytest.Mark, Requirement]] = {}
        for mark in item.iter_markers():
            if mark.name in REQUIREMENTS:
                requirement, found = self._ask(mark)
                if found is not None:
                    turn_away((mark,), requirement, found, strict=strict)
                if requirement.fits is not None:
                    about_gpus[as_called(mark)] = mark, requirement
            elif mark.name in BY_NAME:
                fault = self.fault(item, mark)
                if fault is not None:
                    pytest.fail(fault, pytrace=False)
        if len(about_gpus) > 1:
            marks, requirements = zip(*about_gpus.values(), strict=True)
            joined = together(requirements)
            found = joined.found(self._machine)
            if found is not None:
                turn_away(marks, joined, found, strict=strict)

    def _ask(self, mark: pytest.Mark) -> tuple[Requirement, str | None]:
        key = as_called(mark)
        if key not in self._answers:
            try:
                requirement = build(mark)
            except (TypeError, ValueError) as error:
                pytest.fail(f"wrong arguments of a marker: {key}: {error}", pytrace=False)
            self._answers[key] = requirement, requirement.found(self._machine)
        return self._answers[key]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        unmet = getattr(call.excinfo.value, _UNMET, None) if call.excinfo is not None else None
        if unmet is not None:
            attach(report, skip=unmet)
        return report


def open_gate(config: pytest.Config, session: Session) -> Gate:
    """Return the gate of this session, registered at the first call."""
    gate: Gate | None = config.pluginmanager.get_plugin("tfgpu-gate")
    if gate is None:
        gate = Gate(config, session)
        config.pluginmanager.register(gate, "tfgpu-gate")
    return gate


def turn_away(
    marks: Sequence[pytest.Mark], requirement: Requirement, found: str, *, strict: bool
) -> NoReturn:
    """Skip the running test, or fail it if `strict`, and say what was required and what was found."""
    reason = f"{' and '.join(map(as_called, marks))}: found {found}"
    if strict:
        error: BaseException = pytest.fail.Exception(f"{reason} (--tfgpu-strict)", pytrace=False)
    else:
        error = _compat.skipped_at_item(reason)
    setattr(error, _UNMET, {"requirement": marks[0].name, "required": requirement.required, "found": found})
    raise error
