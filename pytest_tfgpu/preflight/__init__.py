"""The preflight: real TensorFlow operations on each GPU in a child process, judged in the parent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Literal

from pytest_tfgpu.model import Check, Facts, Preflight
from pytest_tfgpu.preflight.checks import builtin_checks, default_checks
from pytest_tfgpu.preflight.data import Answer, Device, Request
from pytest_tfgpu.preflight.judge import judge, worth_running
from pytest_tfgpu.preflight.runner import Run, start

__all__ = [
    "Answer",
    "Request",
    "Run",
    "begin",
    "builtin_checks",
    "default_checks",
    "judge",
    "run",
    "start",
    "worth_running",
]


def begin(
    facts: Facts,
    *,
    device: Device = "gpu",
    checks: Sequence[Check] | None = None,
    timeout: float = 120.0,
    remember: bool = False,
) -> Run | None:
    """Start the child that runs the checks, by default those that `default_checks` gives.

    None where the facts show no GPU and the device is `gpu`: there is nothing to run then. `timeout` is in
    seconds, for the import of TensorFlow and then for each GPU. `remember`: the answer says what it depends on.
    Raises nothing.
    """
    if device == "gpu" and not worth_running(facts):
        return None
    asked = default_checks() if checks is None else tuple(checks)
    return start(Request(asked, device, facts.visible, timeout, tuple(sys.path), remember=remember))


def run(
    facts: Facts,
    *,
    device: Device = "gpu",
    checks: Sequence[Check] | None = None,
    require: int | Literal["all"] = 0,
    timeout: float = 120.0,
    progress: Callable[[str], object] | None = None,
) -> Preflight:
    """Run the checks as `begin` starts them and return the verdict. Blocks.

    `progress` is called with each short text on what goes on. Raises nothing.
    """
    going = begin(facts, device=device, checks=checks, timeout=timeout)
    try:
        answer = None if going is None else going.result(progress)
    finally:
        if going is not None:
            going.stop()
    return judge(facts, answer, device=device, require=require)
