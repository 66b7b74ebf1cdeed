"""What a user sees of aborts, hangs and endless logs in the preflight: they end its process, never the session."""

from __future__ import annotations

import pytest

from .machine import Describe
from .verdicts import BUILT_IN, OLD, UNUSABLE, first_failure, outcomes, run

CONTEXT = {46: "gpu-busy", 214: "gpu-hardware-error", 304: "driver-unhealthy", 999: "driver-unhealthy"}


@pytest.mark.parametrize(("code", "cause"), [(2, None), *CONTEXT.items()])
def test_context_that_tensorflow_cannot_make(simulated_gpu: Describe, code: int, cause: str | None) -> None:
    """Where the first use raises and the second one would hang for ever, the preflight ends with the first."""
    machine = simulated_gpu().failing("cuDevicePrimaryCtxRetain", code, skip=1)
    result = run(machine, "--tfgpu-preflight-timeout=30")
    assert result.exit_status == UNUSABLE
    assert result.seconds < 30
    (gpu,) = result.report["preflight"]["gpus"]
    assert outcomes(gpu) == {**dict.fromkeys(BUILT_IN, "not-run"), "device": "failed"}
    assert result.report["preflight"].get("cause") == cause
    if cause is None:
        found = first_failure(result)["diagnosis"]
        assert {found["cause"], *found["alternatives"]} >= {"out-of-memory", "memory-held-by-other-process"}


def test_abort(simulated_gpu: Describe) -> None:
    """A check that takes its process down is a crash of that check; the checks before it keep their outcome."""
    result = run(simulated_gpu().failing("kernel:*ShuffleInTensor3Simple*", 700))
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["name"], failed["outcome"], failed["cause"]) == ("conv2d", "crashed", "gpu-fault")
    assert outcomes(result.report["preflight"]["gpus"][0])["matmul"] == "passed"
    assert "SIGABRT" in failed["message"]
    assert "SIGABRT" in result.stdout


def test_abort_at_an_event(simulated_gpu: Describe) -> None:
    """When the query of an event fails TensorFlow aborts; only 2.16 gives the code that makes a fault likely."""
    result = run(simulated_gpu().failing("cuEventQuery", 700))
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["name"], failed["outcome"], failed["cause"]) == ("device", "crashed", "gpu-fault")
    assert failed["diagnosis"]["confidence"] == ("likely" if OLD else "possible")


def test_hang(simulated_gpu: Describe) -> None:
    """A check that hangs is ended after the time limit and named; its process is gone."""
    result = run(
        simulated_gpu().failing("kernel:*ShuffleInTensor3Simple*", "hang"), "--tfgpu-preflight-timeout=15"
    )
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["name"], failed["outcome"]) == ("conv2d", "timeout")
    assert "within 15 s" in failed["message"]


def test_flood(simulated_gpu: Describe) -> None:
    """An allocator that fills standard error for ever is cut off, and its process ended, long before the time limit."""
    result = run(simulated_gpu().failing("cuMemAlloc_v2", 2), "--tfgpu-preflight-timeout=120")
    assert result.exit_status == UNUSABLE
    assert result.seconds < 60
    assert len(result.text) < 200_000
    assert first_failure(result)["name"] == "device"
    assert "was ended after it had written" in first_failure(result)["message"]


def test_flood_has_a_cause(simulated_gpu: Describe) -> None:
    """The lines of a flood tell its cause: where another process holds the memory, that process."""
    machine = simulated_gpu().failing("cuMemAlloc_v2", 2)
    alone = first_failure(run(machine))["diagnosis"]
    assert alone["confidence"] == "possible"
    assert {alone["cause"], *alone["alternatives"]} == {"out-of-memory", "memory-held-by-other-process"}
    held = first_failure(run(machine.holding("7 GiB", name="jupyter", pid=4321)))["diagnosis"]
    assert (held["cause"], held["confidence"]) == ("memory-held-by-other-process", "confirmed")
    assert any("4321" in line["text"] for line in held["evidence"])


def test_what_follows_a_fault(simulated_gpu: Describe) -> None:
    """After the check in which the fault came, what fails in the same process only follows from it."""
    checks = run(simulated_gpu().failing("cuLaunchKernel", 700)).report["preflight"]["gpus"][0]["checks"]
    causes = [check["cause"] for check in checks if check["outcome"] == "failed"]
    assert causes[0] == "gpu-fault"
    assert set(causes[1:]) <= {"earlier-gpu-fault"}
    assert OLD or len(causes) > 1, "2.16 aborts at the second operation"
