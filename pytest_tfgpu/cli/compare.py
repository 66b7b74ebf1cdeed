"""`tfgpu compare`: what changed from one session to another."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import fields

from pytest_tfgpu.cli._reports import named, read, session, show
from pytest_tfgpu.cli._terminal import clean, columns, wrap
from pytest_tfgpu.history.compare import Change, Comparison, compare
from pytest_tfgpu.model import TestResult
from pytest_tfgpu.reporters.groups import Group
from pytest_tfgpu.reporters.text import count

SUMMARY = "Show what changed between two JSON reports, such as that of the last green run and today's."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("before", metavar="BEFORE.json", help="the report of the earlier session")
    parser.add_argument("after", metavar="AFTER.json", help="the report of the later session")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print what changed of the machine, the checks, the causes and the tests; return 0."""
    before, after = read(arguments.before), read(arguments.after)
    found = compare(before, after)
    if arguments.json:
        print(json.dumps(as_data(found), indent=2))
        return 0
    show([f"before  {session(before)}", f"after   {session(after)}", *lines(found, columns())])
    return 0


def as_data(found: Comparison) -> dict[str, object]:
    """Return a comparison as plain JSON."""
    return {field.name: [_plain(entry) for entry in getattr(found, field.name)] for field in fields(found)}


def _plain(entry: Change | Group | TestResult | str) -> object:
    if isinstance(entry, Change):
        return {"what": entry.what, "before": entry.before, "after": entry.after}
    if isinstance(entry, Group):
        return {"id": entry.cause, "count": entry.count, "nodeids": list(entry.nodeids)}
    return entry.to_json() if isinstance(entry, TestResult) else entry


def lines(found: Comparison, width: int) -> Iterator[str]:
    """Yield the lines for a person; where nothing changed, that."""
    if found.is_empty:
        yield ""
        yield "Nothing changed."
        return
    yield from _changes("machine", found.machine, width)
    yield from _changes("preflight", found.checks, width)
    yield from _changes("newly slow checks, in seconds", found.slower, width)
    yield from _causes("new causes", found.new_causes, width)
    yield from _causes("causes that are gone", found.gone_causes, width)
    failing = [f"{test.nodeid} [{test.cause}]" if test.cause else test.nodeid for test in found.failing]
    for nodeids, what in (
        (failing, "newly failing"),
        (found.mended, "no longer failing"),
        (found.skipped, "newly lacking a requirement"),
        (found.vanished, "no longer there"),
    ):
        if nodeids:
            yield from ("", f"{count(len(nodeids), 'test')} {what}", *named(nodeids))


def _changes(title: str, changes: Iterable[Change], width: int) -> Iterator[str]:
    shown = [(clean(change.what), _word(change.before), _word(change.after)) for change in changes]
    longest = min(max((len(what) for what, _, _ in shown), default=0), 24)
    if shown:
        yield from ("", title)
    for what, before, after in shown:
        yield from wrap(f"  {what:<{longest}}  {before} -> {after}", width, "    ")


def _word(value: str | None) -> str:
    return "none" if value is None else clean(value)


def _causes(title: str, groups: Iterable[Group], width: int) -> Iterator[str]:
    groups = tuple(groups)
    if groups:
        yield from ("", title)
    for group in groups:
        summary = next(iter(group.summaries), "")
        told = f"{group.cause}: {group.size}" + (f". {summary}" if summary else "")
        yield from wrap(f"  {clean(told)}", width, "    ")
