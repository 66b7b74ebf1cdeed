"""Driver and versions fit, initialisation still fails."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="driver-unhealthy",
    category="environment",
    summary="The NVIDIA driver is installed and can't be initialised.",
    signatures=(
        Signature(
            "root",
            ("cuInit: {|INTERNAL: CUDA error: Failed call to cuInit: }CUDA_ERROR_UNKNOWN",),
            weight=0.75,
        ),
        Signature(
            "root",
            (
                "CUDA_ERROR_SYSTEM_NOT_READY",
                "system not yet initialized",
                "CUDA_ERROR_OPERATING_SYSTEM",
                "RmInitAdapter failed",
                "CUDA_ERROR_MPS_{CONNECTION_FAILED|SERVER_NOT_READY|RPC_FAILURE}",
                "CUDA initialization: CUDA unknown error",
            ),
            weight=0.75,
        ),
        Signature(
            "root",
            ("failed call to cuInit: {}CUDA_ERROR_{INVALID_VALUE|OUT_OF_MEMORY|NOT_INITIALIZED}",),
            unless=("driver-halves-differ",),
            weight=0.55,
        ),
        Signature(
            "root",
            ("{failed|Failed} call to {cuDevicePrimaryCtxRetain|cuCtxCreate}: CUDA_ERROR_UNKNOWN",),
            weight=0.6,
        ),
        Signature(
            "root",
            (
                "{cudaSetDevice()|implicit initialization} on GPU:{#} failed. Status: unknown error",
                "{cudaSetDevice()|implicit initialization} on GPU:{#} failed. Status: OS call failed",
                "Bad StatusOr access: {}CUDA_ERROR_UNKNOWN",
            ),
            weight=0.6,
        ),
        Signature("follows", ("failed call to cuInit",), needs=("gpu-wanted",), weight=0.3),
        Signature(
            "follows",
            ("CUDA_ERROR_UNKNOWN", "cudaErrorUnknown"),
            unless=("computing-operation",),
            weight=0.35,
        ),
        Signature("follows", ("could not retrieve CUDA device count",), weight=0.4),
        Signature("follows", texts.IOMMU_FAULT, weight=0.3),
        Signature("confirms", needs=("driver-halves-agree",), weight=0.5),
        Signature("root", ("Failed to initialize NVML: Unknown Error",), weight=0.6),
        Signature("excludes", needs=("driver-halves-differ",), weight=0.8),
        Signature("excludes", needs=("hidden-by-variable",), weight=0.7),
        Signature("excludes", ("/dev/nvidia0 does not exist",), weight=0.5),
        *statuses.signs("driver-unhealthy"),
        Signature(
            "root",
            (
                "cudaGetDevice() failed. Status: {unknown error|initialization error|OS call failed}",
                "{cudaSetDevice()|implicit initialization} on GPU:{#} failed. Status: initialization error",
                "NVML: {Insufficient Permissions|GPU access blocked by the operating system}",
                "nvml error: {unknown error|insufficient permissions}",
                "nvidia-container-cli: initialization error: cuda error",
                "NVRM: {GPU |}{}RmInitAdapter",
            ),
            weight=0.6,
        ),
        Signature("root", ("NvRmMemInitNvmap failed", "NvRmMemInit failed"), weight=0.65),
    ),
    rivals=("gpu-not-visible", "driver-missing"),
    notes=("driver-halves-agree",),
    help=(
        Help("Load the module nvidia-uvm (nvidia-modprobe -u), or restart.", sure=False),
        Help("After suspend and resume, reload it: rmmod nvidia_uvm; modprobe nvidia_uvm.", sure=False),
        Help("Look at the rights of /dev/nvidia*: if it works as root, they are the reason.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/24243",
            log=(
                "2018-12-08 22:20:54.515356: E tensorflow/stream_executor/cuda/cuda_driver.cc:300] failed call to "
                "cuInit: CUDA_ERROR_UNKNOWN: unknown error",
            ),
        ),
        Example(
            source="TensorFlow 2.21.0 on a simulated driver that refuses a context with code 999",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="cudaSetDevice() on GPU:0 failed. Status: unknown error",
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
    meaning="The driver answers and its halves agree, but cuInit fails: a module is missing (nvidia-uvm), the device "
    "files can't be opened, a resume from suspend left it broken, a switch fabric or an MPS server isn't running.",
    appearance='"failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error", on bare machines with "kernel version '
    "seems "
    'to match DSO" after it; CUDA_ERROR_SYSTEM_NOT_READY (802) on machines with NVSwitch. Where only the context '
    'can\'t be made: InternalError "cudaSetDevice() on GPU:0 failed. Status: unknown error".',
    distinction="Versions that differ are driver-library-mismatch; no driver at all, driver-missing; a hidden GPU "
    "gives "
    "CUDA_ERROR_NO_DEVICE: gpu-not-visible.",
    confirmation="Run deviceQuery or nvidia-smi as root and as the test's user; look for Xid lines in dmesg.",
    remedy="nvidia-modprobe -u, reload nvidia_uvm after suspend, correct the rights of /dev/nvidia*, start "
    "nvidia-fabricmanager in the driver's version, restart.",
    references=("https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html",),
)
