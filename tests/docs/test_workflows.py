"""The files for CI systems in examples/ci: valid, and with nothing in them that isn't there."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.cli.main import commands
from pytest_tfgpu.reporters import parse_target
from pytest_tfgpu.settings import SETTINGS

from .pages import ROOT

FOLDER = ROOT / "examples" / "ci"
FILES = {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}
"""Each file, and the published schema of its system, which check-jsonschema has with it."""


def test_every_file_has_a_schema() -> None:
    """No file is left out here."""
    assert {path.name for path in FOLDER.iterdir()} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_files_are_valid(name: str) -> None:
    """Each file fits the schema that its system publishes."""
    pytest.importorskip("check_jsonschema")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", FILES[name], str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def strings(value: Any) -> list[str]:
    """Return every text in a file that was read."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def read(path: Path) -> Any:
    """Read a YAML file."""
    yaml = pytest.importorskip("ruamel.yaml")
    return yaml.YAML(typ="safe").load(path.read_text("utf-8"))


@pytest.mark.parametrize("name", FILES)
def test_commands_exist(name: str) -> None:
    """The options, variables and commands of ours that a file uses are those of the plugin."""
    texts = strings(read(FOLDER / name))
    rows = {row.option: row for row in SETTINGS}
    words = [shlex.split(text) for text in texts if re.match(r"(pytest|tfgpu) ", text)]
    assert {command[0] for command in words} == {"pytest", "tfgpu"}
    for command in words:
        if command[0] == "tfgpu":
            end = command.index("||") if "||" in command else len(command)
            assert command[1] in commands()
            parser = argparse.ArgumentParser()
            import_module(f"pytest_tfgpu.cli.{command[1]}").configure(parser)
            parser.parse_args(command[2:end])
        for word in command[1:] if command[0] == "pytest" else ():
            option, _, value = word.partition("=")
            if option.startswith("--tfgpu-"):
                rows[option].parse(value)
            else:
                assert option in ("--junit-xml",), word


def test_reports_of_the_environment() -> None:
    """What the file for GitLab sets for all its jobs are formats and paths."""
    variables = read(FOLDER / "gitlab-ci.yml")["variables"]
    assert set(variables) <= {row.variable for row in SETTINGS}
    formats = [parse_target(line).format for line in variables["TFGPU_REPORT"].splitlines()]
    assert formats == ["json", "markdown"]
