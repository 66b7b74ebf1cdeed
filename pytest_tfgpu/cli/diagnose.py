"""`tfgpu diagnose`: the causes in a CI log, a pytest report or a traceback, or of failures given as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from pytest_tfgpu.cli import UsageError
from pytest_tfgpu.cli._batch import answers
from pytest_tfgpu.cli._catalog import load_all
from pytest_tfgpu.cli._terminal import clean, columns
from pytest_tfgpu.diagnosis import ci_log, engine, evidence
from pytest_tfgpu.diagnosis.render import render
from pytest_tfgpu.knowledge.catalog import Catalog
from pytest_tfgpu.model import Diagnosis, Facts

SUMMARY = "Name the causes of the failures in a log, a pytest report or a traceback."

_CHUNK = 1 << 16


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "file", metavar="FILE", nargs="?", default="-", help="the log; `-`, the default: standard input"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list of diagnoses")
    parser.add_argument(
        "--batch", action="store_true", help="read one failure per line as JSON, write one answer per line"
    )
    parser.add_argument(
        "--facts", metavar="FILE", help="facts of the machine it failed on, as `tfgpu doctor --json`"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnoses; return 0."""
    facts = _facts(arguments.facts)
    with _opened(arguments.file) as stream:
        if arguments.batch:
            for answer in answers(stream, facts, load_all()):
                print(json.dumps(answer))
            return 0
        found = list(_diagnoses(_lines(stream), facts, load_all()))
    if arguments.json:
        print(json.dumps([entry for entry, _ in found], indent=2))
    elif found:
        for entry, diagnosis in found:
            _show(entry, diagnosis)
    else:
        print("No failure in it whose cause is known.")
    return 0


def _show(entry: dict[str, Any], diagnosis: Diagnosis) -> None:
    name = clean(entry.get("nodeid", ""))
    print(f"line {entry['line']}{': ' + name if name else ''}")
    for line in render(diagnosis, width=columns() - 2):
        print(f"  {clean(line)}".rstrip())
    print()


def _diagnoses(
    lines: Iterable[str], facts: Facts, catalog: Catalog
) -> Iterator[tuple[dict[str, Any], Diagnosis]]:
    """Yield a diagnosis for each failure that has one, equal failures being judged once."""
    known: dict[tuple[str, ...], Diagnosis | None] = {}
    for failure in ci_log.failures(lines):
        message = "\n".join(failure.message)
        key = (failure.exception, message[:4000], *(line.text for line in failure.log[-20:]))
        if key not in known:
            if len(known) > 1000:
                known.clear()
            seen = evidence.from_text(failure.exception, message, failure.log)
            known[key] = engine.diagnose(seen, facts, catalog)
        diagnosis = known[key]
        if diagnosis is not None:
            entry: dict[str, Any] = {"line": failure.line}
            if failure.name:
                entry["nodeid"] = failure.name
            yield {**entry, **diagnosis.to_json()}, diagnosis


def _lines(stream: BinaryIO) -> Iterator[str]:
    """Yield the lines of a log; of an endless one its beginning."""
    while line := stream.readline(_CHUNK):
        yield line.decode("utf-8", errors="replace")
        while line and not line.endswith(b"\n"):
            line = stream.readline(_CHUNK)


def _facts(path: str | None) -> Facts:
    """Return the facts in a JSON file, which may be those alone or the answer of `tfgpu doctor --json`."""
    if path is None:
        return Facts()
    try:
        data = json.loads(Path(path).read_bytes())
        return Facts.from_json(data.get("facts", data) if isinstance(data, dict) else data)
    except OSError as error:
        raise UsageError(f"can't read the facts in {path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} holds no facts: {error}") from None


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    if path == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(Path(path).open("rb"))
        except OSError as error:
            raise UsageError(f"can't read {path}: {error.strerror or error}") from None
        yield stream
