"""A diagnosis as lines of text, plain, for a report's section or a terminal."""

from __future__ import annotations

import textwrap

from pytest_tfgpu.frameworks import without_frame
from pytest_tfgpu.model import Confidence, Diagnosis, EvidenceLine

_WORDS: dict[Confidence, str] = {"confirmed": "Cause", "likely": "Likely cause", "possible": "Possible cause"}
_NOT_GPU = "This is not a failure of the GPU."
_QUOTE_LINES = 4


def render(diagnosis: Diagnosis, *, width: int = 80, explain: bool = True) -> list[str]:
    """Return the lines of the section that explains a failure, none wider than `width` unless one word is.

    `explain`: whether to name the command that tells more.
    """
    lines = _wrapped(f"{_WORDS[diagnosis.confidence]}: {diagnosis.summary} [{diagnosis.cause}]", width)
    if diagnosis.category == "not-gpu":
        lines += _wrapped(_NOT_GPU, width)
    for quote in diagnosis.evidence:
        lines += ["", *_wrapped(f"{_origin(quote)}:", width), *_quoted(quote.text, width)]
    if diagnosis.note:
        lines += ["", *_item("Note: ", diagnosis.note, width)]
    if diagnosis.help:
        lines.append("")
    for help in diagnosis.help:
        lines += _item("Help: " if help.sure else "Worth a try: ", help.text, width)
    if diagnosis.alternatives:
        lines += ["", *_item("Also possible: ", ", ".join(diagnosis.alternatives), width)]
    if explain:
        lines += ["", f"More: tfgpu explain {diagnosis.cause}"]
    return lines


def _origin(quote: EvidenceLine) -> str:
    origin = quote.origin or "seen"
    return f"{origin}, line {quote.line}" if quote.line else origin


def _quoted(text: str, width: int) -> list[str]:
    """Return the quote, indented, without the frame that eager execution puts round it; a long one is cut."""
    text = without_frame(text).rstrip()
    wrapped = [
        line
        for part in text.splitlines() or [""]
        for line in textwrap.wrap(part, max(width - 2, 20), break_long_words=False, break_on_hyphens=False)
        or [""]
    ]
    cut = wrapped[:_QUOTE_LINES]
    if len(wrapped) > _QUOTE_LINES:
        cut[-1] += " ..."
    return [f"  {line}" for line in cut]


def _item(head: str, text: str, width: int) -> list[str]:
    return textwrap.wrap(
        head + text, max(width, 20), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False) or [""]
