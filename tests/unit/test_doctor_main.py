"""The entry of the command: how sub-commands are found, and how it ends."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib import import_module

import pytest

from pytest_tfgpu.cli import UsageError, doctor
from pytest_tfgpu.cli.main import commands, main


def test_commands_are_the_modules() -> None:
    """Every public module beside the entry is a sub-command with a line, arguments and a function to run."""
    assert "doctor" in commands()
    assert not {"main", "_terminal", "_doctor_text", "__init__"} & set(commands())
    for name in commands():
        module = import_module(f"pytest_tfgpu.cli.{name}")
        assert module.SUMMARY
        assert "\n" not in module.SUMMARY
        module.configure(argparse.ArgumentParser())
        assert callable(module.run)


def test_only_the_command_asked_for_is_imported() -> None:
    """Running one sub-command doesn't import another's module."""
    code = (
        "import sys; from pytest_tfgpu.cli.main import main; main(['doctor', '--json'])\n"
        "print(sorted(m for m in sys.modules if m.startswith('pytest_tfgpu.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    expected = ["_doctor_text", "_terminal", "doctor", "main"]
    assert done.stderr.strip() == str([f"pytest_tfgpu.cli.{name}" for name in expected])


def test_usage_error_of_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a sub-command can't act on is a sentence on standard error and status 2."""

    def run(arguments: argparse.Namespace) -> int:
        raise UsageError("no such file: x")

    monkeypatch.setattr(doctor, "run", run)
    assert main(["doctor"]) == 2
    assert capsys.readouterr() == ("", "tfgpu doctor: no such file: x\n")


def test_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the command with the status that shells know, without a traceback."""

    def run(arguments: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(doctor, "run", run)
    assert main(["doctor"]) == 130


def test_defect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A defect of ours is one line that names the place, and a status of its own."""

    def run(arguments: argparse.Namespace) -> int:
        raise LookupError("gone")

    monkeypatch.setattr(doctor, "run", run)
    assert main(["doctor"]) == 3
    error = capsys.readouterr().err
    assert error.startswith("tfgpu: a defect of pytest-tfgpu: LookupError: gone (test_doctor_main.py:")
    assert error.count("\n") == 1


def test_status_of_the_command_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sub-command returns is the exit status."""
    monkeypatch.setattr(doctor, "run", lambda arguments: 1 if arguments.json else 0)
    assert main(["doctor"]) == 0
    assert main(["doctor", "--json"]) == 1
