"""Making text fit to be shown, and the words for numbers."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_reports import MISMATCH, diagnosed, report

from pytest_tfgpu.model import CheckResult, EvidenceLine, Facts, Gpu, GpuChecks, Preflight
from pytest_tfgpu.reporters import github, json, markdown
from pytest_tfgpu.reporters.terminal import preflight_lines
from pytest_tfgpu.reporters.text import clean, count, duration, encodable, guard


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("  two\n\tlines \r\n", "two lines"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;12;1mbold\x1b[K", "bold"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://a.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPdevice\x1b\\control", "control"),
        ("\x1b(Bset \x1b=keypad", "set keypad"),
        ("\x1b]unfinished", "unfinished"),
        ("end\x1b", "end\\x1b"),
        ("\x9b31m\x00\x7f", "\\x9b31m\\x00\\x7f"),
        ("\u202eabc\u2028\ufeff", "\\u202eabc\\u2028\\ufeff"),
        ("caf\udce9", "caf\\udce9"),
        ("caf\u00e9 \U0001f600", "caf\u00e9 \U0001f600"),
        ("##[error]x ##vso[y] ##TeamCity[z", "# #[error]x # #vso[y] # #TeamCity[z"),
        ("## heading #[cfg]", "## heading #[cfg]"),
    ],
)
def test_clean(text: str, shown: str) -> None:
    """Terminal sequences vanish, other control characters become visible, commands are broken up."""
    assert clean(text) == shown


def test_clean_cuts() -> None:
    """A text beyond the limit ends in three dots, within the limit."""
    assert clean("x" * 11, longest=10) == "xxxxxxx..."
    assert clean("x" * 10, longest=10) == "x" * 10


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [
        ("ascii", "caf\\xe9 \\u2013"),
        ("ANSI_X3.4-1968", "caf\\xe9 \\u2013"),
        ("latin-1", "caf\u00e9 \\u2013"),
        ("cp1252", "caf\u00e9 \u2013"),
        ("utf-8", "caf\u00e9 \u2013"),
        ("UTF-16", "caf\u00e9 \u2013"),
        ("nonsense", "caf\\xe9 \\u2013"),
    ],
)
def test_what_an_encoding_can_show(encoding: str, shown: str) -> None:
    """Characters that the encoding lacks are escapes, wherever they stand; what fits stays the same object."""
    assert encodable("caf\u00e9 \u2013", encoding) == shown
    facts = Facts(driver="caf\u00e9 \u2013", gpus=(Gpu(0, "plain"),), environment={"A": "caf\u00e9 \u2013"})
    found = encodable(facts, encoding)
    assert (found.driver, found.environment) == (shown, {"A": shown})
    assert found.gpus is facts.gpus


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_is_one_printable_line(text: str) -> None:
    """Whatever the text, the result can be encoded and has neither line breaks nor control characters."""
    shown = clean(text)
    shown.encode("utf-8")
    assert len(shown.splitlines()) <= 1
    assert not [character for character in shown if ord(character) < 32 or 0x7F <= ord(character) < 0xA0]


@pytest.mark.parametrize(
    "text", ["\x1b]" * 5_000_000, "\x1b[" * 5_000_000, "\x1b[;" * 3_000_000 + "m", " " * 10_000_000]
)
def test_clean_is_quick(text: str) -> None:
    """Ten megabytes made to be slow to search take no time worth mentioning."""
    began = time.process_time()
    clean(text)
    assert time.process_time() - began < 0.5


def test_guard() -> None:
    """A line that would be a workflow command no longer begins like one; other lines stay."""
    lines = ["::error::x", "  \u00a0::warning::y", "t.py::test", "a ::error::"]
    assert guard(lines) == ["\\::error::x", "  \u00a0\\::warning::y", "t.py::test", "a ::error::"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (-1.0, ""),
        (0.0, "0.00 s"),
        (0.314, "0.31 s"),
        (9.99, "9.99 s"),
        (9.996, "10.0 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125.2, "2 min 05 s"),
        (3725.0, "62 min 05 s"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    """Seconds are rounded to what a reader needs, without a gap between the forms."""
    assert duration(seconds) == text


def test_count() -> None:
    """Nouns follow their number."""
    assert [count(number, "test") for number in (0, 1, 2)] == ["0 tests", "1 test", "2 tests"]


def test_quotes_come_without_the_frame_of_eager_execution() -> None:
    """What eager execution puts round the text of an exception is in no form of the report but JSON."""
    framed = "{{function_node __wrapped__Cast_device_/CPU:0}} Cast string to float is not supported [Op:Cast] name: "
    quote = (EvidenceLine(framed, "exception"),)
    check = CheckResult("cast", "failed", diagnosis=replace(MISMATCH, evidence=quote))
    preflight = Preflight("unusable", "It fails.", gpus=(GpuChecks(0, None, "Tesla T4", (check,)),))
    subject = report(preflight=preflight, diagnoses=(diagnosed("t.py::a", evidence=quote),))
    said = [
        "".join(markdown.render(subject)),
        github.render(subject),
        "\n".join(preflight_lines(preflight, width=200)),
    ]
    for text in said:
        assert "Cast string to float is not supported [Op:Cast]" in text
        assert "function_node" not in text
    assert "function_node" in "".join(json.render(subject))
