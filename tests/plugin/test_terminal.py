"""The terminal: every option of pytest that says how much is shown, and terminals of every width and encoding."""

from __future__ import annotations

import re

import pytest

from tests.plugin.forked import Forked
from tests.plugin.test_summary import FAILING, on_github
from tests.suite import Outcome, Suite

COLOUR = re.compile(r"\x1b\[[\d;]*m")
SECTION = "- tfgpu: cause -"
ODD = 'raise tf.errors.UnimplementedError(None, None, "Cast string to float is not supported caf\\u00e9 \\U0001f600")'
CHECKED = ("--tfgpu-preflight", "--tfgpu-device=cpu", "--tfgpu-checks=device")


@pytest.fixture
def failing(suite: Suite) -> Suite:
    """A suite of four failures with two causes, and one skip."""
    suite.write("test_it.py", FAILING)
    return suite


@pytest.mark.parametrize(
    ("style", "sections"),
    [("auto", 4), ("long", 4), ("short", 4), ("native", 4), ("line", None), ("no", 0)],
)
def test_styles_of_tracebacks(forked: Forked, failing: Suite, style: str, sections: int | None) -> None:
    """The explanation stands under each traceback; where pytest shows none, the summary still names the causes.

    With `--tb=line`, pytest 8 shows a line for each failure, and pytest 9 the exceptions, too.
    """
    text = forked.run(failing, f"--tb={style}").text
    if sections is None:
        sections = len(re.findall(r"^E   tensorflow", text, re.M))
    assert text.count(SECTION) == sections
    assert text.count("4 tests, 2 causes") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), 5), (("-q",), 5), (("-qq",), 5), (("-v",), 8), (("-vv",), 8)],
    ids=["plain", "q", "qq", "v", "vv"],
)
def test_how_much_is_said(forked: Forked, suite: Suite, arguments: tuple[str, ...], named: int) -> None:
    """Five tests are named for a cause, with `-v` all; what is said stays with `-q`, as pytest's own summary does."""
    suite.write("test_it.py", FAILING.replace("range(3)", "range(8)"))
    summary = forked.run(suite, "--tb=no", *arguments).section("tfgpu summary")
    assert len(re.findall(r"^    test_it\.py::test_cast\[", summary, re.M)) == named
    assert ("    and 3 more" in summary) == (named == 5)
    assert "requires_gpu: 2 GPUs required, found no GPU" in summary


@pytest.mark.parametrize(
    "arguments", [("--no-summary",), ("--no-summary", "-q"), ("--no-summary", "--tb=no")], ids=" ".join
)
def test_no_summary(forked: Forked, failing: Suite, arguments: tuple[str, ...]) -> None:
    """With `--no-summary` there is none of ours; annotations and what went wrong in the plugin are still printed."""
    failing.write("conftest.py", "def pytest_tfgpu_facts():\n    return {'driver': 5}\n")
    text = forked.run(failing, *arguments, environment=on_github(failing.folder)).text
    assert "tfgpu summary" not in text
    assert "json report" not in text
    assert len(re.findall(r"^::error ", text, re.M)) == 2
    assert len(re.findall(r"^pytest-tfgpu: conftest\.py: pytest_tfgpu_facts", text, re.M)) == 1


def test_no_header(suite: Suite) -> None:
    """The header's line goes with the header, `--no-header` or `-q`; a good preflight's table goes with `-q`."""
    suite.write("test_it.py", "def test_it():\n    pass\n")
    bare, quiet = (suite.run(*CHECKED, argument, report=False).text for argument in ("--no-header", "-q"))
    assert "tfgpu: TensorFlow " not in bare + quiet
    assert "= tfgpu preflight =" in bare
    assert "tfgpu" not in quiet


def lines_of_ours(outcome: Outcome) -> list[str]:
    """Return the lines of the preflight, of each explanation and of the summary, without colours."""
    text = COLOUR.sub("", outcome.text)
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        if SECTION in line or re.match(r"=+ tfgpu (summary|preflight) =+$", line):
            for following in lines[number + 1 :]:
                if re.match(r"[=_-]{3}", following):
                    break
                found.append(following)
    return found


@pytest.mark.parametrize("width", [80, 200])
def test_width_and_colour(forked: Forked, failing: Suite, width: int) -> None:
    """Lines fill the terminal and no more, but for paths and names; colours change nothing but the colours."""
    environment = {"COLUMNS": str(width)}
    coloured = forked.run(failing, "--color=yes", environment=environment)
    plain = forked.run(failing, "--color=no", environment=environment)
    lines = lines_of_ours(plain)
    assert "\x1b" not in plain.text
    assert len(lines) > 30, plain.text
    words = [line.removeprefix("json report: ").strip() for line in lines if len(line) > width]
    assert [line for line in words if " " in line] == []
    assert max(map(len, lines)) > (70 if width == 80 else 90)
    assert "\x1b[1munsupported-cast: 3 tests\x1b[0m" in coloured.text
    assert lines == lines_of_ours(coloured)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("ascii", "caf\\xe9 \\U0001f600"), ("latin-1", "caf\xe9 \\U0001f600"), ("utf-8", "caf\xe9 \U0001f600")],
)
def test_terminals_of_few_characters(forked: Forked, suite: Suite, encoding: str, shown: str) -> None:
    """What the terminal can't show is written as escapes, and lines stay lines."""
    suite.write("test_it.py", f"import tensorflow as tf\n\ndef test_it():\n    {ODD}\n")
    section = explained(forked.run(suite, "--tb=short", encoding=encoding))
    assert len(section) > 4
    assert any(shown in line for line in section)


def test_workers_write_for_the_terminal_of_the_controller(suite: Suite) -> None:
    """An explanation that was made in an xdist worker has the width and the characters of the terminal."""
    suite.write("test_it.py", f"import tensorflow as tf\n\ndef test_it():\n    {ODD}\n")
    environment = {"COLUMNS": "200", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    section = explained(suite.run("-n", "1", environment=environment, report=False))
    assert max(map(len, section)) > 90
    assert any("caf\\xe9 \\U0001f600" in line for line in section)


def explained(outcome: Outcome) -> list[str]:
    """Return the lines of the only explanation."""
    lines = outcome.text.partition(SECTION)[2].partition("\n")[2].partition("\n=")[0].splitlines()
    assert lines, outcome.text
    assert lines[0].startswith("Likely cause: ")
    return lines


METADATA = """Metadata-Version: 2.1
Name: pytest-tfgpu
Version: 9
Project-URL: Documentation, https://docs.example/here
"""


@pytest.mark.parametrize(
    ("colour", "forced", "links"), [("yes", "1", 2), ("yes", "0", 0), ("no", "1", 0)], ids=str
)
def test_links_to_the_causes(forked: Forked, failing: Suite, colour: str, forced: str, links: int) -> None:
    """The summary's causes are links where the terminal knows them; reports and explanations hold none."""
    failing.write("site/pytest_tfgpu-9.dist-info/METADATA", METADATA)
    failing.write("conftest.py", "import sys\n\nsys.path.insert(0, 'site')\n")
    ran = forked.run(
        failing, f"--color={colour}", "--junitxml=junit.xml", environment={"FORCE_HYPERLINK": forced}
    )
    found = re.findall(r"\x1b\]8;;(\S+?)\x1b\\(\S+?)\x1b\]8;;\x1b\\: ", ran.text)
    pages = [f"https://docs.example/here/reference/causes/{cause}.md" for _, cause in found]
    assert [address for address, _ in found] == pages
    assert len(found) == ran.text.count("\x1b]8;;http") == links
    for name in ("junit.xml", "report.json"):
        assert "docs.example" not in (failing.folder / name).read_text("utf-8")
