"""Brings a report to where it was asked for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfgpu.model import Report
    from pytest_tfgpu.reporters import Reporter, Target


def deliver(report: Report, target: Target, reporter: Reporter, rootdir: Path) -> tuple[list[str], list[str]]:
    """Write a report; return what to say about it, and lines that must be printed as they are.

    Raises OSError with a sentence where it can't be written.
    """
    if target.path is not None:
        from pytest_tfgpu.reporters import append, write

        put = append if reporter.appends else write
        put(target.path, reporter.load()(report))
        return [f"{target.format} report: {target.path}"], []
    return _to_github(report, rootdir)


def _to_github(report: Report, rootdir: Path) -> tuple[list[str], list[str]]:
    """Append to the summary of this step; the annotations are commands that GitHub reads from the output."""
    from pytest_tfgpu.nesting import own_environment
    from pytest_tfgpu.reporters.github import annotation_lines, append_summary

    environment = own_environment()
    summary = environment.get("GITHUB_STEP_SUMMARY")
    if summary:
        append_summary(Path(summary), report)
    if environment.get("GITHUB_ACTIONS") != "true":
        return [], []
    folder = os.path.relpath(rootdir, environment.get("GITHUB_WORKSPACE") or rootdir)
    return [], annotation_lines(report, folder="" if folder == "." else Path(folder).as_posix())
