"""Examples in the pages are run, on the CPU, in one session; what the pages show of the output is what comes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.settings import DEFAULT_CHECKS
from tests.simulated.conftest import Describe
from tests.suite import Outcome, Suite, clean_environment

from .pages import ROOT, Page, all_pages, written_pages

FAILING = {
    "test_table_is_too_short": "index-out-of-range",
    "test_custom_operation": "image-ops-not-built",
}
"""Tests that fail on purpose, and the cause that is named."""

ON_A_GPU = {
    "test_product_on_the_second_gpu",
    "test_large_batch",
    "test_many_filters",
    "test_on_any_gpu",
    "test_on_two_large_ones",
    "test_with_these_versions",
    "test_depends_on_the_machine",
    "test_takes_what_it_needs",
}
"""Tests that need a GPU and are skipped on the CPU."""

PAGES = [page for page in written_pages() if any(block.filename for block in page.blocks)]


def folder_of(page: Page) -> str:
    """Return the folder into which the examples of a page are written."""
    return re.sub(r"\W+", "_", page.name.removesuffix(".md")).lower()


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Run the examples of all pages in one session, with their checks and causes."""
    suite = Suite(tmp_path_factory.mktemp("examples"))
    for page in PAGES:
        for block in page.blocks:
            if block.filename:
                suite.write(f"{folder_of(page)}/{block.filename}", block.text)
    folders = sorted({folder_of(page) for page in PAGES})
    checks = f"--tfgpu-checks={','.join((*DEFAULT_CHECKS, 'float64-product'))}"
    settings = ("--tfgpu-preflight", "--tfgpu-device=cpu", checks, "--tfgpu-report=json:report.json")
    return suite.run(*settings, "-rs", *folders, report=False, environment={"COLUMNS": "80"})


def by_name(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the rows of a report by the name of the test."""
    return {row["nodeid"].rpartition("::")[2]: row for row in rows}


def test_examples_do_what_they_say(outcome: Outcome) -> None:
    """Each example passes, but for those that show a failure and those that need a GPU."""
    tests = by_name(outcome.report["tests"])
    failed = {name: row.get("cause") for name, row in tests.items() if row["outcome"] in ("failed", "error")}
    skipped = {name for name, row in tests.items() if row["outcome"] == "skipped"}
    assert (failed, skipped) == (FAILING, ON_A_GPU), outcome.text
    by_markers = ON_A_GPU - {"test_depends_on_the_machine", "test_takes_what_it_needs"}
    assert by_markers <= set(by_name(outcome.report["skips"])) <= ON_A_GPU
    assert "pytest-tfgpu:" not in outcome.text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_has_tests_that_ran(outcome: Outcome, page: Page) -> None:
    """Of each page with examples, at least one test was collected."""
    if not any((block.filename or "").startswith("test_") for block in page.blocks):
        assert page.name == "docs/how-to/ci.md"
        return
    assert any(row["nodeid"].startswith(f"{folder_of(page)}/") for row in outcome.report["tests"])


def test_script_that_counts_causes(outcome: Outcome) -> None:
    """The script for the JSON report lists each cause with its tests."""
    script = outcome.folder / "docs_how_to_ci" / "count_causes.py"
    command = [sys.executable, str(script), str(outcome.folder / "report.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for name, cause in FAILING.items():
        assert re.search(rf"^1\n  {cause}\n  \S+::{name}$", done.stdout, re.M)


@pytest.mark.parametrize("name", ["docs/tutorial.md", "docs/how-to/add-a-cause.md"])
def test_output_shown(outcome: Outcome, name: str) -> None:
    """What a page shows of the output of its examples is printed, numbers aside."""
    lines = shown(Page(ROOT / name)) - {"There is no GPU here for TensorFlow to use."}
    assert lines
    missing = {line for line in lines if without_numbers(line) not in without_numbers(outcome.text)}
    assert not missing


def test_output_shown_in_the_readme() -> None:
    """The demo ends well, and prints every line that the README shows of it, numbers aside."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**clean_environment(), "COLUMNS": "80"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = shown(Page(ROOT / "README.md")) - {"..."}
    assert len(lines) > 20
    printed = {without_numbers(line) for line in done.stdout.splitlines()}
    assert {line for line in lines if without_numbers(line) not in printed} == set()


def shown(page: Page) -> set[str]:
    """Return the lines of output that a page shows."""
    return {line for text in page.texts("text") for line in text.splitlines() if line.strip()}


def without_numbers(text: str) -> str:
    """Return text with every number the same, and white space, which follows their width, as one space."""
    return re.sub(r"[ \t]+", " ", re.sub(r"\d+(\.\d+)?(e[+-]\d+)?", "0", text))


@pytest.mark.parametrize("page", all_pages(), ids=lambda page: page.name)
def test_python_can_be_read(page: Page) -> None:
    """Every Python block is Python, and in the pages that people write it is a file that is run."""
    for block in page.blocks:
        if block.language == "python":
            compile(block.text, page.name, "exec")
            assert block.filename or page.is_made or page.name == "CONTRIBUTING.md"


def test_example_on_a_simulated_gpu(simulated_gpu: Describe) -> None:
    """The test that CONTRIBUTING shows passes."""
    (text,) = Page(Path(ROOT, "CONTRIBUTING.md")).texts("python")
    scope: dict[str, Any] = {}
    exec(text, scope)
    (example,) = (value for name, value in scope.items() if name.startswith("test_"))
    example(simulated_gpu)
