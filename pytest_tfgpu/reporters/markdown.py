"""The Markdown report, for job pages, comments and files: plain Markdown without HTML.

Every text from outside is code or has its signs escaped: none becomes markup, a link or a mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pytest_tfgpu.frameworks import without_frame
from pytest_tfgpu.model import Diagnosis, EvidenceLine, Finding, Preflight, Report
from pytest_tfgpu.reporters import checks
from pytest_tfgpu.reporters.groups import Group, cause_groups, skip_groups, title, unexplained
from pytest_tfgpu.reporters.terminal import host_lines, machine_line
from pytest_tfgpu.reporters.text import clean, count, spans

_NODEIDS = 50
"""Tests that are named per cause."""
_SUMMARIES = 5
_EVIDENCE = 5

_SIGNS = re.compile(r"[\\`*_\[\]~#$!^<>&|@]|:(?=//|\w+:)|(?<=www)\.", re.IGNORECASE)
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "|": "&#124;", "@": "@&#8203;"}
_STARTS = re.compile(r"[-+=]|\d+(?=[.)](?:\s|$))")


def render(report: Report) -> Iterator[str]:
    """Yield the report in pieces; each ends with a blank line but the last."""
    separator = ""
    for block in _blocks(report):
        yield f"{separator}{block}\n"
        separator = "\n"


def _blocks(report: Report) -> Iterator[str]:
    outcomes = ", ".join(f"{number} {text(name)}" for name, number in report.outcomes.items())
    yield f"# TensorFlow tests{': ' if outcomes else ''}{outcomes}{'' if report.complete else ' (incomplete)'}"
    if machine := machine_line(report.facts):
        yield text(machine)
    yield from map(text, host_lines(report))
    yield from _preflight(report.preflight)
    groups = cause_groups(report)
    if groups:
        yield f"## {title(groups)}"
    for group in groups:
        yield from _group(group)
    if nodeids := unexplained(report):
        yield f"## {count(len(nodeids), 'other failure')}"
        yield _names(nodeids)
    if lacking := skip_groups(report):
        yield "## Unmet requirements"
        rows = [(str(len(g.nodeids)), code(g.requirement), text(g.required), text(g.found)) for g in lacking]
        yield table(("tests", "requirement", "required", "found"), rows)
    if report.problems:
        yield "\n".join(f"- pytest-tfgpu: {text(problem)}" for problem in report.problems)


def _preflight(preflight: Preflight) -> Iterator[str]:
    word, colon, reason = checks.verdict(preflight).partition(": ")
    if not word:
        return
    yield f"**{text(word)}**{colon}{text(reason)}"
    for fault in checks.faults(preflight):
        yield f"{code(fault.subject)}: {text(fault.message)}"
        if fault.diagnosis is not None:
            yield from _explained(fault.diagnosis)
    for finding in preflight.findings:
        yield f"{finding.severity}: {text(finding.summary)}"
        yield from _explained(finding)
    if rows := checks.rows(preflight):
        yield table(checks.columns(preflight), [tuple(map(text, row)) for row in rows])
    if slowest := checks.slowest(preflight):
        yield f"Slowest checks: {text(', '.join(slowest))}"


def _group(group: Group) -> Iterator[str]:
    yield f"### {code(group.cause)}: {group.size}"
    summaries = list(group.summaries)
    yield from map(text, summaries[:_SUMMARIES])
    if len(summaries) > _SUMMARIES:
        yield f"and {len(summaries) - _SUMMARIES} more wordings"
    if group.diagnoses:
        yield from _explained(group.diagnoses[0])
    yield _names(group.nodeids, group.count)


def _explained(entry: Diagnosis | Finding) -> Iterator[str]:
    yield from map(_quote, entry.evidence[:_EVIDENCE])
    if note := getattr(entry, "note", None):
        yield prose(note)
    if entry.help:
        advice = (prose(help.text if help.sure else f"Worth a try: {help.text}") for help in entry.help)
        yield "\n".join(f"- {line}" for line in advice)


def _quote(quote: EvidenceLine) -> str:
    where = text(quote.origin or "evidence") + (f", line {quote.line}" if quote.line is not None else "")
    quoted = clean(without_frame(quote.text))
    fence = "`" * max(3, _longest_run(quoted) + 1)
    return f"{where}:\n\n{fence}\n{quoted}\n{fence}"


def _names(nodeids: Sequence[str], number: int | None = None) -> str:
    named = [f"- {code(nodeid)}" for nodeid in nodeids[:_NODEIDS]]
    more = (number or len(nodeids)) - len(named)
    return "\n".join([*named, *([f"- and {more} more"] if more > 0 else [])])


def text(value: str) -> str:
    """Return text from outside for a line of prose or a cell of a table."""
    return _no_list(_escaped(clean(value)))


def prose(value: str) -> str:
    """Return text for a line of its own in which what stands between backticks is code."""
    return _no_list("".join(code(piece) if is_code else _escaped(piece) for piece, is_code in spans(value)))


def _no_list(line: str) -> str:
    """Return a line that begins no list, nor anything else that its first signs could begin."""
    start = _STARTS.match(line)
    if start is None:
        return line
    return f"\\{line}" if not start[0].isdigit() else f"{start[0]}\\{line[len(start[0]) :]}"


def _escaped(value: str) -> str:
    return _SIGNS.sub(lambda match: _ENTITIES.get(match[0], f"\\{match[0]}"), value)


def code(value: str) -> str:
    """Return text from outside as inline code; as prose where a cell of a table could be broken out of."""
    value = clean(value)
    if not value or "|" in value or "\\" in value:
        return text(value)
    marks = "`" * (_longest_run(value) + 1)
    pad = " " if "`" in value else ""
    return f"{marks}{pad}{value}{pad}{marks}"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table of cells that are Markdown already."""
    heads = tuple(heads)
    lines = (heads, ("---",) * len(heads), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _longest_run(value: str) -> int:
    return max(map(len, re.findall("`+", value)), default=0)
