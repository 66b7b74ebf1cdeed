"""The preflight: real TensorFlow operations on each GPU in a child process, judged in the parent."""

from __future__ import annotations

import sys
import time
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
    "builtin_checks",
    "default_checks",
    "judge",
    "run",
    "start",
    "worth_running",
]


def run(
    facts: Facts,
    *,
    device: Device = "gpu",
    checks: Sequence[Check] | None = None,
    require: int | Literal["all"] = 0,
    timeout: float = 120.0,
    progress: Callable[[str], object] | None = None,
) -> Preflight:
    """Run the checks (by default those that `default_checks` gives) and return the verdict. Blocks.

    `timeout` is in seconds, for the import of TensorFlow and then for each GPU. `progress` is called with
    each short text on what goes on. No child is started where the facts show no GPU and the device is `gpu`.
    Raises nothing.
    """
    if device == "gpu" and not worth_running(facts):
        return judge(facts, None, device=device, require=require)
    chosen = default_checks() if checks is None else tuple(checks)
    began = time.monotonic()
    going = start(Request(chosen, device, facts.visible, timeout, tuple(sys.path)))
    try:
        answer = going.result(progress)
    finally:
        going.stop()
    return judge(facts, answer, device=device, require=require, seconds=time.monotonic() - began)
