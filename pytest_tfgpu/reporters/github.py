"""What GitHub Actions shows: a step summary and annotations.

The summary is made of HTML blocks without blank lines, in which Markdown has no say, and every text from
outside is escaped for HTML: nothing that a test is called or says becomes markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from pytest_tfgpu.model import Diagnosis, EvidenceLine, Finding, Help, Preflight, Report
from pytest_tfgpu.reporters import checks
from pytest_tfgpu.reporters.files import append
from pytest_tfgpu.reporters.groups import Group, SkipGroup, cause_groups, skip_groups, title
from pytest_tfgpu.reporters.text import clean

SUMMARY_LIMIT = 1024 * 1024
"""Bytes of a step's summary; GitHub drops a larger one (its documentation of workflow commands)."""
ANNOTATION_LIMIT = 10
"""Annotations of one kind that GitHub shows for a step."""

_NODEIDS = 50
_ROWS = 100
_EVIDENCE = 5
_LONGEST_MESSAGE = 4000
_NOTE_ROOM = 400


# ------------------------------------------------------------------------------------------------- summary


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
    yield from _preflight_blocks(report.preflight)
    if groups:
        yield "title", f"<h4>{title(groups)}</h4>"
    for group in groups:
        yield "cause", _group(group)
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
        yield "table of checks", _details("Checks", [table])


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
    named = [f"<li><code>{_html(nodeid)}</code></li>" for nodeid in group.nodeids[:_NODEIDS]]
    if group.count > len(named):
        named.append(f"<li>and {group.count - len(named)} more</li>")
    body = [f"<p>{_html(summary)}</p>" for summary in summaries[1:_EVIDENCE]]
    if len(summaries) > _EVIDENCE:
        body.append(f"<p>and {len(summaries) - _EVIDENCE} more wordings</p>")
    if group.diagnoses:
        body += _explained(group.diagnoses[0])
    return _details(line, [*body, "<ul>", *named, "</ul>"])


def _explained(entry: Diagnosis | Finding) -> list[str]:
    """Return evidence, note and help as lines of HTML."""
    lines = [_quote(quote) for quote in entry.evidence[:_EVIDENCE]]
    note = getattr(entry, "note", None)
    if note:
        lines.append(f"<p>{_html(note)}</p>")
    if entry.help:
        lines += ["<ul>", *(f"<li>{_html(_advice(help))}</li>" for help in entry.help), "</ul>"]
    return lines


def _quote(quote: EvidenceLine) -> str:
    where = _html(quote.origin) + (f", line {quote.line}" if quote.line is not None else "")
    return f"<p>{where}:</p><pre>{_html(quote.text)}</pre>"


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
    return escape(clean(text), quote=False).replace("@", "@&#8203;")


# --------------------------------------------------------------------------------------------- annotations


def annotation_lines(report: Report, *, folder: str = "") -> list[str]:
    """Return workflow commands, to be printed one per line: one per cause rather than one per test.

    `folder` leads from the repository's root to pytest's root folder, if they differ. At most 10 per kind,
    the machine's faults first; the last one says how many there was no room for.
    """
    groups = cause_groups(report)
    preflight = report.preflight
    broken = preflight.verdict == "unusable" or (preflight.verdict == "absent" and report.exit_status == 69)
    errors = []
    if broken and preflight.cause not in [group.cause for group in groups]:
        word, _, reason = checks.verdict(preflight).partition(": ")
        errors.append(_command("error", word, reason))
    errors += [_annotation(group, folder) for group in groups]
    warnings = [
        _command("warning", finding.cause or "pytest-tfgpu", *_message(finding))
        for finding in preflight.findings
        if finding.severity == "warning"
    ]
    warnings += [_command("warning", "pytest-tfgpu", problem) for problem in report.problems]
    return _capped("error", errors) + _capped("warning", warnings)


def _annotation(group: Group, folder: str) -> str:
    first = group.diagnoses[0] if group.diagnoses else None
    nodeid = first.nodeid if first else next(iter(group.nodeids), "")
    path = nodeid.partition("::")[0]
    if path and folder:
        path = f"{folder.rstrip('/')}/{path}"
    lines = _message(first) if first else []
    if group.count > 1:
        lines += [f"- {name}" for name in group.nodeids[:_EVIDENCE]]
        lines += [f"and {group.count - _EVIDENCE} more"] if group.count > _EVIDENCE else []
    line = getattr(first, "line", None)
    return _command("error", f"{group.cause}: {group.size}", *lines, path=path, line=line)


def _message(entry: Diagnosis | Finding) -> list[str]:
    return [entry.summary, *map(_advice, entry.help)]


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
    if len(commands) <= ANNOTATION_LIMIT:
        return commands
    shown = commands[: ANNOTATION_LIMIT - 1]
    more = len(commands) - len(shown)
    return [*shown, _command(kind, "pytest-tfgpu", f"{more} more: see the summary of this step.")]
