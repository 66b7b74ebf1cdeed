"""The reports that were asked for: found out before the session whether they can be written, written at its end."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_tfgpu.features import hooks
from pytest_tfgpu.settings import BadSetting

if TYPE_CHECKING:
    from pytest_tfgpu.model import Report
    from pytest_tfgpu.reporters import Reporter, Target
    from pytest_tfgpu.session import Session

_ANNOTATES_TESTS = "pytest_github_actions_annotate_failures"
"""The plugin that annotates each test that failed in its call."""


def targets_of(
    config: pytest.Config, session: Session, environment: Mapping[str, str]
) -> list[tuple[Target, Reporter]]:
    """Return the reports to write: those of `--tfgpu-report`, and GitHub's own under GitHub Actions.

    Raises BadSetting for a format that isn't known and a path that can't be written.
    """
    on_github = environment.get("GITHUB_ACTIONS") == "true" and "GITHUB_STEP_SUMMARY" in environment
    if not session.settings.report and not on_github:
        return []
    from pytest_tfgpu.reporters import Reporter, Target, check_writable, find_reporter, parse_target

    targets = [parse_target(text) for text in session.settings.report]
    if on_github and not any(target.silences or target.format == "github" for target in targets):
        targets.append(Target("github"))
    given = hooks.sequences(config, session, "pytest_tfgpu_reporters", Reporter)
    reporters = [reporter for _, provided in given for reporter in provided]
    found = []
    for target in targets:
        if target.silences:
            continue
        try:
            reporter = find_reporter(target, reporters)
            if target.path is not None:
                check_writable(target.path, appends=reporter.appends)
        except (ValueError, OSError) as error:
            source = session.sources.get("report", "--tfgpu-report")
            raise BadSetting(f"{source}: {error}") from None
        found.append((target, reporter))
    return found


def deliver(
    report: Report, target: Target, reporter: Reporter, config: pytest.Config, environment: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Write a report; return what to say about it, and lines that must be printed as they are.

    Raises OSError with a sentence where it can't be written.
    """
    if target.format == "github":
        return _to_github(report, target, config, environment)
    put(report, target, reporter)
    return [f"{target.format} report: {target.path}"], []


def put(report: Report, target: Target, reporter: Reporter) -> None:
    """Write a report to its file. Raises OSError with a sentence."""
    from pytest_tfgpu.reporters import append, write

    assert target.path is not None
    to_file = append if reporter.appends else write
    to_file(target.path, reporter.load()(report))


def unfinished(began: float) -> Report:
    """Return the report of a session that has only begun, at this time (seconds since 1970)."""
    from datetime import datetime, timezone

    from pytest_tfgpu._version import __version__
    from pytest_tfgpu.model import Facts, Preflight, Report

    started = datetime.fromtimestamp(began, timezone.utc).isoformat(timespec="seconds")
    return Report(__version__, started, 0.0, False, None, Facts(), Preflight("not-asked"))


def _to_github(
    report: Report, target: Target, config: pytest.Config, environment: Mapping[str, str]
) -> tuple[list[str], list[str]]:
    """Append to the summary of this step; the annotations are commands that GitHub reads from the output."""
    from pytest_tfgpu.reporters.github import append_summary
    from pytest_tfgpu.reporters.github_annotations import annotation_lines

    path = target.path or environment.get("GITHUB_STEP_SUMMARY")
    if path:
        append_summary(Path(path), report)
    if environment.get("GITHUB_ACTIONS") != "true":
        return [], []
    rootdir = config.rootpath
    folder = os.path.relpath(rootdir, environment.get("GITHUB_WORKSPACE") or rootdir)
    beside = config.pluginmanager.hasplugin(_ANNOTATES_TESTS)
    folder = "" if folder == "." else Path(folder).as_posix()
    return [], annotation_lines(report, folder=folder, beside=beside)
