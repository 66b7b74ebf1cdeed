"""Whether there is a GPU, told from facts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_tfgpu.environment.presence import Presence, presence
from pytest_tfgpu.model import BuiltFor, Facts, Gpu, Library

LIBCUDA = Library("libcuda.so.1", path="/usr/lib/libcuda.so.1", version="555.42.06")
HEALTHY = Facts(
    tensorflow="2.21.0",
    tensorflow_distribution="tensorflow",
    tensorflow_path="/site/tensorflow",
    is_cuda_build=True,
    built_for=BuiltFor("12.5.1", "9.3", ("sm_70", "compute_90")),
    platform="linux",
    driver="555.42.06",
    driver_cuda="12.5",
    gpus=(Gpu(index=0, name="Tesla T4", compute_capability="7.5"),),
    visible_gpus=(0,),
    libraries=(LIBCUDA,),
    device_files=("/dev/nvidia0",),
)
NO_NVML = {"nvml": "NVML's library (libnvidia-ml.so.1) is not found."}
BARE = replace(
    HEALTHY,
    driver=None,
    driver_cuda=None,
    gpus=(),
    visible_gpus=None,
    libraries=(Library("libcuda.so.1", searched=("/lib",)),),
    device_files=(),
    nvml_error=12,
    unknown=NO_NVML,
)


def hidden(value: str, count: int) -> Facts:
    """Return the facts of a machine whose GPUs CUDA_VISIBLE_DEVICES hides."""
    gpus = tuple(Gpu(index=index) for index in range(count))
    return replace(HEALTHY, gpus=gpus, visible_gpus=(), environment={"CUDA_VISIBLE_DEVICES": value})


def test_healthy_machine() -> None:
    """A visible GPU with nothing against it is present, without a reason."""
    assert presence(HEALTHY) == Presence("present", gpus=1)


def test_count_is_of_visible_gpus() -> None:
    """Only the GPUs that CUDA_VISIBLE_DEVICES leaves are counted."""
    facts = replace(HEALTHY, gpus=HEALTHY.gpus * 4, visible_gpus=(2, 3))
    assert presence(facts).gpus == 2


@pytest.mark.parametrize(
    ("facts", "reason", "cause"),
    [
        (BARE, "There is no NVIDIA GPU: no driver, NVML or device file shows one.", None),
        (
            replace(BARE, platform="macos", unknown={}),
            "There is no NVIDIA GPU: no NVIDIA driver exists for macOS.",
            None,
        ),
        (
            replace(BARE, device_files=("/sys/bus/pci/devices/0000:01:00.0",)),
            "An NVIDIA GPU is on the PCI bus, but no NVIDIA driver is loaded.",
            "driver-missing",
        ),
        (
            replace(HEALTHY, gpus=(), visible_gpus=(), device_files=("/dev/nvidiactl",)),
            "The NVIDIA driver 555.42.06 shows no GPU.",
            None,
        ),
        (
            replace(
                HEALTHY,
                gpus=(),
                visible_gpus=(),
                device_files=(),
                unknown={"gpus[0]": "GPU 0 is in MIG mode and has no instance."},
            ),
            "GPU 0 is in MIG mode and has no instance.",
            None,
        ),
        (hidden("-1", 1), "CUDA_VISIBLE_DEVICES=-1 hides the only GPU.", "gpu-not-visible"),
        (hidden("9", 4), "CUDA_VISIBLE_DEVICES=9 hides all 4 GPUs.", "gpu-not-visible"),
        (hidden("", 2), "An empty CUDA_VISIBLE_DEVICES hides all 2 GPUs.", "gpu-not-visible"),
        (
            replace(hidden("-1", 0), unknown=NO_NVML, device_files=()),
            "CUDA_VISIBLE_DEVICES=-1 hides all GPUs.",
            "gpu-not-visible",
        ),
    ],
)
def test_absent(facts: Facts, reason: str, cause: str | None) -> None:
    """Where nothing shows a GPU, or all are hidden, that is the reason, in one sentence."""
    assert presence(facts) == Presence("absent", reason, cause, 0)


def test_hidden_wins_over_faults() -> None:
    """A GPU that is hidden is absent, whatever else is wrong with it."""
    facts = replace(hidden("-1", 1), is_cuda_build=False)
    assert presence(facts).status == "absent"


def test_value_on_a_machine_without_gpus() -> None:
    """On a machine without any sign of a GPU the variable isn't made the reason."""
    facts = replace(BARE, visible_gpus=(), environment={"CUDA_VISIBLE_DEVICES": "-1"})
    assert presence(facts).cause is None


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"is_cuda_build": False}, "cpu-only-build"),
        ({"tensorflow": None, "tensorflow_path": None}, None),
        ({"libraries": (Library("libcuda.so.1"),)}, "driver-missing"),
        ({"libraries": (LIBCUDA, Library("libcublas.so.12"))}, "cuda-library-missing"),
        ({"libraries": (LIBCUDA, Library("libcudnn.so.9"))}, "cudnn-missing"),
        ({"cudnn": "9.1.0"}, "cudnn-version-mismatch"),
        ({"driver_cuda": "11.8"}, "driver-too-old"),
        ({"unknown": NO_NVML, "nvml_error": 12}, "cuda-library-missing"),
        ({"unknown": {"nvml": "x"}, "nvml_error": 18}, "driver-library-mismatch"),
        ({"unknown": {"nvml": "x"}, "nvml_error": 9}, "driver-missing"),
        ({"unknown": {"nvml": "x"}, "nvml_error": 999}, "driver-unhealthy"),
    ],
)
def test_unusable(changes: dict[str, object], cause: str | None) -> None:
    """A GPU that is there, and a fault that keeps TensorFlow from it, make it unusable, never absent."""
    found = presence(replace(HEALTHY, **changes))  # type: ignore[arg-type]
    assert (found.status, found.cause, found.gpus) == ("unusable", cause, 1)
    assert found.reason


def test_mismatch_alone_is_a_sign() -> None:
    """NVML's mismatch means that a kernel driver answered, so that a GPU is there, whatever else is unknown."""
    facts = replace(BARE, libraries=(LIBCUDA,), nvml_error=18, unknown={"nvml": "x"})
    assert presence(facts).status == "unusable"


@pytest.mark.parametrize("code", [9, 12, 999, None])
def test_unclear(code: int | None) -> None:
    """The driver's library alone, with an NVML that doesn't answer, shows neither a GPU nor that there is none."""
    facts = replace(BARE, libraries=(LIBCUDA,), nvml_error=code, unknown={"nvml": "NVML failed."})
    found = presence(facts)
    assert found == Presence("unclear", "The driver's library libcuda.so.1 is here, but: NVML failed.")


def test_stub_is_no_sign() -> None:
    """The toolkit's stub of libcuda.so.1, made for linking, doesn't speak for a driver."""
    stub = Library("libcuda.so.1", path="/usr/local/cuda/lib64/stubs/libcuda.so.1")
    assert presence(replace(BARE, libraries=(stub,))).status == "absent"


def test_warnings_do_not_make_it_unusable() -> None:
    """What is only slow or risky leaves the GPU present."""
    facts = replace(HEALTHY, driver_cuda="12.2")
    assert presence(facts).status == "present"


def test_json() -> None:
    """What was found travels as JSON and comes back the same."""
    found = presence(hidden("-1", 2))
    assert Presence.from_json(found.to_json()) == found
