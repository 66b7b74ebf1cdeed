"""Another process, or a sibling worker of this run, holds the GPU's memory."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

_SHORT = (
    *texts.OOM,
    *texts.OOM_LOG,
    *texts.COPY_FAILED,
    *texts.CUDNN_HANDLE,
    *texts.CUBLAS_HANDLE,
    *texts.NO_CUDNN,
    *texts.NO_CUBLAS,
    *texts.DNN_NOT_FOUND,
    *texts.NO_ALGORITHM,
    *texts.REFUSED_BY_NUMBER,
    *texts.REFUSED,
    "failed to allocate {#}",
    *texts.FFT_PLAN,
)

CAUSE = Cause(
    id="memory-held-by-other-process",
    category="memory",
    summary="Another process, or a sibling worker of this run, holds the GPU's memory.",
    signatures=(
        Signature(
            "root",
            (
                "failed call to {cuDevicePrimaryCtxRetain|cuCtxCreate}: {}OUT_OF_MEMORY",
                "{cudaSetDevice()|cudaGetDevice()}{} failed. Status: out of memory",
                "implicit initialization on GPU:{#} failed. Status: out of memory",
                "failed initializing StreamExecutor for CUDA device ordinal {#}: {~}OUT_OF_MEMORY",
                "Bad StatusOr access: {}OUT_OF_MEMORY",
                "CUDA_ERROR_OUT_OF_MEMORY; total memory reported",
                "Failed to get memory allocator for TF GPU",
                "Failed to allocate scratch buffer for device",
                "executor is in invalid state: {}OUT_OF_MEMORY",
            ),
            weight=0.88,
        ),
        Signature(
            "root", _SHORT, needs=("gpu-memory-taken-at-start",), unless=("host-allocator",), weight=0.8
        ),
        Signature("root", _SHORT, needs=("other-processes",), unless=("host-allocator",), weight=0.8),
        Signature(
            "follows", ("not supported by XLA service while setting up XLA_GPU_JIT device",), weight=0.6
        ),
        Signature("follows", ("failed to allocate {#}{} from device",), weight=0.5),
        Signature("follows", (*texts.CUDNN_HANDLE, *texts.CUBLAS_HANDLE), weight=0.5),
        Signature("follows", (*texts.NO_CUDNN, *texts.NO_CUBLAS), weight=0.42),
        Signature("follows", texts.OOM, weight=0.3),
        Signature("follows", (*texts.NO_ALGORITHM, *texts.COPY_FAILED), weight=0.38),
        Signature(
            "follows",
            (*texts.FFT_PLAN, "Failed to query available memory", "{CPU->GPU|GPU->CPU} Memcpy failed"),
            weight=0.35,
        ),
        Signature("confirms", needs=("other-processes",), weight=0.7),
        Signature("confirms", needs=("gpu-memory-taken-at-start",), weight=0.5),
        Signature("follows", texts.NOT_INITIALIZED, weight=0.38),
        Signature("follows", ("Failed to create session",), unless=("text:gRPC",), weight=0.5),
        Signature(
            "follows",
            texts.GPU_START,
            weight=0.32,
        ),
        Signature("excludes", needs=("host-allocator",)),
        Signature(
            "excludes", ("on GPU:{#} failed. Status: {unknown error|initialization error}",), weight=0.5
        ),
        Signature("excludes", needs=("other-framework",), weight=0.8),
        Signature("excludes", needs=("allocator-full",), unless=("gpu-memory-taken-at-start",), weight=0.4),
        Signature("excludes", needs=("gpu-memory-free",), unless=("allocation-refused",), weight=0.7),
        Signature("excludes", needs=("cudnn-unfit",), weight=0.7),
        Signature(
            "excludes", needs=("no-other-processes",), unless=("gpu-memory-taken-at-start",), weight=0.5
        ),
        Signature("excludes", needs=("gpu-memory-free-at-start",), unless=("other-processes",), weight=0.4),
        Signature("excludes", needs=("fault-printed",), weight=0.8),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
        Signature("excludes", texts.CUBLAS_EXECUTION, weight=0.4),
        Signature("excludes", needs=("room-for-a-library",), unless=("allocation-refused",), weight=0.3),
    ),
    rivals=("memory-preallocated", "out-of-memory", "gpu-busy"),
    notes=("other-processes", "gpu-memory-taken-at-start", "gpu-memory-low"),
    help=(
        Help("End the process that holds the memory (nvidia-smi lists them), or choose another GPU."),
        Help(
            "Run fewer workers per GPU, or give each a memory limit of its own.",
            sure=False,
            needs=("several-gpus",),
        ),
        Help("Look for earlier runs that were stopped and still live, and for open notebooks.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/brade31919/SRGAN-tensorflow/issues/27",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="Failed to create session.",
            log=(
                "E tensorflow/core/common_runtime/direct_session.cc:170] Internal: failed initializing StreamExecutor "
                "for CUDA device ordinal 0: Internal: failed call to cuDevicePrimaryCtxRetain: "
                "CUDA_ERROR_OUT_OF_MEMORY; total memory reported: 8499691520",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/models/issues/7142",
            exception="ResourceExhaustedError",
            message="OOM when allocating tensor with shape[500,17,17,4032] and type float on "
            "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
            cause="out-of-memory",
        ),
    ),
    meaning="When TensorFlow came to the GPU, most of its memory was already taken: by another user, a notebook, an "
    "earlier run that still lives, or another worker of this test run.",
    appearance='"failed call to cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY" (cuCtxCreate in 1.x) or '
    '"cudaSetDevice() on GPU:0 failed. Status: out of memory" (1.15 to 2.7: "CUDA runtime implicit initialization") '
    'before any operation ran; a figure in "Created device ... with N MB memory" far below the card\'s memory; later '
    "any error that a full GPU gives.",
    distinction="Who took the memory decides. If it was free when TensorFlow started, this process took it: "
    "memory-preallocated (a library finds none left) or out-of-memory (the workload is too large).",
    confirmation="nvidia-smi lists processes and their memory; inside a container it may hide them and show only "
    "the sum.",
    remedy="End what holds the memory, wait for it, or set CUDA_VISIBLE_DEVICES to a free GPU. Share a GPU between "
    "workers with limits instead of letting each take all.",
    references=("https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth",),
)
