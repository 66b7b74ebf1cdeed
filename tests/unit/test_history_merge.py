"""Several sessions as one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_tfgpu.cli.merge import lines
from pytest_tfgpu.history.merge import lacks, merge, skipped_otherwise
from pytest_tfgpu.model import (
    EvidenceLine,
    Facts,
    Finding,
    Gpu,
    Preflight,
    Report,
    Skip,
    TestDiagnosis,
    TestResult,
)

CAST = TestDiagnosis(
    "unsupported-cast",
    "operation",
    "likely",
    "Strings are no numbers.",
    (EvidenceLine("x"),),
    nodeid="t.py::a",
)


def report(
    *tests: tuple[str, str], skips: tuple[str, ...] = (), found: str = "no GPU", **more: object
) -> Report:
    """Return a report of tests with their outcomes; `skips` lack two GPUs."""
    made = Report(
        "0.1", "2026-11-21T09:00:00+00:00", 10.0, True, 0, Facts(), Preflight("not-asked"), {},
        tuple(TestResult(f"t.py::{name}", outcome) for name, outcome in tests),
        skips=tuple(Skip(f"t.py::{name}", "requires_gpu", "2 GPUs", found) for name in skips),
    )  # fmt: skip
    return replace(made, **more)  # type: ignore[arg-type]


def outcomes(merged: Report) -> dict[str, str]:
    """Return the outcome of each test."""
    return {test.nodeid.removeprefix("t.py::"): test.outcome for test in merged.tests}


def test_shards_are_joined() -> None:
    """Tests of different shards stand side by side, and are counted together."""
    merged = merge([report(("a", "passed"), ("b", "failed")), report(("c", "passed"))])
    assert outcomes(merged) == {"a": "passed", "b": "failed", "c": "passed"}
    assert merged.outcomes == {"passed": 2, "failed": 1}


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("passed", "failed", "failed"),
        ("failed", "error", "error"),
        ("skipped", "passed", "passed"),
        ("skipped", "xfailed", "xfailed"),
        ("passed", "xpassed", "xpassed"),
        ("skipped", "skipped", "skipped"),
        ("passed", "rerun", "passed"),
    ],
)
def test_a_test_in_several_jobs(one: str, other: str, together: str) -> None:
    """A test that ran in one job did run; of several outcomes the worst counts, in any order."""
    jobs = [report(("a", one)), report(("a", other))]
    assert outcomes(merge(jobs)) == {"a": together}
    assert outcomes(merge(jobs[::-1])) == {"a": together}


def test_a_requirement_that_one_job_met() -> None:
    """A requirement counts only for tests that ran in no job."""
    jobs = [
        report(("a", "skipped"), ("b", "skipped"), skips=("a", "b")),
        report(("a", "passed"), ("b", "skipped"), skips=("b",), found="1 GPU"),
    ]
    (lack,) = lacks(merge(jobs))
    assert (lack.requirement, lack.required, lack.found, lack.nodeids) == (
        "requires_gpu",
        "2 GPUs",
        ("no GPU", "1 GPU"),
        ("t.py::b",),
    )


def test_a_strict_failure_did_not_run() -> None:
    """With --tfgpu-strict a test that lacks something fails without running: a job in which it ran decides."""
    strict = report(("a", "error"), ("b", "error"), skips=("a", "b"))
    merged = merge([strict, report(("a", "passed"), ("b", "skipped"), skips=("b",))])
    assert outcomes(merged) == {"a": "passed", "b": "error"}
    assert [lack.nodeids for lack in lacks(merged)] == [("t.py::b",)]


def test_skips_for_other_reasons() -> None:
    """A test that is skipped everywhere without lacking a requirement is told apart."""
    merged = merge([report(("a", "skipped"), ("b", "skipped"), skips=("a",)), report(("b", "skipped"))])
    assert skipped_otherwise(merged) == ("t.py::b",)


def test_diagnoses_are_counted_once() -> None:
    """The same failure in two reports is one; a cause counts its tests, not its reports."""
    merged = merge([report(("a", "failed"), diagnoses=(CAST,))] * 2)
    assert merged.diagnoses == (CAST,)
    assert [(cause.id, cause.count) for cause in merged.causes] == [("unsupported-cast", 1)]


def test_facts_that_differ_are_unknown() -> None:
    """Facts that all jobs share stand; the others are unknown, and every GPU is there."""
    one = Facts(tensorflow="2.21.0", driver="555", gpus=(Gpu(0, "T4", "GPU-1"),), visible_gpus=(0,))
    other = replace(one, driver="560", gpus=(Gpu(0, "A100", "GPU-2"),), environment={"TF_XLA_FLAGS": "x"})
    facts = merge([report(facts=one), report(facts=other)]).facts
    assert (facts.tensorflow, facts.driver, facts.environment) == ("2.21.0", None, {})
    assert facts.unknown["driver"] == "It differs between the sessions."
    assert [gpu.name for gpu in facts.visible] == ["T4", "A100"]


@pytest.mark.parametrize(
    ("verdicts", "verdict"),
    [
        (("ok", "ok"), "ok"),
        (("ok", "absent"), "absent"),
        (("absent", "unusable"), "unusable"),
        (("not-asked", "ok"), "ok"),
    ],
)
def test_the_worst_verdict_counts(verdicts: tuple[str, str], verdict: str) -> None:
    """The verdict of all is the worst, and a finding of several jobs is said once."""
    finding = Finding("Memory growth is off.", "warning")
    jobs = [report(preflight=Preflight(name, findings=(finding,))) for name in verdicts]  # type: ignore[arg-type]
    merged = merge(jobs)
    assert merged.preflight.verdict == verdict
    assert merged.preflight.findings == (finding,)


@pytest.mark.parametrize(
    ("statuses", "status"),
    [((0, 0), 0), ((0, 1), 1), ((5, 0), 0), ((5, 5), 5), ((1, 70), 70), ((0, None), None)],
)
def test_exit_statuses(statuses: tuple[int | None, ...], status: int | None) -> None:
    """The highest exit status counts; shards without tests are none."""
    assert merge([report(exit_status=number) for number in statuses]).exit_status == status


def test_time_and_completeness() -> None:
    """The whole lasts from the first start to the last end; one session cut short makes it incomplete."""
    later = report(started="2026-11-21T09:00:30Z", complete=False)
    merged = merge([later, report()])
    assert (merged.started, merged.seconds, merged.complete) == ("2026-11-21T09:00:00+00:00", 40.0, False)
    assert merge([report(started="?"), report()]).seconds == 20.0


def test_one_report_stays_what_it_is() -> None:
    """A single report merges to itself, but for what is counted anew."""
    single = report(("a", "failed"), diagnoses=(CAST,), problems=("p",), outcomes={"failed": 1})
    assert replace(merge([single]), causes=()) == single


def test_nothing_to_merge() -> None:
    """Without reports there is nothing to say."""
    with pytest.raises(ValueError, match="there is no report to merge"):
        merge([])


def test_the_text() -> None:
    """The lines for a person: outcomes, causes, and what ran in none with what it lacked."""
    jobs = [
        report(("a", "failed"), ("b", "skipped"), ("c", "skipped"), skips=("b",), diagnoses=(CAST,)),
        report(("b", "skipped"), skips=("b",), found="1 GPU"),
    ]
    assert list(lines(merge(jobs), 2, 80)) == [
        "2 reports from 2026-11-21T09:00:00+00:00: 1 failed, 2 skipped",
        "",
        "1 test, one cause",
        "unsupported-cast: 1 test",
        "  Strings are no numbers.",
        "    t.py::a",
        "",
        "2 tests ran in none",
        "[1] requires_gpu: 2 GPUs required, found no GPU; 1 GPU",
        "    t.py::b",
        "[1] skipped for other reasons",
        "    t.py::c",
    ]
