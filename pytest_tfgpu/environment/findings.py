"""Every fault of this machine that is visible without running anything."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pytest_tfgpu.environment.faults import build, faults, health
from pytest_tfgpu.environment.faults import remarks as worth_knowing
from pytest_tfgpu.environment.faults.driver import nvml_fails
from pytest_tfgpu.environment.presence import presence
from pytest_tfgpu.environment.wording import reach_driver
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Help


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Return the faults that the facts show, the deepest first; without a GPU, that there is none, once."""
    state = presence(facts)
    if state.status == "absent":
        return (*build.tensorflow_missing(facts), *_absent(facts, state.reason or "", state.cause))
    if state.status == "unclear":
        unsure = tuple(replace(finding, severity="warning") for finding in nvml_fails(facts))
        return (*build.tensorflow_missing(facts), *unsure)
    return (*faults(facts), *health.health(facts))


def remarks(facts: Facts) -> tuple[Finding, ...]:
    """Return what is worth knowing besides, where a GPU is there and TensorFlow isn't known to lose it."""
    if presence(facts).status != "present":
        return ()
    return tuple(worth_knowing.remarks(facts))


def _absent(facts: Facts, reason: str, cause: str | None) -> Iterator[Finding]:
    if cause == "gpu-not-visible":
        value = facts.environment.get("CUDA_VISIBLE_DEVICES")
        evidence = () if value is None else (EvidenceLine(f"CUDA_VISIBLE_DEVICES={value}", "environment"),)
        yield Finding(reason, "warning", cause, evidence=evidence, help=(Help("unset CUDA_VISIBLE_DEVICES"),))
    elif cause is not None:
        yield Finding(reason, cause=cause, help=reach_driver(facts))
    else:
        yield Finding(reason, "info")
