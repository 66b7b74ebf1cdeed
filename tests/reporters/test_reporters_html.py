"""The HTML report, as text; tests/browser has it in a browser."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import time
import tracemalloc
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from sample_reports import FACTS, FULL, HOSTILE, NOT_ASKED, OK, PASSED, UNUSABLE, diagnosed, hostile, report

import pytest_tfgpu.reporters
from pytest_tfgpu.model import (
    EvidenceLine,
    Facts,
    Finding,
    Gpu,
    GpuChecks,
    Help,
    MemoryUse,
    Preflight,
    Report,
    TestResult,
)
from pytest_tfgpu.reporters import Reporter, Target, find_reporter
from pytest_tfgpu.reporters.html import render
from pytest_tfgpu.reporters.html_memory import memory_picture
from pytest_tfgpu.reporters.html_parts import NODEIDS, headline, moment, parts
from pytest_tfgpu.reporters.html_timeline import WIDTH, timeline
from tests.suite import MODES, Suite

pytest.importorskip("jinja2")

STYLE = Path(pytest_tfgpu.reporters.__file__).with_name("templates").joinpath("report.css").read_text("utf-8")
VOID = {"meta"}
ATTRIBUTES = set(
    re.findall(
        r"\S+",
        "aria-hidden aria-label aria-labelledby charset class content d datetime height href http-equiv id lang "
        "name open preserveaspectratio role rx scope text-anchor viewbox width x x1 x2 y y1 y2",
    )
)


class Page(HTMLParser):
    """Takes a page apart; every element must be closed in order."""

    def __init__(self, of: Report) -> None:
        super().__init__()
        self.html = "".join(render(of))
        self.open: list[str] = []
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.headings: list[list[str]] = []
        self.text = ""
        self.style = ""
        self.feed(self.html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element that begins."""
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if re.fullmatch(r"h\d", tag):
            self.headings.append([tag, ""])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of a picture that has no content."""
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        """Note an element that ends."""
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        """Refuse comments: we write none."""
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        """Note text."""
        if self.open[-1:] == ["style"]:
            self.style += data
            return
        self.text += data
        if any(re.fullmatch(r"h\d", tag) for tag in self.open):
            self.headings[-1][1] += data

    def values(self, attribute: str) -> list[str]:
        """Return the values of an attribute, in order."""
        return [value for name, value in self.attributes if name == attribute]

    @property
    def words(self) -> str:
        """The text with white space as single spaces."""
        return " ".join(self.text.split())


def many(number: int, *, failing: bool = False, workers: int = 4) -> Report:
    """Return a report of many tests of a hundredth of a second each; every hundredth failed, or each."""
    tests, found = [], []
    for index in range(number):
        nodeid = f"tests/test_{index // 200}.py::test_it[{index}]"
        failed = failing or index % 100 == 0
        started, worker = 1.8e9 + index // workers * 0.01, f"gw{index % workers}"
        outcome, cause = ("failed", f"cause-{index % 7}") if failed else ("passed", None)
        tests.append(TestResult(nodeid, outcome, "call", started, 0.01, worker, None, cause))
        if cause:
            found.append(diagnosed(nodeid, cause))
    outcomes = dict(Counter(test.outcome for test in tests))
    return report(exit_status=1, tests=tuple(tests), diagnoses=tuple(found), outcomes=outcomes)


# ----------------------------------------------------------------------------------------------- the page


@pytest.mark.parametrize("subject", [report(), FULL, many(300)], ids=["empty", "full", "many"])
def test_page_stands_alone(subject: Report) -> None:
    """The page is well formed, needs nothing from elsewhere, has no script, and its links lead to parts of it."""
    page = Page(subject)
    assert page.html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.elements.keys().isdisjoint({"script", "link", "img", "iframe", "object", "form", "base"})
    assert {name for name, _ in page.attributes} <= ATTRIBUTES
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert set(page.values("href")) <= {f"#{name}" for name in ids}
    assert set(page.values("aria-labelledby")) <= set(ids)
    assert not re.search(r"url\(|@import", page.style)


def test_policy_allows_the_style_and_nothing_else() -> None:
    """The page's own policy lets no script, picture or connection in; the one style sheet is named by its hash."""
    page = Page(FULL)
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    (policy,) = (value for value in page.values("content") if "src" in value)
    assert policy == (f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
    assert page.html.index("Content-Security-Policy") < page.html.index("<style>")


@pytest.mark.parametrize("subject", [report(), FULL, many(300)], ids=["empty", "full", "many"])
def test_headings_form_an_outline(subject: Report) -> None:
    """There is one heading of the first level, and no level is left out."""
    levels = [int(tag[1]) for tag, _ in Page(subject).headings]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later - level <= 1 for level, later in pairwise(levels))


def test_empty_session() -> None:
    """A session in which nothing happened is a page that says so, without empty parts."""
    page = Page(report(exit_status=5))
    assert page.words.startswith(
        "No tests ran: TensorFlow tests TensorFlow tests No tests ran 2026-11-21 09:00:00 UTC,"
    )
    assert page.elements["section"] == 0
    assert page.elements["svg"] == 0


def test_every_part_is_there() -> None:
    """What a session has to say stands under its headings, the weightiest first."""
    page = Page(replace(FULL, problems=("diagnose failed: ValueError: x.",), complete=False))
    assert [" ".join(text.split()) for tag, text in page.headings if tag == "h2"] == [
        "Preflight",
        "Failures by cause 2 tests and 1 test module, 2 causes",
        "Unmet requirements",
        "GPUs and checks",
        "Timeline 1 test on 1 worker and 1 GPU over 0.50 s",
        "Tests 2 tests in 1 file",
        "Machine",
    ]
    for part in (
        "3 failed, 7 passed, 3 skipped",
        "exit status 1",
        "This report is incomplete",
        "pytest-tfgpu: diagnose failed: ValueError: x.",
        "GPU unusable: cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer. [cudnn-version-mismatch]",
        "conv2d on GPU 0, GPU 1",
        "standard error, line 12:",
        "Every operation that uses cuDNN is affected.",
        "Worth a try: Take /usr/lib/cuda off LD_LIBRARY_PATH.",
        "warning Memory growth is off.",
        "2 tests requires_cudnn: cuDNN >=9.1 required, found 8.9.6 (libcudnn.so.8)",
        "2.21.0 (tensorflow, built for CUDA 12.5.1 and cuDNN 9)",
    ):
        assert part in page.words


def test_finding_with_evidence_opens() -> None:
    """A finding that has more to say is folded; one that hasn't is a line."""
    quote = (EvidenceLine("libcudnn.so.8", "facts"),)
    findings = (Finding("One.", "warning", evidence=quote), Finding("Two.", "info"))
    page = Page(report(preflight=replace(OK, findings=findings)))
    assert page.elements["details"] == 1
    assert "warning One. facts: libcudnn.so.8 info Two." in page.words


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ({}, "No tests ran"),
        ({"passed": 1}, "1 passed"),
        ({"passed": 2, "failed": 1, "warnings": 1, "error": 2}, "1 failed, 2 passed, 2 errors, 1 warning"),
        ({"mine": 3, "xfailed": 1}, "1 xfailed, 3 mine"),
    ],
)
def test_headline(outcomes: dict[str, int], said: str) -> None:
    """The headline counts as pytest's last line does."""
    assert headline(report(outcomes=outcomes)) == said


@pytest.mark.parametrize(
    ("subject", "state"),
    [
        (report(outcomes={"passed": 1}), "good"),
        (report(outcomes={"failed": 1}, exit_status=1), "bad"),
        (report(exit_status=70, preflight=UNUSABLE), "bad"),
        (report(outcomes={"passed": 1}, complete=False), "unknown"),
    ],
)
def test_state(subject: Report, state: str) -> None:
    """A session is good only where it was complete and ended well."""
    assert parts(subject)["state"] == state


def test_moment() -> None:
    """A time is written for people; what is none stays as it is."""
    assert (
        moment("2026-11-21T09:00:00+00:00") == moment("2026-11-21T09:00:00.5Z") == "2026-11-21 09:00:00 UTC"
    )
    assert moment("yesterday") == "yesterday"


# ----------------------------------------------------------------------------------------- hostile texts


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_text_stays_text(text: str) -> None:
    """No text adds an element or an attribute: the page is the one that a harmless text with its backticks gives."""
    page, harmless = Page(hostile(text)), Page(hostile(re.sub(r"[^`\s]", "x", text)))
    assert page.elements == harmless.elements
    assert [name for name, _ in page.attributes] == [name for name, _ in harmless.attributes]
    assert not re.search(
        "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page.html
    )


@pytest.mark.parametrize(
    "text", ["| a | b |", "``` `x` ```", "{{ 7 * 7 }} {% raw %}", "&lt;b&gt; \"q\" 'q' </h3>"]
)
def test_text_is_shown_as_it_was(text: str) -> None:
    """What means something in HTML or to the template is shown letter for letter."""
    assert text in Page(report(diagnoses=(diagnosed("t.py::a", summary=text),))).text


def test_commands_in_advice_are_code() -> None:
    """What stands between backticks in advice is code; a backtick alone, and one in a quote, is a letter."""
    help = (Help("Run `pip check` on a `<b>`."), Help("A ` alone, and ``two``.", sure=False))
    page = Page(report(diagnoses=(diagnosed("t.py::a", help=help, note="See `x`.", summary="`s`"),)))
    assert "<li>Run <code>pip check</code> on a <code>&lt;b&gt;</code>.</li>" in page.html
    assert "</em> A ` alone, and ``two``.</li>" in page.html
    assert "<p>See <code>x</code>.</p>" in page.html
    assert "<code>s</code>" not in page.html


def test_direction_is_made_visible() -> None:
    """Characters that turn the direction of writing are shown as escapes."""
    assert r"\u202egnp.exe" in Page(report(tests=(TestResult("a\u202egnp.exe", "passed"),))).text


def test_quotes_keep_their_lines() -> None:
    """A quote is shown line by line, without the frame that eager execution adds; a long one is cut."""
    frame = "{{function_node __wrapped__Fill}} OOM <1>\n  second\x1b[0m [Op:Fill] name: "
    page = Page(report(diagnoses=(diagnosed("t.py::a", evidence=(EvidenceLine(frame),)),)))
    assert "<pre>OOM &lt;1&gt;\nsecond [Op:Fill]</pre>" in page.html
    long = "\n".join(f"line {number}" for number in range(100))
    page = Page(report(diagnoses=(diagnosed("t.py::a", evidence=(EvidenceLine(long),)),)))
    assert "line 39\n... and 60 more lines</pre>" in page.html


def test_message_of_ten_megabytes() -> None:
    """A huge message is cut where it is shown."""
    huge = "<" * 10_000_000
    found = diagnosed("t.py::a", summary=huge, evidence=(EvidenceLine(huge),))
    assert len("".join(render(report(diagnoses=(found,))))) < 80_000


# ------------------------------------------------------------------------------------- causes, skips, GPUs


def opened(page: Page) -> int:
    """Return how many parts are open."""
    return len(page.values("open"))


@pytest.mark.parametrize(("number", "number_open"), [(1, 1), (3, 3), (4, 1)])
def test_few_causes_are_open(number: int, number_open: int) -> None:
    """Up to three causes are open, of more only the first."""
    found = tuple(diagnosed(f"t.py::t{index}", f"cause-{index}") for index in range(number))
    assert opened(Page(report(diagnoses=found))) == number_open


def test_cause_with_several_wordings() -> None:
    """Different diagnoses of one cause are told apart, with their numbers; of many the first five are shown."""
    found = tuple(diagnosed(f"t.py::t{index}", summary=f"Wording {index % 7}.") for index in range(8))
    page = Page(report(diagnoses=found))
    assert [text for tag, text in page.headings if tag == "h4"][:2] == [
        "Wording 0. 2 failures",
        "Wording 1. 1 failure",
    ]
    assert "and 2 more wordings" in page.words


def test_many_tests_of_a_cause() -> None:
    """Fifty tests are named under a cause; the rest is a number that leads to the list of all."""
    page = Page(many(1000, failing=True))
    first = page.html[page.html.index('<ul class="names">') :].partition("</ul>")[0]
    assert first.count("<li>") == NODEIDS
    assert "and 93 more, listed under Tests" in page.words


def test_failures_without_a_cause() -> None:
    """Failures of which nothing is known are named, too."""
    tests = (TestResult("t.py::a", "failed"), TestResult("t.py::b", "error"), TestResult("t.py::c", "passed"))
    page = Page(report(tests=tests, exit_status=1))
    assert "Failures without a cause that is known 2 tests" in page.words
    assert page.html.count("<li><code>t.py::") == 2


def test_tests_lead_to_their_cause() -> None:
    """The cause of a test is a link to its group."""
    page = Page(FULL)
    assert '<a href="#cause-2">out-of-memory</a>' in page.html
    assert '<div class="body" id="cause-2">' in page.html


def test_cause_that_only_a_test_names() -> None:
    """A test whose cause has no group shows it without a link."""
    page = Page(report(tests=(TestResult("t.py::a", "failed", cause="lost"),)))
    assert page.values("href") == ["#tests"]
    assert "a lost" in page.words


def test_devices() -> None:
    """GPUs are told by their UUID, hidden ones are named as such, and the CPU is a device where it was checked."""
    facts = replace(
        FACTS,
        gpus=(Gpu(0, "A", "GPU-b", "7.5", 8192, 8000), Gpu(1, "B", "GPU-a", None, 8192)),
        visible_gpus=(0,),
    )
    preflight = Preflight(
        "ok", gpus=(GpuChecks(0, "GPU-b", "A", PASSED), GpuChecks(None, None, "CPU", PASSED))
    )
    first, second, cpu = parts(report(facts=facts, preflight=preflight))["devices"]
    assert (first.name, first.verdict, first.hidden) == ("GPU 0", "3 checks passed", False)
    assert (second.name, second.checks, second.hidden) == ("GPU 1", (), True)
    assert (cpu.name, cpu.facts) == ("CPU", None)
    words = Page(report(facts=facts, preflight=preflight)).words
    assert (
        "GPU 0 A 7.5 8,000 of 8,192 MiB free 3 checks passed GPU 1 B unknown 8,192 MiB hidden by CUDA"
        in words
    )
    assert "matmul passed 12.0 s 1.2e-07 / 1.0e-05" in words


def test_preflight_without_facts() -> None:
    """Checked GPUs are listed also where nothing else is known of the machine."""
    first, second = parts(report(facts=Facts(), preflight=UNUSABLE))["devices"]
    assert first.verdict == second.verdict == "conv2d failed, gather not run"
    assert second.name == "GPU 1"


# ------------------------------------------------------------------------------------------------ timeline


def test_timeline_of_workers_and_gpus() -> None:
    """Each worker and GPU has a lane, in the order of their numbers; time runs from the first test on."""
    tests = (
        TestResult("t.py::a", "passed", "call", 100.0, 4.0, "gw10", 1),
        TestResult("t.py::b", "failed", "call", 104.0, 6.0, "gw2", 0),
        TestResult("t.py::c", "skipped", "setup", 102.0, 0.0, "gw2", 0),
    )
    drawn = timeline(report(tests=tests))
    assert drawn is not None
    assert [lane.label for lane in drawn.lanes] == ["gw2, GPU 0", "gw10, GPU 1"]
    (mark,) = drawn.lanes[0].marks
    assert (mark.x, mark.width, mark.title) == (800, 1198, "t.py::b: failed, 6.00 s")
    assert drawn.lanes[0].paths == (("skipped", "M400 70H404V100H400z"),)
    assert drawn.ticks[0] == (0, "0 s")
    assert drawn.ticks[-1] == (100, "10 s")
    assert drawn.summary == "3 tests on 2 workers and 2 GPUs over 10.0 s"


@pytest.mark.parametrize("seconds", [1e-5, 0.3, 1, 4.9, 5, 59, 61, 3599, 7200, 90_000, 1e8])
def test_ticks_are_few_and_round(seconds: float) -> None:
    """However long a session takes, its axis has two to six times that differ and stand in order."""
    drawn = timeline(report(tests=(TestResult("t.py::a", "passed", "call", 0.0, seconds),)))
    assert drawn is not None
    places, words = zip(*drawn.ticks, strict=True)
    assert 2 <= len(places) <= 6
    assert list(places) == sorted(set(places))
    assert len(set(words)) == len(words)
    assert places[0] == 0
    assert places[-1] <= 100


def test_picture_of_many_tests_stays_small() -> None:
    """A lane is an outline per outcome whatever the number of tests, and at most 200 of them have a name."""
    drawn = timeline(many(30_000))
    assert drawn is not None
    assert sum(len(lane.marks) for lane in drawn.lanes) <= 200
    assert sum(len(outline) for lane in drawn.lanes for _, outline in lane.paths) < 4 * WIDTH * 25
    assert all(len(lane.paths) <= 2 for lane in drawn.lanes)


@pytest.mark.parametrize("started", [None, math.nan, math.inf])
def test_no_times_no_timeline(started: float | None) -> None:
    """Where it isn't known when tests ran, there is no picture."""
    tests = (TestResult("t.py::a", "passed", "call", started, 1.0),)
    assert timeline(report(tests=tests)) is None
    assert "Timeline" not in Page(report(tests=tests)).text


@pytest.mark.parametrize("seconds", [None, math.nan, math.inf, -1.0, 1e300])
def test_odd_durations_are_drawn_as_none(seconds: float | None) -> None:
    """A duration that can't be is drawn as a moment."""
    tests = (
        TestResult("t.py::a", "passed", "call", 5.0, seconds),
        TestResult("t.py::b", "passed", "call", 6.0, 1.0),
    )
    drawn = timeline(report(tests=tests))
    assert drawn is not None
    assert drawn.summary.endswith("2 tests over 2.00 s")
    Page(report(tests=tests))


# --------------------------------------------------------------------------------------------------- tests


def test_files_with_failures_come_first() -> None:
    """Files with failures stand first, and in a file the tests that failed."""
    tests = (
        TestResult("a.py::one", "passed", seconds=0.5),
        TestResult("b.py::two", "passed"),
        TestResult("b.py::three", "failed"),
        TestResult("c.py", "error", "collect"),
    )
    files = parts(report(tests=tests))["files"]
    assert [file.name for file in files] == ["c.py", "b.py", "a.py"]
    assert [test.nodeid for test in files[1].tests] == ["b.py::three", "b.py::two"]
    assert "b.py 1 failed, 1 passed" in Page(report(tests=tests)).words


def test_list_of_tests_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number tests are counted instead of listed; those that failed are listed before all others."""
    monkeypatch.setattr("pytest_tfgpu.reporters.html_parts.TESTS", 300)
    subject = many(900)
    page = Page(subject)
    assert page.html.count('<tr><td class="outcome') == 300
    assert sum(map(int, re.findall(r"and (\d+) more</p>", page.html))) == 600
    failed = [test.nodeid.partition("::")[2] for test in subject.tests if test.outcome == "failed"]
    rows = re.findall(r'<td class="outcome failed">failed</td><td><code>([^<]*)</code>', page.html)
    assert sorted(rows) == sorted(failed)


def test_ten_thousand_failures() -> None:
    """A report of 10,000 failures takes less than 2 s of computing and 200 MB of memory."""
    subject = many(10_000, failing=True)
    began = time.process_time()
    size = sum(map(len, render(subject)))
    assert time.process_time() - began < 2
    assert size < 5_000_000
    tracemalloc.start()
    try:
        for _ in render(subject):
            pass
        assert tracemalloc.get_traced_memory()[1] < 200_000_000
    finally:
        tracemalloc.stop()


# --------------------------------------------------------------------------------------------- the colours


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_apart(theme: int) -> None:
    """Text has a contrast of 4.5 on every ground that it stands on, and so has what is drawn."""
    block = re.findall(r":root \{(.*?)\}", STYLE, re.S)[theme]
    colours = dict(re.findall(r"--(\w+): (#\w{6});", block))
    texts = colours.keys() - {"page", "card", "quote", "line"}
    assert len(texts) == 9
    for ground in ("page", "card", "quote"):
        for text in texts:
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


# ------------------------------------------------------------------------------------------------ sessions


def test_missing_module_is_found_before_the_session() -> None:
    """A format that needs a module which is not installed is refused with what to install."""
    mine = Reporter("mine", "mine:render", needs="no_such_module", install="mine[extra]")
    with pytest.raises(ValueError, match="report format") as caught:
        find_reporter(Target("mine", Path("x")), [mine])
    assert str(caught.value) == (
        "report format 'mine' needs no_such_module, which is not installed: "
        'python -m pip install "mine[extra]"'
    )


def test_session_without_jinja(suite: Suite) -> None:
    """Without Jinja2, asking for the HTML report ends pytest before the tests, with what to install."""
    suite.write("conftest.py", "import sys\n\nsys.modules['jinja2'] = None\n")
    suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run("--tfgpu-report=html:report.html", report=False)
    assert outcome.status == 4
    assert (
        "--tfgpu-report: report format 'html' needs jinja2, which is not installed: "
        'python -m pip install "pytest-tfgpu[html]"'
    ) in outcome.text
    assert not (suite.folder / "report.html").exists()


@pytest.mark.parametrize("name", MODES)
def test_report_of_a_session(suite: Suite, name: str) -> None:
    """A session writes the page with its tests, in a lane for each worker."""
    suite.write("test_it.py", "def test_one():\n    pass\n\ndef test_two():\n    assert 0\n")
    outcome = suite.run(*MODES[name], "--tfgpu-report=html:out/report.html", report=False)
    html = (suite.folder / "out" / "report.html").read_text("utf-8")
    assert "<h1>1 failed, 1 passed</h1>" in html
    assert "<td><code>test_two</code></td>" in html
    lanes = re.findall(r'<text class="lane"[^>]*>([^<]*)</text>', html)
    assert set(lanes) <= {"gw0", "gw1"} if name == "n2" else lanes == ["pytest"]
    assert "html report: " in outcome.section("tfgpu summary")


def test_not_asked() -> None:
    """A session without a preflight has no verdict, and no list of checks."""
    words = Page(report(facts=FACTS, preflight=NOT_ASKED)).words
    assert "Preflight" not in words
    assert "GPU 0 Tesla T4 unknown unknown not asked for" in words


def test_memory_over_time() -> None:
    """Each test's peak stands where the test ran, as high as its share of the largest, in a row for each GPU."""
    tests = tuple(TestResult(f"t.py::t{n}", "passed", started=100.0 + n, seconds=1.0) for n in range(4))
    memory = (
        MemoryUse("t.py::t0", 100.0, 0.0, 0),
        MemoryUse("t.py::t1", 50.0, 10.0, 0),
        MemoryUse("t.py::t3", 25.0, 0.0, 1),
        MemoryUse("t.py::gone", 5.0, 0.0, 1),
    )
    found = memory_picture(report(tests=tests, memory=memory))
    assert found is not None
    assert found.summary == "4 tests, at most 100 MiB"
    assert [(chart.label, chart.largest) for chart in found.charts] == [
        ("GPU 0", "100 MiB"),
        ("GPU 1", "25 MiB"),
    ]
    assert found.charts[0].outline == "M0 0H498V100H0zM500 50H998V100H500z"
    assert found.charts[1].outline == "M1500 75H1998V100H1500z"
    assert [use.nodeid for use in found.largest] == ["t.py::t0", "t.py::t1", "t.py::t3", "t.py::gone"]
    page = "".join(render(report(tests=tests, memory=memory)))
    assert 'aria-label="The peak of GPU memory of each test over time: 4 tests, at most 100 MiB.' in page


def test_memory_stands_below_the_timeline() -> None:
    """Memory over time and the timeline have one axis, also beside a test of a duration that can't be."""
    tests = (
        TestResult("a", "passed", started=1.0, seconds=1.0),
        TestResult("b", "failed", started=2.0, seconds=float("inf")),
        TestResult("c", "failed", started=4.0, seconds=1.0),
    )
    shown = report(tests=tests, memory=(MemoryUse("c", 1.0, 0.0),))
    drawn, found = timeline(shown), memory_picture(shown)
    assert drawn is not None
    assert found is not None
    mark = next(mark for mark in drawn.lanes[0].marks if mark.title.startswith("c:"))
    assert found.charts[0].outline == f"M{mark.x} 0H{mark.x + mark.width}V100H{mark.x}z"


def test_memory_that_is_not_known() -> None:
    """Without figures, or with odd ones alone, there is no picture and no link to one."""
    assert memory_picture(report()) is None
    assert (
        memory_picture(report(memory=(MemoryUse("a", float("nan"), 0.0), MemoryUse("b", 0.0, 0.0)))) is None
    )
    assert "GPU memory" not in "".join(render(report()))
    untimed = memory_picture(report(memory=(MemoryUse("a", 1.0, 0.0),)))
    assert untimed is not None
    assert [chart.outline for chart in untimed.charts] == [""]
