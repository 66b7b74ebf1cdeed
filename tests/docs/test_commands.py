"""Commands that the pages show are understood by the programs that they call."""

from __future__ import annotations

import json
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from pytest_tfgpu.settings import SETTINGS
from tests.suite import clean_environment

from .pages import ROOT, Page, written_pages

COMMANDS = [command for page in written_pages() for command in page.commands]
BY_VARIABLE = {row.variable: row for row in SETTINGS}
BY_INI = {row.ini_name: row for row in SETTINGS}

PARSE = """
import json, sys, pytest
print("\\n" + json.dumps([int(pytest.main([*words, "--collect-only"])) for words in json.load(sys.stdin)]))
"""
"""Pytest reads options and settings, and finds no test."""
NO_TESTS, USAGE = 5, 4

SMALL = """{"schema": 1, "tfgpu": "0.1", "started": "2026-11-20T09:00:00+00:00", "seconds": 1, "complete": true,
"exit_status": 0, "facts": {}, "preflight": {"verdict": "not-asked"}}"""
REPORTS = dict.fromkeys(("green.json", "tfgpu.json", "cpu.json", "gpu.json"), SMALL)
"""The JSON reports that commands read."""


def of(*programs: str) -> list[list[str]]:
    """Return the arguments of the commands that begin so, each once."""
    size = len(programs)
    found = {tuple(words[size:]) for words in COMMANDS if tuple(words[:size]) == programs}
    return [list(words) for words in sorted(found)]


def test_all_commands_are_looked_at() -> None:
    """Every command is of a kind that one of these tests knows."""
    kinds = {words[0] for words in COMMANDS}
    assert kinds == {"pytest", "tfgpu", "python", "python3", "export"}


def test_pytest_takes_the_options(tmp_path: Path) -> None:
    """Every pytest command is accepted, with the values of its settings."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    (conftest,) = (
        block.text
        for block in Page(ROOT / "docs" / "how-to" / "write-a-check.md").blocks
        if block.filename == "conftest.py"
    )
    (tmp_path / "conftest.py").write_text(conftest)
    commands = of("pytest")
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps([*commands, ["--tfgpu-no-such-option"], ["--tfgpu-on-broken=explode"]]),
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=clean_environment(),
    )
    *statuses, unknown, unusable = json.loads(done.stdout.splitlines()[-1])
    assert dict(zip(map(" ".join, commands), statuses, strict=True)) == {
        " ".join(words): NO_TESTS for words in commands
    }
    assert (unknown, unusable) == (USAGE, USAGE)


@pytest.mark.parametrize(
    "words", [words for words in of("tfgpu") if "--preflight" not in words], ids=" ".join
)
def test_tfgpu_runs(words: list[str], tmp_path: Path) -> None:
    """Every tfgpu command runs; those that read a file find a small one."""
    (tmp_path / "build.log").write_text("E   InvalidArgumentError: indices[1] = 3 is not in [0, 3)\n")
    (tmp_path / "facts.json").write_text('{"schema": 1, "facts": {"tensorflow": "2.16.1"}}')
    (tmp_path / "failures.jsonl").write_text('{"id": 1, "message": "nothing known"}\n')
    for name in (word for word in words if word in REPORTS):
        (tmp_path / name).write_text(REPORTS[name])
    command = [sys.executable, "-m", "pytest_tfgpu", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode in ((0, 1) if words[0] == "doctor" else (0,)), done.stderr
    assert done.stdout


def test_environments_of_tox_exist() -> None:
    """The environments and labels that commands name are in tox.ini, and so are those that a label stands for."""
    tox = ConfigParser()
    tox.read(ROOT / "tox.ini")
    known = {section.removeprefix("testenv:") for section in tox.sections()} | {
        "py310",
        "py311",
        "py312",
        "py313",
    }
    labels = dict(line.split(" = ") for line in tox["tox"]["labels"].strip().splitlines())
    named: dict[str, set[str]] = {"-e": set(), "-m": set()}
    for words in of("python3", ".ci/tox.py"):
        named[words[1]].update(words[2].split(","))
    assert named["-e"] <= known
    assert named["-m"] <= set(labels)
    assert "demo" in named["-e"]
    assert "test" in named["-m"]
    for members in labels.values():
        assert set(members.split(", ")) <= known


@pytest.mark.parametrize("words", [words for words in of("python") if words[0] != "-m"], ids=" ".join)
def test_scripts_take_their_options(words: list[str]) -> None:
    """The scripts of the project that commands name exist and know the options."""
    script = ROOT / words[0]
    text = script.read_text("utf-8")
    for option in (word for word in words[1:] if word.startswith("--")):
        assert f'"{option}"' in text


def test_settings_in_the_environment_and_in_ini_files() -> None:
    """Values that the pages give to settings outside of the command line are usable."""
    given = [words[0].split("=", 1) for words in of("export")]
    values = [(BY_VARIABLE[name], value) for name, value in given]
    for text in (text for page in written_pages() for text in page.texts("ini")):
        parser = ConfigParser()
        parser.read_string(text)
        for name, value in parser["pytest"].items():
            if name.startswith("tfgpu_"):
                values += [(BY_INI[name], line) for line in value.split("\n") if line]
    assert len(values) >= 4
    for row, value in values:
        row.parse(value)
