"""How what happened to a child is said in a few words."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from typing import Any

from pytest_tfgpu.model import Outcome
from pytest_tfgpu.preflight.data import ProblemKind
from pytest_tfgpu.preflight.process import FLOOD_MIB, Child


def how_it_ended(child: Child) -> tuple[ProblemKind, Outcome, str]:
    """Return kind, outcome and a sentence (without its subject) for a child that did not get to its end."""
    code = child.returncode
    if child.end == "stopped":
        return "stopped", "not-run", "was stopped"
    if child.end == "flood":
        return "flood", "failed", f"was ended after it had written {FLOOD_MIB} MiB of output"
    if child.end == "timeout" or (code == 1 and "Timeout (" in "\n".join(child.stderr.lines())):
        return "timeout", "timeout", f"did not answer within {child.limit:g} s (--tfgpu-preflight-timeout)"
    if code is not None and code < 0:
        return "crashed", "crashed", f"was killed by {_signal_name(-code)}"
    shown = f"{code:#010x}" if code is not None and code > 0xFFFF else str(code)
    return "no-answer", "crashed", f"ended with exit status {shown} without an answer"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def python_stack(lines: Sequence[str]) -> list[str]:
    """Return the stack that faulthandler wrote of the thread that ran a check, innermost frame first.

    That is the thread of the crash or, after a hang, the last with a check in it; else it is the last of all.
    """
    stacks: list[tuple[str, list[str]]] = []
    for line in lines:
        if "most recent call first" in line:
            stacks.append((line, []))
        elif stacks and re.match(r"\s+File \"", line):
            stacks[-1][1].append(line.strip())
    written = [(title, frames[:30]) for title, frames in stacks if frames]
    crashed = [frames for title, frames in written if title.startswith("Current thread")]
    checking = [frames for _, frames in written if any(frame.endswith("in run_check") for frame in frames)]
    return (crashed or checking or [frames for _, frames in written] or [[]])[-1]


def device_label(index: int | None, device: str) -> str:
    """Return a device's name for a reader: `GPU 0` or `CPU`."""
    return "CPU" if device == "cpu" else f"GPU {index}"


_FRAME = re.compile(r"^\{\{function_node [^}]*\}\}\s*|\s*\[Op:\w+\](\s*name:\s*\S*)?\s*$")


def error_sentence(error: dict[str, Any]) -> str:
    """Return an exception as one short sentence: its class and the line of its message that says most."""
    lines = [line.strip() for line in str(error.get("message", "")).splitlines() if line.strip()]
    kind = str(error.get("class", "")).rpartition(".")[2]
    decisive = lines[-1] if kind in ("ImportError", "ModuleNotFoundError") and lines else (lines or [""])[0]
    text = _FRAME.sub("", _FRAME.sub("", decisive))
    text = text if len(text) <= 300 else text[:297] + "..."
    return f"{kind}: {text}" if kind and text else kind or text or "failed"
