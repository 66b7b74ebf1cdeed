"""Other plugins' reports: pytest-html, pytest-reportlog and allure-pytest carry the cause of each failure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.phases import MODULE, SETUP, TEARDOWN
from tests.suite import Outcome, Suite

HOSTILE = '</td><script>alert(1)</script><td title=\\"x'
PHASES = f"""{SETUP}
@pytest.mark.parametrize("text", ["{HOSTILE}"])
def test_call(text):
    raise tf.errors.UnimplementedError(None, None, "Cast string to float is not supported " + text)
{TEARDOWN}
def test_plain():
    assert 1 == 2

def test_passing():
    pass
"""
CAUSES = {
    "test_setup": "shape-mismatch",
    "test_call": "unsupported-cast",
    "test_teardown": "index-out-of-range",
    "test_module.py": "dtype-mismatch",
}


@pytest.fixture(scope="module", params=[(), ("-n", "1")], ids=["plain", "n1"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One run, with and without workers, of which all three write."""
    for module in ("pytest_html", "pytest_reportlog", "allure_pytest"):
        pytest.importorskip(module)
    suite = Suite(tmp_path_factory.mktemp("neighbours"))
    suite.write("test_phases.py", PHASES)
    suite.write("test_module.py", MODULE)
    arguments = ("--html=report.html", "--report-log=log.json", "--alluredir=allure")
    return suite.run("--continue-on-collection-errors", *request.param, *arguments, neighbours=True)


def name_of(nodeid: str) -> str:
    """Return the name of a test without its parameters, of a module its file."""
    return nodeid.split("::")[1].partition("[")[0] if "::" in nodeid else nodeid


@pytest.fixture
def rows(outcome: Outcome) -> dict[str, list[dict[str, Any]]]:
    """The rows of pytest-html's table, by test."""
    page = (outcome.folder / "report.html").read_text("utf-8")
    blob = re.search(r'data-jsonblob="(.*?)"', page)
    assert blob is not None, outcome.text
    tests: dict[str, list[dict[str, Any]]] = json.loads(html.unescape(blob[1]))["tests"]
    return {name_of(nodeid): rows for nodeid, rows in tests.items()}


def test_pytest_html_has_a_column(outcome: Outcome, rows: dict[str, list[dict[str, Any]]]) -> None:
    """The table has a column GPU cause, by which it can be sorted, with the cause of each failure in any phase."""
    page = (outcome.folder / "report.html").read_text("utf-8")
    assert '<th class="sortable" data-column-type="tfgpuCause">GPU cause</th>' in page
    causes = {name: next(filter(None, (row["tfgpuCause"] for row in rows[name])), "") for name in rows}
    assert causes == {**CAUSES, "test_plain": "", "test_passing": ""}
    for name in rows:
        for row in rows[name]:
            assert row["resultsTableRow"][2].startswith('<td class="col-tfgpuCause"')


def test_pytest_html_explains(rows: dict[str, list[dict[str, Any]]]) -> None:
    """The details of a row hold the explanation; what a test says is text there."""
    (row,) = (row for row in rows["test_call"] if row["tfgpuCause"])
    assert "tfgpu: cause" in row["log"]
    assert "Likely cause: " in row["log"]
    assert "<script>" not in row["log"]
    assert "<script>" not in row["resultsTableRow"][2]


def test_report_log_carries_the_diagnosis(outcome: Outcome) -> None:
    """Each line of pytest-reportlog about a failure with a cause holds the diagnosis, and the cause as a property."""
    lines = [json.loads(line) for line in (outcome.folder / "log.json").read_text("utf-8").splitlines()]
    told = [line for line in lines if "diagnosis" in line.get("tfgpu", {})]
    assert {name_of(line["nodeid"]): line["tfgpu"]["diagnosis"]["cause"] for line in told} == CAUSES
    for line in told:
        if line["$report_type"] == "TestReport":
            assert ["tfgpu_cause", line["tfgpu"]["diagnosis"]["cause"]] in line["user_properties"]
            assert line["tfgpu"]["diagnosis"]["evidence"]


def results(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the results of tests that allure-pytest wrote."""
    for path in folder.glob("*-result.json"):
        yield json.loads(path.read_text("utf-8"))


def test_allure_has_a_label_and_the_explanation(outcome: Outcome) -> None:
    """In allure's results a test with a cause has the label `tfgpu_cause`, and the explanation attached."""
    labelled = {}
    for result in results(outcome.folder / "allure"):
        labels = [label["value"] for label in result["labels"] if label["name"] == "tfgpu_cause"]
        attached = [
            (outcome.folder / "allure" / entry["source"]).read_text("utf-8")
            for entry in result.get("attachments", ())
            if entry["name"] == "tfgpu: cause"
        ]
        name = name_of(result["fullName"].replace("#", "::"))
        assert len(labels) == len(attached) == (name in CAUSES)
        if labels:
            labelled[name] = labels[0]
            assert f"[{labels[0]}]" in " ".join(attached[0].split())
    assert labelled == {
        name: cause for name, cause in CAUSES.items() if name.startswith("test_") and "." not in name
    }


def test_no_column_without_diagnosis(suite: Suite) -> None:
    """With `--no-tfgpu-diagnose`, pytest-html's table is what it is without the plugin."""
    pytest.importorskip("pytest_html")
    suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run("--html=report.html", "--no-tfgpu-diagnose", report=False, neighbours=True)
    assert outcome.status == 0, outcome.text
    assert "GPU cause" not in (suite.folder / "report.html").read_text("utf-8")
