"""A working GPU is hidden from this process."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="gpu-not-visible",
    category="environment",
    summary="The GPU is hidden from this process.",
    signatures=(
        Signature("root", ("this hides all GPUs from CUDA",), needs=("gpu-wanted",), weight=0.93),
        Signature("root", needs=("hidden-by-variable", "no-gpu-listed"), weight=0.85),
        Signature("root", texts.PINNED, needs=("hidden-by-variable",), weight=0.88),
        Signature(
            "root",
            (
                "CUDA_ERROR_NO_DEVICE",
                "no CUDA-capable device is detected",
                "cudaErrorNoDevice",
                "cudaSuccess ({38|100} vs. 0)",
            ),
            needs=("gpu-wanted",),
            weight=0.78,
        ),
        Signature("root", ("no supported devices found for platform CUDA",), weight=0.7),
        Signature(
            "root",
            ("with core count: {#}. The minimum required count is",),
            needs=("gpu-wanted",),
            weight=0.88,
        ),
        Signature("follows", ("No devices were found",), needs=("gpu-wanted",), weight=0.45),
        Signature("follows", ("/dev/nvidia0 does not exist",), needs=("gpu-wanted",), weight=0.45),
        Signature("follows", needs=("no-gpu-listed", "gpu-present"), unless=("cpu-build",), weight=0.4),
        Signature("follows", texts.PINNED, needs=("no-gpu-listed",), weight=0.35),
        Signature("follows", needs=("gpus-too-few",), unless=("cpu-build",), weight=0.45),
        Signature("root", texts.INVALID_AT_START, weight=0.6),
        Signature("follows", ("CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"), weight=0.45),
        Signature(
            "root", ("listed an invalid {GPU|Device|device} id{} but visible device count is",), weight=0.6
        ),
        Signature("confirms", needs=("hidden-by-variable",), weight=0.75),
        Signature("confirms", needs=("divided-by-mig",), weight=0.5),
        Signature("follows", ("Failed to initialize NVML: Unknown Error",), weight=0.5),
        Signature("follows", texts.NO_GPU, unless=("cpu-build",), weight=0.45),
        Signature("follows", texts.NO_DEVICE_MAPPED, where="message", unless=("cpu-build",), weight=0.35),
        Signature("excludes", needs=("driver-halves-differ",), weight=0.8),
        Signature("excludes", needs=("cpu-build",), weight=0.7),
        Signature("excludes", ("UNKNOWN ERROR (303)",), weight=0.6),
        Signature(
            "excludes", ("Ignoring {visible gpu|gpu} device",), also=("Cuda compute capability",), weight=0.6
        ),
        *statuses.signs("gpu-not-visible"),
        Signature("root", ("NoDevFiles",), needs=("gpu-wanted",), weight=0.85),
        Signature("follows", ("nvidia-container-cli: {detection|device|ldcache|mount} error",), weight=0.5),
        Signature(
            "follows",
            ("NVML: {Insufficient|No} Permissions", "nvml error: insufficient permissions"),
            weight=0.5,
        ),
        Signature(
            "follows",
            (
                "The NVIDIA Driver was not detected",
                "No NVIDIA GPU detected",
                "DirectML device enumeration: found 0 compatible adapters",
            ),
            weight=0.5,
        ),
        Signature(
            "root", ("cannot currently connect to a GPU", "Cannot connect to GPU backend"), weight=0.65
        ),
    ),
    rivals=("driver-missing", "invalid-device"),
    notes=("hidden-by-variable", "divided-by-mig"),
    help=(
        Help("Unset CUDA_VISIBLE_DEVICES, or set it to a GPU that exists.", needs=("hidden-by-variable",)),
        Help(
            "Look at CUDA_VISIBLE_DEVICES, also inside the program.",
            sure=False,
            unless=("hidden-by-variable",),
        ),
        Help(
            "A process sees one MIG instance: name it (CUDA_VISIBLE_DEVICES=MIG-...).",
            needs=("divided-by-mig",),
        ),
        Help(
            "Start the container with the GPU (--gpus all), as a user who may open /dev/nvidia*.", sure=False
        ),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/7653",
            log=(
                "2017-08-14 07:28:29.379866: E tensorflow/stream_executor/cuda/cuda_driver.cc:406] failed call to "
                "cuInit: CUDA_ERROR_NO_DEVICE",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/haotianteng/Chiron/issues/99",
            log=(
                "2019-11-13 15:03:24.658655: E tensorflow/stream_executor/cuda/cuda_driver.cc:318] failed call to "
                "cuInit: UNKNOWN ERROR (303)",
            ),
            cause="driver-missing",
        ),
    ),
    meaning="The driver works and shows this process no GPU: a variable hides it, the container runtime or the rights "
    "of the device files withhold it, or it is divided into MIG instances of which none is named.",
    appearance='"failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected" (all versions); from '
    '2.19 also "CUDA_VISIBLE_DEVICES is set to -1 - this hides all GPUs from CUDA". Later tests fail for want of a '
    "GPU.",
    distinction="Where TensorFlow itself has no CUDA, it is cpu-only-build; where the driver isn't there, "
    "driver-missing (303). Hidden on purpose, the same line is harmless.",
    confirmation="echo $CUDA_VISIBLE_DEVICES; nvidia-smi -L ignores that variable and shows what is there.",
    remedy="Correct the variable (also where the program or a plugin sets it), the container's options, or the rights.",
    references=(
        "https://docs.nvidia.com/cuda/cuda-c-programming-guide/#env-vars",
        "https://docs.nvidia.com/datacenter/tesla/mig-user-guide/",
    ),
)
