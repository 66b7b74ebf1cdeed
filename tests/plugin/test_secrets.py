"""What a session never writes: secrets, the names of home directories, and anything outside of its own place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suite import Suite

SECRET = "s3cr3t-V4lue"
TELLING = f"""
import tensorflow as tf

def test_it():
    tf.io.read_file("/home/ada/{SECRET}/https://ada:pw@host/x?token=abcdefgh")

def test_name():
    raise tf.errors.UnimplementedError(None, None, "Cast string to float is not supported: {SECRET}")
"""


def test_no_report_holds_a_secret(suite: Suite) -> None:
    """Neither values of secret variables nor URLs' credentials nor home directories' names stand in a report."""
    suite.write("test_it.py", TELLING)
    environment = {
        "HOME": str(suite.folder),
        "DEPLOY_TOKEN": SECRET,
        "LD_LIBRARY_PATH": f"{suite.folder}/lib:/home/ada/lib",
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(suite.folder / "summary.md"),
    }
    outcome = suite.run("--tfgpu-report=markdown:report.md", environment=environment)
    report = outcome.report
    assert {test.get("cause") for test in report["tests"]} == {"file-not-found", "unsupported-cast"}, (
        outcome.text
    )
    assert report["facts"]["environment"]["LD_LIBRARY_PATH"] == "~/lib:/home/***/lib"
    for name in ("report.json", "report.md", "summary.md"):
        text = (suite.folder / name).read_text("utf-8")
        assert "unsupported-cast" in text
        for part in (SECRET, "/home/ada", "ada:pw", "abcdefgh", str(suite.folder)):
            assert part not in text, name


@pytest.mark.parametrize(
    "value", ["json:out/report.json", "json:out/../report.json", "markdown:{here}/out/report.md"]
)
def test_a_link_out_of_the_folder_is_not_followed(
    suite: Suite, tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    """A folder among the tests that is a link to elsewhere gets no report; this is found out before the tests."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (suite.folder / "out").symlink_to(elsewhere)
    suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run(f"--tfgpu-report={value.format(here=suite.folder)}", report=False)
    assert outcome.status == 4, outcome.text
    assert "is a symbolic link that leads out of" in outcome.text
    assert list(elsewhere.iterdir()) == []
    assert list(elsewhere.parent.glob("report.*")) == []


def test_a_link_to_a_file_is_replaced(suite: Suite, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where a report's file is a link, the report takes its place, and what it led to stays as it was."""
    mine: Path = tmp_path_factory.mktemp("elsewhere") / "mine.txt"
    mine.write_text("mine")
    (suite.folder / "report.json").symlink_to(mine)
    suite.write("test_it.py", "def test_it():\n    pass\n")
    assert suite.run().report["outcomes"] == {"passed": 1}
    assert mine.read_text() == "mine"
    assert not (suite.folder / "report.json").is_symlink()


def test_a_link_within_the_folder_is_followed(suite: Suite) -> None:
    """A link that stays within the working folder is an ordinary way."""
    (suite.folder / "build").mkdir()
    (suite.folder / "out").symlink_to("build")
    suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run("--tfgpu-report=json:out/report.json", report=False)
    assert outcome.status == 0, outcome.text
    assert (suite.folder / "build" / "report.json").exists()
