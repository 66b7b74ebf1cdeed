r"""The JSON report, schema 1: what other tools read.

One line per test, diagnosis and so on: a report can be compared line by line, and is written in pieces, never
held as a whole. The text is ASCII: control characters and what is not ASCII are escapes, `</` is `<\/`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from pytest_tfgpu.model import Report, TestDiagnosis, TestResult
from pytest_tfgpu.records import Record

_HEAD = ("schema", "tfgpu", "started", "seconds", "complete", "exit_status")
_FIRST = (*_HEAD, "facts", "preflight", "outcomes")
_ROWS = ("tests", "diagnoses", "causes", "skips")

_AT_ONCE = 500
_TEST = '{"nodeid": %s, "outcome": %s, "phase": %s, "started": %.3f, "seconds": %.6f'
_USUAL = 4
"""What is known of a test that passed in this process: nodeid, outcome, started, seconds."""
_ENCODER = json.JSONEncoder(allow_nan=False, default=str)
_SURROGATES = r"\\\\|\\ud[89ab]..\\ud[cdef]..|\\u(d[89a-f]..)"


def render(report: Report) -> Iterator[str]:
    r"""Yield the report as JSON of schema 1, in pieces.

    Lone surrogates, which strict parsers refuse, become text (`\udc80`); nan and inf, which JSON lacks, null.
    """
    rest = [field.name for field in fields(report) if field.name not in _FIRST + _ROWS]
    separator = "{\n"
    for name in (*_FIRST, *_ROWS, *rest):
        value = getattr(report, name)
        if name in rest and not value:
            continue
        yield f"{separator}{dumps(name)}: "
        if name == "tests":
            yield from _test_rows(value)
        else:
            yield from _rows(value) if isinstance(value, tuple) else (dumps(value),)
        separator = ",\n"
    yield "\n}\n"


def dumps(value: object) -> str:
    """Return records or plain data as one line of JSON, safe in a log, a terminal and a `<script>`."""
    data = _plain(value)
    try:
        text = _ENCODER.encode(data)
    except ValueError:
        text = _ENCODER.encode(_finite(data))
    return _safe(text)


def _safe(text: str) -> str:
    if "\\ud" in text:
        text = re.sub(_SURROGATES, _legible, text)
    return text.replace("</", "<\\/").replace("<!", "\\u003c!")


def _rows(values: tuple[Any, ...]) -> Iterator[str]:
    separator = "[\n"
    for value in values:
        yield separator
        yield dumps(value)
        separator = ",\n"
    yield "\n]" if values else "[]"


def _test_rows(tests: tuple[TestResult, ...]) -> Iterator[str]:
    separator = "[\n"
    for first in range(0, len(tests), _AT_ONCE):
        yield separator
        yield _safe(",\n".join(map(_test_row, tests[first : first + _AT_ONCE])))
        separator = ",\n"
    yield "\n]" if tests else "[]"


def _test_row(test: TestResult) -> str:
    """Write a test out: encoding thousands of them takes four times as long, mostly for digits nobody reads."""
    values = test.__dict__
    started, seconds = values.get("started"), values.get("seconds")
    if started is None or seconds is None or not math.isfinite(started + seconds):
        return dumps(test)
    row = _TEST % (_quoted(test.nodeid), _quoted(test.outcome), _quoted(test.phase), started, seconds)
    for name in ("worker", "gpu", "cause") if len(values) > _USUAL else ():
        if (value := values.get(name)) is not None:
            row += f', "{name}": {_ENCODER.encode(value)}'
    return row + "}"


def _plain(value: object) -> object:
    if isinstance(value, TestDiagnosis):
        data = value.to_json()
        return {"nodeid": data.pop("nodeid"), "phase": data.pop("phase"), **data}
    return value.to_json() if isinstance(value, Record) else value


def _legible(match: re.Match[str]) -> str:
    return f"\\\\u{match[1]}" if match[1] else match[0]


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
