"""Reading JSON reports back."""

from __future__ import annotations

import json
from pathlib import Path

from pytest_tfgpu.model import Report

SCHEMA = 1


def read_report(path: Path) -> Report:
    """Read a JSON report.

    Raises OSError where the file can't be read, ValueError with a sentence where it is no report of schema 1.
    """
    data = path.read_bytes()
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from None
    if not isinstance(found, dict) or "schema" not in found:
        raise ValueError("it is not a JSON report of pytest-tfgpu")
    if found["schema"] != SCHEMA:
        raise ValueError(f"it is of schema {found['schema']!r:.20}; schema {SCHEMA} can be read")
    return Report.from_json(found)
