"""Lines for a terminal: the facts in pytest's header, the preflight's table, causes and skips at the end.

The functions return plain lines and print nothing. `markup` colours a text: it gets the text and a style
that pytest's terminal writer knows (`green`, `red`, `yellow`, `bold`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from pytest_tfgpu.frameworks import without_frame
from pytest_tfgpu.model import Diagnosis, EvidenceLine, Facts, Finding, Help, Preflight, Report
from pytest_tfgpu.reporters import checks
from pytest_tfgpu.reporters.groups import Group, cause_groups, skip_groups, title
from pytest_tfgpu.reporters.text import clean, count, guard, mib

Markup = Callable[[str, str], str]

_OUTCOME_STYLES = {"passed": "green", "not run": "yellow"}
_VERDICT_STYLES = {"ok": "green", "absent": "yellow", "inconclusive": "yellow"}
_NODEIDS = 5
"""Tests that are named per cause."""
_SUMMARIES = 3
"""Different wordings that are shown per cause."""
_EVIDENCE = 3
"""Quoted lines per failed check."""
_NARROWEST = 12
"""Columns that the name of a device keeps."""


def header_line(facts: Facts) -> str:
    """Return the facts in one line, for pytest's header."""
    return clean(f"tfgpu: {', '.join(_machine(facts))}")


def machine_line(facts: Facts) -> str:
    """Return the facts in one line, `TensorFlow 2.21.0, driver 555.42, Tesla T4`; "" where there are none."""
    return "" if facts == Facts() else clean(", ".join(_machine(facts)))


def host_lines(report: Report) -> list[str]:
    """Return a line for each other host: its workers, its facts and how its preflight ended."""
    lines = []
    for host in report.hosts:
        verdict = checks.verdict(host.preflight)
        told = "; ".join(filter(None, (machine_line(host.facts), verdict)))
        lines.append(clean(f"On {host.name} ({', '.join(host.workers)}): {told or 'nothing is known of it'}"))
    return lines


def _machine(facts: Facts) -> list[str]:
    parts = [_tensorflow(facts)]
    built_for = facts.built_for
    for name, found, library, wanted in (
        ("CUDA", facts.cuda, "libcudart", built_for.cuda if built_for else None),
        ("cuDNN", facts.cudnn, "libcudnn", built_for.cudnn if built_for else None),
    ):
        if found or wanted:
            built = f" (built for {wanted})" if wanted else ""
            otherwise = "of unknown version" if facts.finds_library(library) else "not found"
            parts.append(f"{name} {found or otherwise}{built}")
    if facts.driver:
        parts.append(f"driver {facts.driver}")
    return [*parts, _gpus(facts), *_ailments(facts)]


def _ailments(facts: Facts) -> tuple[str, ...]:
    """Return a few words for each visible GPU that isn't well."""
    if not any(gpu.health for gpu in facts.gpus):
        return ()
    from pytest_tfgpu.environment.faults.health import ailments

    return ailments(facts)


def _tensorflow(facts: Facts) -> str:
    if facts.tensorflow is None:
        return "TensorFlow of unknown version" if facts.tensorflow_path else "no TensorFlow"
    remarks = [facts.tensorflow_distribution] if facts.tensorflow_distribution else []
    if facts.is_cuda_build is False:
        remarks.append("built without CUDA")
    return f"TensorFlow {facts.tensorflow}" + (f" ({', '.join(remarks)})" if remarks else "")


def _gpus(facts: Facts) -> str:
    if not facts.gpus:
        return "GPUs unknown" if facts.device_files else "no GPU"
    visible = facts.visible
    names: dict[str, int] = {}
    for gpu in visible or facts.gpus:
        name = gpu.name or "unnamed GPU"
        names[name] = names.get(name, 0) + 1
    listed = ", ".join(name if number == 1 else f"{number} x {name}" for name, number in names.items())
    if len(visible) == len(facts.gpus):
        return listed
    return f"{len(visible)} of {count(len(facts.gpus), 'GPU')} visible ({listed})"


def preflight_lines(preflight: Preflight, *, width: int, markup: Markup | None = None) -> list[str]:
    """Return the verdict, the table of checks, and what is to be said about those that didn't pass.

    Nothing where no preflight was asked for.
    """
    paint = markup or _plain
    sentence = checks.verdict(preflight)
    if not sentence:
        return []
    style = _VERDICT_STYLES.get(preflight.verdict, "red")
    lines = [paint(line, style) for line in _wrapped(sentence, width, "")]
    lines += _table(preflight, width, paint)
    reason = clean(preflight.reason or "")
    told = {reason, f"{reason} [{preflight.cause}]"}
    for fault in checks.faults(preflight):
        lines += _explanation(fault.subject, fault.message, fault.diagnosis, told, width)
    for finding in preflight.findings:
        summary = clean(finding.summary)
        plain = summary in told or (finding.severity == "error" and preflight.verdict != "ok")
        lines += _explanation("" if plain else finding.severity, summary, finding, told, width)
    return guard(lines)


def _table(preflight: Preflight, width: int, paint: Markup) -> list[str]:
    rows = checks.rows(preflight)
    if not rows:
        return []
    rows.insert(0, checks.columns(preflight))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    compared = any(row[4] for row in rows[1:])
    taken = sum(widths[1:4]) + 6 + (widths[4] + 2 if compared else 0)
    widths[0] = min(widths[0], max(width - taken, _NARROWEST))
    lines: list[str] = []
    for row in rows:
        name = row[0] if len(row[0]) <= widths[0] else f"{row[0][: widths[0] - 3]}..."
        outcome = row[2].ljust(widths[2])
        if lines:
            outcome = paint(outcome, _OUTCOME_STYLES.get(row[2], "red"))
        cells = [name.ljust(widths[0]), row[1].ljust(widths[1]), outcome, row[3].rjust(widths[3])]
        if compared:
            cells.append(row[4].rjust(widths[4]))
        lines.append("  ".join(cells).rstrip())
    return lines


def _explanation(
    subject: str, message: str, entry: Diagnosis | Finding | None, told: set[str], width: int
) -> list[str]:
    """Return a message with its evidence and help; what was told before is left out."""
    details = []
    if entry is not None:
        details = [*map(_quote, entry.evidence[:_EVIDENCE]), *map(_advice, entry.help)]
    head = ": ".join(text for text in (subject, message) if text and text not in told)
    details = [text for text in details if text not in told]
    if message in told and not details:
        return []
    told.update((message, *details))
    if head == subject and head:
        head += ":"
    lines = _wrapped(head, width, "")
    for text in details:
        lines += _wrapped(text, width, "  ")
    return lines


def _quote(quote: EvidenceLine) -> str:
    return f"{clean(quote.origin) or 'evidence'}: {clean(without_frame(quote.text))}"


def _advice(help: Help) -> str:
    return f"help: {clean(help.text)}" if help.sure else f"worth a try: {clean(help.text)}"


def causes_lines(
    report: Report,
    width: int,
    *,
    markup: Markup | None = None,
    link: Callable[[str], str] | None = None,
    every: bool = False,
) -> list[str]:
    """Return the failures by cause, under a title line such as `3 tests, one cause`; nothing without any.

    `link` makes the name of a cause a link. `every`: name every test and everything that is said of them, however
    many there are.
    """
    paint = markup or _plain
    groups = cause_groups(report)
    if not groups:
        return []
    lines = [title(groups)]
    for group in groups:
        cause = clean(group.cause)
        first, *more = guard(_wrapped(f"{cause}: {group.size}", width, ""))
        if link is not None and first.startswith(cause):
            first = link(cause) + first[len(cause) :]
        lines += [paint(line, "bold") for line in (first, *more)]
        lines += _members(group, width, every)
    return guard(lines)


def _members(group: Group, width: int, every: bool) -> list[str]:
    lines: list[str] = []
    most = left = group.count if every else _NODEIDS
    summaries = group.summaries
    for summary in list(summaries)[: None if every else _SUMMARIES]:
        lines += _wrapped(clean(summary), width, "  ")
        named = list(dict.fromkeys(diagnosis.nodeid for diagnosis in summaries[summary]))[:left]
        lines += [f"    {clean(nodeid)}" for nodeid in named]
        left -= len(named)
    if not summaries:
        named = list(group.nodeids[:most])
        lines += [f"    {clean(nodeid)}" for nodeid in named]
        left -= len(named)
    more = group.count - (most - left)
    if more > 0:
        lines.append(f"    and {more} more")
    return lines


def skips_lines(report: Report, width: int) -> list[str]:
    """Return the unmet requirements with their number of tests, under a title line; nothing without any."""
    groups = skip_groups(report)
    if not groups:
        return []
    tests = len({nodeid for group in groups for nodeid in group.nodeids})
    lines = [f"{count(tests, 'test')} with unmet requirements"]
    digits = len(str(len(groups[0].nodeids)))
    for group in groups:
        number = str(len(group.nodeids)).rjust(digits)
        text = f"{clean(group.requirement)}: {clean(group.required)} required, found {clean(group.found)}"
        lines += _wrapped(f"[{number}] {text}", width, "", hanging=digits + 3)
    return guard(lines)


def memory_lines(report: Report, most: int) -> list[str]:
    """Return the tests that took most GPU memory, under a title line; nothing where none is known."""
    if not report.memory or most < 1:
        return []
    used = sorted(report.memory, key=lambda use: -use.peak_mib)
    shown = [
        (
            mib(use.peak_mib),
            f"{mib(use.left_mib)} left",
            "" if use.gpu is None else f"GPU {use.gpu}",
            use.nodeid,
        )
        for use in used[:most]
    ]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    tests = count(len({use.nodeid for use in used}), "test")
    lines = [f"GPU memory of {tests}" + (f", the {most} largest peaks" if most < len(used) else "")]
    for peak, left, gpu, nodeid in shown:
        cells = (peak.rjust(widths[0]), left.rjust(widths[1]), gpu.ljust(widths[2]), clean(nodeid))
        lines.append("  ".join(filter(str.strip, cells)))
    return guard(lines)


def _wrapped(text: str, width: int, indent: str, hanging: int = 2) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 20),
        initial_indent=indent,
        subsequent_indent=indent + " " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _plain(text: str, _style: str) -> str:
    return text
