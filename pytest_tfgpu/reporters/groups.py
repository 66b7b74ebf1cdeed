"""Failures by cause: the same groups, in the same order, for every reporter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_tfgpu.model import Category, Report, Skip, TestDiagnosis
from pytest_tfgpu.reporters.text import count

_ORDER: tuple[Category, ...] = ("environment", "hardware", "memory", "operation", "code", "not-gpu")
_CONSEQUENCES = ("earlier-gpu-fault",)
"""Causes that are what another failure left behind."""


@dataclass(frozen=True)
class Group:
    """The failures of a session that share a cause."""

    cause: str
    count: int
    nodeids: tuple[str, ...]
    diagnoses: tuple[TestDiagnosis, ...]
    """Empty where only the number of failures is known."""

    @property
    def summaries(self) -> dict[str, tuple[TestDiagnosis, ...]]:
        """The diagnoses by what they say, as they came."""
        found: dict[str, list[TestDiagnosis]] = {}
        for diagnosis in self.diagnoses:
            found.setdefault(diagnosis.summary, []).append(diagnosis)
        return {summary: tuple(diagnoses) for summary, diagnoses in found.items()}

    @property
    def size(self) -> str:
        """How many failed: `3 tests`."""
        return size([self])


@dataclass(frozen=True)
class SkipGroup:
    """The tests that lack the same thing."""

    requirement: str
    required: str
    found: str
    nodeids: tuple[str, ...]


def size(groups: Sequence[Group]) -> str:
    """Return how many failed in all groups: `3 tests`, `1 test module`, `2 tests and 1 test module`."""
    nodeids = {nodeid for group in groups for nodeid in group.nodeids}
    total = len(nodeids) + sum(group.count for group in groups if not group.nodeids)
    modules = sum("::" not in nodeid for nodeid in nodeids)
    parts = [count(total - modules, "test")] if total > modules else []
    if modules:
        parts.append(count(modules, "test module"))
    return " and ".join(parts)


def title(groups: Sequence[Group]) -> str:
    """Return the groups in a line: `3 tests, one cause`."""
    return f"{size(groups)}, {'one cause' if len(groups) == 1 else count(len(groups), 'cause')}"


def cause_groups(report: Report) -> list[Group]:
    """Return the failures by cause: the machine's faults before the code's, large groups first, consequences last."""
    diagnoses: dict[str, list[TestDiagnosis]] = {}
    for diagnosis in report.diagnoses:
        diagnoses.setdefault(diagnosis.cause, []).append(diagnosis)
    counted = {cause.id: cause for cause in report.causes}
    groups = []
    for cause in {**diagnoses, **counted}:
        members = tuple(diagnoses.get(cause, ()))
        nodeids = tuple(dict.fromkeys(member.nodeid for member in members))
        if cause in counted:
            nodeids = tuple(dict.fromkeys((*nodeids, *counted[cause].nodeids)))
        number = len(nodeids) or counted[cause].count
        groups.append(Group(cause, number, nodeids, members))
    return sorted(groups, key=_order)


def _order(group: Group) -> tuple[bool, int, int, str]:
    category = group.diagnoses[0].category if group.diagnoses else "not-gpu"
    return group.cause in _CONSEQUENCES, _ORDER.index(category), -group.count, group.cause


def unexplained(report: Report) -> tuple[str, ...]:
    """Return the tests that failed of no known cause, but for those that lack what they require."""
    known = {diagnosis.nodeid for diagnosis in report.diagnoses} | {skip.nodeid for skip in report.skips}
    return tuple(
        test.nodeid
        for test in report.tests
        if test.outcome in ("failed", "error") and not test.cause and test.nodeid not in known
    )


def skip_groups(report: Report) -> list[SkipGroup]:
    """Return the unmet requirements, the one that most tests lack first."""
    found: dict[tuple[str, str, str], list[Skip]] = {}
    for skip in report.skips:
        found.setdefault((skip.requirement, skip.required, skip.found), []).append(skip)
    groups = [SkipGroup(*key, tuple(skip.nodeid for skip in skips)) for key, skips in found.items()]
    return sorted(groups, key=lambda group: (-len(group.nodeids), group.requirement, group.required))
