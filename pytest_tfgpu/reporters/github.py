"""The step summary for GitHub Actions.

It is made of HTML blocks without blank lines, in which Markdown has no say, and every text from
outside is escaped for HTML: nothing that a test is called or says becomes markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from pytest_tfgpu.frameworks import without_frame
from pytest_tfgpu.model import Diagnosis, EvidenceLine, Finding, Help, Preflight, Report
from pytest_tfgpu.reporters import checks
from pytest_tfgpu.reporters.files import append
from pytest_tfgpu.reporters.groups import Group, SkipGroup, cause_groups, skip_groups, title, unexplained
from pytest_tfgpu.reporters.terminal import host_lines, machine_line
from pytest_tfgpu.reporters.text import clean, count, spans

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary; GitHub drops a larger one (its documentation of workflow commands)."""

_NODEIDS = 50
_ROWS = 100
_EVIDENCE = 5
_NOTE_ROOM = 400


def render(report: Report) -> str:
    """Return the step summary, within what GitHub takes for one step."""
    return step_summary(report)


def append_summary(path: Path, report: Report) -> None:
    """Add the step summary to the file that GITHUB_STEP_SUMMARY names, within the room that is left there.

    Raises OSError with a sentence.
    """
    try:
        used = path.stat().st_size
    except OSError:
        used = 0
    text = step_summary(report, room=SUMMARY_LIMIT - used)
    if text:
        append(path, ("\n\n" if used else "", text))


def step_summary(report: Report, *, room: int = SUMMARY_LIMIT) -> str:
    """Return the summary in at most `room` bytes of UTF-8; what had to be left out is said at its end.

    Nothing where the room isn't enough for a word, or where there is nothing to say.
    """
    text, left_out = "", dict[str, int]()
    room -= _NOTE_ROOM
    for kind, block in _blocks(report):
        block += "\n\n"
        taken = len(block.encode("utf-8", "replace"))
        if taken <= room:
            text += block
            room -= taken
        else:
            left_out[kind] = left_out.get(kind, 0) + 1
    if left_out and room >= 0:
        missing = ", ".join(f"{number} x {kind}" for kind, number in left_out.items())
        text += f"<p><em>Cut to the size that GitHub takes. Left out: {missing}.</em></p>\n\n"
    return text


def _blocks(report: Report) -> Iterator[tuple[str, str]]:
    """Yield what each part is about, and the part; the weightiest first."""
    groups, lacking = cause_groups(report), skip_groups(report)
    if report.preflight.verdict == "not-asked" and not (groups or lacking or report.problems):
        return
    outcomes = ", ".join(f"{number} {_html(name)}" for name, number in report.outcomes.items())
    unfinished = "" if report.complete else " (incomplete)"
    yield "title", f"<h3>TensorFlow tests{': ' if outcomes else ''}{outcomes}{unfinished}</h3>"
    if machine := machine_line(report.facts):
        yield "machine", f"<p>{_html(machine)}</p>"
    for line in host_lines(report):
        yield "host", f"<p>{_html(line)}</p>"
    yield from _preflight_blocks(report.preflight)
    if groups:
        yield "title", f"<h4>{title(groups)}</h4>"
    for group in groups:
        yield "cause", _group(group)
    if nodeids := unexplained(report):
        yield "list of other failures", _details(f"{count(len(nodeids), 'other failure')}", _names(nodeids))
    for first in range(0, len(lacking), _ROWS):
        yield "table of requirements", _requirements(lacking[first : first + _ROWS])
    for problem in report.problems:
        yield "problem", f"<p>pytest-tfgpu: {_html(problem)}</p>"


def _preflight_blocks(preflight: Preflight) -> Iterator[tuple[str, str]]:
    word, colon, reason = checks.verdict(preflight).partition(": ")
    if word:
        yield "verdict", f"<p><strong>{_html(word)}</strong>{colon}{_html(reason)}</p>"
    for fault in checks.faults(preflight):
        line = f"<code>{_html(fault.subject)}</code>: {_html(fault.message)}"
        yield "failed check", _details(line, _explained(fault.diagnosis) if fault.diagnosis else [])
    for finding in preflight.findings:
        yield "finding", _details(_html(finding.summary), _explained(finding))
    if rows := checks.rows(preflight):
        table = _table(checks.columns(preflight), [map(_html, row) for row in rows])
        slowest = ", ".join(checks.slowest(preflight))
        summary = f"Checks, slowest: {_html(slowest)}" if slowest else "Checks"
        yield "table of checks", _details(summary, [table])


def _requirements(lacking: Iterable[SkipGroup]) -> str:
    rows = [
        (
            str(len(group.nodeids)),
            f"<code>{_html(group.requirement)}</code>",
            _html(group.required),
            _html(group.found),
        )
        for group in lacking
    ]
    return _details("Unmet requirements", [_table(("tests", "requirement", "required", "found"), rows)])


def _group(group: Group) -> str:
    summaries = list(group.summaries)
    line = f"<code>{_html(group.cause)}</code>: <strong>{group.size}</strong>"
    if summaries:
        line += f". {_html(summaries[0])}"
    body = [f"<p>{_html(summary)}</p>" for summary in summaries[1:_EVIDENCE]]
    if len(summaries) > _EVIDENCE:
        body.append(f"<p>and {len(summaries) - _EVIDENCE} more wordings</p>")
    if group.diagnoses:
        body += _explained(group.diagnoses[0])
    return _details(line, [*body, *_names(group.nodeids, group.count)])


def _names(nodeids: Sequence[str], number: int | None = None) -> list[str]:
    """Return a list of tests; of more than fifty the rest is a number."""
    named = [f"<li><code>{_html(nodeid)}</code></li>" for nodeid in nodeids[:_NODEIDS]]
    more = (number or len(nodeids)) - len(named)
    return ["<ul>", *named, *([f"<li>and {more} more</li>"] if more > 0 else []), "</ul>"]


def _explained(entry: Diagnosis | Finding) -> list[str]:
    """Return evidence, note and help as lines of HTML."""
    lines = [_quote(quote) for quote in entry.evidence[:_EVIDENCE]]
    note = getattr(entry, "note", None)
    if note:
        lines.append(f"<p>{_prose(note)}</p>")
    if entry.help:
        lines += ["<ul>", *(f"<li>{_prose(_advice(help))}</li>" for help in entry.help), "</ul>"]
    return lines


def _quote(quote: EvidenceLine) -> str:
    where = _html(quote.origin) + (f", line {quote.line}" if quote.line is not None else "")
    return f"<p>{where}:</p><pre>{_html(without_frame(quote.text))}</pre>"


def _advice(help: Help) -> str:
    return help.text if help.sure else f"Worth a try: {help.text}"


def _details(summary: str, lines: Sequence[str]) -> str:
    if not lines:
        return f"<p>{summary}</p>"
    return "\n".join((f"<details><summary>{summary}</summary>", *lines, "</details>"))


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return "\n".join(("<table>", f"<tr>{head}</tr>", *body, "</table>"))


def _html(text: str) -> str:
    """Return text for HTML that also starts no mention."""
    return _escaped(clean(text))


def _prose(text: str) -> str:
    """Return text for HTML in which what stands between backticks is code."""
    return "".join(
        f"<code>{_escaped(piece)}</code>" if is_code else _escaped(piece) for piece, is_code in spans(text)
    )


def _escaped(text: str) -> str:
    return escape(text, quote=False).replace("@", "@&#8203;")
