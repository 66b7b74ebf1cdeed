"""Illegal address, launch failure, misaligned access: the CUDA context is dead from here on."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="gpu-fault",
    category="hardware",
    summary="A GPU kernel crashed (illegal access or launch failure); nothing works on the GPU in this process any "
    "more.",
    signatures=(
        Signature("root", texts.FAULT, weight=0.86),
        Signature("root", ("Xid {~}{: 13,|: 31,|: 32,|: 43,|: 45,|: 68,|: 69,|: 109,}",), weight=0.85),
        Signature("root", ("GetDeviceRemovedReason",), weight=0.65),
        Signature("follows", ("Assertion `err == cudaSuccess' failed",), weight=0.4),
        Signature("follows", ("Unexpected Event status: {#}",), weight=0.6),
        Signature("follows", ("CUDNN_STATUS_EXECUTION_FAILED",), exceptions=("UnknownError",), weight=0.42),
        Signature("follows", ("the GPU program failed to execute",), weight=0.42),
        Signature(
            "follows",
            ("failed BLAS call", "cuBlas call failed status", "failed to run cuBLAS routine"),
            weight=0.35,
        ),
        Signature(
            "follows",
            ("GpuLaunchKernel", "Failed to launch CUDA kernel", "CUDNN_STATUS_MAPPING_ERROR"),
            weight=0.4,
        ),
        Signature(
            "follows",
            ("failed to query device memory info", "failed to query total available memory"),
            weight=0.35,
        ),
        Signature(
            "follows", ("Failed to record cuda event", "Error waiting for event in stream"), weight=0.5
        ),
        Signature("follows", ("Error polling for event status", "failed to query event"), weight=0.55),
        Signature("follows", ("GPU sync failed", "{CPU->GPU|GPU->CPU|GPU->GPU} Memcpy failed"), weight=0.5),
        Signature(
            "follows",
            ("could not synchronize on CUDA context", "Could not synchronize CUDA stream"),
            weight=0.5,
        ),
        Signature("follows", ("Error recording CUDA event", "failed to enqueue async memcpy"), weight=0.5),
        Signature("follows", ("cudaErrorUnknown", "CUDA_ERROR_UNKNOWN"), weight=0.25),
        Signature(
            "follows", ("cuSolverDN call failed with status", "cuSparse call failed with status"), weight=0.35
        ),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
        Signature("excludes", ("uncorrectable ECC", "fallen off the bus", "CUDA_ERROR_ECC"), weight=0.7),
        Signature("excludes", ("CUDA_ERROR_OUT_OF_MEMORY",), weight=0.3),
        Signature("excludes", ("failed call to cuInit",), weight=0.8),
        Signature("excludes", ("invalid device function",), weight=0.7),
        *statuses.signs("gpu-fault"),
        Signature(
            "follows", ("failed to synchronous memcpy", "failed to synchronously {memcpy|memset}"), weight=0.5
        ),
        Signature("follows", ("Received signal 11",), also=("libcuda.so", "libcudnn"), weight=0.3),
        Signature(
            "follows",
            (
                "{Failed to|Could not} launch {gpuprim|cub}::",
                "Launch of gpu kernel for {w} failed",
                "GPU memcpy from {device to host|host to device} failed",
                "Failed to copy data to GPU",
                "Failed to wait for cuda event",
            ),
            weight=0.4,
        ),
        Signature("root", ("Memory access fault by GPU node",), weight=0.8),
        Signature(
            "follows",
            (
                "cuda_event.cc",
                "cuda_timer.cc",
                "gpu_timer.cc",
                "gpu_event_mgr.cc",
                "cuda_stream.cc",
                "gpu_util.cc",
            ),
            needs=(
                "logged-by:cuda_event.cc/cuda_timer.cc/gpu_timer.cc/gpu_event_mgr.cc/cuda_stream.cc/gpu_util.cc",
                "gpu-wanted",
            ),
            weight=0.3,
        ),
    ),
    rivals=("tensorflow-defect", "gpu-hardware-error"),
    help=(
        Help("Restart the process: every later GPU operation in it fails. Only this first error counts."),
        Help("Find the kernel with CUDA_LAUNCH_BLOCKING=1 or compute-sanitizer.", sure=False),
        Help("Look for indices out of range in custom operations and gathers.", sure=False),
        Help("If it comes on one card only, look at dmesg for Xid lines, at heat and power.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/25866",
            log=(
                "2019-02-21 16:43:26.973428: E tensorflow/stream_executor/cuda/cuda_driver.cc:1011] could not "
                "synchronize on CUDA context: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered ::",
                "2019-02-21 16:43:26.973442: E tensorflow/stream_executor/cuda/cuda_event.cc:48] Error polling for "
                "event "
                "status: failed to query event: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered",
                "2019-02-21 16:43:26.984939: F tensorflow/core/common_runtime/gpu/gpu_event_mgr.cc:274] Unexpected "
                "Event status: 1",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/nagadit/DeepFaceLab_Linux/issues/89",
            log=(
                "F tensorflow/stream_executor/lib/statusor.cc:34] Attempting to fetch value instead of handling error "
                "Internal: failed initializing StreamExecutor for CUDA device ordinal 0: Internal: failed call to "
                "cuDevicePrimaryCtxRetain: CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered",
            ),
            cause="gpu-hardware-error",
        ),
    ),
    meaning="A kernel read or wrote where it must not, or crashed otherwise. CUDA then refuses everything in this "
    "process. "
    "The operation that reports it is often not the one that did it, since kernels run on their own.",
    appearance="CUDA_ERROR_ILLEGAL_ADDRESS (700), CUDA_ERROR_LAUNCH_FAILED (719), CUDA_ERROR_MISALIGNED_ADDRESS "
    "(716) in an "
    'InternalError or in the log, then often "Unexpected Event status: 1" and an abort of the process.',
    distinction="Whatever cuBLAS, cuDNN or copies say after it is a consequence (earlier-gpu-fault). ECC and Xid "
    "48, 63, "
    "79, 94, 95 are gpu-hardware-error. If the same program fails on another GPU and version, think of "
    "tensorflow-defect or a custom operation.",
    confirmation="Run the test alone; compute-sanitizer names the kernel; dmesg shows Xid 13 or 31.",
    remedy="Correct the kernel or its input, update driver and TensorFlow, undo overclocking. Run such tests in a "
    "process "
    "of their own.",
    references=(
        "https://docs.nvidia.com/cuda/cuda-driver-api/group__CUDA__TYPES.html",
        "https://docs.nvidia.com/deploy/xid-errors/",
    ),
)
