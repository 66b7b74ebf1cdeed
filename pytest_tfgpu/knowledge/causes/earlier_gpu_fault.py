"""The failure only follows from an earlier fault in the same process."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

_ANY = (
    *texts.FAULT,
    *texts.OOM,
    *texts.COPY_FAILED,
    *texts.CUDNN_HANDLE,
    *texts.CUBLAS_HANDLE,
    *texts.NO_CUDNN,
    *texts.NO_CUBLAS,
    *texts.CUDNN_LAUNCH,
    *texts.CUDNN_RNN,
    *texts.CUDNN_BACKWARD,
    "CUDA_ERROR_",
    "CUDNN_STATUS_",
    "CUBLAS_STATUS_",
    "CUDA error",
    "Error recording CUDA event",
)

CAUSE = Cause(
    id="earlier-gpu-fault",
    category="hardware",
    summary="An earlier GPU fault in this process broke the CUDA context; this failure only follows from it.",
    signatures=(
        Signature("root", _ANY, needs=("fault-earlier",), weight=0.95),
        Signature("root", ("There was an error before {creating cudnn handle|calling}",), weight=0.8),
        Signature("root", ("was already in an error state",), weight=0.7),
        Signature(
            "root",
            (
                "for causing prior/excessive GPU errors",
                "kIOGPUCommandBufferCallbackError{SubmissionsIgnored|InnocentVictim}",
            ),
            weight=0.88,
        ),
        Signature(
            "root",
            (
                *texts.CUDNN_HANDLE,
                *texts.CUBLAS_HANDLE,
                *texts.NO_CUDNN,
                *texts.NO_CUBLAS,
                *texts.CUDNN_LAUNCH,
            ),
            where="message",
            needs=("fault-printed",),
            weight=0.75,
        ),
        Signature(
            "root", ("CURAND_STATUS_", "CUSOLVER_STATUS_", "CUFFT_"), needs=("fault-printed",), weight=0.88
        ),
        Signature("root", ("std::bad_alloc", "MemoryError"), needs=("fault-printed",), weight=0.6),
        Signature("follows", ("failed to free device memory", "error deallocating host memory"), weight=0.4),
        Signature("follows", (*texts.FAULT, "Error recording CUDA event"), weight=0.4),
        Signature("follows", ("Failed setting context", "failed to set stream for cuBLAS"), weight=0.4),
        *statuses.signs("earlier-gpu-fault"),
    ),
    rivals=("gpu-fault", "gpu-hardware-error"),
    notes=("fault-earlier",),
    help=(
        Help("Look at the first GPU error of this process; this test may be fine."),
        Help("Run this test alone, or in a process of its own, to see its own verdict.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/apple/tensorflow_macos/issues/202",
            log=(
                "Error: command buffer exited with error status.",
                "The Metal Performance Shaders operations encoded on it may not have completed.",
                "Ignored (for causing prior/excessive GPU errors) (IOAF code 4)",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/tensorflow/issues/25866",
            log=(
                "2019-02-21 16:43:26.973442: E tensorflow/stream_executor/cuda/cuda_event.cc:48] Error polling for "
                "event "
                "status: failed to query event: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered",
            ),
            cause="gpu-fault",
        ),
    ),
    meaning="After an illegal access or a failed launch CUDA answers every call of the process with the same error. "
    "What fails now says nothing of itself.",
    appearance='Any CUDA, cuDNN, cuBLAS or memory error after the first fault; "There was an error before creating '
    "cudnn "
    'handle"; "stream did not block host until done; was already in an error state".',
    distinction="The first fault of the process is gpu-fault. Advice about memory doesn't apply to what follows.",
    confirmation="The test passes alone.",
    remedy="Remove the cause of the first fault. Run tests that provoke faults in a process of their own.",
    references=("https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html",),
)
