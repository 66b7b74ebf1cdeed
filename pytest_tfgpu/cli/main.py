"""The entry of the command `tfgpu`: finds the sub-command, and ends as programs on a terminal should."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TextIO

from pytest_tfgpu._version import __version__
from pytest_tfgpu.cli import UsageError

DEFECT = 3
"""The exit status where the command itself is at fault."""
BROKEN_PIPE = 141
"""What a shell shows for a program that SIGPIPE ended (128 + 13)."""
INTERRUPTED = 130
"""What a shell shows for a program that SIGINT ended (128 + 2)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run `tfgpu` with these arguments (by default the process's) and return its exit status; 2 for usage."""
    for stream in (sys.stdout, sys.stderr):
        _tolerate(stream)
    try:
        status = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        print(f"tfgpu: a defect of pytest-tfgpu: {_where(error)}", file=sys.stderr)
        return DEFECT
    return status


def commands() -> tuple[str, ...]:
    """Return the names of the sub-commands."""
    stems = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return tuple(sorted(stem for stem in stems if stem != "main" and not stem.startswith("_")))


def _run(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="tfgpu", description="What TensorFlow finds of this machine's GPUs, and what is wrong with it."
    )
    parser.add_argument("--version", action="version", version=f"tfgpu {__version__}")
    known = commands()
    asked = tuple(name for name in argv[:1] if name in known)
    modules = {name: import_module(f"pytest_tfgpu.cli.{name}") for name in asked or known}
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    parsers = {}
    for name, module in modules.items():
        parsers[name] = choices.add_parser(name, help=module.SUMMARY, description=module.SUMMARY)
        module.configure(parsers[name])
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else 2
    try:
        status: int = modules[arguments.command].run(arguments)
    except UsageError as error:
        print(f"{parsers[arguments.command].prog}: {error}", file=sys.stderr)
        return 2
    return status


def _where(error: BaseException) -> str:
    """Describe an exception in one line, with the place that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" ({Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {error}{place}"


def _tolerate(stream: TextIO) -> None:
    """Let a stream write escapes for what its encoding can't, rather than fail."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
