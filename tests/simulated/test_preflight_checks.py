"""What a user sees of each machine on which a check of the preflight fails: the check, with its cause."""

from __future__ import annotations

import pytest

from .machine import Describe, built_for, misfit
from .verdicts import OLD, UNUSABLE, first_failure, run

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


OLDER = ("unsupported-compute-capability",)
"""Of a GPU that CUDA, and in 2.16 also cuDNN, is too old for; of one that the build has no kernels for."""
NEWER = ("kernels-compiled-at-first-use", *OLDER * (2 if OLD else 1))


@pytest.mark.parametrize(
    ("capability", "causes"),
    [("3.5", OLDER), ("5.0", () if OLD else OLDER), ("10.0", NEWER), ("12.0", NEWER)],
)
def test_gpu_without_kernels_in_the_build(
    simulated_gpu: Describe, capability: str, causes: tuple[str, ...]
) -> None:
    """A GPU without binaries in the build, as 5.0 has in 2.16, is told, and passes where kernels can be compiled."""
    result = run(simulated_gpu(compute_capability=capability))
    assert result.exit_status == 0, result.text
    assert tuple(finding["cause"] for finding in result.report["preflight"]["findings"]) == causes


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
