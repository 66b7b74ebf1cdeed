"""Words and lines that more than one reporter needs; makes text from tests and libraries fit to be shown."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import TypeVar

from pytest_tfgpu.records import with_texts

V = TypeVar("V")

LONGEST = 2000
"""Characters of one quoted text that are shown; the JSON report holds it whole."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|\x1b[ -/]?[0-~]"
)
_SPACE = re.compile(r"[ \t\n\r\f\v]+")
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_CODE = r"(?<!`)`([^`\s](?:[^`]*[^`\s])?)`(?!`)"
_COMMANDS = re.compile(r"##(?=\[|vso\[|teamcity\[)", re.IGNORECASE)


def clean(text: str, *, longest: int = LONGEST) -> str:
    r"""Return `text` on one line: without terminal escape sequences, other control characters as `\x00`.

    Beyond `longest` characters it is cut off. What a CI system would take for a command is broken up.
    """
    text = _ESCAPES.sub("", text[: 4 * longest])
    text = _UNPRINTABLE.sub(_escape, _SPACE.sub(" ", text).strip())
    text = _COMMANDS.sub("# #", text)
    if len(text) > longest:
        text = text[: longest - 3] + "..."
    return text


def spans(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text on one line, and whether each is code: whether it stood between two backticks."""
    parts = re.split(_CODE, clean(text))
    return [(part, number % 2 == 1) for number, part in enumerate(parts) if part]


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def guard(lines: Iterable[str]) -> list[str]:
    """Return `lines` such that none can be a workflow command (`::error::`), which may be indented."""
    return [line.replace("::", "\\::", 1) if line.lstrip().startswith("::") else line for line in lines]


def count(number: int, noun: str) -> str:
    """Return `1 test`, `2 tests`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def mib(amount: float) -> str:
    """Return an amount of memory as a person reads it: `0.5 MiB`, `512 MiB`, `37.2 GiB`."""
    if abs(amount) >= 10_240:
        return f"{amount / 1024:.1f} GiB"
    return f"{amount:.0f} MiB" if abs(amount) >= 10 else f"{amount:.3g} MiB"


def duration(seconds: float | None) -> str:
    """Return seconds as a person reads them: `0.31 s`, `12.4 s`, `2 min 05 s`; nothing for None."""
    if seconds is None or not 0 <= seconds < 1e9:
        return ""
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def encodable(value: V, encoding: str) -> V:
    r"""Return a value such that a terminal of this encoding can show all its texts; what it can't as `\xe9`."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        name = "ascii"
    if name.startswith("utf"):
        return value

    def shown(text: str) -> str:
        found = text.encode(name, "backslashreplace").decode(name)
        return text if found == text else found

    return with_texts(value, shown)
