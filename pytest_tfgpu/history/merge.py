"""Several sessions as one: the jobs or shards of a build."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from pytest_tfgpu.model import (
    CauseCount,
    Facts,
    GpuChecks,
    Preflight,
    Report,
    Status,
    TestDiagnosis,
    TestResult,
)

_WORST = ("passed", "xfailed", "xpassed", "failed", "error")
_VERDICTS: tuple[Status, ...] = ("unusable", "absent", "inconclusive", "ok", "not-asked")


@dataclass(frozen=True)
class Lack:
    """Tests that ran nowhere, for the same requirement."""

    requirement: str
    required: str
    found: tuple[str, ...]
    """What there was instead, in each of the sessions."""
    nodeids: tuple[str, ...]


def merge(reports: Sequence[Report]) -> Report:
    """Return one report for several: a test that ran in one of them did run, with the worst of its outcomes.

    A requirement counts only for tests that ran in none. Facts in which the sessions differ are unknown, the verdict
    is the worst, `seconds` last from the first start to the last end, and the exit status is the highest; "no
    tests" (5) only where all say so. Raises ValueError without any report.
    """
    if not reports:
        raise ValueError("there is no report to merge")
    tests = _tests(reports)
    diagnoses = tuple(_distinct(diagnosis for report in reports for diagnosis in report.diagnoses))
    ran = _ran(reports)
    began = [_start(report) for report in reports]
    known = [start for start in began if start is not None]
    ends = [start + report.seconds for start, report in zip(began, reports, strict=True) if start is not None]
    seconds = max(ends) - min(known) if len(known) == len(reports) else sum(r.seconds for r in reports)
    return Report(
        tfgpu=reports[0].tfgpu,
        started=min((report.started for report in reports), key=lambda text: (_seconds(text) or 0.0, text)),
        seconds=round(seconds, 3),
        complete=all(report.complete for report in reports),
        exit_status=_exit_status(reports),
        facts=_facts([report.facts for report in reports]),
        preflight=_preflight([report.preflight for report in reports]),
        outcomes=dict(Counter(test.outcome for test in tests)),
        tests=tests,
        diagnoses=diagnoses,
        causes=_causes(diagnoses),
        memory=tuple(use for report in reports for use in report.memory),
        skips=tuple(_distinct(s for report in reports for s in report.skips if s.nodeid not in ran)),
        hosts=tuple(_distinct(host for report in reports for host in report.hosts)),
        problems=tuple(_distinct(problem for report in reports for problem in report.problems)),
    )


def lacks(merged: Report) -> list[Lack]:
    """Return the tests that ran in no session, by the requirement that they lacked; most tests first."""
    by_test: dict[tuple[str, str, str], dict[str, None]] = {}
    for skip in merged.skips:
        by_test.setdefault((skip.nodeid, skip.requirement, skip.required), {})[skip.found] = None
    groups: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for (nodeid, requirement, required), found in by_test.items():
        groups.setdefault((requirement, required, tuple(found)), []).append(nodeid)
    told = [Lack(*key, tuple(nodeids)) for key, nodeids in groups.items()]
    return sorted(told, key=lambda lack: (-len(lack.nodeids), lack.requirement, lack.required))


def skipped_otherwise(merged: Report) -> tuple[str, ...]:
    """Return the tests that ran in no session, and not for a requirement."""
    lacking = {skip.nodeid for skip in merged.skips}
    return tuple(t.nodeid for t in merged.tests if t.outcome == "skipped" and t.nodeid not in lacking)


def _ran(reports: Iterable[Report]) -> set[str]:
    """Return the tests that ran in one of the sessions; with `--tfgpu-strict`, one that lacks something fails unrun."""
    ran: set[str] = set()
    for report in reports:
        lacking = {skip.nodeid for skip in report.skips}
        ran |= {t.nodeid for t in report.tests if t.outcome != "skipped" and t.nodeid not in lacking}
    return ran


def _tests(reports: Sequence[Report]) -> tuple[TestResult, ...]:
    found: dict[str, TestResult] = {}
    ranks: dict[str, int] = {}
    for report in reports:
        lacking = {skip.nodeid for skip in report.skips}
        for test in report.tests:
            rank = _WORST.index(test.outcome) + 2 if test.outcome in _WORST else 0
            if test.nodeid in lacking and rank:
                rank = 1
            if test.nodeid not in found or rank > ranks[test.nodeid]:
                found[test.nodeid], ranks[test.nodeid] = test, rank
    return tuple(found.values())


def _causes(diagnoses: Iterable[TestDiagnosis]) -> tuple[CauseCount, ...]:
    nodeids: dict[str, dict[str, None]] = {}
    for diagnosis in diagnoses:
        nodeids.setdefault(diagnosis.cause, {})[diagnosis.nodeid] = None
    counts = [CauseCount(cause, len(ids), tuple(ids)) for cause, ids in nodeids.items()]
    return tuple(sorted(counts, key=lambda count: -count.count))


def _facts(several: Sequence[Facts]) -> Facts:
    """Return the facts that all sessions share, all their GPUs, and which facts differ."""
    first = several[0]
    if all(facts == first for facts in several):
        return first
    shared: dict[str, Any] = {}
    unknown = dict(first.unknown)
    for field in fields(Facts):
        values = [getattr(facts, field.name) for facts in several]
        if all(value == values[0] for value in values):
            shared[field.name] = values[0]
        elif field.name not in ("unknown", "gpus"):
            unknown[field.name] = "It differs between the sessions."
    environments = [set(facts.environment.items()) for facts in several]
    shared["environment"] = dict(sorted(set.intersection(*environments)))
    gpus = {gpu.uuid or repr(gpu): gpu for facts in several for gpu in facts.gpus}
    shared["gpus"] = tuple(gpus.values())
    if len(gpus) != len(first.gpus):
        shared.pop("visible_gpus", None)
    return Facts(**{**shared, "unknown": unknown})


def _preflight(several: Sequence[Preflight]) -> Preflight:
    worst = min(several, key=lambda preflight: _VERDICTS.index(preflight.verdict))
    gpus: list[GpuChecks] = [gpu for preflight in several for gpu in preflight.gpus]
    findings = tuple(_distinct(finding for preflight in several for finding in preflight.findings))
    return replace(worst, gpus=tuple(gpus), findings=findings)


def _exit_status(reports: Iterable[Report]) -> int | None:
    statuses = [report.exit_status for report in reports]
    if None in statuses:
        return None
    told = {status for status in statuses if status is not None}
    return max(told - {5} if told != {5} else told)


def _start(report: Report) -> float | None:
    return _seconds(report.started)


def _seconds(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return None


def _distinct(items: Iterable[Any]) -> list[Any]:
    """Return the items without those that say the same again; not all can be hashed."""
    return list({repr(item): item for item in items}.values())
