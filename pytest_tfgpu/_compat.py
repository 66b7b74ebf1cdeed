"""What differs between versions of pytest, and the only place that may import from `_pytest`."""

from __future__ import annotations

from typing import Any

import pytest

PYTEST_VERSION = tuple(int(part) for part in pytest.__version__.split(".")[:2])

_UNIONS = PYTEST_VERSION >= (9, 2)


def ini_type(kind: str) -> Any:
    """Return the type with which an ini option is declared, so that native TOML values are taken too.

    From pytest 9.2 an option may take a value of several types, and a bad text reaches our own parser.
    """
    if kind == "lines":
        return "linelist"
    if _UNIONS:
        return {"flag": bool | str, "integer": int | str, "number": float | str}.get(kind, "string")
    return {"flag": "bool", "number": "float"}.get(kind, "string")


def ini_value(config: pytest.Config, name: str) -> Any:
    """Return the value of an ini option, None where it isn't set.

    Raises ValueError where pytest itself finds the value wrong.
    """
    try:
        return config.getini(name)
    except (ValueError, TypeError, pytest.UsageError) as error:
        raise ValueError(str(error)) from None


def skipped_at_item(reason: str) -> BaseException:
    """Return the exception that skips a test, with a report that points at the test, not at where it is raised."""
    return pytest.skip.Exception(reason, _use_item_location=True)


def fail_collection(report: pytest.CollectReport, text: str) -> None:
    """Turn a collection report into a failed one that shows this text."""
    from _pytest.reports import CollectErrorRepr

    report.outcome = "failed"
    report.longrepr = CollectErrorRepr(text)
    report.result = []


def terminal_width(config: pytest.Config) -> int:
    """Return the width of pytest's terminal, 80 where there is none."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    width = getattr(getattr(reporter, "_tw", None), "fullwidth", 80)
    return max(40, min(int(width), 200))


def add_section(report: pytest.TestReport | pytest.CollectReport, title: str, text: str) -> None:
    """Add a titled section to what the report shows of its failure.

    In `longrepr`, not in `sections`: those are hidden by `--show-capture=no`, and this one is not captured output.
    """
    from _pytest._code.code import ExceptionRepr, TerminalRepr
    from _pytest._io import TerminalWriter
    from _pytest.reports import CollectErrorRepr

    longrepr = report.longrepr
    if isinstance(longrepr, ExceptionRepr):
        longrepr.addsection(title, text)
    elif isinstance(longrepr, CollectErrorRepr):
        report.longrepr = CollectErrorRepr(f"{longrepr.longrepr}\n{f' {title} ':-^80}\n{text}")
    elif isinstance(longrepr, TerminalRepr):
        inner = longrepr

        class Annotated(TerminalRepr):
            def toterminal(self, tw: TerminalWriter) -> None:
                inner.toterminal(tw)
                tw.sep("-", title)
                tw.line(text)

        report.longrepr = Annotated()
    elif isinstance(longrepr, str):
        report.longrepr = f"{longrepr}\n{f' {title} ':-^80}\n{text}"


def subtest(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return what tells the subtests of one test apart; an empty string for everything else."""
    context = getattr(report, "context", None)
    return "" if context is None else repr(context)


def print_collection_errors(config: pytest.Config) -> None:
    """Print the collection errors so far: pytest doesn't where a session is ended before its first test."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.summary_errors()
