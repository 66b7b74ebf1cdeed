"""PyTorch or JAX in the same run ran out of GPU memory."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="other-framework-out-of-memory",
    category="memory",
    summary="Another framework (PyTorch, JAX ...), not TensorFlow, ran out of GPU memory.",
    signatures=(
        Signature(
            "root",
            (*texts.OOM, "CUDA out of memory", "out of memory", "RESOURCE_EXHAUSTED", "failed to alloc {#}"),
            needs=("other-framework",),
            weight=0.92,
        ),
        Signature("root", exceptions=("OutOfMemoryError",), needs=("other-framework",), weight=0.92),
        Signature("root", ("CUDA out of memory. Tried to allocate",), weight=0.92),
        Signature(
            "root",
            ("cupy.cuda.memory", "cudaMalloc failed: out of memory", "cuMemAlloc failed: out of memory"),
            weight=0.85,
        ),
        Signature("root", ("rmm{w} out_of_memory: CUDA error", "out_of_memory: CUDA error at"), weight=0.85),
        Signature("root", ("Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY",), weight=0.88),
        Signature("root", ("CUDA error: out of memory",), exceptions=("RuntimeError",), weight=0.85),
        Signature(
            "root",
            ("CUBLAS_STATUS_ALLOC_FAILED when calling", "CUDNN_STATUS_ALLOC_FAILED"),
            needs=("other-framework",),
            weight=0.85,
        ),
        Signature("root", texts.NOT_INITIALIZED, needs=("other-framework",), weight=0.6),
    ),
    rivals=("out-of-memory", "memory-held-by-other-process"),
    notes=("other-framework",),
    help=(
        Help("Let the frameworks share: both TensorFlow and JAX take nearly all memory at their first use."),
        Help(
            "JAX: XLA_PYTHON_CLIENT_PREALLOCATE=false. TensorFlow: TF_FORCE_GPU_ALLOW_GROWTH=true.",
            sure=False,
        ),
    ),
    examples=(
        Example(
            source="https://github.com/pytorch/pytorch/issues/40863",
            exception="RuntimeError",
            message="CUDA out of memory. Tried to allocate 60.00 MiB (GPU 0; 11.17 GiB total capacity; 505.96 MiB "
            "already allocated; 12.50 MiB free; 530.00 MiB reserved in total by PyTorch)",
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
    meaning="Another framework in this process, or in this run, asked for GPU memory and got none. TensorFlow may have "
    "taken it, or the work is too large.",
    appearance='PyTorch: OutOfMemoryError or RuntimeError "CUDA out of memory. Tried to allocate ...". JAX: '
    'XlaRuntimeError "RESOURCE_EXHAUSTED: Out of memory while trying to allocate ... bytes", paths with '
    "external/org_tensorflow or pjrt.",
    distinction="The class and the paths tell whose it is: JAX shares XLA's texts with TensorFlow, "
    "but raises XlaRuntimeError.",
    confirmation="Run the test without importing TensorFlow, or with TensorFlow's memory growth on.",
    remedy="Turn preallocation off in both frameworks, or run their tests in separate processes.",
    references=(
        "https://docs.jax.dev/en/latest/gpu_memory_allocation.html",
        "https://docs.pytorch.org/docs/stable/notes/cuda.html#memory-management",
    ),
)
