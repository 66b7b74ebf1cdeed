"""The published JSON Schema of the JSON report: what is written fits it, and what doesn't fit it is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sample_reports import FULL, HOSTILE, OK, hostile, report

from pytest_tfgpu.model import CheckResult, GpuChecks, Preflight, Report
from pytest_tfgpu.reporters.json import render
from tests.suite import Suite

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "report.schema.json").read_text("utf-8"))
SUITE = ROOT / "examples" / "first_steps"


def faults(data: object) -> list[str]:
    """Return what is wrong with a report by the schema, each with its place."""
    return [f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMA).iter_errors(data)]


def as_data(subject: Report) -> dict[str, Any]:
    """Return a report as its JSON is read back."""
    data: dict[str, Any] = json.loads("".join(render(subject)))
    return data


def test_the_schema_is_one() -> None:
    """The published file is a valid JSON Schema, and each of its definitions is used."""
    Draft202012Validator.check_schema(SCHEMA)
    text = json.dumps(SCHEMA)
    assert all(f'"#/$defs/{name}"' in text for name in SCHEMA["$defs"])


@pytest.mark.parametrize(
    "subject",
    [
        report(),
        FULL,
        report(complete=False, exit_status=None),
        report(preflight=OK, outcomes={"passed": 1}),
        report(preflight=Preflight("ok", seconds=float("nan"))),
        report(
            preflight=replace(OK, gpus=(GpuChecks(checks=(CheckResult("a", "failed", max_error=1e999),)),))
        ),
    ],
    ids=["nothing", "everything", "cut short", "good", "no number", "infinite"],
)
def test_what_is_written_fits(subject: Report) -> None:
    """Every report that can be made fits the schema."""
    assert faults(as_data(subject)) == []


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_fits(text: str) -> None:
    """Whatever tests and libraries say, the report fits the schema."""
    assert faults(as_data(hostile(text))) == []


def test_keys_may_be_added() -> None:
    """A report of a later version, with more keys, still fits."""
    data = as_data(FULL)
    data["later"] = data["tests"][0]["later"] = data["facts"]["later"] = {"any": ["thing"]}
    assert faults(data) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"schema": 2}, "$.schema: 1 was expected"),
        ({"tests": {}}, "$.tests: {} is not of type 'array'"),
        ({"tests": [{"outcome": "passed"}]}, "$.tests[0]: 'nodeid' is a required property"),
        ({"outcomes": {"passed": "1"}}, "$.outcomes.passed: '1' is not of type 'integer'"),
        (
            {"preflight": {"verdict": "fine", "gpus": [], "findings": []}},
            "$.preflight.verdict: 'fine' is not one of ['ok', 'absent', 'unusable', 'not-asked', 'inconclusive']",
        ),
    ],
)
def test_what_is_wrong_does_not_fit(change: Mapping[str, object], fault: str) -> None:
    """The schema refuses values of another type, unknown verdicts, missing keys and another schema."""
    assert faults({**as_data(report()), **change}) == [fault]


@pytest.mark.parametrize("mode", [(), ("-n", "0"), ("-n", "2")], ids=["plain", "n0", "n2"])
def test_real_reports_fit(suite: Suite, mode: tuple[str, ...]) -> None:
    """What the example suite writes, with a preflight, skips and explained failures, fits the schema in every mode."""
    for path in SUITE.iterdir():
        if path.is_file():
            suite.write(path.name, path.read_text("utf-8"))
    outcome = suite.run(*mode, "--tfgpu-preflight", "--tfgpu-device=cpu")
    data = outcome.report
    assert faults(data) == []
    assert data["preflight"]["verdict"] == "ok", outcome.text
    assert data["diagnoses"]
    assert data["skips"]
    assert Report.from_json(as_data(Report.from_json(data))) == Report.from_json(data)
