"""Lines for a terminal: colour, width, and text that can't steer it."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TextIO

from pytest_tfgpu.reporters.text import clean

__all__ = ["Style", "clean", "columns", "is_terminal", "wrap"]

_CODES = {"error": "31;1", "warning": "33;1", "info": "36", "good": "32;1", "strong": "1", "dim": "2"}


class Style:
    """Colours text, or leaves it as it is where `on` is False."""

    def __init__(self, on: bool) -> None:
        """Make a style that colours, or not."""
        self._on = on

    @classmethod
    def of(cls, stream: TextIO) -> Style:
        """Return the style for a stream: colour on a terminal, unless NO_COLOR is set (no-color.org)."""
        plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
        if sys.platform == "win32" and "WT_SESSION" not in os.environ:
            plain = "windows console"
        return cls(is_terminal(stream) and not plain)

    def markup(self, text: str, colour: str) -> str:
        """Return the text in a colour by its name, as reporters ask for it."""
        return self.paint({"green": "good", "red": "error", "yellow": "warning"}.get(colour, "strong"), text)

    def paint(self, role: str, text: str) -> str:
        """Return the text in the colour of a role: error, warning, info, good, strong or dim."""
        return f"\x1b[{_CODES[role]}m{text}\x1b[0m" if self._on else text


def is_terminal(stream: TextIO) -> bool:
    """Whether a person watches the stream."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def columns() -> int:
    """Return how wide lines may be: as the terminal, within 40 and 100; 80 where there is none."""
    return max(40, min(shutil.get_terminal_size((80, 24)).columns, 100))


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Break text into lines; words such as paths stay whole. All but the first line begin with `indent`."""
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ) or [""]
