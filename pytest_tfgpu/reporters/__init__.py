"""What a session has to say, in one format per module: pure functions of `pytest_tfgpu.model.Report`.

Listing the reporters imports none of them; a module is imported when its report is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from pytest_tfgpu.reporters.files import append, check_writable, write

if TYPE_CHECKING:
    from pytest_tfgpu.model import Report

__all__ = [
    "Render",
    "Reporter",
    "Target",
    "append",
    "builtin_reporters",
    "check_writable",
    "find_reporter",
    "parse_target",
    "write",
]

Render = Callable[["Report"], "str | Iterable[str]"]
"""Gives the text of a report, whole or, where it can be large, in pieces."""

NONE = "none"
"""The format that silences the reports which are on by themselves."""


class Reporter(NamedTuple):
    """A format that `--tfgpu-report=FORMAT:PATH` may name."""

    format: str
    """Lower case, two characters at least (`json`): one letter would be a drive."""
    render: str
    """Import string `package.module:function` of a `Render`."""
    summary: str = ""
    """What is written, in half a sentence, for the documentation."""
    needs_path: bool = True
    """Whether FORMAT alone is an error. Without a path, the reporter's own place is used."""
    appends: bool = False
    """Whether the text is added to what the file holds; else the file is replaced as a whole."""
    needs: str = ""
    """Import name of a module without which this format can't be made, found out before the session."""
    install: str = ""
    """What to install where that module is missing, as pip takes it."""

    def load(self) -> Render:
        """Import the function that renders this format.

        Raises ImportError or AttributeError where the import string leads nowhere.
        """
        from importlib import import_module

        module, _, name = self.render.partition(":")
        return cast(Render, getattr(import_module(module), name))


class Target(NamedTuple):
    """A value of `--tfgpu-report`, taken apart."""

    format: str
    path: Path | None = None
    """Absolute; None where the value was the format alone."""

    @property
    def silences(self) -> bool:
        """Whether this is `none`: no report that wasn't asked for."""
        return self.format == NONE


_BUILTIN = (
    Reporter(
        "github",
        "pytest_tfgpu.reporters.github:render",
        "a step summary for GitHub Actions, in Markdown",
        needs_path=False,
        appends=True,
    ),
    Reporter(
        "html",
        "pytest_tfgpu.reporters.html:render",
        "one page for a browser, without scripts and without anything from elsewhere; needs the extra `html`",
        needs="jinja2",
        install="pytest-tfgpu[html]",
    ),
    Reporter("json", "pytest_tfgpu.reporters.json:render", "everything, as JSON of schema 1"),
    Reporter(
        "markdown",
        "pytest_tfgpu.reporters.markdown:render",
        "verdict, causes and skips, in Markdown without HTML",
    ),
)


def builtin_reporters() -> tuple[Reporter, ...]:
    """Return the reporters that come with pytest-tfgpu, by name."""
    return _BUILTIN


def parse_target(text: str) -> Target:
    r"""Take `FORMAT:PATH` (or a FORMAT that needs no path) apart; `json:C:\out\report.json` is fine.

    Formats of third parties pass: `find_reporter` judges them, once plugins have had their say.
    Raises ValueError with what was expected.
    """
    name, colon, path = text.partition(":")
    if not re.fullmatch(r"[a-z][a-z0-9_-]+", name):
        raise ValueError(f"expected FORMAT:PATH, such as json:report.json, got {text!r}")
    if name == NONE and colon:
        raise ValueError(f"expected 'none' without a path, got {text!r}")
    known = next((reporter for reporter in _BUILTIN if reporter.format == name), None)
    if not path.strip():
        if colon or (known is not None and known.needs_path):
            raise ValueError(f"expected a path after {name}:, such as {name}:report.{name}, got {text!r}")
        return Target(name)
    if "\0" in path:
        raise ValueError(f"expected a path without NUL characters, got {text!r}")
    try:
        return Target(name, Path(path).expanduser().absolute())
    except (OSError, RuntimeError) as error:
        raise ValueError(f"expected a path that can be resolved, got {text!r} ({error})") from None


def find_reporter(target: Target, reporters: Iterable[Reporter]) -> Reporter:
    """Return the reporter for `target`.

    Raises ValueError where none or several have this format, where it needs a path and has none, or where it
    needs a module that is not installed.
    """
    available = tuple(dict.fromkeys(reporters))
    found = [reporter for reporter in available if reporter.format == target.format]
    if not found:
        formats = ", ".join(sorted({reporter.format for reporter in available}))
        raise ValueError(f"unknown report format {target.format!r}, known are: {formats}")
    if len(found) > 1:
        providers = " and ".join(reporter.render for reporter in found)
        raise ValueError(f"report format {target.format!r} is provided more than once: by {providers}")
    if found[0].needs_path and target.path is None:
        raise ValueError(f"report format {target.format!r} needs a path: {target.format}:PATH")
    if found[0].needs and not _is_installed(found[0].needs):
        hint = f': python -m pip install "{found[0].install}"' if found[0].install else ""
        raise ValueError(
            f"report format {target.format!r} needs {found[0].needs}, which is not installed{hint}"
        )
    return found[0]


def _is_installed(module: str) -> bool:
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False
