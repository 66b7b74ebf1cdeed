"""`tfgpu explain`: all that is known of one cause."""

from __future__ import annotations

import argparse
import difflib

from pytest_tfgpu.cli import UsageError
from pytest_tfgpu.cli._catalog import load_all
from pytest_tfgpu.cli._terminal import clean, columns, wrap
from pytest_tfgpu.knowledge.schema import Cause

SUMMARY = "Explain a cause: what it means, how to tell it from others, how to fix it."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("cause", metavar="CAUSE", help="its id, as in a report or in `tfgpu causes`")


def run(arguments: argparse.Namespace) -> int:
    """Print the cause; return 0, or 2 where there is none of this id."""
    catalog = load_all()
    cause = catalog.get(arguments.cause)
    if cause is None:
        close = difflib.get_close_matches(arguments.cause, [known.id for known in catalog], n=3)
        hint = f"; did you mean {' or '.join(close)}?" if close else "; `tfgpu causes` lists them"
        raise UsageError(f"there is no cause {clean(arguments.cause)!r}{hint}")
    print("\n".join(page(cause, columns())))
    return 0


def page(cause: Cause, width: int) -> list[str]:
    """Return the lines that explain a cause."""
    lines = [f"{cause.id} ({cause.category})", "", *wrap(cause.summary, width)]
    for heading, body in cause.sections:
        if body:
            lines += ["", heading, "-" * len(heading)]
            lines += [line for part in body.split("\n") for line in wrap(part, width)]
    for example in cause.examples[:1]:
        text = [part for part in (*example.message.splitlines(), *example.log) if part.strip()]
        lines += ["", "Example", "-------"]
        lines += [f"  {clean(line)}" for part in text[:6] for line in wrap(part, width - 2)]
        lines += wrap(f"({example.source})", width)
    if cause.lookalikes:
        others = sorted({other.cause or "nothing to worry about" for other in cause.lookalikes})
        lines += ["", *wrap(f"Look-alikes: {', '.join(others)}", width)]
    return lines
