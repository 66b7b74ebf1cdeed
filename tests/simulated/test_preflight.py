"""What a user sees of healthy machines, and of those on which TensorFlow has no GPU: the verdict, with its cause."""

from __future__ import annotations

import pytest

from .machine import Describe
from .verdicts import ABSENT, BUILT_IN, OLD, UNUSABLE, first_failure, outcomes, run

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
