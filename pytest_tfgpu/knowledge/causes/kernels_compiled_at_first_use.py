"""No binaries for this GPU: kernels are compiled from PTX at first use."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

_SLOW = (
    "not built with CUDA kernel binaries compatible with compute capability",
    "CUDA kernels will be jit-compiled",
)

CAUSE = Cause(
    id="kernels-compiled-at-first-use",
    category="environment",
    summary="TensorFlow has no ready kernels for this GPU and compiles them at first use, which takes minutes.",
    signatures=(
        Signature("root", _SLOW, unless=("message:CUDA kernel",), weight=0.75),
        Signature("root", _SLOW, also=("{Timeout|timed out|timeout|DeadlineExceeded}",), weight=0.8),
        Signature(
            "follows", ("could take 30 minutes or longer",), unless=("message:30 minutes",), weight=0.6
        ),
        Signature(
            "follows",
            ("Found device {#} with properties", "Adding visible gpu device{|s}"),
            needs=("gpu-newer-than-cuda",),
            unless=("message",),
            weight=0.5,
        ),
        Signature("excludes", ("CUDA_ERROR_{INVALID_PTX|INVALID_HANDLE|NO_BINARY_FOR_GPU}",)),
        Signature("excludes", ("no kernel image is available",)),
    ),
    rivals=("unsupported-compute-capability", "tensorflow-defect"),
    help=(
        Help("Let the first run finish: the driver keeps what it compiled in ~/.nv/ComputeCache."),
        Help("Keep that folder between CI jobs, and raise CUDA_CACHE_MAXSIZE (4294967296).", sure=False),
        Help("Give the first test, or the preflight, a longer time limit.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/45635",
            log=(
                "2020-12-13 10:23:03.609505: I tensorflow/core/common_runtime/gpu/gpu_device.cc:1555] Found device 0 "
                "with properties:",
                "pciBusID: 0000:01:00.0 name: GeForce RTX 3060 Ti computeCapability: 8.6",
                "2020-12-13 10:23:03.621055: I tensorflow/stream_executor/platform/default/dso_loader.cc:44] "
                "Successfully opened dynamic library cudart64_101.dll",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/tensorflow/issues/97387",
            message="CUDA_ERROR_INVALID_HANDLE",
            log=(
                "W0000 00:00:1753232013.685876   24341 gpu_device.cc:2431] TensorFlow was not built with CUDA kernel "
                "binaries compatible with compute capability 12.0. CUDA kernels will be jit-compiled from PTX, which "
                "could take 30 minutes or longer.",
            ),
            cause="unsupported-compute-capability",
        ),
    ),
    meaning="The card is newer than the binaries in this build. TensorFlow carries PTX as well, which the driver "
    "compiles when a kernel is first used. It works, but the first minutes look like a hang.",
    appearance='W "TensorFlow was not built with CUDA kernel binaries compatible with compute capability 12.0. CUDA '
    'kernels will be jit-compiled from PTX, which could take 30 minutes or longer." (2.5 on), and nothing else.',
    distinction="If the compilation fails it is unsupported-compute-capability, with INVALID_PTX in the log.",
    confirmation="The second run is fast. ~/.nv/ComputeCache grows during the first.",
    remedy="A build with binaries for the card, or a kept and large enough compute cache.",
    references=("https://docs.nvidia.com/cuda/cuda-c-programming-guide/#env-vars",),
)
