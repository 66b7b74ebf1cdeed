"""From the child's answer to the verdict of this session, which takes into account what its own processes hold."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfgpu.model import Check, Preflight
    from pytest_tfgpu.preflight import Answer
    from pytest_tfgpu.session import Session


def conclude(
    session: Session,
    answer: Answer | None,
    *,
    require: int | str = 0,
    again: Callable[[], Answer | None] | None = None,
) -> Preflight:
    """Judge what came of the checks.

    Where a GPU fails for want of memory, NVML is asked who holds it. If it is this session, that is no fault of the
    GPU; if it is not, and `again` is given, the checks are run once more, for it may have been when they ran.
    """
    from pytest_tfgpu.preflight import judge
    from pytest_tfgpu.preflight.holding import lacks_memory, without

    facts, device = session.facts, session.settings.device
    if facts.gpu_processes:
        facts = without(facts, _own(session))
    held: dict[int, str] = {}
    while True:
        verdict = judge(facts, answer, device=device, require=require, held=held)  # type: ignore[arg-type]
        short = [gpu for gpu in verdict.gpus if any(map(lacks_memory, gpu.checks))]
        if device == "cpu" or not short:
            return verdict
        if not held:
            held = _held(session)
            if any(gpu.index in held for gpu in short):
                continue
        if again is None:
            return verdict
        answer, again, held = again(), None, {}


def _held(session: Session) -> dict[int, str]:
    """Return what the processes of this session hold now, by the index of a GPU."""
    from pytest_tfgpu.environment import collect_facts
    from pytest_tfgpu.preflight.holding import holders

    return holders(collect_facts(), _own(session))


def _own(session: Session) -> frozenset[int]:
    """Return the numbers of this session's processes; an xdist worker was started by the session's first one."""
    from pytest_tfgpu.preflight.holding import family

    return family(os.getpid() if session.worker is None else os.getppid())


def run_checks(session: Session, checks: Sequence[Check]) -> Preflight:
    """Run these checks now, in a child process, on every device that a test can get, and judge them."""
    from pytest_tfgpu.preflight import begin

    settings = session.settings
    going = begin(session.facts, device=settings.device, checks=checks, timeout=settings.preflight_timeout)
    try:
        return conclude(session, None if going is None else going.result())
    finally:
        if going is not None:
            going.stop()
