"""What differs between versions of pytest, and the only place that may import from `_pytest`."""

from __future__ import annotations

from typing import Any, NamedTuple

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


class Screen(NamedTuple):
    """What pytest's terminal can show."""

    width: int = 80
    encoding: str = "utf-8"


def screen(config: pytest.Config) -> Screen:
    """Return the width and the encoding of pytest's terminal, in an xdist worker those of the controller's."""
    handed = getattr(config, "workerinput", {}).get("tfgpu", {})
    if "screen" in handed:
        return Screen(*handed["screen"])
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    writer = getattr(reporter, "_tw", None)
    encoding = getattr(getattr(writer, "_file", None), "encoding", None)
    return Screen(terminal_width(config), encoding or "utf-8")


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


def xfail_is_strict(config: pytest.Config) -> bool:
    """Whether a test that passes where it was expected to fail is a failure."""
    if PYTEST_VERSION < (9, 0):
        return bool(config.getini("xfail_strict"))
    strict = config.getini("strict_xfail")
    return bool(config.getini("strict") if strict is None else strict)


def print_collection_errors(config: pytest.Config) -> None:
    """Print the collection errors so far: pytest doesn't where a session is ended before its first test."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.summary_errors()


class JUnitFile:
    """pytest's JUnit file, while it is being made."""

    def __init__(self, log: Any) -> None:
        self._log = log

    @classmethod
    def of(cls, config: pytest.Config) -> JUnitFile | None:
        """Return the file that this process writes, None where it writes none."""
        from _pytest.junitxml import xml_key

        log = config.stash.get(xml_key, None)
        return None if log is None else cls(log)

    def entry(self, report: pytest.TestReport | pytest.CollectReport) -> JUnitEntry:
        """Return the test case that a report is about to be part of, or is part of."""
        return JUnitEntry(self._log, self._log.node_reporter(report))

    def add_property(self, name: str, value: str) -> None:
        """Add a property of the whole run."""
        self._log.add_global_property(name, value)


class JUnitEntry:
    """A test case in the JUnit file; a failed test whose teardown fails, too, has a second one."""

    def __init__(self, log: Any, reporter: Any) -> None:
        self._log = log
        self._reporter = reporter
        self._known = len(log.node_reporters_ordered)

    def explain(self, text: str) -> None:
        """Put a line of text in front of the message of the last failure."""
        from _pytest.junitxml import bin_xml_escape

        reporter = [self._reporter, *self._log.node_reporters_ordered[self._known :]][-1]
        for element in reversed(list(reporter.to_xml())):
            if element.tag in ("failure", "error"):
                element.set("message", f"{bin_xml_escape(text)}\n{element.get('message', '')}")
                break


def junit_refuses_properties(config: pytest.Config) -> bool:
    """Whether a JUnit file is to follow a schema in which a test case has no properties: xunit2 was asked for.

    It is pytest's default, too, and so says nothing by itself: `record_property` writes properties there as well.
    """
    if not config.getoption("xmlpath", None) or config.getini("junit_family") != "xunit2":
        return False
    given = config.getoption("override_ini", None) or ()
    written = getattr(config, "_inicfg", None)  # from pytest 9.0 on; `inicfg` warns there
    names = config.inicfg if written is None else written
    return "junit_family" in names or any(text.startswith("junit_family=") for text in given)
