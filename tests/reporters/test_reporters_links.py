"""Links from a cause to its page, for terminals that know them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sample_reports import diagnosed, report

from pytest_tfgpu.knowledge.catalog import builtin_causes
from pytest_tfgpu.reporters import links
from pytest_tfgpu.reporters.terminal import causes_lines

PAGES = Path(__file__).parents[2] / "docs"
ITERM = {"TERM_PROGRAM": "iTerm.app"}


@pytest.fixture
def stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Metadata of the package, found before that of the installed one."""
    monkeypatch.syspath_prepend(tmp_path)
    links.documentation.cache_clear()
    yield write_metadata(tmp_path, "Project-URL: Documentation, https://docs.example/here/")
    links.documentation.cache_clear()


def write_metadata(folder: Path, *lines: str) -> Path:
    """Write the metadata of a package of our name."""
    metadata = folder / "pytest_tfgpu-9.dist-info" / "METADATA"
    metadata.parent.mkdir(exist_ok=True)
    metadata.write_text("\n".join(("Metadata-Version: 2.1", "Name: pytest-tfgpu", "Version: 9", *lines, "")))
    return metadata


@pytest.mark.parametrize(
    ("environ", "known"),
    [
        ({}, False),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM_PROGRAM": "Apple_Terminal"}, False),
        (ITERM, True),
        ({"TERM": "xterm-kitty"}, True),
        ({"WT_SESSION": "2c9d"}, True),
        ({"VTE_VERSION": "5000"}, False),
        ({"VTE_VERSION": "7600"}, True),
        ({"VTE_VERSION": "\u0667"}, False),
        ({"VTE_VERSION": "new"}, False),
        ({**ITERM, "CI": "true"}, False),
        ({**ITERM, "FORCE_HYPERLINK": "0"}, False),
        ({"CI": "true", "FORCE_HYPERLINK": "1"}, True),
    ],
    ids=str,
)
def test_terminals_that_know_links(environ: dict[str, str], known: bool) -> None:
    """A terminal is known by the variables that it sets; FORCE_HYPERLINK decides, a CI system has none."""
    assert links.are_known(environ) is known


def test_a_cause_links_to_its_page(stated: Path) -> None:
    """The name of a cause is the link, to a page that exists; the text stays as it was."""
    link = links.linker(ITERM)
    assert link is not None
    (line,) = (line for line in causes_lines(OOM, 80, link=link) if "out-of-memory" in line)
    address = "https://docs.example/here/reference/causes/out-of-memory.md"
    assert line == f"\x1b]8;;{address}\x1b\\out-of-memory\x1b]8;;\x1b\\: 1 test"
    assert re.sub(r"\x1b\]8;[^\x1b]*\x1b\\", "", line) in causes_lines(OOM, 80)


OOM = report(diagnoses=(diagnosed("t.py::a"),))


def test_every_cause_has_a_page(stated: Path) -> None:
    """No link leads nowhere."""
    for cause in builtin_causes():
        address = links.page(cause.id)
        assert address is not None
        assert (PAGES / address.removeprefix("https://docs.example/here/")).is_file(), address


def test_causes_of_others_have_no_link(stated: Path) -> None:
    """We have no page for a cause that somebody else added, nor for what only looks like one."""
    theirs = report(diagnoses=(diagnosed("t.py::a", "their-cause"), diagnosed("t.py::b", "../x\x1b[0m")))
    assert causes_lines(theirs, 80, link=links.linker(ITERM)) == causes_lines(theirs, 80)


@pytest.mark.parametrize(
    "line",
    [
        "Project-URL: Source, https://docs.example/",
        "Project-URL: Documentation, file:///etc/passwd",
        "Project-URL: Documentation, https://docs.example/\x1b[31m",
        "Project-URL: Documentation",
        "Summary: none",
    ],
)
def test_without_an_address_there_are_no_links(stated: Path, line: str) -> None:
    """Metadata without an address of documentation, or with what is none, gives no links."""
    write_metadata(stated.parents[1], line)
    assert links.linker(ITERM) is None
