"""The pages that are made from the code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tfgpu.cli import main
from pytest_tfgpu.knowledge.catalog import builtin_causes
from pytest_tfgpu.session import ENDED
from pytest_tfgpu.settings import SETTINGS

from .pages import ROOT, Page

REFERENCE = ROOT / "docs" / "reference"


def generate(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run docs/generate.py."""
    command = [sys.executable, str(ROOT / "docs" / "generate.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_pages_are_up_to_date() -> None:
    """The pages in docs/reference say what the code says; else: python docs/generate.py."""
    done = generate("--check")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr


def test_stale_pages_are_found_and_mended(tmp_path: Path) -> None:
    """A page that was changed, one that is missing and one of a cause that is gone are named, then put right."""
    assert generate("--folder", str(tmp_path)).returncode == 0
    (tmp_path / "facts.md").write_text("# Facts\n")
    (tmp_path / "causes" / "out-of-memory.md").unlink()
    (tmp_path / "causes" / "never-was.md").write_text("# never-was\n")
    done = generate("--check", "--folder", str(tmp_path))
    names = ["causes/never-was.md", "causes/out-of-memory.md", "facts.md"]
    assert (done.returncode, done.stdout.split("\n")[:3]) == (1, [f"stale: {name}" for name in names])
    assert generate("--folder", str(tmp_path)).stdout.startswith("3 of ")
    assert generate("--check", "--folder", str(tmp_path)).returncode == 0


@pytest.mark.parametrize("cause", [cause.id for cause in builtin_causes()])
def test_page_of_a_cause(cause: str) -> None:
    """Every cause has a page with the same headings in the same order, and the index leads to it."""
    page = Page(REFERENCE / "causes" / f"{cause}.md")
    headings = [line[3:] for line in page.text.splitlines() if line.startswith("## ")]
    assert headings == [
        "What it means",
        "What it looks like",
        "How to tell it from its look-alikes",
        "How to confirm it",
        "How to fix it",
        "References",
        "Examples",
        "Look-alikes",
    ]
    assert f"{cause}.md" in Page(REFERENCE / "causes" / "index.md").links


def test_exit_statuses_are_those_of_the_code() -> None:
    """The page of the exit statuses lists the plugin's own, and those of the command."""
    rows = re.findall(r"^\| ([\d, ]+) \|", (REFERENCE / "exit-statuses.md").read_text("utf-8"), re.M)
    statuses = [int(number) for row in rows for number in row.split(",")]
    command = [0, 1, 2, main.DEFECT, main.INTERRUPTED, main.BROKEN_PIPE]
    assert statuses == [*ENDED, *command]


def test_every_setting_is_in_the_table() -> None:
    """The page of the settings names each setting in its three forms."""
    text = (REFERENCE / "settings.md").read_text("utf-8")
    for row in SETTINGS:
        for name in (row.option, row.variable, row.ini_name):
            assert f"`{name}" in text, name
