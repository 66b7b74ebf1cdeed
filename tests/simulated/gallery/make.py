"""Run the suite of the gallery on simulated GPUs, and make every report of what came of it."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_tfgpu.model import Report
from pytest_tfgpu.reporters import github, html, json, markdown
from pytest_tfgpu.reporters.github_annotations import annotation_lines
from tests.simulated.build import build
from tests.simulated.machine import Gpu, Machine, misfit

from . import settle
from .picture import draw
from .suite import FILES

FOLDER = Path(__file__).parents[3] / "docs" / "gallery"
COMMAND = "python -m tests.simulated.gallery --write"
ARGUMENTS = (
    "--tfgpu-preflight",
    "--tfgpu-memory=3",
    "--tfgpu-on-broken=warn",
    "--tb=short",
    "--show-capture=no",
    "--color=yes",
)
_COLUMNS = 88
_COLOUR = re.compile(r"\x1b\[[\d;]*m")


@dataclass(frozen=True)
class Played:
    """What a session left, without what differs each time."""

    report: Report
    terminal: str
    """What pytest printed, with colours."""
    junit: str


def machine(workshop: Path) -> Machine:
    """Return two GPUs, on a machine with a cuDNN that TensorFlow was not built for."""
    gpus = (Gpu(), Gpu())
    found = replace(Machine(workshop, name="gallery", gpus=gpus), cudnn=misfit())
    return found.with_environment(COLUMNS=str(_COLUMNS))


def play(workshop: Path) -> Played:
    """Run the suite on that machine."""
    files = {**FILES, "pytest.ini": "[pytest]\naddopts = --junit-xml=junit.xml\n"}
    host = machine(workshop)
    done = host.run_pytest(*ARGUMENTS, files=files)
    if done.report is None:
        raise RuntimeError(f"no report was written:\n{done.text}")
    (written,) = host.folder.glob("run-*/junit.xml")
    return Played(
        settle.report(Report.from_json(done.report)),
        settle.output(done.stdout),
        settle.junit(written.read_text("utf-8")),
    )


def of_report(report: Report) -> dict[str, str]:
    """Return the files that are made of the JSON report alone, by name."""
    return {
        "report.json": "".join(json.render(report)),
        "report.html": "".join(html.render(report)),
        "report.md": "".join(markdown.render(report)),
        "step-summary.md": github.render(report),
        "annotations.txt": "\n".join(annotation_lines(report)) + "\n",
    }


def picture(terminal: str) -> str:
    """Return a picture of the preflight, of one explanation and of the summary."""
    lines = terminal.splitlines()
    bare = [_COLOUR.sub("", line) for line in lines]

    def at(pattern: str, start: int = 0) -> int:
        return next(number for number in range(start, len(bare)) if re.match(pattern, bare[number]))

    shown = at("=+ tfgpu preflight")
    failing = at(r"_+ test_large_batch _")
    summary = at("=+ tfgpu summary")
    short = at("=+ short test summary")
    gap = ["", "..."]
    parts = [
        lines[shown : at("$", shown)],
        gap,
        lines[failing : at(r"=+ |_{3,} |-+ generated", failing + 1)],
        gap,
        [line for line in lines[summary:short] if "report.json" not in line],
        [lines[-1] if bare[-1].startswith("=") else lines[at("=+ .* in ", short)]],
    ]
    text = "\n".join(line for part in parts for line in part)
    return draw(text, "pytest in a terminal: the preflight, an explained failure, and the summary", _COLUMNS)


def make() -> dict[str, str]:
    """Return every file of the gallery but its page and the pictures of the HTML report."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(build(), Path(folder, "driver.so"))
        played = play(Path(folder))
    return {**of_report(played.report), "terminal.svg": picture(played.terminal), "junit.xml": played.junit}


def write(files: Mapping[str, str], folder: Path = FOLDER) -> list[str]:
    """Write files where they differ; return the names of those that did."""
    changed = []
    for name, text in files.items():
        path = folder / name
        if not path.exists() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="\n")
            changed.append(name)
    return changed


def photograph(folder: Path = FOLDER) -> None:
    """Take pictures of the HTML report in Chromium: wide and bright, and narrow and dark."""
    from tests.browser.chromium import Browser, find

    program = find()
    if program is None:
        raise SystemExit("The pictures of the HTML report need Chromium.")
    with tempfile.TemporaryDirectory() as profile, Browser(program, Path(profile)) as browser:
        for name, width, dark in (("html-wide.png", 1100, False), ("html-narrow.png", 390, True)):
            page = browser.open(folder / "report.html", width=width, height=1400, dark=dark)
            page.picture(folder / name, tallest=2400)
