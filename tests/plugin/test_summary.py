"""The end of the session: the grouped summary, the reports, GitHub's files, and defects of the plugin itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tfgpu.model import Report
from tests.suite import Suite, clean_environment

FAILING = """
import pytest
import tensorflow as tf

@pytest.mark.parametrize("number", range(3))
def test_cast(number):
    tf.cast(tf.constant(["a"]), tf.float32)

def test_index():
    tf.gather(tf.constant([1]), [5])

@pytest.mark.requires_gpu(2)
def test_gated():
    pass

def test_passing():
    pass
"""

PASSING = "def test_it():\n    pass\n"


def on_github(folder: Path) -> dict[str, str]:
    """Return the environment of a step of GitHub Actions."""
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        "GITHUB_WORKSPACE": str(folder.parent),
    }


def test_a_failing_suite(suite: Suite, mode: tuple[str, ...]) -> None:
    """Failures are grouped by cause and skips by requirement, in every mode, on the terminal and in reports."""
    suite.write("test_it.py", FAILING)
    outcome = suite.run(*mode, environment=on_github(suite.folder))
    assert outcome.outcomes == {"failed": 4, "passed": 1, "skipped": 1}, outcome.text
    summary = outcome.section("tfgpu summary")
    assert "4 tests, 2 causes" in summary
    assert "unsupported-cast: 3 tests" in summary
    assert "requires_gpu: 2 GPUs required, found no GPU" in summary
    report = outcome.report
    assert report["schema"] == 1
    assert report["complete"] is True
    assert report["exit_status"] == 1
    assert report["outcomes"] == {"failed": 4, "passed": 1, "skipped": 1}
    assert [(cause["id"], cause["count"]) for cause in report["causes"]] == [
        ("unsupported-cast", 3),
        ("index-out-of-range", 1),
    ]
    tests = {test["nodeid"].partition("::")[2]: test for test in report["tests"]}
    assert len(tests) == 6
    assert tests["test_index"]["cause"] == "index-out-of-range"
    assert tests["test_gated"]["outcome"] == "skipped"
    assert all(("worker" in test) == (mode == ("-n", "2")) for test in tests.values())
    markdown = (suite.folder / "summary.md").read_text()
    assert "unsupported-cast" in markdown
    annotations = [line for line in outcome.text.splitlines() if line.startswith("::")]
    assert len(annotations) == 2
    assert annotations[0].startswith(f"::error file={suite.folder.name}/test_it.py,line=")


def test_reports_can_be_read_back(suite: Suite) -> None:
    """The JSON report gives the report's records again."""
    suite.write("test_it.py", FAILING)
    data = suite.run().report
    report = Report.from_json(data)
    assert report.outcomes == data["outcomes"]
    assert len(report.diagnoses) == 4
    assert report.facts.tensorflow is not None


def test_an_ordinary_session_says_nothing(suite: Suite, mode: tuple[str, ...]) -> None:
    """Where nothing was asked for and nothing of TensorFlow failed, the plugin prints nothing at all."""
    suite.write("test_it.py", PASSING + "\ndef test_failing():\n    assert 0\n")
    outcome = suite.run(*mode, report=False)
    text = "\n".join(line for line in outcome.text.splitlines() if not line.startswith("plugins:"))
    assert "tfgpu" not in text.replace(str(suite.folder), "")


@pytest.mark.parametrize("value", ["none", "json:other.json"])
def test_github_is_by_itself_and_can_be_silenced(suite: Suite, value: str) -> None:
    """Under GitHub Actions the step summary is written beside other reports, and not at all with `none`."""
    suite.write("test_it.py", FAILING)
    outcome = suite.run(f"--tfgpu-report={value}", report=False, environment=on_github(suite.folder))
    assert (suite.folder / "summary.md").exists() == (value != "none")
    assert ("\n::error " in outcome.text) == (value != "none")


def test_two_runs_append_to_one_summary(suite: Suite) -> None:
    """Several pytest runs in one step add to the summary; none overwrites another."""
    suite.write("test_it.py", FAILING)
    (suite.folder / "summary.md").write_text("# Before\n\n")
    for _ in range(2):
        suite.run("-k", "index", report=False, environment=on_github(suite.folder))
    markdown = (suite.folder / "summary.md").read_text()
    assert markdown.startswith("# Before\n")
    assert markdown.count("index-out-of-range") >= 2


def test_a_report_of_a_third_party(suite: Suite) -> None:
    """A conftest can bring a format of its own."""
    suite.write("lines.py", "def render(report):\n    return f'{sum(report.outcomes.values())} tests\\n'\n")
    suite.provide("pytest_tfgpu_reporters", "[Reporter('lines', 'lines:render')]")
    suite.write("test_it.py", PASSING)
    environment = {"PYTHONPATH": str(suite.folder)}
    outcome = suite.run("--tfgpu-report=lines:out.txt", report=False, environment=environment)
    assert outcome.status == 0, outcome.text
    assert (suite.folder / "out.txt").read_text() == "1 tests\n"


def test_a_reporter_that_fails_costs_one_line(suite: Suite) -> None:
    """A reporter that raises is one line in the report; the exit status is the tests'."""
    suite.write("lines.py", "def render(report):\n    raise RuntimeError('no ink')\n")
    suite.provide("pytest_tfgpu_reporters", "[Reporter('lines', 'lines:render')]")
    suite.write("test_it.py", PASSING)
    environment = {"PYTHONPATH": str(suite.folder)}
    outcome = suite.run("--tfgpu-report=lines:out.txt", environment=environment)
    assert outcome.status == 0
    lines = [line for line in outcome.text.splitlines() if line.startswith("pytest-tfgpu: ")]
    assert lines == [
        "pytest-tfgpu: the lines report failed: RuntimeError: no ink (no test result was changed; please report "
        "this with the output of 'tfgpu doctor')"
    ]
    assert outcome.report["outcomes"] == {"passed": 1}


def test_a_folder_that_vanishes_loses_no_result(suite: Suite) -> None:
    """Where the report can't be written at the end after all, this is said, and the tests' result stands."""
    suite.write(
        "test_it.py",
        "import shutil\n\ndef test_it():\n    shutil.rmtree('out')\n    open('out', 'w').close()\n",
    )
    (suite.folder / "out").mkdir()
    outcome = suite.run("--tfgpu-report=json:out/report.json", report=False)
    assert outcome.status == 0, outcome.text
    assert "\npytest-tfgpu: the json report could not be written: " in outcome.text


@pytest.mark.parametrize("arguments", [(), ("-n", "2")], ids=["plain", "n2"])
def test_a_killed_session_says_that_it_is_incomplete(suite: Suite, arguments: tuple[str, ...]) -> None:
    """A session that is killed leaves a JSON report that says so, not the one of the session before."""
    suite.write("test_it.py", PASSING)
    assert suite.run().report["complete"] is True
    suite.write(
        "test_it.py",
        "import os, signal\n\ndef test_it():\n"
        "    os.kill(os.getppid() if 'PYTEST_XDIST_WORKER' in os.environ else os.getpid(), signal.SIGKILL)\n",
    )
    outcome = suite.run(*arguments)
    report = Report.from_json(outcome.report)
    assert outcome.status == -9, outcome.text
    assert (report.complete, report.exit_status, report.tests) == (False, None, ())


@pytest.mark.parametrize("seconds", [0.3, 0.6, 0.9, 1.2, 1.6, 2.2])
def test_killed_at_any_moment(suite: Suite, seconds: float) -> None:
    """Whenever a session is killed, its JSON report is whole: with every test, or saying that it is incomplete."""
    suite.write(
        "test_it.py",
        "import pytest\n\n@pytest.mark.parametrize('number', range(3000))\n"
        "def test_it(number):\n    assert number % 9\n",
    )
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "--no-summary", "-p", "no:cacheprovider"]
    process = subprocess.Popen(
        [*command, "--tfgpu-report=json:report.json", "--tfgpu-report=markdown:report.md"],
        cwd=suite.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    path = suite.folder / "report.json"
    if path.exists():
        report = Report.from_json(json.loads(path.read_text("utf-8")))
        assert len(report.tests) == (3000 if report.complete else 0)
    else:
        assert process.returncode == -9
        assert not (suite.folder / "report.md").exists()


def test_facts_of_a_conftest(suite: Suite, mode: tuple[str, ...]) -> None:
    """Facts that a hook gives lie over those that were found; a wrong one is one line and left out."""
    suite.provide("pytest_tfgpu_facts", "{'driver': '999.1'}")
    suite.write("sub/conftest.py", "def pytest_tfgpu_facts():\n    return {'driver': 5}\n")
    suite.write("test_it.py", "def test_it(tfgpu):\n    assert tfgpu.facts.driver == '999.1'\n")
    outcome = suite.run(*mode, "test_it.py")
    assert outcome.outcomes == {"passed": 1}, outcome.text
    assert outcome.report["facts"]["driver"] == "999.1"


def test_a_wrong_fact_costs_one_line(suite: Suite) -> None:
    """A fact of the wrong type is named in one line; the others stand."""
    suite.write("conftest.py", "def pytest_tfgpu_facts():\n    return {'driver': 5}\n")
    suite.write("test_it.py", "def test_it(tfgpu):\n    assert tfgpu.facts.driver is None\n")
    outcome = suite.run()
    assert outcome.outcomes == {"passed": 1}
    (line,) = (line for line in outcome.text.splitlines() if line.startswith("pytest-tfgpu: "))
    assert line == "pytest-tfgpu: conftest.py: pytest_tfgpu_facts: facts.driver: expected str, got int"


def test_a_defect_in_a_worker_reaches_the_terminal(suite: Suite) -> None:
    """What goes wrong in the plugin inside an xdist worker is said at the end by the controller."""
    suite.write("conftest.py", "def pytest_tfgpu_facts():\n    return {'driver': 5}\n")
    suite.write("test_it.py", "def test_it(tfgpu):\n    assert tfgpu.facts is not None\n")
    outcome = suite.run("-n", "2", report=False)
    assert (
        "pytest-tfgpu: conftest.py: pytest_tfgpu_facts: facts.driver: expected str, got int" in outcome.text
    )


def test_ten_thousand_failures(suite: Suite) -> None:
    """A session with 10,000 explained failures is reported whole."""
    suite.write(
        "test_it.py",
        "import pytest\nimport tensorflow as tf\n\n@pytest.mark.parametrize('number', range(10_000))\n"
        "def test_it(number):\n"
        "    raise tf.errors.UnimplementedError(None, None, 'Cast string to float is not supported')\n",
    )
    outcome = suite.run("--tb=no", "-q", "--no-summary", environment=on_github(suite.folder), seconds=420)
    assert outcome.outcomes["failed"] == 10_000
    assert outcome.report["causes"][0]["count"] == 10_000
    assert len(outcome.report["tests"]) == 10_000
    assert (suite.folder / "summary.md").stat().st_size <= 1024 * 1024


def test_without_a_terminal(suite: Suite) -> None:
    """With `-p no:terminal` reports are written and nothing is lost."""
    suite.write("test_it.py", FAILING)
    outcome = suite.run("-p", "no:terminal", environment=on_github(suite.folder))
    assert outcome.status == 1
    assert outcome.report["outcomes"] == {"failed": 4, "passed": 1, "skipped": 1}
    assert any(line.startswith("::error ") for line in outcome.text.splitlines())


@pytest.mark.parametrize("name", ["tfgpu", "pytest_tfgpu.plugin"])
def test_the_plugin_by_name(suite: Suite, name: str) -> None:
    """With plugin autoloading off, `-p tfgpu` is enough, and so is the name of its module where it isn't installed."""
    suite.write("test_it.py", FAILING)
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    (suite.folder / "pytest.ini").write_text("[pytest]\n")
    outcome = suite.run("-p", name, environment=environment)
    assert outcome.report["outcomes"] == {"failed": 4, "passed": 1, "skipped": 1}, outcome.text
    assert outcome.report["causes"], outcome.text
    assert "problems" not in outcome.report
