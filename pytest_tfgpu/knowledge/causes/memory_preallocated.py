"""This process's TensorFlow took nearly all GPU memory, and cuDNN or cuBLAS found none."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="memory-preallocated",
    category="memory",
    summary="TensorFlow had taken nearly all GPU memory for itself, and a CUDA library found none left to start.",
    signatures=(
        Signature("follows", ("CUDNN_STATUS_EXECUTION_FAILED",), exceptions=("UnknownError",), weight=0.38),
        Signature(
            "root",
            (
                "handle: CUDNN_STATUS_ALLOC_FAILED",
                "handle: CUBLAS_STATUS_ALLOC_FAILED",
                "handle: the resource allocation failed",
            ),
            weight=0.8,
        ),
        Signature(
            "root",
            (*texts.CUDNN_HANDLE, *texts.CUBLAS_HANDLE),
            needs=("gpu-memory-preallocated",),
            unless=("room-for-a-library",),
            weight=0.85,
        ),
        Signature("root", (*texts.CUDNN_HANDLE, *texts.CUBLAS_HANDLE), needs=("gpu-memory-low",), weight=0.8),
        Signature(
            "root",
            ("CUBLAS_STATUS_ALLOC_FAILED", "cuBLAS routine: the resource allocation failed"),
            weight=0.76,
        ),
        Signature("follows", texts.REFUSED_BY_NUMBER, weight=0.45),
        Signature(
            "follows",
            ("failed to allocate {#}{} from device",),
            unless=("gpu-memory-preallocated",),
            weight=0.27,
        ),
        Signature(
            "follows",
            ("failed to allocate {#}{} from device",),
            needs=("gpu-memory-free-at-start",),
            weight=0.52,
        ),
        Signature("follows", ("cuSolverDN call failed with status =7",), weight=0.4),
        Signature(
            "root",
            (*texts.CUDNN_HANDLE, *texts.CUBLAS_HANDLE, *texts.NO_CUDNN, *texts.NO_CUBLAS),
            needs=("allocation-refused",),
            weight=0.78,
        ),
        Signature("root", ("CUDA driver ran out of memory trying to instantiate CUDA graph",), weight=0.75),
        Signature("root", ("Underlying backend ran out of memory trying to instantiate",), weight=0.75),
        Signature("follows", texts.CUDNN_HANDLE, weight=0.65),
        Signature("follows", texts.CUBLAS_HANDLE, weight=0.65),
        Signature("follows", texts.NO_CUDNN, weight=0.55),
        Signature("follows", texts.NO_CUBLAS, weight=0.55),
        Signature("follows", texts.DNN_NOT_FOUND, weight=0.35),
        Signature("follows", texts.NO_ALGORITHM, weight=0.45),
        Signature("follows", texts.CUDNN_LAUNCH, weight=0.3),
        Signature("follows", texts.NO_ROOM_BESIDE, weight=0.45),
        Signature("confirms", needs=("gpu-memory-preallocated",), unless=("room-for-a-library",), weight=0.4),
        Signature("excludes", needs=("room-for-a-library",), unless=("allocation-refused",), weight=0.3),
        Signature("confirms", needs=("gpu-memory-low", "no-other-processes"), weight=0.7),
        Signature("follows", texts.CUDNN_BACKWARD, weight=0.48),
        Signature("follows", texts.CUDNN_RNN, unless=("text:EXECUTION_FAILED",), weight=0.52),
        Signature("follows", texts.NOT_INITIALIZED, weight=0.5),
        Signature("excludes", needs=("gpu-memory-free",), unless=("allocation-refused",), weight=0.85),
        Signature("excludes", needs=("cudnn-unfit",), weight=0.7),
        Signature("excludes", needs=("memory-growth",), weight=0.5),
        Signature("excludes", needs=("other-processes",), weight=0.4),
        Signature("excludes", needs=("gpu-memory-taken-at-start",), weight=0.4),
        Signature("excludes", needs=("fault-printed",), weight=0.85),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
        Signature("excludes", needs=("driver-too-old-for-cuda",), weight=0.5),
        Signature("excludes", needs=("gpu-newer-than-cuda",), weight=0.5),
        Signature("excludes", needs=("other-framework",), weight=0.6),
        Signature("excludes", texts.CUBLAS_EXECUTION, weight=0.4),
        Signature(
            "follows",
            ("cuda_dnn.cc", "cuda_blas.cc", "cuda_blas_lt.cc", "cuda_solvers.cc", "gpu_solvers.cc"),
            needs=(
                "logged-by:cuda_dnn.cc/cuda_blas.cc/cuda_blas_lt.cc/cuda_solvers.cc/gpu_solvers.cc",
                "gpu-wanted",
            ),
            weight=0.3,
        ),
    ),
    rivals=("memory-held-by-other-process", "cudnn-version-mismatch", "out-of-memory"),
    notes=("gpu-memory-low", "gpu-memory-preallocated", "room-for-a-library", "cudnn-fits"),
    help=(
        Help(
            "Let TensorFlow take memory as it needs it: set TF_FORCE_GPU_ALLOW_GROWTH=true for the test run.",
            sure=False,
            unless=("memory-growth",),
        ),
        Help("Look with nvidia-smi whether other processes hold memory at the same time.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/fizyr/keras-retinanet/issues/1452",
            exception="tensorflow.python.framework.errors_impl.UnknownError",
            message="Failed to get convolution algorithm. This is probably because cuDNN failed to initialize, so "
            "try looking to see if a warning log message was printed above. [[node retinanet/conv1/Conv2D (defined "
            "at keras_retinanet/bin/train.py:551) ]] [Op:__inference_train_function_13978]",
            log=(
                "E tensorflow/stream_executor/cuda/cuda_dnn.cc:328] Could not create cudnn handle: "
                "CUDNN_STATUS_ALLOC_FAILED",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/google-research/deeplab2/issues/66",
            log=(
                "2021-10-13 17:19:29.385716: E tensorflow/stream_executor/cuda/cuda_dnn.cc:362] Loaded runtime CuDNN "
                "library: 8.0.4 but source was compiled with: 8.1.0.  CuDNN library needs to have matching major "
                "version and equal or higher minor version.",
            ),
            cause="cudnn-version-mismatch",
        ),
    ),
    meaning="Unless it is told otherwise, TensorFlow takes nearly the whole memory of each visible GPU at its first "
    "use. cuDNN, cuBLAS and the driver need some of their own, outside of that. On cards where something else (a "
    "desktop, a sibling process) holds the rest, they find none and can't start.",
    appearance='E "Could not create cudnn handle: CUDNN_STATUS_INTERNAL_ERROR" (or ALLOC_FAILED, NOT_INITIALIZED) or '
    '"failed to create cublas handle" in the log. The exception differs by version: UnknownError "Failed to get '
    'convolution algorithm" (1.12 to 2.6), UnimplementedError "DNN library is not found." (2.7 to 2.15), '
    'InvalidArgumentError "No DNN in stream executor." (2.16 on); InternalError "Blas GEMM launch failed" (to 2.7), '
    '"Attempting to perform BLAS operation using StreamExecutor without BLAS support" (to 2.16), "No blas support '
    'for stream" (later).',
    distinction='From 2.13 on the line "Memory usage: N bytes free" follows the failure: near zero speaks for '
    "memory, much free for versions or the driver (cudnn-version-mismatch, driver-too-old). Little memory free "
    "before TensorFlow took any: memory-held-by-other-process. An earlier illegal address: earlier-gpu-fault.",
    confirmation="Run the test with TF_FORCE_GPU_ALLOW_GROWTH=true. If it passes, this was it.",
    remedy="Turn memory growth on before the first use of the GPU (TF_FORCE_GPU_ALLOW_GROWTH=true, or "
    "tf.config.experimental.set_memory_growth in conftest.py), or give TensorFlow a limit "
    "(tf.config.set_logical_device_configuration). End other processes on the card.",
    references=("https://www.tensorflow.org/guide/gpu#limiting_gpu_memory_growth",),
)
