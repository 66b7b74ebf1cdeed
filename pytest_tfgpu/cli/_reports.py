"""What the commands about reports share: reading them, and saying what is wrong with one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pytest_tfgpu.cli import UsageError
from pytest_tfgpu.cli._terminal import clean
from pytest_tfgpu.history.read import read_report
from pytest_tfgpu.model import Report
from pytest_tfgpu.reporters.text import guard

_NAMED = 10


def read(path: str) -> Report:
    """Read a JSON report. Raises UsageError with a sentence."""
    try:
        return read_report(Path(path))
    except OSError as error:
        raise UsageError(f"can't read {clean(path)}: {error.strerror or error}") from None
    except ValueError as error:
        raise UsageError(f"can't use {clean(path)}: {clean(str(error))}") from None


def session(report: Report) -> str:
    """Return a session in a line: `2026-11-21T09:00:00Z: 3 failed, 7 passed`."""
    outcomes = ", ".join(f"{number} {name}" for name, number in report.outcomes.items()) or "no tests"
    return clean(f"{report.started}: {outcomes}{'' if report.complete else ' (incomplete)'}")


def named(nodeids: Sequence[str], indent: str = "  ") -> list[str]:
    """Return a list of tests; of more than ten the rest is a number."""
    lines = [f"{indent}{clean(nodeid)}" for nodeid in nodeids[:_NAMED]]
    return [*lines, f"{indent}and {len(nodeids) - _NAMED} more"] if len(nodeids) > _NAMED else lines


def show(lines: Iterable[str]) -> None:
    """Print lines, none of which a CI system takes for a command."""
    print("\n".join(guard(lines)))
