"""Kernel module and user-space driver differ in version."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="driver-library-mismatch",
    category="environment",
    summary="The driver's kernel module and its library (libcuda) have different versions.",
    signatures=(
        Signature(
            "root",
            (
                "does not match DSO version",
                "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
                "unsupported display driver / cuda driver combination",
                "Driver/library version mismatch",
                "API mismatch: the client has the version",
                "RM has detected an NVML/RM version mismatch",
            ),
            weight=0.92,
        ),
        Signature(
            "root",
            ("failed call to cuInit", "retrieving CUDA diagnostic", "libcuda reported version is"),
            needs=("driver-halves-differ",),
        ),
        Signature(
            "follows",
            texts.FORWARD_COMPATIBILITY,
            weight=0.55,
        ),
        Signature("follows", texts.STUB, weight=0.35),
        Signature("root", ("cuInit: {}CUDA_ERROR_NOT_FOUND", "cuInit: {}named symbol not found"), weight=0.7),
        Signature("confirms", needs=("driver-halves-differ",), weight=0.75),
        Signature(
            "root",
            (*texts.STUB, "UNKNOWN ERROR (34)", "UNKNOWN ERROR (-1)"),
            needs=("kernel-driver-runs",),
            weight=0.88,
        ),
        Signature("excludes", needs=("driver-halves-agree",), weight=0.8),
        *statuses.signs("driver-library-mismatch"),
        Signature(
            "excludes",
            ("no NVIDIA GPU device is present", "kernel driver does not appear to be running on this host"),
            weight=0.6,
        ),
    ),
    rivals=("driver-unhealthy", "driver-missing"),
    notes=("driver-halves-differ",),
    help=(
        Help("Restart the machine, so that the kernel module of the installed driver is loaded."),
        Help(
            "In a container: remove libcuda and CUDA's compat folder from the image.",
            needs=("platform:docker",),
        ),
        Help("Remove the older of two driver installations.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/1158",
            log=(
                "2018-01-22 10:12:52.860623: E tensorflow/stream_executor/cuda/cuda_driver.cc:406] failed call to "
                "cuInit: CUDA_ERROR_NO_DEVICE",
                "2018-01-22 10:12:52.860819: I tensorflow/stream_executor/cuda/cuda_diagnostics.cc:189] libcuda "
                "reported version is: 384.111.0",
                "2018-01-22 10:12:52.860907: I tensorflow/stream_executor/cuda/cuda_diagnostics.cc:193] kernel "
                "reported version is: 384.90.0",
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
    meaning="The driver has two halves: a module in the kernel and a library. After an update without a restart, or "
    "in a "
    "container that brings its own libcuda, they belong to different versions and refuse each other.",
    appearance='"kernel version X does not match DSO version Y" (all versions), cuInit with '
    'CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803), nvidia-smi: "Driver/library version mismatch".',
    distinction="If both versions agree and initialisation fails, it is driver-unhealthy. If nothing answers for the "
    "kernel's half: driver-missing.",
    confirmation="Compare /proc/driver/nvidia/version with the file that libcuda.so.1 points to.",
    remedy="Restart, or reload the module. In images don't install a driver, and keep CUDA's compat folder off the "
    "search path where the host's driver is newer.",
    references=("https://docs.nvidia.com/deploy/cuda-compatibility/",),
)
