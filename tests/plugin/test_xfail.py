"""`xfail_cause`: a test may fail of a known cause, and of no other, until a day."""

from __future__ import annotations

import pytest

from tests.plugin.forked import Forked
from tests.suite import Suite

TESTS = """
import pytest
import tensorflow as tf

def index_error():
    tf.gather(tf.constant([1]), [5])

known = pytest.mark.xfail_cause("index-out-of-range", "gpu-busy", reason="bug 7", until="2999-12-31")
over = pytest.mark.xfail_cause("index-out-of-range", until="2020-01-01")

@known
def test_of_that_cause():
    index_error()

@known
def test_of_another_cause():
    tf.cast(tf.constant(["a"]), tf.float32)

@known
def test_of_no_cause():
    assert 0

@known
def test_that_passes():
    pass

@over
def test_after_the_day():
    index_error()

@over
def test_that_passes_after_the_day():
    pass

@pytest.fixture
def broken():
    index_error()

@known
def test_in_a_fixture(broken):
    pass

@known
class TestClass:
    def test_in_a_class(self):
        index_error()

@pytest.mark.parametrize("n", [0, pytest.param(1, marks=pytest.mark.xfail_cause("index-out-of-range"))])
def test_parametrised(n):
    index_error()

@known
def test_skipped():
    pytest.skip("not here")

@pytest.mark.xfail(raises=ValueError)
@known
def test_with_xfail():
    raise ValueError
"""
OUTCOMES = {
    "test_of_that_cause": "xfailed",
    "test_of_another_cause": "failed",
    "test_of_no_cause": "failed",
    "test_that_passes": "xpassed",
    "test_after_the_day": "failed",
    "test_that_passes_after_the_day": "failed",
    "test_in_a_fixture": "xfailed",
    "test_in_a_class": "xfailed",
    "test_parametrised[0]": "failed",
    "test_parametrised[1]": "xfailed",
    "test_skipped": "skipped",
    "test_with_xfail": "xfailed",
}


@pytest.fixture
def marked(suite: Suite) -> Suite:
    """A suite of tests with known failures."""
    suite.write("test_it.py", TESTS)
    return suite


def outcomes(report: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """Return the outcome of each test by its name."""
    return {test["nodeid"].rpartition("::")[2]: test["outcome"] for test in report["tests"]}


@pytest.mark.parametrize("workers", [False, True], ids=["plain", "n1"])
def test_outcomes(forked: Forked, marked: Suite, workers: bool) -> None:
    """A failure of the cause is expected in any phase; every other one, and one after the day, stays a failure."""
    outcome = marked.run("-n", "1", "-rxX") if workers else forked.run(marked, "-rxX")
    assert outcomes(outcome.report) == OUTCOMES, outcome.text
    assert outcome.outcomes == {"failed": 5, "skipped": 1, "xfailed": 5, "xpassed": 1}
    assert "XFAIL test_it.py::test_of_that_cause - index-out-of-range: bug 7" in outcome.text
    assert "XPASS test_it.py::test_that_passes - index-out-of-range, gpu-busy: bug 7" in outcome.text
    causes = {cause["id"]: cause["count"] for cause in outcome.report["causes"]}
    assert causes == {"index-out-of-range": 2, "unsupported-cast": 1}
    tests = {test["nodeid"].rpartition("::")[2]: test for test in outcome.report["tests"]}
    assert tests["test_of_that_cause"]["cause"] == "index-out-of-range"


def test_why_a_failure_was_not_expected(forked: Forked, marked: Suite) -> None:
    """The report of a failure that wasn't expected says why in a sentence."""
    text = forked.run(marked).text
    for sentence in (
        "Expected to fail of index-out-of-range or gpu-busy; this is unsupported-cast.",
        "Expected to fail of index-out-of-range or gpu-busy; no cause of this failure is known.",
        "index-out-of-range was expected until 2020-01-01, which is over.",
        "[XPASS] xfail_cause held until 2020-01-01, which is over, and the test passes: the marker can be removed.",
    ):
        assert sentence in text, sentence


def test_strict(forked: Forked, marked: Suite) -> None:
    """With pytest's own `xfail_strict`, a test that passes fails."""
    outcome = forked.run(marked, "-o", "xfail_strict=true")
    assert outcomes(outcome.report) == {**OUTCOMES, "test_that_passes": "failed"}
    assert "[XPASS(strict)] index-out-of-range, gpu-busy: bug 7" in outcome.text


def test_runxfail(forked: Forked, marked: Suite) -> None:
    """With `--runxfail`, as with pytest's own marker, the tests are judged as if they weren't marked."""
    outcome = forked.run(marked, "--runxfail")
    changed = {name: "failed" for name, found in OUTCOMES.items() if found == "xfailed"}
    changed["test_in_a_fixture"] = "error"
    passes = {"test_that_passes": "passed", "test_that_passes_after_the_day": "passed"}
    assert outcomes(outcome.report) == {**OUTCOMES, **changed, **passes}


def test_without_tensorflow(suite: Suite) -> None:
    """In a suite that doesn't import TensorFlow, nothing of a cause is known: failures stay."""
    mark = "import pytest\n\n@pytest.mark.xfail_cause('gpu-busy')\n"
    suite.write("test_it.py", f"{mark}def test_it():\n    assert 0\n\n{mark}def test_good():\n    pass\n")
    outcome = suite.run()
    assert outcome.outcomes == {"failed": 1, "xpassed": 1}, outcome.text


def test_marks_that_a_conftest_adds(forked: Forked, suite: Suite) -> None:
    """A mark that is put on a test while it is collected counts, too; a wrong one fails its test."""
    suite.write(
        "conftest.py",
        "import pytest\n\ndef pytest_collection_modifyitems(items):\n"
        "    items[0].add_marker(pytest.mark.xfail_cause('index-out-of-range'))\n"
        "    items[1].add_marker(pytest.mark.xfail_cause('gpu-bussy'))\n",
    )
    test = "    tf.gather(tf.constant([1]), [5])\n\n"
    suite.write("test_it.py", f"import tensorflow as tf\n\ndef test_it():\n{test}def test_wrong():\n{test}")
    outcome = forked.run(suite)
    assert outcome.outcomes == {"xfailed": 1, "error": 1}, outcome.text
    assert "xfail_cause: unknown cause 'gpu-bussy' (meant: gpu-busy?)" in outcome.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "expected at least one cause"),
        ("3", "expected the name of a cause, got 3"),
        (
            "'gpu-bussy'",
            "unknown cause 'gpu-bussy' (meant: gpu-busy?); 'tfgpu causes' lists those that come with",
        ),
        ("'gpu-busy', until='soon'", "until: expected a day such as '2027-03-01', got 'soon'"),
        ("'gpu-busy', until=2027", "until: expected a day such as '2027-03-01', got 2027"),
        ("'gpu-busy', reason=1", "reason: expected a text, got 1"),
        ("'gpu-busy', since='x'", "got an unexpected keyword argument 'since'"),
    ],
)
def test_bad_arguments(suite: Suite, arguments: str, said: str) -> None:
    """Wrong arguments are an error of the test module, with file, line and the marker as written."""
    suite.write(
        "test_it.py", f"import pytest\n\n@pytest.mark.xfail_cause({arguments})\ndef test_it():\n    pass\n"
    )
    outcome = suite.run(report=False)
    assert outcome.status == pytest.ExitCode.INTERRUPTED, outcome.text
    written = f"pytest.mark.xfail_cause({arguments})" if arguments else "pytest.mark.xfail_cause"
    assert f"test_it.py:3: wrong arguments of a marker: {written}" in outcome.text
    assert f"xfail_cause: {said}" in outcome.text
