"""Exclusive compute mode, or the device is taken, with memory free."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="gpu-busy",
    category="environment",
    summary="The GPU accepts no further process: it is in exclusive mode, or taken.",
    signatures=(
        Signature(
            "root",
            (
                "all CUDA-capable devices are busy or unavailable",
                "CUDA-capable device(s) is/are busy or unavailable",
                "cudaErrorDevicesUnavailable",
                "CUDA_ERROR_DEVICE_UNAVAILABLE",
                "cudaSuccess (46 vs. 0)",
            ),
            weight=0.78,
        ),
        Signature(
            "root",
            ("failed call to {cuDevicePrimaryCtxRetain|cuCtxCreate}", "failed initializing StreamExecutor"),
            needs=("exclusive-mode",),
            weight=0.85,
        ),
        Signature(
            "root",
            ("CUDA_ERROR_", "CUDA_SUCCESS", "cuCtx{Create|SetCurrent|Synchronize|GetDevice|Destroy}"),
            needs=("exclusive-mode",),
            unless=("fault-printed",),
            weight=0.72,
        ),
        Signature("root", ("CUDA_ERROR_CONTEXT_ALREADY_IN_USE", "cudaErrorDeviceAlreadyInUse"), weight=0.75),
        Signature("follows", ("executor is in invalid state",), weight=0.4),
        Signature("follows", ("failed call to {cuDevicePrimaryCtxRetain|cuCtxCreate}",), weight=0.3),
        Signature("confirms", needs=("exclusive-mode",), weight=0.75),
        Signature("follows", ("Failed to create session",), unless=("text:gRPC",), weight=0.3),
        Signature(
            "follows",
            texts.GPU_START,
            weight=0.3,
        ),
        Signature("excludes", needs=("virtual-gpu",), weight=0.4),
        *statuses.signs("gpu-busy"),
        Signature("root", ("exclusive-{process|thread} mode", "in exclusive {|compute }mode"), weight=0.7),
        Signature(
            "follows",
            ("failed call to {cuDevicePrimaryCtxRetain|cuCtxCreate}: {}INVALID_DEVICE",),
            weight=0.5,
        ),
        Signature("excludes", ("license: Unlicensed", "License Status {}: Unlicensed"), weight=0.6),
    ),
    rivals=("memory-held-by-other-process", "driver-unhealthy"),
    notes=("exclusive-mode", "other-processes"),
    help=(
        Help("Wait for the other process, or choose another GPU (CUDA_VISIBLE_DEVICES)."),
        Help(
            "With exclusive mode, run one worker per GPU (or set it to default: nvidia-smi -c 0).", sure=False
        ),
    ),
    examples=(
        Example(
            source="https://github.com/google-research/pix2struct/issues/53",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="cudaSetDevice() on GPU:0 failed. Status: CUDA-capable device(s) is/are busy or unavailable",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/brade31919/SRGAN-tensorflow/issues/27",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="Failed to create session.",
            log=(
                "E tensorflow/core/common_runtime/direct_session.cc:170] Internal: failed initializing StreamExecutor "
                "for CUDA device ordinal 0: Internal: failed call to cuDevicePrimaryCtxRetain: "
                "CUDA_ERROR_OUT_OF_MEMORY; total memory reported: 8499691520",
            ),
            cause="memory-held-by-other-process",
        ),
    ),
    meaning="CUDA refuses this process a context though memory is free. Mostly the GPU is in exclusive mode, which "
    "clusters like to set, and another process has it; sometimes a dead process or a wedged device.",
    appearance='InternalError "... Status: all CUDA-capable devices are busy or unavailable" (from CUDA 11.3 "CUDA-'
    'capable device(s) is/are busy or unavailable").',
    distinction="Out of memory at the same place is memory-held-by-other-process. On a virtual GPU without a licence "
    "the same text comes: vgpu-unlicensed.",
    confirmation="nvidia-smi -q -d COMPUTE shows the mode; nvidia-smi lists the processes.",
    remedy="One process per GPU, another GPU, or the default compute mode (as root).",
    references=("https://docs.nvidia.com/deploy/mps/",),
)
