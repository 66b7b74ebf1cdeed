"""TensorFlow's real lines that come once, in a test that passes or in the preflight, explain failures that follow."""

from __future__ import annotations

from typing import Any

import pytest

from .machine import Describe, Machine, PytestResult, tensorflow_version

ADD = "tf.constant([1.0]) + 1.0"

CAPTURES = ["fd", "no", "sys", "tee-sys"]


def run(machine: Machine, first: str, second: str, *arguments: str) -> PytestResult:
    """Run a test that passes, whatever the body raises, and after it another one in the same process."""
    text = f"""
import contextlib
import tensorflow as tf


def test_first():
    with contextlib.suppress(Exception):
        {first}


def test_second():
    {second}
"""
    return machine.run_pytest(*arguments, files={"test_it.py": text})


def diagnosis(result: PytestResult) -> dict[str, Any]:
    """Return the diagnosis of the second test, the only one that failed."""
    assert result.outcomes.get("failed") == 1, result.text
    (found,) = result.report["diagnoses"]
    chosen: dict[str, Any] = found
    return chosen


PINNED = "tf.config.set_soft_device_placement(False)\n    with tf.device('/GPU:0'):\n        tf.constant(1.0)"


@pytest.mark.parametrize("capture", CAPTURES)
def test_why_there_is_no_gpu(simulated_gpu: Describe, capture: str) -> None:
    """TensorFlow says once which libraries it lacks; the test that needs the GPU later is explained by it."""
    machine = simulated_gpu().without("libcublas.so.12")
    result = run(machine, "tf.config.list_physical_devices()", PINNED, f"--capture={capture}")
    found = diagnosis(result)
    assert found["cause"] == "cuda-library-missing"
    assert "printed during test_it.py::test_first, call" in [quote["origin"] for quote in found["evidence"]]


@pytest.mark.parametrize("capture", CAPTURES)
def test_fault_in_a_test_that_passed(simulated_gpu: Describe, capture: str) -> None:
    """A fault that a test swallowed is known when the next one fails of it."""
    machine = simulated_gpu().failing("cuLaunchKernel", 700, count=1)
    result = run(machine, ADD, "tf.constant([2.0]) * 2.0", f"--capture={capture}")
    if tensorflow_version() < (2, 17):
        pytest.xfail("2.16 aborts at the second operation after a fault")
    assert diagnosis(result)["cause"] == "earlier-gpu-fault"


def test_line_of_the_preflight(simulated_gpu: Describe) -> None:
    """Where the tests' own log is switched off, what the preflight's child printed explains them."""
    machine = simulated_gpu().failing("cuModuleLoadData*", 218).with_environment(TF_CPP_MIN_LOG_LEVEL="3")
    found = diagnosis(run(machine, "pass", ADD, "--tfgpu-preflight", "--tfgpu-on-broken=warn"))
    assert found["cause"] == "unsupported-compute-capability"
    origins = [quote["origin"] for quote in found["evidence"] if "CUDA_ERROR_INVALID_PTX" in quote["text"]]
    assert origins[0].startswith("printed in the preflight")
