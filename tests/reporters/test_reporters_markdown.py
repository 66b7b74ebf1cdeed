"""The Markdown report."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_reports import FULL, HOSTILE, MISMATCH, OK, UNUSABLE, diagnosed, hostile, report

from pytest_tfgpu.model import EvidenceLine, Help, Report, Skip, TestResult
from pytest_tfgpu.reporters.markdown import code, prose, render, table, text
from pytest_tfgpu.reporters.text import clean, spans

OWN_TAGS = set(re.findall(r"\w+", "h1 h2 h3 p strong code pre ul li table thead tbody tr th td"))


class Page(HTMLParser):
    """Collects the elements, attributes and text of a rendered page."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[object] = []
        self.text = ""
        self.cells: list[str] = []
        self._in_cell = False
        renderer = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True})
        self.feed(renderer.enable(["table", "strikethrough"]).render(markdown))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "td":
            self.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        """Note that a cell ends."""
        self._in_cell = self._in_cell and tag != "td"

    def handle_comment(self, data: str) -> None:
        """Refuse comments: we write none."""
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data
        if self._in_cell:
            self.cells[-1] += data


def written(subject: Report) -> str:
    """Return the whole report."""
    return "".join(render(subject))


def test_text_of_a_good_session() -> None:
    """A session in which all is well is its outcomes, the verdict and the table of checks."""
    assert written(report(preflight=OK, outcomes={"passed": 2})) == (
        "# TensorFlow tests: 2 passed\n"
        "\n"
        "**GPU ok**: 3 checks passed on 1 GPU in 4.10 s\n"
        "\n"
        "| GPU | check | outcome | time | error / tolerance |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| 0 Tesla T4 | device | passed | 0.31 s |  |\n"
        "|  | matmul | passed | 12.0 s | 1.2e-07 / 1.0e-05 |\n"
        "|  | gather | passed | 1 min 05 s | 0 / 0 |\n"
        "\n"
        "Slowest checks: gather 1 min 05 s, matmul 12.0 s, device 0.31 s\n"
    )


def test_text_of_failures() -> None:
    """Each cause has a heading, what it is, its evidence, note, help and tests; other failures and skips follow."""
    found = diagnosed(
        "tests/test_a.py::test_big",
        MISMATCH.cause,
        MISMATCH.summary,
        evidence=MISMATCH.evidence,
        note=MISMATCH.note,
        help=MISMATCH.help,
    )
    subject = report(
        complete=False,
        outcomes={"failed": 2},
        diagnoses=(found,),
        tests=(TestResult("tests/test_a.py::test_own", "failed"),),
        skips=(Skip("t.py::s", "requires_cudnn", "cuDNN >=9.1", "8.9.6 (libcudnn.so.8)"),),
        problems=("a.py: it failed.",),
    )
    assert written(subject) == (
        "# TensorFlow tests: 2 failed (incomplete)\n"
        "\n"
        "## 1 test, one cause\n"
        "\n"
        "### `cudnn-version-mismatch`: 1 test\n"
        "\n"
        "cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.\n"
        "\n"
        "standard error, line 12:\n"
        "\n"
        "```\n"
        "Loaded runtime CuDNN library: 8.9.6\n"
        "```\n"
        "\n"
        "Every operation that uses cuDNN is affected.\n"
        "\n"
        "- Install nvidia-cudnn-cu12 9.3.\n"
        "- Worth a try: Take /usr/lib/cuda off LD\\_LIBRARY\\_PATH.\n"
        "\n"
        "- `tests/test_a.py::test_big`\n"
        "\n"
        "## 1 other failure\n"
        "\n"
        "- `tests/test_a.py::test_own`\n"
        "\n"
        "## Unmet requirements\n"
        "\n"
        "| tests | requirement | required | found |\n"
        "| --- | --- | --- | --- |\n"
        "| 1 | `requires_cudnn` | cuDNN &gt;=9.1 | 8.9.6 (libcudnn.so.8) |\n"
        "\n"
        "- pytest-tfgpu: a.py: it failed.\n"
    )


def test_an_ended_session_shows_why() -> None:
    """Where a failed check ended the session, its evidence and help are there though no test ran."""
    shown = Page(written(report(exit_status=70, preflight=UNUSABLE))).text
    assert "GPU unusable: cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer." in shown
    assert "conv2d on GPU 0, GPU 1" in shown
    assert "Loaded runtime CuDNN library: 8.9.6" in shown


def test_a_renderer_takes_it_as_meant() -> None:
    """A renderer sees the headings, the lists and the tables, and nothing else."""
    page = Page(written(FULL))
    assert set(page.tags) == OWN_TAGS
    assert page.attributes == []
    assert (page.tags.count("h1"), page.tags.count("h2"), page.tags.count("h3")) == (1, 2, 2)


@pytest.mark.parametrize("value", HOSTILE, ids=ascii)
def test_hostile_text_stays_text(value: str) -> None:
    """No text becomes an element, a link, a mention or a heading, and none ends a part early."""
    markdown = written(hostile(value))
    page = Page(markdown)
    assert set(page.tags) <= OWN_TAGS
    assert page.attributes == []
    assert page.tags.count("h1") == 1
    assert len(page.cells) == 5 + 4
    prose = re.sub(r"(?ms)^(`{3,})\n.*?\n\1$", "", markdown)
    prose = re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", prose)
    assert not re.search(r"@\w", prose)
    assert not re.search(r"\w://|www\.", prose)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\u202e]", markdown)
    markdown.encode("utf-8")


PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


def test_commands_in_advice_are_code() -> None:
    """What stands between backticks in advice is code, first, in the middle and last; a backtick alone is a letter."""
    help = (Help("Run `pip check` or `a*b`"), Help("`nvidia-smi` shows it."), Help("A ` alone.", sure=False))
    markdown = written(report(diagnoses=(diagnosed("t.py::a", help=help, note="See `x|y`."),)))
    assert "- Run `pip check` or `a*b`\n- `nvidia-smi` shows it.\n" in markdown
    assert "- Worth a try: A \\` alone.\n" in markdown
    assert "See x&#124;y.\n" in markdown


@given(st.text(st.sampled_from("`ab *_|@1. "), max_size=30))
def test_advice_is_shown_without_the_backticks_of_code(value: str) -> None:
    """Any advice is shown letter for letter, but for the backticks that make code."""
    page = Page(f"{prose(value)}\n")
    assert set(page.tags) <= {"p", "code"}
    shown = "".join(piece for piece, _ in spans(value))
    assert page.text.replace("\u200b", "").split() == shown.split()


@given(PRINTABLE)
def test_prose_is_shown_letter_for_letter(value: str) -> None:
    """Any text in a paragraph is shown as it is, but for an invisible sign that breaks mentions."""
    page = Page(f"{text(value)}\n")
    assert set(page.tags) <= {"p"}
    assert page.text.replace("\u200b", "").strip() == clean(value)


@given(PRINTABLE, PRINTABLE)
def test_cells_are_shown_letter_for_letter(first: str, second: str) -> None:
    """Any text in a table stays in its cell, as code or prose."""
    page = Page(table(("a", "b"), [(code(first), text(second))]) + "\n")
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert [cell.replace("\u200b", "") for cell in page.cells] == [clean(first), clean(second)]


@given(PRINTABLE)
def test_code_is_shown_letter_for_letter(value: str) -> None:
    """Any text as inline code is shown as it is."""
    page = Page(f"x {code(value)} x\n")
    assert set(page.tags) <= {"p", "code"}
    assert page.text.replace("\u200b", "").split() == ["x", *clean(value).split(), "x"]


def test_ten_thousand_failures_of_one_cause() -> None:
    """Fifty tests of a cause are named, the rest is a number."""
    markdown = written(report(diagnoses=tuple(diagnosed(f"t.py::t{n}") for n in range(10_000))))
    assert markdown.count("- `t.py::t") == 50
    assert "- and 9950 more\n" in markdown


def test_a_quote_cannot_close_its_block() -> None:
    """Backticks in evidence, also those that escape sequences part, stay inside of the block."""
    quote = (EvidenceLine("``\x1b[0m`` # owned", "exception"),)
    page = Page(written(replace(report(), diagnoses=(diagnosed("t.py::a", evidence=quote),))))
    assert "```` # owned" in page.text
    assert page.tags.count("pre") == 1
