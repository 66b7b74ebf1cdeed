"""The gallery: it shows what a session says today, and each of its files is what the reporters make of it."""

from __future__ import annotations

import json
import re
import struct
from importlib.metadata import version
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pytest_tfgpu.model import Report
from tests.plugin.test_junit import strange

from .gallery import make

pytest.importorskip("jinja2")
jsonschema = pytest.importorskip("jsonschema")

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """The JSON report of the gallery."""
    report: dict[str, Any] = json.loads((make.FOLDER / "report.json").read_text("utf-8"))
    return report


def test_twelve_causes(shown: dict[str, Any]) -> None:
    """The session has failures of twelve causes in three modules, unmet requirements, and tests that pass."""
    assert len(shown["causes"]) == 12
    assert {skip["requirement"] for skip in shown["skips"]} == {"requires_gpu", "requires_cudnn"}
    assert shown["outcomes"] == {"failed": 14, "error": 1, "passed": 2, "skipped": 2}
    assert (
        list(jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text("utf-8"))).iter_errors(shown)) == []
    )


def test_what_a_session_says_today(workshop: Path, shown: dict[str, Any]) -> None:
    """Outcomes and causes are those of today's session. Where not: python -m tests.simulated.gallery --write."""
    if shown["facts"]["tensorflow"] != version("tensorflow"):
        pytest.skip(f"the gallery was made with TensorFlow {shown['facts']['tensorflow']}")
    report = make.play(workshop).report.to_json()
    for key in ("outcomes", "causes", "skips"):
        assert report[key] == shown[key]
    assert [(t["nodeid"], t["outcome"], t.get("cause")) for t in report["tests"]] == [
        (t["nodeid"], t["outcome"], t.get("cause")) for t in shown["tests"]
    ]
    assert report["preflight"]["cause"] == shown["preflight"]["cause"]


def test_files_are_made_of_the_report(shown: dict[str, Any]) -> None:
    """Each form is what its reporter makes of the JSON report today."""
    for name, text in make.of_report(Report.from_json(shown)).items():
        assert (make.FOLDER / name).read_text("utf-8") == text, name


def test_nothing_of_the_machine_is_in_it() -> None:
    """No file names a folder of the machine that it was made on, and no process."""
    for path in make.FOLDER.iterdir():
        if path.suffix != ".png":
            text = path.read_text("utf-8")
            assert not re.search(r"(?<![.\w/])/(root|home|tmp|work|usr)/", text), path.name
            assert not re.search(r"[IWEF]\d{4} \d\d:\d\d:\d+\.\d*[1-9]", text), path.name


def test_forms_that_others_read(shown: dict[str, Any]) -> None:
    """The JUnit file is one with the cause in each failure; the pictures can be read, and show something."""
    root = ElementTree.parse(make.FOLDER / "junit.xml").getroot()
    causes = [
        element.get("message", "").partition("\n")[0].rpartition("[")[2].rstrip("]")
        for element in root.iter()
        if element.tag in ("failure", "error")
    ]
    assert sorted(causes) == sorted(test["cause"] for test in shown["tests"] if "cause" in test)
    assert {found for found in strange(root) if "properties" not in found} == set()
    assert ElementTree.parse(make.FOLDER / "terminal.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    for name, width in (("html-wide.png", 1100), ("html-narrow.png", 390)):
        data = (make.FOLDER / name).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert struct.unpack(">II", data[16:24])[0] == width
