"""The driver's kernel cache is stale, broken or not writable."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Help, LookAlike, Signature

CAUSE = Cause(
    id="compute-cache-unusable",
    category="environment",
    summary="The driver's cache of compiled kernels (~/.nv) is broken or can't be written.",
    signatures=(
        Signature("root", ("/.nv/ComputeCache", "CUDA_CACHE_PATH"), where="any", weight=0.6),
        Signature("follows", texts.CUDNN_HANDLE, weight=0.22),
        Signature("excludes", needs=("gpu-memory-low",), weight=0.9),
        Signature("excludes", needs=("cudnn-unfit",), weight=0.9),
        Signature("excludes", needs=("fault-printed",), weight=0.9),
        Signature("excludes", ("CUDNN_STATUS_ALLOC_FAILED",), weight=0.9),
    ),
    rivals=("memory-preallocated", "unsupported-compute-capability"),
    help=(
        Help("Move ~/.nv away and try again; the driver makes it anew.", sure=False),
        Help("In containers point CUDA_CACHE_PATH to a folder that can be written.", sure=False),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/fizyr/keras-retinanet/issues/1452",
            log=(
                "E tensorflow/stream_executor/cuda/cuda_dnn.cc:328] Could not create cudnn handle: "
                "CUDNN_STATUS_ALLOC_FAILED",
            ),
            cause="memory-preallocated",
        ),
    ),
    meaning="The driver keeps what it compiles in ~/.nv/ComputeCache. After an update, with the rights of another user "
    "or on a damaged disk it may hold what no longer fits.",
    appearance='No text of its own: "Could not create cudnn handle: CUDNN_STATUS_INTERNAL_ERROR", hangs or crashes '
    "at the "
    "first kernel that vanish for another user.",
    distinction="Look at it last: memory and versions explain the same texts far more often.",
    confirmation="CUDA_CACHE_DISABLE=1 for one run: if that passes, the cache is the reason.",
    remedy="Delete ~/.nv (as root if root made it), or set CUDA_CACHE_PATH.",
    references=("https://docs.nvidia.com/cuda/cuda-c-programming-guide/#env-vars",),
)
