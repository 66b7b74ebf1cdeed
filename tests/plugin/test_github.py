"""What a session leaves for GitHub Actions: which failures are annotated, where, and how often."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.phases import MODULE, SETUP, TEARDOWN
from tests.suite import Outcome, Suite

PHASES = f"""{SETUP}
def test_call():
    tf.cast(tf.constant(["a"]), tf.float32)
{TEARDOWN}"""

CAST = """
import pytest
import tensorflow as tf

@pytest.mark.parametrize("number", range(12))
def test_cast(number):
    tf.cast(tf.constant(["a"]), tf.float32)
"""


def annotated(suite: Suite, *arguments: str, **environment: str) -> tuple[Outcome, list[str]]:
    """Run the suite as in a step of GitHub Actions; return the outcome and the workflow commands."""
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(suite.folder / "summary.md"),
        "GITHUB_WORKSPACE": str(suite.folder),
    }
    outcome = suite.run(*arguments, report=False, environment={**github, **environment})
    return outcome, [line for line in outcome.text.splitlines() if line.startswith("::")]


def test_every_phase_is_annotated(suite: Suite, mode: tuple[str, ...]) -> None:
    """A failure while collecting, in setup, call or teardown has its annotation, in every mode, once."""
    suite.write("test_phases.py", PHASES)
    suite.write("test_module.py", MODULE)
    outcome, commands = annotated(suite, *mode, "--continue-on-collection-errors")
    assert outcome.status == 1, outcome.text
    places = {command.split("::")[1].removeprefix("error ").rpartition(",title=")[0] for command in commands}
    assert places == {
        "file=test_module.py",
        "file=test_phases.py,line=14",
        "file=test_phases.py,line=17",
        "file=test_phases.py,line=20",
    }
    assert len(commands) == 4
    assert (suite.folder / "summary.md").read_text().count("<h3>") == 1


def test_twelve_tests_of_one_cause_are_one_annotation(suite: Suite) -> None:
    """However many tests a cause fails, it takes one of the ten annotations that GitHub shows."""
    suite.write("test_it.py", CAST)
    _, commands = annotated(suite)
    (command,) = commands
    assert command.startswith("::error file=test_it.py,line=5,title=unsupported-cast%3A 12 tests::")
    assert command.endswith("%0Aand 7 more")


def test_a_test_inherited_from_another_file(suite: Suite) -> None:
    """A test whose code stands in another file is annotated without that file's line."""
    suite.write(
        "base.py",
        "import tensorflow as tf\n\n\nclass Base:\n    def test_it(self):\n        tf.zeros([4])[5]\n",
    )
    suite.write("test_it.py", "from base import Base\n\nclass TestIt(Base):\n    pass\n")
    _, (command,) = annotated(suite)
    assert command.startswith("::error file=test_it.py,title=")


def test_beside_the_plugin_that_annotates_tests(suite: Suite) -> None:
    """Where pytest-github-actions-annotate-failures is active, causes are notices that point at no test."""
    suite.write("test_it.py", CAST)
    suite.write("pytest_github_actions_annotate_failures.py", "")
    _, commands = annotated(
        suite, "-p", "pytest_github_actions_annotate_failures", PYTHONPATH=str(suite.folder)
    )
    (command,) = commands
    assert command.startswith("::notice title=unsupported-cast%3A 12 tests::")
    assert "test_it.py" not in command


def test_runs_in_one_step_share_its_summary(suite: Suite) -> None:
    """Several runs in one step add to the summary, and together never exceed what GitHub takes."""
    suite.write("test_it.py", CAST)
    path = suite.folder / "summary.md"
    for number in (1, 2):
        annotated(suite)
        assert path.read_text().count("<code>unsupported-cast</code>") == number
    path.write_bytes(b"x" * (1024 * 1024 - 300))
    outcome, commands = annotated(suite)
    assert path.stat().st_size <= 1024 * 1024
    assert len(commands) == 1, outcome.text


@pytest.mark.skipif(not hasattr(Path, "symlink_to"), reason="no symbolic links here")
def test_a_summary_that_is_a_link_is_left_alone(suite: Suite) -> None:
    """Nothing is appended through a symbolic link; the session says so and its result stands."""
    suite.write("test_it.py", CAST)
    mine = suite.write("mine.txt", "mine")
    (suite.folder / "summary.md").symlink_to(mine)
    outcome, _ = annotated(suite)
    assert mine.read_text() == "mine"
    assert "the github report could not be written: " in outcome.section("tfgpu summary")
    assert outcome.status == 1
