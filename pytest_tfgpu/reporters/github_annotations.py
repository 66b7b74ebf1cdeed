"""Annotations for GitHub Actions: workflow commands, one per cause rather than one per test."""

from __future__ import annotations

from pytest_tfgpu.model import Diagnosis, Finding, Report
from pytest_tfgpu.reporters import checks
from pytest_tfgpu.reporters.groups import Group, cause_groups
from pytest_tfgpu.reporters.text import clean

LIMIT = 10
"""Annotations of one kind that GitHub shows for a step (its toolkit's documentation of problem matchers)."""

_NAMED = 5
"""Tests that are named in an annotation."""
_LONGEST_MESSAGE = 4000


def annotation_lines(report: Report, *, folder: str = "", beside: bool = False) -> list[str]:
    """Return workflow commands, to be printed one per line: one per cause rather than one per test.

    `folder` leads from the repository's root to pytest's root folder, if they differ. `beside`: another plugin
    annotates each test that failed in its call, so those are neither named nor pointed at, and their causes are
    notices, which those errors leave room for. At most 10 per kind, the machine's faults first; the last one says
    how many there was no room for.
    """
    groups = cause_groups(report)
    errors, notices = _broken(report, groups), []
    for group in groups:
        if beside and any(diagnosis.phase == "call" for diagnosis in group.diagnoses):
            notices.append(_command("notice", _title(group), *_message(group.diagnoses[0])))
        else:
            errors.append(_annotation(group, folder))
    warnings = [
        _command("warning", finding.cause or "pytest-tfgpu", *_message(finding))
        for finding in report.preflight.findings
        if finding.severity == "warning"
    ]
    warnings += [_command("warning", "pytest-tfgpu", problem) for problem in report.problems]
    return _capped("error", errors) + _capped("notice", notices) + _capped("warning", warnings)


def _broken(report: Report, groups: list[Group]) -> list[str]:
    """Return the machine's own error, where no test failed of the same cause."""
    preflight = report.preflight
    ended = preflight.verdict == "unusable" or (preflight.verdict == "absent" and report.exit_status == 69)
    if not ended or preflight.cause in [group.cause for group in groups]:
        return []
    word, _, reason = checks.verdict(preflight).partition(": ")
    return [_command("error", word, reason)]


def _annotation(group: Group, folder: str) -> str:
    first = group.diagnoses[0] if group.diagnoses else None
    nodeid = first.nodeid if first else next(iter(group.nodeids), "")
    path = nodeid.partition("::")[0]
    if path and folder:
        path = f"{folder.rstrip('/')}/{path}"
    lines = _message(first) if first else []
    if group.count > 1:
        lines += [f"- {name}" for name in group.nodeids[:_NAMED]]
        lines += [f"and {group.count - _NAMED} more"] if group.count > _NAMED else []
    return _command("error", _title(group), *lines, path=path, line=getattr(first, "line", None))


def _title(group: Group) -> str:
    return f"{group.cause}: {group.size}"


def _message(entry: Diagnosis | Finding) -> list[str]:
    advice = (help.text if help.sure else f"Worth a try: {help.text}" for help in entry.help)
    return [entry.summary, *advice]


def _command(kind: str, title: str, *lines: str, path: str = "", line: int | None = None) -> str:
    """Return one workflow command, escaped as GitHub's toolkit does (actions/toolkit, command.ts)."""
    properties = {"file": path, "line": line if path else None, "title": title}
    listed = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items() if value)
    text = "\n".join(clean(part) for part in lines)
    return f"::{kind} {listed}::{_data(text[:_LONGEST_MESSAGE])}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(clean(text)).replace(":", "%3A").replace(",", "%2C")


def _capped(kind: str, commands: list[str]) -> list[str]:
    if len(commands) <= LIMIT:
        return commands
    shown = commands[: LIMIT - 1]
    more = len(commands) - len(shown)
    return [*shown, _command(kind, "pytest-tfgpu", f"{more} more: see the summary of this step.")]
