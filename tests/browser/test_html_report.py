"""The HTML report in Chromium: how it looks, what it asks for, who can use it, and that nothing in it runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.model import MemoryUse, Report, TestResult
from tests.reporters.sample_reports import FULL, HOSTILE, OK, diagnosed, hostile, report
from tests.suite import Suite

from .chromium import Browser, Page

pytest.importorskip("jinja2")

SIZES = {"desk": (1280, 900), "phone": (390, 844)}
OPEN_ALL = "document.querySelectorAll('details').forEach(part => part.open = true)"
OUTLINE = (
    "[...document.querySelectorAll('*')].map(one => one.localName + [...one.attributes].map(a => a.name))"
)

Show = Callable[..., Page]


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Show]:
    """Open a report in the browser."""
    from pytest_tfgpu.reporters.html import render

    pages: list[Page] = []

    def opened(subject: Report, **settings: Any) -> Page:
        path = tmp_path / f"report-{len(pages)}.html"
        with path.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(render(subject))
        pages.append(browser.open(path, **settings))
        return pages[-1]

    yield opened
    for page in pages:
        page.close()


def long_words() -> Report:
    """Return a report in which every text is one long word."""
    return hostile("x" * 300)


def many(number: int) -> Report:
    """Return a report of this many tests on eight workers, of which every tenth failed."""
    tests = tuple(
        TestResult(
            f"tests/area_{index // 1000}/test_{index // 100}.py::TestLayers::test_it[{index}-float32-NHWC]",
            "passed" if index % 10 else "failed",
            "call",
            1.8e9 + index // 8 * 0.02,
            0.02,
            f"gw{index % 8}",
            None,
            None if index % 10 else f"cause-{index % 70}",
        )
        for index in range(number)
    )
    found = tuple(diagnosed(test.nodeid, test.cause) for test in tests if test.cause)
    return report(exit_status=1, preflight=OK, tests=tests, diagnoses=found, outcomes={"failed": len(found)})


def with_memory() -> Report:
    """Return a report with the GPU memory of its tests."""
    memory = tuple(
        MemoryUse(test.nodeid, 100.0 * number, 1.0, 0) for number, test in enumerate(FULL.tests, 1)
    )
    return replace(FULL, memory=memory)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("subject", [FULL, long_words(), with_memory()], ids=["full", "long words", "memory"])
def test_fits_and_is_accessible(show: Show, axe: str, subject: Report, size: str, dark: bool) -> None:
    """With all parts open the page is no wider than the window, and axe-core finds nothing wrong."""
    width, height = SIZES[size]
    page = show(subject, width=width, height=height, dark=dark)
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate(axe)
    found = page.evaluate("axe.run(document).then(found => found.violations)")
    assert not found, json.dumps(found, indent=1)[:3000]
    assert page.complaints == []


def test_axe_finds_what_is_wrong(show: Show, axe: str) -> None:
    """The same search finds a picture without a name and grey text on grey: it is not blind."""
    page = show(FULL)
    page.evaluate("document.querySelector('svg.timeline').removeAttribute('aria-label')")
    page.evaluate(
        "document.querySelectorAll('h2').forEach(one => one.attributeStyleMap.set('color', '#bbb'))"
    )
    page.evaluate(axe)
    found = page.evaluate("axe.run(document).then(found => found.violations.map(one => one.id))")
    assert set(found) == {"svg-img-alt", "color-contrast"}


def test_follows_the_colours_of_the_system(show: Show) -> None:
    """The page is bright where the system is, and dark where that is dark."""
    grounds = [
        show(FULL, dark=dark).evaluate("getComputedStyle(document.body).backgroundColor")
        for dark in (False, True)
    ]
    bright, dark = (min(map(int, re.findall(r"\d+", ground))) for ground in grounds)
    assert bright > 230
    assert dark < 30


def test_asks_for_nothing(show: Show) -> None:
    """The only thing that is loaded is the file itself."""
    page = show(FULL)
    page.evaluate(OPEN_ALL)
    assert len(page.requests) == 1
    assert page.requests[0].startswith("file:")


def test_hostile_texts_do_nothing(show: Show) -> None:
    """Whatever tests are called or print: the page has the elements of a harmless one, and nothing is asked for.

    The harmless one has the same backticks: in advice they make code.
    """
    text = " ".join(HOSTILE) + "\n".join(HOSTILE)
    page, harmless = show(hostile(text)), show(hostile(re.sub(r"[^`\s]", "x", text)))
    assert page.evaluate(OUTLINE) == harmless.evaluate(OUTLINE)
    assert len(page.requests) == 1
    assert page.dialogs == 0
    assert page.complaints == []


def test_hostile_suite_does_nothing(browser: Browser, suite: Suite) -> None:
    """A session whose tests have hostile names and fail with hostile messages leaves a page in which they are text."""
    texts = [text.encode("utf-8", "backslashreplace").decode().replace("\0", "") for text in HOSTILE]
    suite.write(
        "test_hostile.py",
        f"import pytest\nimport tensorflow as tf\n\n@pytest.mark.parametrize('text', {texts!a}, ids=str)\n"
        "def test_hostile(text):\n    tf.io.read_file(f'/nowhere/{text}')\n",
    )
    outcome = suite.run("--tfgpu-report=html:report.html")
    assert outcome.report["causes"][0]["count"] == len(texts), outcome.text
    page = browser.open(suite.folder / "report.html")
    page.evaluate(OPEN_ALL)
    assert page.evaluate("document.querySelectorAll('script, img, iframe, link, object').length") == 0
    assert "test_hostile[</details></td></table><img src=x onerror=alert(1)>]" in page.evaluate(
        "document.body.innerText"
    )
    assert len(page.requests) == 1
    assert page.dialogs == 0
    assert page.complaints == []
    page.close()


def test_policy_stops_what_would_get_in(show: Show) -> None:
    """Were markup to get into the page after all, its policy would let neither scripts nor pictures nor styles in."""
    page = show(FULL)
    page.evaluate(
        "document.body.insertAdjacentHTML('beforeend', "
        '\'<img src="https://example.invalid/x.png" onerror="window.owned = 1">'
        '<p id="late" style="color: rgb(1, 2, 3)">late</p>\')'
    )
    page.evaluate(
        "new Promise(done => { const one = document.createElement('script'); one.textContent = 'window.owned = 1'; "
        "document.body.append(one); setTimeout(done, 200) })"
    )
    assert page.evaluate("window.owned") is None
    assert page.evaluate("getComputedStyle(document.getElementById('late')).color") != "rgb(1, 2, 3)"
    assert [address for address in page.requests if "example" in address] == []
    assert sum("Content Security Policy" in line for line in page.complaints) >= 3


def test_works_by_keyboard(show: Show) -> None:
    """Tab leads to the parts in their order, with a ring that can be seen, and Enter opens and closes them."""
    page = show(report(preflight=OK, tests=FULL.tests, diagnoses=FULL.diagnoses))
    links = page.evaluate("document.querySelectorAll('nav a').length")
    for _ in range(links + 1):
        page.press("Tab")
    focused = "document.activeElement"
    assert page.evaluate(f"{focused}.localName") == "summary"
    assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") == "solid"
    before = page.evaluate(f"{focused}.parentElement.open")
    page.press("Enter")
    assert page.evaluate(f"{focused}.parentElement.open") is not before
    page.press("Enter")
    assert page.evaluate(f"{focused}.parentElement.open") is before


def test_what_a_screen_reader_is_told(show: Show) -> None:
    """The page has its landmarks, headings with the causes in them, a named picture, and says no decoration."""
    page = show(FULL)
    told = page.told()
    roles = [role for role, _ in told]
    for role in ("banner", "navigation", "main", "contentinfo"):
        assert roles.count(role) == 1, role
    assert ("heading", "GPU 0 ran out of memory.") in told
    assert ("navigation", "Parts of this report") in told
    pictures = [name for role, name in told if role in ("image", "graphics-document", "img")]
    assert pictures == [
        "When each test ran: 1 test on 1 worker and 1 GPU over 0.50 s. The slowest are in the table below."
    ]
    assert not {name for _, name in told} & {"\u25b8", "\u25be"}


def test_link_to_a_cause_opens_it(show: Show) -> None:
    """Following the cause of a test opens the folded group."""
    page = show(many(100))
    last = "[...document.querySelectorAll('.tests a')].find(one => one.hash === '#cause-7')"
    group = "document.getElementById('cause-7').closest('details')"
    assert page.evaluate(f"{group}.open") is False
    page.evaluate(f"({OPEN_ALL.replace('details', '#tests details')}, {last}.click())")
    page.settle()
    assert page.evaluate(f"{group}.open") is True


def test_print_shows_everything(show: Show) -> None:
    """On paper folded parts are open."""
    page = show(FULL)
    shown = "[...document.querySelectorAll('.body')].every(one => one.checkVisibility())"
    assert page.evaluate(shown) is False
    page.call("Emulation.setEmulatedMedia", media="print")
    page.settle()
    assert page.evaluate(shown) is True


def test_ten_thousand_tests_open_within_a_second(show: Show) -> None:
    """A page of 10,000 tests is loaded and painted within a second, at the best of five times."""
    subject = many(10_000)
    took: list[float] = []
    while len(took) < 5 and min(took, default=1000) >= 1000:
        page = show(subject)
        loaded = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        took.append(max(loaded, painted))
        assert page.evaluate("document.querySelectorAll('.tests .outcome').length") >= 10_000
    assert min(took) < 1000, took
