# ruff: noqa: F401, F811  (the fixtures of the simulated machine are imported)
"""One child for all GPUs, and fresh ones where one takes it down: on a simulated driver, with the real TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.environment import collect_facts
from pytest_tfgpu.model import Check, Facts
from pytest_tfgpu.preflight import Answer, Request, default_checks, judge, start
from tests.simulated.conftest import simulated_gpu, workshop
from tests.simulated.machine import Describe, Machine, tensorflow_version

HELPERS = Path(__file__).parents[1] / "plugin" / "preflight_children"


def run(machine: Machine, *names: str, seconds: float = 60.0, **more: Any) -> Answer:
    """Run third-party checks on each GPU of the machine."""
    checks = tuple(Check(name, f"third_party:{name}") for name in names)
    request = Request(
        checks, timeout=seconds, sys_path=(str(HELPERS),), environment=machine.environment, **more
    )
    return start(request).result()


def outcomes(answer: Answer) -> list[list[str]]:
    """Return the outcomes of the checks, GPU by GPU."""
    assert answer.problem is None, answer.problem
    return [[check.outcome for check in gpu.checks] for gpu in answer.gpus]


def facts_of(machine: Machine) -> Facts:
    """Return what is found out about the machine without TensorFlow."""
    return collect_facts(machine.environment, nvml_timeout=10.0)


def test_one_child_checks_all_gpus(simulated_gpu: Describe) -> None:
    """TensorFlow is imported once for all GPUs; each is named by the uuid that the driver gives it."""
    answer = run(simulated_gpu(gpus=3), "quiet")
    assert outcomes(answer) == [["passed"]] * 3
    assert [gpu.checks[0].details["device"] for gpu in answer.gpus] == ["/GPU:0", "/GPU:1", "/GPU:2"]
    assert [(gpu.index, gpu.name) for gpu in answer.gpus] == [(number, "Tesla T4") for number in range(3)]
    assert len({gpu.uuid for gpu in answer.gpus}) == 3
    assert answer.driver is not None
    assert (answer.driver.code, answer.driver.count, answer.driver.cuda) == (0, 3, "12.5")
    assert answer.listed == 3


def test_all_checks_pass_on_each_gpu(simulated_gpu: Describe) -> None:
    """The default checks pass on two GPUs, rounding included, and nothing stays allocated."""
    machine = simulated_gpu(gpus=2)
    answer = start(Request(default_checks(), environment=machine.environment)).result()
    assert outcomes(answer) == [["passed"] * 6] * 2
    for number, gpu in enumerate(answer.gpus):
        results = {check.name: check for check in gpu.checks}
        assert results["device"].details["tensorflow_device"] == f"/GPU:{number}"
        assert results["device"].details["compute_capability"] == "7.5"
        assert 0 < (results["conv2d"].max_error or 0) < 1e-4
    assert judge(facts_of(machine), answer, require=2).verdict == "ok"


def test_a_failing_library_is_diagnosed(simulated_gpu: Describe) -> None:
    """Where cuDNN is too old, the convolution fails with the cause, and what doesn't need cuDNN passes."""
    machine = simulated_gpu(cudnn="9.0.0")
    answer = start(Request(default_checks(), environment=machine.environment)).result()
    verdict = judge(facts_of(machine), answer)
    failed = [check for check in verdict.gpus[0].checks if check.outcome != "passed"]
    assert [(check.name, check.cause) for check in failed] == [("conv2d", "cudnn-version-mismatch")]
    assert verdict.cause == "cudnn-version-mismatch"
    assert verdict.reason == "GPU 0 fails the check conv2d: InvalidArgumentError: No DNN in stream executor."


def test_little_free_memory(simulated_gpu: Describe) -> None:
    """Where little memory is free, the memory check takes less."""
    machine = simulated_gpu(memory="2 GiB").holding("1600 MiB")
    facts = facts_of(machine)
    request = Request(default_checks()[:2], gpus=facts.visible, environment=machine.environment)
    answer = start(request).result()
    memory = answer.gpus[0].checks[1]
    assert memory.outcome == "passed"
    assert facts.gpus[0].memory_free_mib == 448
    assert memory.details["allocated_mib"] == 7


def test_the_driver_s_order_decides_who_is_who(simulated_gpu: Describe) -> None:
    """With CUDA_VISIBLE_DEVICES=2,0 the results carry the numbers that the machine gives its GPUs."""
    machine = simulated_gpu(gpus=3).with_environment(CUDA_VISIBLE_DEVICES="2,0")
    facts = facts_of(machine)
    answer = run(machine, "quiet", gpus=facts.gpus)
    assert [gpu.index for gpu in answer.gpus] == [2, 0]
    assert [gpu.uuid for gpu in answer.gpus] == [facts.gpus[2].uuid, facts.gpus[0].uuid]


@pytest.mark.parametrize(("visible", "indices"), [(None, [0, 1, 2]), ("2,0,1", [2, 0, 1])])
def test_a_crash_on_one_gpu(simulated_gpu: Describe, visible: str | None, indices: list[int]) -> None:
    """A GPU that crashes the child is marked; those before it keep their results, those after it get a new child."""
    machine = simulated_gpu(gpus=3)
    if visible is not None:
        machine = machine.with_environment(CUDA_VISIBLE_DEVICES=visible)
    machine = machine.with_environment(ABORTS_ON=str(indices[1]))
    facts = facts_of(machine)
    answer = run(machine, "quiet", "aborts_on_one", "settings", gpus=facts.visible)
    assert outcomes(answer) == [["passed"] * 3, ["passed", "crashed", "not-run"], ["passed"] * 3]
    assert [gpu.index for gpu in answer.gpus] == indices
    assert answer.gpus[1].checks[1].message == "was killed by SIGABRT"
    device = answer.gpus[2].checks[0].details["device"]
    assert device in ("/GPU:0", "/GPU:2"), "in a child of its own, unless it was done before the crash"
    verdict = judge(facts, answer)
    assert (verdict.verdict, verdict.reason) == (
        "unusable",
        f"GPU {indices[1]}: the process that ran aborts_on_one was killed by SIGABRT.",
    )


def test_a_hang_on_one_gpu(simulated_gpu: Describe) -> None:
    """A GPU that hangs is marked when its time is over, and the others go on."""
    answer = run(simulated_gpu(gpus=2), "hangs_on_first_of_several", "quiet", seconds=12)
    assert outcomes(answer) == [["timeout", "not-run"], ["passed", "passed"]]
    assert answer.gpus[0].checks[0].details["stack"][0].endswith("in hangs_on_first_of_several")


def test_a_gpu_that_cannot_be_started(simulated_gpu: Describe) -> None:
    """Where one GPU's context can't be made, TensorFlow starts none: each is tried by itself, and one is marked."""
    machine = simulated_gpu(gpus=3, memory="8 GiB").holding("8100 MiB", gpu=1)
    facts = facts_of(machine)
    answer = run(machine, "quiet", "settings", gpus=facts.visible)
    assert outcomes(answer) == [["passed", "passed"], ["failed", "not-run"], ["passed", "passed"]]
    failed = answer.gpus[1].checks[0]
    assert "out of memory" in (failed.message or "")
    assert judge(facts, answer, require=2).verdict == "unusable"


def test_a_hang_at_the_start_of_a_gpu(simulated_gpu: Describe) -> None:
    """A GPU that hangs while TensorFlow starts it is ended at the limit, before any check."""
    machine = simulated_gpu().failing("cuDevicePrimaryCtxRetain", "hang")
    answer = run(machine, "quiet", "settings", seconds=12)
    assert outcomes(answer) == [["timeout", "not-run"]]
    limit = "did not answer within 12 s (--tfgpu-preflight-timeout)"
    assert answer.gpus[0].checks[0].message == f"{limit} while starting the devices"


def test_too_few_gpus(simulated_gpu: Describe) -> None:
    """Fewer GPUs than required are absent, as many as required are fine, and `all` asks for those that there are."""
    machine = simulated_gpu(gpus=2)
    facts, answer = facts_of(machine), run(machine, "quiet")
    assert judge(facts, answer, require=2).verdict == "ok"
    assert judge(facts, answer, require="all").verdict == "ok"
    missing = judge(facts, answer, require=3)
    assert (missing.verdict, missing.reason) == ("absent", "2 GPUs are visible, 3 are required.")


def test_nvml_missing(simulated_gpu: Describe) -> None:
    """Without NVML TensorFlow silently lists no GPU; the driver, asked by the child, says that there is one."""
    machine = simulated_gpu().without("libnvidia-ml.so.1")
    answer = run(machine, "quiet")
    if tensorflow_version() < (2, 17):  # doesn't ask NVML
        assert answer.listed == 1
        return
    assert answer.gpus == ()
    assert answer.listed == 0
    assert answer.driver is not None
    assert answer.driver.count == 1
    verdict = judge(facts_of(machine), answer)
    assert verdict.verdict == "unusable"
    assert verdict.reason == "The driver shows a GPU, and TensorFlow, which needs NVML, lists none."


def test_cuda_that_fails_to_start(simulated_gpu: Describe) -> None:
    """An error of cuInit is named, and a GPU that NVML shows makes it unusable, not absent."""
    machine = simulated_gpu().failing("cuInit", 999)
    answer = run(machine, "quiet")
    assert answer.driver is not None
    assert (answer.driver.code, answer.driver.error) == (999, "CUDA_ERROR_UNKNOWN")
    verdict = judge(facts_of(machine), answer)
    assert (verdict.verdict, verdict.cause) == ("unusable", "driver-unhealthy")
    assert verdict.reason == "The NVIDIA driver fails to start CUDA: CUDA_ERROR_UNKNOWN."


def test_no_driver_library(simulated_gpu: Describe) -> None:
    """A driver library that can't be loaded is told in the loader's words."""
    answer = run(simulated_gpu().without("libcuda.so.1"), "quiet")
    assert answer.driver is not None
    assert answer.driver.loaded is False
    assert "libcuda.so.1: cannot open shared object file" in (answer.driver.message or "")


def test_hidden_gpus(simulated_gpu: Describe) -> None:
    """Where CUDA_VISIBLE_DEVICES hides all GPUs, the verdict is absent, with that reason."""
    machine = simulated_gpu(gpus=2).with_environment(CUDA_VISIBLE_DEVICES="-1")
    verdict = judge(facts_of(machine), run(machine, "quiet"))
    assert verdict.verdict == "absent"
    assert "CUDA_VISIBLE_DEVICES=-1" in (verdict.reason or "")


def test_the_cpu_is_checked_beside_a_gpu(simulated_gpu: Describe) -> None:
    """On the CPU the child sees no GPU, and takes none of its memory."""
    answer = run(simulated_gpu(), "quiet", device="cpu")
    assert outcomes(answer) == [["passed"]]
    assert answer.gpus[0].name == "CPU"
    assert not any("Created device" in line for line in answer.stderr)
