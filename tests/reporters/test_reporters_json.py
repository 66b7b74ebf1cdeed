"""The JSON report: its text, its keys, and what it makes of awkward values."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_reports import FULL, HOSTILE, OK, diagnosed, hostile, report

from pytest_tfgpu.model import CheckResult, Facts, GpuChecks, Report, TestResult
from pytest_tfgpu.reporters.json import dumps, render


def rendered(subject: Report) -> str:
    """Return the report's text in one piece."""
    return "".join(render(subject))


def strict(text: str) -> Any:
    """Parse JSON as a strict reader does: no NaN, no lone surrogates."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    data = json.loads(text, parse_constant=refuse)
    json.dumps(data, ensure_ascii=False).encode("utf-8")
    return data


def test_text_of_an_empty_report() -> None:
    """A report of a session in which nothing happened has these words, every promised key in its order."""
    assert rendered(report()) == (
        "{\n"
        '"schema": 1,\n'
        '"tfgpu": "0.1",\n'
        '"started": "2026-11-21T09:00:00Z",\n'
        '"seconds": 12.5,\n'
        '"complete": true,\n'
        '"exit_status": 0,\n'
        f'"facts": {json.dumps(Facts().to_json())},\n'
        '"preflight": {"verdict": "not-asked", "device": "gpu", "gpus": [], "findings": []},\n'
        '"outcomes": {},\n'
        '"tests": [],\n'
        '"diagnoses": [],\n'
        '"causes": [],\n'
        '"skips": []\n'
        "}\n"
    )


def test_one_line_per_entry() -> None:
    """Each test, cause and skip is a line of its own, with its keys in the promised order."""
    lines = rendered(FULL).splitlines()
    assert (
        '{"nodeid": "tests/test_a.py::test_big", "outcome": "failed", "phase": "call", "started": 1.000, '
        '"seconds": 0.500000, "worker": "gw0", "gpu": 0, "cause": "out-of-memory"},'
    ) in lines
    assert '{"id": "cudnn-version-mismatch", "count": 1, "nodeids": ["tests/test_b.py"]}' in lines
    assert (
        '{"nodeid": "tests/test_c.py::test_3", "requirement": "requires_gpu", "required": "4 GPUs", '
        '"found": "2 GPUs (Tesla T4; Tesla T4)"}'
    ) in lines


@pytest.mark.parametrize(
    "test",
    [*FULL.tests, TestResult.of({"nodeid": "a::b", "outcome": "passed", "started": 2.5, "seconds": 0.25})],
)
def test_a_test_is_written_as_its_record_says(test: TestResult) -> None:
    """The short way that tests take, for speed, gives what `to_json` gives, in the same order."""
    (row,) = json.loads(rendered(report(tests=(test,))))["tests"]
    assert list(row.items()) == list(test.to_json().items())


def test_times_of_tests() -> None:
    """A start stands there to the millisecond, a duration to the microsecond; what is no number is null."""
    tests = (
        TestResult("a", "passed", started=1.7e9 + 0.1234567, seconds=1.2345e-5),
        TestResult("b", "passed"),
    )
    rows = json.loads(rendered(report(tests=(*tests, TestResult("c", "failed", seconds=float("nan"))))))[
        "tests"
    ]
    assert [row.get("seconds") for row in rows] == [1.2e-05, None, None]
    assert rows[0]["started"] == 1700000000.123
    assert "seconds" not in rows[1]


def test_keys_of_a_diagnosis() -> None:
    """A diagnosis begins with the test it belongs to."""
    first = json.loads(rendered(FULL))["diagnoses"][0]
    assert list(first) == [
        "nodeid",
        "phase",
        "cause",
        "category",
        "confidence",
        "summary",
        "evidence",
        "help",
        "alternatives",
    ]


def test_round_trip() -> None:
    """A report read back from its JSON is equal to the one that was written."""
    assert Report.from_json(strict(rendered(FULL))) == FULL


def test_problems_come_last_and_only_if_there_are_any() -> None:
    """Defects of the plugin itself are an extra key at the end."""
    assert "problems" not in json.loads(rendered(FULL))
    assert list(json.loads(rendered(replace(FULL, problems=("x",)))))[-1] == "problems"


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_stays_text(text: str) -> None:
    """Whatever a text holds, the report is plain ASCII, closes no script element and reads back."""
    written = rendered(hostile(text))
    assert written.isascii()
    assert not [character for character in written if character < " " and character != "\n"]
    assert "</" not in written
    assert "<!" not in written
    expected = text.encode("utf-8", "backslashreplace").decode()
    assert strict(written)["tests"][0]["nodeid"] == expected


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_strict_json(text: str) -> None:
    """Every string, with lone surrogates and backslashes, gives JSON that strict parsers take."""
    line = dumps({"text": text})
    assert "\n" not in line
    if text.encode("utf-8", "ignore").decode() == text:
        assert strict(line) == {"text": text}
    else:
        strict(line)


def test_numbers_that_json_lacks_are_null() -> None:
    """A check whose error is nan or infinite gives valid JSON, which reads back without the number."""
    check = CheckResult("matmul", "failed", 0.1, math.nan, 1e-5, details={"worst": [math.inf, 1.0]})
    subject = report(preflight=replace(OK, gpus=(GpuChecks(0, None, None, (check,)),)))
    data = strict(rendered(subject))
    found = data["preflight"]["gpus"][0]["checks"][0]
    assert found["max_error"] is None
    assert found["details"] == {"worst": [None, 1.0]}
    assert Report.from_json(data).preflight.gpus[0].checks[0].max_error is None


def test_foreign_objects_in_details_are_written_as_text() -> None:
    """A value that JSON doesn't know, put there by someone's check, doesn't cost the report."""
    check = CheckResult("mine", "passed", details={"where": Path("a"), "number": 1})
    subject = report(preflight=replace(OK, gpus=(GpuChecks(0, None, None, (check,)),)))
    found = strict(rendered(subject))["preflight"]["gpus"][0]["checks"][0]["details"]
    assert found == {"where": "a", "number": 1}


def test_message_of_ten_megabytes() -> None:
    """A long message is written whole."""
    message = "x" * 10_000_000
    data = strict(rendered(report(diagnoses=(diagnosed("t.py::test", summary=message),))))
    assert data["diagnoses"][0]["summary"] == message


MANY = """
import json, resource, sys, time
from pathlib import Path
from pytest_tfgpu.model import EvidenceLine, Facts, Preflight, Report, TestDiagnosis, TestResult
from pytest_tfgpu.reporters import parse_target, builtin_reporters, find_reporter, write

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

names = [f"tests/test_many.py::test_{number}" for number in range(10_000)]
tests = tuple(TestResult(name, "failed", seconds=0.1, cause="out-of-memory") for name in names)
diagnoses = tuple(
    TestDiagnosis("out-of-memory", "memory", "likely", "s", (EvidenceLine(f"{n:06d}" + "<x \\n" * 2_000),),
                  nodeid=name)
    for n, name in enumerate(names)
)
report = Report("0.1", "s", 1.0, True, 1, Facts(), Preflight("not-asked"), {}, tests, diagnoses)
target = parse_target("json:" + sys.argv[1])
before, started = peak(), time.process_time()
write(target.path, find_reporter(target, builtin_reporters()).load()(report))
print(json.dumps({"seconds": time.process_time() - started, "mib": peak() - before}))
"""


def test_ten_thousand_failures(tmp_path: Path) -> None:
    """10,000 failures with 10 kB each are written within 2 s of CPU time and 200 MB of memory."""
    path = tmp_path / "report.json"
    answer = subprocess.run(
        [sys.executable, "-c", MANY, str(path)], capture_output=True, text=True, check=True, timeout=120
    )
    cost = json.loads(answer.stdout)
    assert path.stat().st_size > 100_000_000
    assert cost["seconds"] <= 2
    assert cost["mib"] <= 200
    print(cost)


def test_reader_ignores_unknown_keys() -> None:
    """A report of a later version, with more keys, reads back."""
    data = {**json.loads(rendered(FULL)), "colours": [{"nodeid": "a", "hue": 1}]}
    assert Report.from_json(data) == FULL


def test_pieces_are_small() -> None:
    """The report is given in pieces that don't grow with it, one line per test."""
    pieces = list(render(report(tests=tuple(TestResult(f"t.py::t{n}", "passed") for n in range(10_000)))))
    assert max(map(len, pieces)) < 50_000
    assert "".join(pieces).count("\n") > 10_000


@pytest.mark.parametrize("name", ["a}, {", 'a}, {"nodeid": "b"', '{"nodeid": ', "\\", '\\"}, {"nodeid": '])
def test_names_that_look_like_rows(name: str) -> None:
    """Whatever a test is called, each row stands on a line of its own and reads back."""
    tests = (TestResult(name, "passed"), TestResult(name, "failed", cause=name), TestResult("b", "passed"))
    text = rendered(report(tests=tests))
    rows = [line.rstrip(",") for line in text.splitlines() if line.startswith('{"nodeid"')]
    assert [json.loads(row)["nodeid"] for row in rows] == [name, name, "b"]
    assert Report.from_json(json.loads(text)).tests == tests
