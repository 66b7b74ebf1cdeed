"""`tfgpu merge`: several jobs or shards as one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from pytest_tfgpu.cli import UsageError
from pytest_tfgpu.cli._reports import named, read, session, show
from pytest_tfgpu.cli._terminal import clean, columns, wrap
from pytest_tfgpu.history.merge import lacks, merge, skipped_otherwise
from pytest_tfgpu.model import Report
from pytest_tfgpu.reporters.files import write
from pytest_tfgpu.reporters.json import render
from pytest_tfgpu.reporters.terminal import causes_lines
from pytest_tfgpu.reporters.text import count

SUMMARY = "Merge the JSON reports of several jobs or shards, and list the tests that ran in none."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("reports", metavar="REPORT.json", nargs="+", help="the reports to merge")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the merged report there, as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the outcomes, the causes, and the tests that ran in none with what each lacked; return 0."""
    merged = merge([read(path) for path in arguments.reports])
    if arguments.output is not None:
        try:
            write(Path(arguments.output).absolute(), render(merged))
        except OSError as error:
            raise UsageError(clean(str(error))) from None
    show(lines(merged, len(arguments.reports), columns()))
    return 0


def lines(merged: Report, number: int, width: int) -> Iterator[str]:
    """Yield the lines for a person."""
    yield f"{count(number, 'report')} from {session(merged)}"
    causes = causes_lines(merged, width)
    if causes:
        yield from ("", *causes)
    lacking, others = lacks(merged), skipped_otherwise(merged)
    nodeids = {nodeid for lack in lacking for nodeid in lack.nodeids}
    if not nodeids and not others:
        return
    yield from ("", f"{count(len(nodeids) + len(others), 'test')} ran in none")
    for lack in lacking:
        found = "; ".join(dict.fromkeys(map(clean, lack.found)))
        text = f"{clean(lack.requirement)}: {clean(lack.required)} required, found {found}"
        yield from wrap(f"[{len(lack.nodeids)}] {text}", width, "    ")
        yield from named(lack.nodeids, "    ")
    if others:
        yield f"[{len(others)}] skipped for other reasons"
        yield from named(others, "    ")
