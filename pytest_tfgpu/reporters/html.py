"""The HTML report: one file without scripts and without anything from elsewhere, made with Jinja2.

Every text is escaped, and made fit to be shown, where the template puts it into the page. The page's policy
(Content-Security-Policy) allows its own style sheet and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_tfgpu.frameworks import without_frame
from pytest_tfgpu.model import Report
from pytest_tfgpu.reporters.html_parts import FILTERS, parts
from pytest_tfgpu.reporters.text import clean, spans

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).with_name("templates")
_AT_ONCE = 1000
_LINES = 40


def render(report: Report) -> Iterator[str]:
    """Yield the report as an HTML page, in pieces.

    Raises ImportError where Jinja2 is not installed.
    """
    style = (_TEMPLATES / "report.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    stream = _environment().get_template("report.html").stream(parts(report), style=style, digest=digest)
    stream.enable_buffering(_AT_ONCE)
    return stream


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        finalize=_shown,
        keep_trailing_newline=True,
        loader=FileSystemLoader(_TEMPLATES),
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters.update(FILTERS, quoted=_quoted, prose=_prose)
    return environment


def _shown(value: object) -> object:
    """Make text from outside fit to be shown; markup, which is ours, stays as it is."""
    return clean(value) if type(value) is str else value


def _quoted(text: str) -> Markup:
    """Return text as it was printed, line by line, as markup."""
    from markupsafe import Markup, escape

    lines = without_frame(text).splitlines() or [""]
    shown = [clean(line) for line in lines[:_LINES]]
    if len(lines) > _LINES:
        shown.append(f"... and {len(lines) - _LINES} more lines")
    return Markup("\n").join(escape(line) for line in shown)


def _prose(text: str) -> Markup:
    """Return text in which what stands between backticks is code, as markup."""
    from markupsafe import Markup, escape

    code = Markup("<code>{}</code>").format
    return Markup("").join(code(piece) if is_code else escape(piece) for piece, is_code in spans(text))
