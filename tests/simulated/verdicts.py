"""What tests of the preflight on simulated machines share."""

from __future__ import annotations

from typing import Any

from .machine import Machine, PytestResult, tensorflow_version

BUILT_IN = ("device", "memory", "matmul", "conv2d", "float16", "gather")
ABSENT, UNUSABLE = 69, 70
OLD = tensorflow_version() < (2, 17)
"""TensorFlow 2.16, which doesn't ask NVML."""


def run(machine: Machine, *arguments: str, seconds: float = 180) -> PytestResult:
    """Run one passing test behind a preflight that requires a GPU."""
    return machine.run_pytest("--tfgpu-preflight", "--tfgpu-require=1", *arguments, seconds=seconds)


def outcomes(gpu: dict[str, Any]) -> dict[str, str]:
    """Return the outcome of each check of a GPU."""
    return {check["name"]: check["outcome"] for check in gpu["checks"]}


def first_failure(result: PytestResult) -> dict[str, Any]:
    """Return the first check of the first GPU that didn't pass."""
    checks = result.report["preflight"]["gpus"][0]["checks"]
    return next(check for check in checks if check["outcome"] != "passed")
