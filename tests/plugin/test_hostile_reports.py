"""A suite whose names and messages attack every format: nothing runs, nothing breaks out, nothing is lost."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from tests.plugin.test_junit import strange
from tests.suite import Outcome, Suite

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "report.schema.json").read_text("utf-8"))
ATTACKS = (
    "::error file=a.py::owned",
    "x\n::stop-commands::y",
    "##[error]owned",
    "</details></pre></code></td></table><script>alert(1)</script><img src=x onerror=alert(1)>",
    "<!-- --><style>*{display:none}</style>",
    "[click](javascript:alert(1)) ![image](https://evil.example/x.png) <https://evil.example>",
    "``` `x` ```` ~~~ | a | b | **bold** @octocat $x$ # head",
    "\x1b[2J\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\ \x9b31m \x00 \x07",
    "\u202egnp.exe \u2028 ]]> &quot; <![CDATA[ x",
    "%0A::error::x %25 ../../../etc/passwd =cmd|' /C calc'!A0",
)

SUITE = f"""
import pytest
import tensorflow as tf

@pytest.mark.parametrize("text", {ATTACKS!r}, ids={ATTACKS!r})
def test_it(text):
    raise tf.errors.UnimplementedError(None, None, "Cast string to float is not supported " + text)

@pytest.mark.skipif("True", reason={ATTACKS[0]!r})
def test_skipped():
    pass
"""

ELEMENTS = {
    "report.md": set(re.findall(r"\w+", "h1 h2 h3 p strong code pre ul li table thead tbody tr th td")),
    "summary.md": set(re.findall(r"\w+", "h3 h4 p strong em details summary code pre ul li table tr th td")),
}


class Elements(HTMLParser):
    """Collects the elements and attributes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[object] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes += attrs


@pytest.fixture(scope="module", params=[(), ("-n", "2")], ids=["plain", "n2"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One run, per mode, of the hostile suite, with every report."""
    suite = Suite(tmp_path_factory.mktemp("hostile"))
    suite.write("test_it.py", SUITE)
    environment = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(suite.folder / "summary.md")}
    arguments = (
        "--tfgpu-report=markdown:report.md",
        "--junit-xml=junit.xml",
        "-o",
        "junit_family=xunit2",
        "--tb=no",
        "-q",
        "--no-summary",
    )
    return suite.run(*request.param, *arguments, environment=environment)


def test_nothing_is_lost(outcome: Outcome) -> None:
    """Every test is in the JSON report, with its cause, and the report fits its schema."""
    report = outcome.report
    assert [test.get("cause") for test in report["tests"]].count("unsupported-cast") == len(ATTACKS), (
        outcome.text
    )
    assert list(Draft202012Validator(SCHEMA).iter_errors(report)) == []
    assert "pytest-tfgpu:" not in outcome.text


@pytest.mark.parametrize("name", ELEMENTS)
def test_markdown_stays_ours(outcome: Outcome, name: str) -> None:
    """A renderer that takes raw HTML makes only the elements that we wrote, without an attribute."""
    text = (outcome.folder / name).read_text("utf-8")
    page = Elements(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
    assert page.tags <= ELEMENTS[name]
    assert page.attributes == []
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", text)


def test_junit_stays_valid(outcome: Outcome) -> None:
    """The JUnit file can be parsed, is valid, and holds every test with its cause."""
    root = outcome.junit
    assert strange(root) == []
    failures = [element.get("message", "") for element in root.iter("failure")]
    assert len(failures) == len(ATTACKS)
    assert all(message.partition("\n")[0].endswith("[unsupported-cast]") for message in failures)


def test_one_annotation_and_no_other_command(outcome: Outcome) -> None:
    """What we print holds one workflow command, our own, and no escape sequence."""
    summary = outcome.section("tfgpu summary") if "tfgpu summary" in outcome.text else outcome.text
    commands = [line for line in summary.splitlines() if line.lstrip().startswith("::")]
    assert len(commands) == 1, commands
    assert commands[0].startswith("::error file=test_it.py,line=")
    assert "unsupported-cast" in commands[0]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x9b\u202e]", commands[0])
