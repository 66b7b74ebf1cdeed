"""Run pytest on a small suite in a process of its own, and read what came of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MODES: dict[str, tuple[str, ...]] = {
    "plain": (),
    "n0": ("-n", "0"),
    "n2": ("-n", "2"),
    "without xdist": ("-p", "no:xdist"),
}
"""The ways in which each behaviour is run."""

NEIGHBOURS = ("html", "html_fixtures", "metadata", "allure_pytest", "pytest_reportlog")
"""Plugins that only some tests are about: loading them takes a tenth of a second each time."""

WITHOUT_NEIGHBOURS = tuple(word for name in NEIGHBOURS for word in ("-p", f"no:{name}"))

QUIET = ("TFGPU_", "GITHUB_", "PYTEST_", "TOX_ENV_DIR")


@dataclass(frozen=True)
class Outcome:
    """What a pytest run left behind."""

    status: int
    text: str
    """Standard output and standard error, as they came."""
    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report that `Suite.run` asked for."""
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text("utf-8"))
        return report

    @property
    def outcomes(self) -> dict[str, int]:
        """What pytest's last line counts, such as `{"passed": 1, "failed": 2}`."""
        lines = [line for line in self.text.splitlines() if re.search(r"\bin \d+\.\d+s", line)]
        counts = re.findall(r"(\d+) ([a-z]+)", lines[-1].split(" in ")[0]) if lines else []
        return {word.replace("errors", "error"): int(number) for number, word in counts}

    @property
    def junit(self) -> ElementTree.Element:
        """The root of the JUnit file, where `--junit-xml=junit.xml` asked for one."""
        return ElementTree.parse(self.folder / "junit.xml").getroot()

    def section(self, title: str) -> str:
        """Return the part of the text under a title line `=== title ===`, up to the next such line."""
        match = re.search(rf"^=+ {re.escape(title)} =+\n(.*?)(?=^=+ .*=+$|^!+ |\Z)", self.text, re.S | re.M)
        return match[1] if match else ""


class Suite:
    """A folder with test files, in which pytest is run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write(
            "pytest.ini",
            "[pytest]\naddopts = --strict-markers --strict-config\n"
            "asyncio_default_fixture_loop_scope = function\n",
        )

    def write(self, name: str, text: str) -> Path:
        """Write a file into the suite."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return path

    def provide(self, hook: str, expression: str) -> None:
        """Give the suite a conftest in which a hook of ours returns this expression."""
        self.write(
            "conftest.py",
            "import pytest\nfrom pytest_tfgpu import Check, Reporter\n\n@pytest.hookimpl(optionalhook=True)\n"
            f"def {hook}():\n    return {expression}\n",
        )

    def run(
        self,
        *arguments: str,
        report: bool = True,
        neighbours: bool = False,
        environment: Mapping[str, str] | None = None,
        seconds: float = 180,
    ) -> Outcome:
        """Run pytest on the suite, with the plugins in NEIGHBOURS if `neighbours`.

        With `report`, the JSON report is written beside it.
        """
        asked = ("--tfgpu-report=json:report.json",) if report else ()
        without = () if neighbours else WITHOUT_NEIGHBOURS
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *without, *asked, *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**clean_environment(), **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode("utf-8", "replace"), self.folder)


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what would steer the plugin or pytest inside the suite."""
    return {name: value for name, value in os.environ.items() if not name.startswith(QUIET)}
