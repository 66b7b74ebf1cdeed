"""cuDNN works and has no algorithm for this convolution."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="conv-algorithm-unavailable",
    category="operation",
    summary="cuDNN works, but has no algorithm for a convolution of this shape, type or layout.",
    signatures=(
        Signature("root", texts.NO_ALGORITHM, needs=("gpu-memory-free",), weight=0.82),
        Signature("root", texts.NO_ALGORITHM, also=("CUDNN_STATUS_NOT_SUPPORTED",), weight=0.72),
        Signature(
            "root", ("returned no suitable algorithms", "No suitable algorithm was found"), weight=0.75
        ),
        Signature("root", ("CUDNN_STATUS_NOT_SUPPORTED",), unless=("fault-printed",), weight=0.65),
        Signature("root", ("Cudnn graph failed to build", *texts.NO_CONFIG_OF_CONVOLUTION), weight=0.6),
        Signature("root", ("No algorithm without scratch worked",), weight=0.6),
        Signature(
            "root", ("Unsupported {Cudnn|cuDNN} convolution {forward|backward} algorithm",), weight=0.7
        ),
        Signature("follows", texts.NO_ALGORITHM, weight=0.48),
        Signature("follows", texts.NO_ALGORITHM, also=("[Op:Conv{w}]",), weight=0.58),
        Signature("follows", ("Profiling failure on CUDNN engine", "Autotuning failed for HLO"), weight=0.4),
        Signature("follows", texts.NO_ALGORITHM, ops=("Conv2DBackprop*", "Conv3D*"), weight=0.6),
        Signature("follows", ("None of the algorithms provided by cuDNN",), weight=0.35),
        Signature("follows", ("CUDNN_STATUS_BAD_PARAM",), weight=0.3),
        Signature("follows", ("Failed to determine best cudnn convolution algorithm",), weight=0.4),
        Signature("excludes", needs=("gpu-memory-low",), weight=0.6),
        Signature("excludes", needs=("allocation-refused",), weight=0.6),
        Signature("excludes", needs=("other-processes",), weight=0.4),
        Signature("excludes", needs=("fault-printed",), weight=0.8),
        Signature("excludes", texts.CUDNN_HANDLE, weight=0.7),
        Signature("excludes", needs=("cudnn-unfit",), weight=0.5),
        Signature("excludes", needs=("gpu-newer-than-cuda",), weight=0.4),
        *statuses.signs("conv-algorithm-unavailable"),
        Signature(
            "follows",
            (
                "No cuDNN plans can be built",
                "Construction of cuDNN graph failed",
                "is not supported by cudnn",
            ),
            weight=0.5,
        ),
    ),
    rivals=("memory-preallocated", "op-unsupported-on-device"),
    notes=("gpu-memory-free",),
    help=(
        Help("Try a smaller batch: cuDNN takes no batch of 65536 or more.", sure=False),
        Help("Try float32, or the other layout.", sure=False),
        Help("Check that memory was free: without work space the same text comes.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/9576",
            exception="NotFoundError",
            message="No algorithm without scratch worked!",
        ),
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
    meaning="TensorFlow tried every algorithm that cuDNN offers for this convolution, and each refused: a dimension "
    "beyond its limits, a combination of type, layout, dilation or groups that it doesn't have.",
    appearance='NotFoundError "No algorithm worked!" (from 1.4 on; before "No algorithm without scratch worked!"), '
    "since 2.9 "
    'with "Profiling failure on CUDNN engine ..." for each; "CUDNN_STATUS_NOT_SUPPORTED".',
    distinction="The same text comes when there is no memory for the work space, which is the more frequent reason: "
    "out-of-memory or memory-preallocated unless memory was free. The status behind each engine tells "
    "(RESOURCE_EXHAUSTED or NOT_SUPPORTED).",
    confirmation="Run the one convolution alone with memory growth on: it still fails.",
    remedy="Change batch, size, layout or type of the convolution; a newer cuDNN may have an algorithm.",
    references=("https://docs.nvidia.com/deeplearning/cudnn/backend/latest/",),
)
