"""What a user sees of each failing machine: the verdict of `pytest --tfgpu-preflight`, with its cause."""

from __future__ import annotations

from typing import Any

import pytest

from .machine import Describe, Machine, PytestResult, built_for, misfit, tensorflow_version

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


# ---------------------------------------------------------------------------------------------- healthy machines


@pytest.mark.parametrize("gpus", [1, 4])
def test_healthy_gpus_pass(simulated_gpu: Describe, gpus: int) -> None:
    """On healthy GPUs each check passes on each of them, and the session goes on."""
    result = simulated_gpu(gpus=gpus).run_pytest("--tfgpu-preflight", f"--tfgpu-require={gpus}")
    assert result.exit_status == 0, result.text
    assert result.outcomes == {"passed": 1}
    preflight = result.report["preflight"]
    assert preflight["verdict"] == "ok"
    assert preflight["findings"] == []
    assert [gpu["name"] for gpu in preflight["gpus"]] == ["Tesla T4"] * gpus
    assert [outcomes(gpu) for gpu in preflight["gpus"]] == [dict.fromkeys(BUILT_IN, "passed")] * gpus
    assert {gpu["checks"][0]["details"]["tensorflow_device"] for gpu in preflight["gpus"]} == {
        f"/GPU:{number}" for number in range(gpus)
    }


def test_healthy_gpus_with_xdist(simulated_gpu: Describe) -> None:
    """With two workers on two GPUs one preflight runs, before them, and the tests pass."""
    files = {
        "test_it.py": "import pytest\n\n@pytest.mark.parametrize('n', range(4))\ndef test_it(n):\n    pass\n"
    }
    result = simulated_gpu(gpus=2).run_pytest(
        "--tfgpu-preflight", "--tfgpu-require=2", "-n", "2", files=files
    )
    assert result.exit_status == 0, result.text
    assert result.outcomes == {"passed": 4}
    assert len(result.report["preflight"]["gpus"]) == 2


def test_too_few_gpus(simulated_gpu: Describe) -> None:
    """A machine with one GPU where two are required has too few: absent, not unusable."""
    result = simulated_gpu().run_pytest("--tfgpu-preflight", "--tfgpu-require=2")
    assert result.exit_status == ABSENT
    assert result.report["preflight"]["verdict"] == "absent"


def test_one_broken_gpu_of_two(simulated_gpu: Describe) -> None:
    """With one GPU of two that others hold entirely, one is usable and two are not."""
    result = (
        simulated_gpu(gpus=2).holding("8100 MiB", gpu=1).run_pytest("--tfgpu-preflight", "--tfgpu-require=2")
    )
    assert result.exit_status == UNUSABLE
    assert result.report["preflight"]["verdict"] == "unusable"


# -------------------------------------------------------------------------------------- no GPU for TensorFlow

LIBRARIES = {
    "libcudart.so.12": "cuda-library-missing",
    "libcublas.so.12": "cuda-library-missing",
    "libcublasLt.so.12": "cuda-library-missing",
    "libcufft.so.11": "cuda-library-missing",
    "libcusolver.so.11": "cuda-library-missing",
    "libcusparse.so.12": "cuda-library-missing",
    "libcudnn": "cudnn-missing",
}


@pytest.mark.parametrize(("library", "cause"), LIBRARIES.items())
def test_missing_library_is_named(simulated_gpu: Describe, library: str, cause: str) -> None:
    """A missing library is named, which TensorFlow doesn't do, with where it was looked for and a line to type."""
    machine = simulated_gpu()
    name = next(known for known in machine.libraries if known.startswith(library))
    result = run(machine.without(name))
    assert result.exit_status == UNUSABLE
    preflight = result.report["preflight"]
    assert (preflight["verdict"], preflight["cause"]) == ("unusable", cause)
    assert name in preflight["reason"]
    (finding,) = preflight["findings"]
    assert name in finding["summary"]
    assert any(str(machine.without(name).folder / "lib") in line["text"] for line in finding["evidence"])
    assert any("pip install" in advice["text"] for advice in finding["help"])
    assert name in result.stdout


def test_missing_driver_library(simulated_gpu: Describe) -> None:
    """Without libcuda.so.1 the driver's library is missing, though NVML shows the GPU."""
    result = run(simulated_gpu().without("libcuda.so.1"))
    assert result.exit_status == UNUSABLE
    assert result.report["preflight"]["cause"] == "driver-missing"
    assert "libcuda.so.1" in result.report["preflight"]["reason"]


def test_missing_nvml(simulated_gpu: Describe) -> None:
    """Without NVML, where TensorFlow says nothing at all, the missing NVML is named; 2.16 works without it."""
    result = run(simulated_gpu().without("libnvidia-ml.so.1"))
    assert result.exit_status == (0 if OLD else UNUSABLE)
    if OLD:
        return
    preflight = result.report["preflight"]
    assert "NVML" in preflight["reason"]
    assert preflight["cause"] == "cuda-library-missing"
    assert any("libnvidia-ml.so.1" in finding["summary"] for finding in preflight["findings"])


@pytest.mark.parametrize(
    ("code", "cause"),
    [(9, "driver-unhealthy"), (18, "driver-library-mismatch"), (999, "driver-unhealthy")],
)
def test_nvml_that_fails(simulated_gpu: Describe, code: int, cause: str) -> None:
    """Where NVML fails, and TensorFlow says nothing at all, the cause is found; 2.16 works all the same."""
    result = run(simulated_gpu().failing("nvmlInit*", code))
    assert result.exit_status == (0 if OLD else UNUSABLE)
    preflight = result.report["preflight"]
    if OLD:
        assert [finding.get("cause") for finding in preflight["findings"]] == [None]
        return
    assert preflight["cause"] == cause
    assert [finding["cause"] for finding in preflight["findings"]] == [cause]
    assert "NVML" in result.stdout


def test_nvml_that_denies_a_driver_that_works(simulated_gpu: Describe) -> None:
    """That no kernel driver is loaded is NVML's word; where CUDA shows a GPU, it isn't repeated as a fact."""
    result = run(simulated_gpu().failing("nvmlInit*", 9))
    assert "The NVIDIA kernel driver is not loaded" not in result.stdout
    assert "NVML finds no loaded NVIDIA kernel driver." in " ".join(result.stdout.split())


def test_nvml_that_hangs(simulated_gpu: Describe) -> None:
    """An NVML that doesn't answer is told, and the preflight that hangs in it, as 2.16's doesn't, is ended."""
    result = run(simulated_gpu().failing("nvmlInit*", "hang"), "--tfgpu-preflight-timeout=15")
    assert result.exit_status == (0 if OLD else UNUSABLE)
    assert result.ended is None
    preflight = result.report["preflight"]
    assert OLD or "within 15 s" in preflight["reason"]
    (finding,) = preflight["findings"]
    told = [finding["summary"], *(line["text"] for line in finding["evidence"])]
    assert any("NVML did not answer" in text for text in told)


INIT = {
    34: "driver-library-mismatch",
    46: "gpu-busy",
    100: "gpu-not-visible",
    101: "gpu-not-visible",
    802: "driver-unhealthy",
    803: "driver-library-mismatch",
    804: "driver-too-old",
    999: "driver-unhealthy",
}


@pytest.mark.parametrize(("code", "cause"), INIT.items())
def test_driver_that_fails_to_start(simulated_gpu: Describe, code: int, cause: str) -> None:
    """Each code of cuInit has its cause."""
    result = run(simulated_gpu().failing("cuInit", code))
    assert result.exit_status == UNUSABLE
    preflight = result.report["preflight"]
    assert (preflight["verdict"], preflight["cause"]) == ("unusable", cause)


def test_driver_that_hangs(simulated_gpu: Describe) -> None:
    """A driver that doesn't answer is ended after the time limit."""
    result = run(simulated_gpu().failing("cuInit", "hang"), "--tfgpu-preflight-timeout=10")
    assert result.exit_status == UNUSABLE
    assert "within 10 s" in result.report["preflight"]["reason"]


def test_context_that_hangs(simulated_gpu: Describe) -> None:
    """A context that is never made is ended after the time limit, and the verdict says what was going on."""
    machine = simulated_gpu().failing("cuDevicePrimaryCtxRetain", "hang")
    result = run(machine, "--tfgpu-preflight-timeout=10")
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["name"], failed["outcome"]) == ("device", "timeout")
    assert "within 10 s" in failed["message"]
    assert result.report["preflight"]["reason"].endswith("while starting the devices.")
    assert "list_logical_devices" in "".join(failed["details"]["stack"])


@pytest.mark.parametrize("value", ["-1", "", "5"])
def test_hidden_gpu_is_absent(simulated_gpu: Describe, value: str) -> None:
    """CUDA_VISIBLE_DEVICES that shows nothing makes the GPU absent, not unusable."""
    result = run(simulated_gpu().with_environment(CUDA_VISIBLE_DEVICES=value))
    assert result.exit_status == ABSENT
    preflight = result.report["preflight"]
    assert (preflight["verdict"], preflight["cause"]) == ("absent", "gpu-not-visible")
    assert "CUDA_VISIBLE_DEVICES" in preflight["reason"]


def test_one_visible_gpu_of_three(simulated_gpu: Describe) -> None:
    """The preflight checks the GPU that CUDA_VISIBLE_DEVICES shows, by its own name."""
    machine = simulated_gpu(gpus=3).with_gpu(2, name="Tesla V100").with_environment(CUDA_VISIBLE_DEVICES="2")
    result = run(machine)
    assert result.exit_status == 0, result.text
    (gpu,) = result.report["preflight"]["gpus"]
    assert gpu["name"] == "Tesla V100"
    assert gpu["uuid"].startswith("GPU-00000002-")


# ------------------------------------------------------------------------------------------------ failed checks

CHECKS = {
    "driver older than the runtime": (("cudaGetDevice", 35), "device", "driver-too-old"),
    "PTX refused: no binary": (("cuModuleLoadData*", 209), "memory", "unsupported-compute-capability"),
    "PTX refused: invalid": (("cuModuleLoadData*", 218), "memory", "unsupported-compute-capability"),
    "PTX refused: unsupported version": (("cuModuleLoadData*", 222), "memory", "driver-too-old"),
    "context: out of memory": (("cuDevicePrimaryCtxRetain", 2), "device", "memory-held-by-other-process"),
    "context: busy": (("cuDevicePrimaryCtxRetain", 46), "device", "gpu-busy"),
    "context: uncorrectable ECC error": (("cuDevicePrimaryCtxRetain", 214), "device", "gpu-hardware-error"),
    "context: operating system": (("cuDevicePrimaryCtxRetain", 304), "device", "driver-unhealthy"),
    "context: unknown error": (("cuDevicePrimaryCtxRetain", 999), "device", "driver-unhealthy"),
    "illegal address": (("cuLaunchKernel", 700), "memory", "gpu-fault"),
    "misaligned address": (("cuLaunchKernel", 716), "memory", "gpu-fault"),
    "launch failed": (("cuLaunchKernel", 719), "memory", "gpu-fault"),
}


@pytest.mark.parametrize("row", CHECKS)
def test_failed_check(simulated_gpu: Describe, row: str) -> None:
    """A failed check ends the session with the cause; checks of what still works have passed."""
    (function, code), check, cause = CHECKS[row]
    result = run(simulated_gpu().failing(function, code))
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["name"], failed["outcome"], failed["cause"]) == (check, "failed", cause)
    assert result.report["preflight"]["cause"] == cause


POSSIBLE = {
    "no algorithm works": (("cudnnBackendExecute", 5000), "conv2d", {"conv-algorithm-unavailable"}),
    "no cuDNN handle": (("cudnnCreate", 1001), "conv2d", {"cudnn-version-mismatch"}),
    "cuDNN fails": (("cudnnBackendExecute,1", 5000), "conv2d", {"gpu-fault"}),
    "no cuBLAS handle": (("cublasCreate_v2", 1), "matmul", {"memory-preallocated"}),
}


@pytest.mark.parametrize("row", POSSIBLE)
def test_failed_check_with_several_causes(simulated_gpu: Describe, row: str) -> None:
    """Where what is seen has several causes they are listed, and none is confirmed."""
    (function, code), check, causes = POSSIBLE[row]
    name, _, skip = function.partition(",")
    result = run(simulated_gpu().failing(name, code, skip=int(skip or 0)))
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert failed["name"] == check
    assert failed["diagnosis"]["confidence"] in ("possible", "likely")
    assert causes <= {failed["diagnosis"]["cause"], *failed["diagnosis"]["alternatives"]}


@pytest.mark.parametrize("version", [misfit(), *([] if OLD else ["9.0.0", "10.0.0"])])
def test_cudnn_of_another_version(simulated_gpu: Describe, version: str) -> None:
    """A cuDNN that doesn't fit is confirmed as the cause, whatever the exception says."""
    result = run(simulated_gpu(cudnn=version))
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["name"], failed["cause"]) == ("conv2d", "cudnn-version-mismatch")
    assert failed["diagnosis"]["confidence"] == "confirmed"
    assert any(version in line["text"] for line in failed["diagnosis"]["evidence"])


def test_newer_cudnn_of_the_same_major(simulated_gpu: Describe) -> None:
    """A newer cuDNN of the same major version passes without a remark."""
    result = run(simulated_gpu(cudnn="8.9.99" if built_for()[1].startswith("8") else "9.8.0"))
    assert result.exit_status == 0, result.text
    assert result.report["preflight"]["findings"] == []


@pytest.mark.parametrize(
    ("capability", "cause"),
    [
        ("3.5", "unsupported-compute-capability"),
        ("5.0", None if OLD else "unsupported-compute-capability"),
        ("10.0", "kernels-compiled-at-first-use"),
        ("12.0", "kernels-compiled-at-first-use"),
    ],
)
def test_gpu_without_kernels_in_the_build(
    simulated_gpu: Describe, capability: str, cause: str | None
) -> None:
    """A GPU without binaries in the build, as 5.0 has in 2.16, is told, and passes where kernels can be compiled."""
    result = run(simulated_gpu(compute_capability=capability))
    assert result.exit_status == 0, result.text
    found = [finding["cause"] for finding in result.report["preflight"]["findings"]]
    assert found == ([] if cause is None else [cause])


def test_memory_held_by_another_process(simulated_gpu: Describe) -> None:
    """Where another process holds nearly all memory, that is the confirmed cause, with the process."""
    result = run(simulated_gpu().holding("8100 MiB", name="jupyter", pid=4321))
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["name"], failed["cause"]) == ("device", "memory-held-by-other-process")
    assert failed["diagnosis"]["confidence"] == "confirmed"


def test_exclusive_gpu_in_use(simulated_gpu: Describe) -> None:
    """A GPU in exclusive mode that another process uses is busy, confirmed by its compute mode."""
    result = run(simulated_gpu(exclusive=True).holding("1 GiB"))
    assert result.exit_status == UNUSABLE
    failed = first_failure(result)
    assert (failed["cause"], failed["diagnosis"]["confidence"]) == ("gpu-busy", "confirmed")


# ------------------------------------------------------------------------------------- aborts, hangs and floods


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
