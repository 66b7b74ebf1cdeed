"""`--tfgpu-rerun`: pytest-rerunfailures runs those tests again that failed of certain causes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.suite import Outcome, Suite

pytest.importorskip("pytest_rerunfailures")

TESTS = """
from pathlib import Path

import pytest
import tensorflow as tf

def cast():
    tf.cast(tf.constant(["a"]), tf.float32)

def attempt(name):
    with Path(name + ".attempts").open("a") as file:
        file.write("x")
    return Path(name + ".attempts").stat().st_size

@pytest.fixture(scope="module", autouse=True)
def house():
    yield
    attempt("teardown")

def test_better_the_second_time():
    if attempt("better") == 1:
        cast()

def test_never_better():
    attempt("never")
    cast()

def test_another_cause():
    attempt("another")
    tf.gather(tf.constant([1]), [5])

def test_no_cause():
    attempt("none")
    assert 0

@pytest.fixture
def short():
    if attempt("fixture") == 1:
        cast()

def test_in_a_fixture(short):
    pass

@pytest.mark.flaky(reruns=3)
def test_own_rule():
    assert attempt("own") == 3
"""


def attempts(outcome: Outcome) -> dict[str, int]:
    """Return how often each test was tried."""
    return {path.stem: path.stat().st_size for path in outcome.folder.glob("*.attempts")}


def by_name(outcome: Outcome) -> dict[str, dict[str, Any]]:
    """Return the tests of the JSON report by name."""
    return {test["nodeid"].partition("::")[2]: test for test in outcome.report["tests"]}


@pytest.mark.parametrize("mode", [(), ("-n", "1")], ids=["plain", "n1"])
def test_only_these_causes(suite: Suite, mode: tuple[str, ...]) -> None:
    """What failed of the cause is run again once, in any phase; nothing else is, but tests with a rule of their own."""
    suite.write("test_it.py", TESTS)
    outcome = suite.run("--tfgpu-rerun=unsupported-cast,gpu-busy", "--junit-xml=junit.xml", *mode)
    assert attempts(outcome) == {
        "better": 2, "never": 2, "another": 1, "none": 1, "fixture": 2, "own": 3, "teardown": 1,
    }, outcome.text  # fmt: skip
    assert outcome.outcomes == {"failed": 3, "passed": 3, "rerun": 5}
    tests = by_name(outcome)
    assert tests["test_better_the_second_time"]["outcome"] == "passed"
    assert "cause" not in tests["test_better_the_second_time"]
    assert tests["test_never_better"]["cause"] == "unsupported-cast"
    causes = {cause["id"]: cause["count"] for cause in outcome.report["causes"]}
    assert causes == {"unsupported-cast": 1, "index-out-of-range": 1}
    properties = {
        case.get("name"): [found.get("value") for found in case.iter("property")]
        for case in outcome.junit.iter("testcase")
    }
    assert properties["test_better_the_second_time"] == []
    assert properties["test_never_better"] == ["unsupported-cast"]
    (counted,) = (p.get("value") for p in outcome.junit.iter("property") if p.get("name") == "tfgpu_causes")
    assert counted == "unsupported-cast: 1, index-out-of-range: 1"


def test_as_often_as_reruns_says(suite: Suite) -> None:
    """`--reruns` says how often; the ini file can name the causes."""
    suite.write("test_it.py", TESTS)
    suite.write("pytest.ini", "[pytest]\ntfgpu_rerun = unsupported-cast\n")
    outcome = suite.run("--reruns=3")
    found = attempts(outcome)
    assert (found["better"], found["never"], found["another"], found["none"]) == (2, 4, 1, 1), outcome.text


def test_a_cause_that_is_only_possible(suite: Suite) -> None:
    """Where several causes fit, each of them is enough: the second time that memory runs out, it may be leaking."""
    suite.write(
        "test_it.py",
        "import pytest\nimport tensorflow as tf\nOOM = 'OOM when allocating tensor with shape[8192,8192] and type "
        "float on /device:GPU:0 by allocator GPU_0_bfc'\ntried = []\n\n@pytest.mark.parametrize('n', [0, 1])\n"
        "def test_it(n):\n    tried.append(n)\n    if tried.count(n) == 1:\n"
        "        raise tf.errors.ResourceExhaustedError(None, None, OOM)\n",
    )
    outcome = suite.run("--tfgpu-rerun=out-of-memory")
    assert outcome.outcomes == {"passed": 2, "rerun": 2}, outcome.text


def test_a_worker_that_died_has_no_cause(suite: Suite) -> None:
    """A test whose xdist worker died isn't run again: nothing is known of its cause."""
    suite.write(
        "test_it.py",
        "import os\nfrom pathlib import Path\n\ndef test_it():\n"
        "    with Path('tries').open('a') as file:\n        file.write('x')\n    os._exit(1)\n",
    )
    outcome = suite.run("-n", "1", "--tfgpu-rerun=out-of-memory")
    assert (suite.folder / "tries").read_text() == "x"
    assert outcome.outcomes == {"failed": 1}, outcome.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--tfgpu-rerun=out-of-memry,gpu-busy,nothing",),
            "--tfgpu-rerun: unknown causes 'out-of-memry', 'nothing' (meant: out-of-memory?); 'tfgpu causes' lists "
            "those that come with pytest-tfgpu",
        ),
        (
            ("--tfgpu-rerun=out-of-memory", "-p", "no:rerunfailures"),
            "--tfgpu-rerun: needs pytest-rerunfailures, which is not installed or not active: python -m pip install "
            '"pytest-rerunfailures>=16.7"',
        ),
        (
            ("--tfgpu-rerun=out-of-memory", "--no-tfgpu-diagnose"),
            "--tfgpu-rerun: needs the diagnosis, which is switched off (--tfgpu-diagnose)",
        ),
        (("--tfgpu-rerun=out-of-memory", "--pdb"), "--tfgpu-rerun: can't be used with --pdb"),
    ],
    ids=["unknown", "without the plugin", "without the diagnosis", "with a debugger"],
)
def test_what_it_needs(suite: Suite, arguments: tuple[str, ...], said: str) -> None:
    """What is missing is a usage error in one line, before any test."""
    suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run(*arguments, report=False)
    assert outcome.status == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: pytest-tfgpu: {said}" in outcome.text.splitlines()


CONFTEST = """
from dataclasses import replace

import pytest
from pytest_tfgpu.knowledge.catalog import load

@pytest.hookimpl(optionalhook=True)
def pytest_tfgpu_causes():
    return [replace(load().get("out-of-memory"), id="house-memory")]
"""


def test_causes_of_a_conftest(suite: Suite) -> None:
    """A cause that a conftest brings can be named."""
    suite.write("conftest.py", CONFTEST)
    suite.write("test_it.py", "def test_it():\n    pass\n")
    assert suite.run("--tfgpu-rerun=house-memory", report=False).outcomes == {"passed": 1}
