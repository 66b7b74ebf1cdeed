"""The cuDNN that is loaded doesn't fit the one that TensorFlow was compiled with."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="cudnn-version-mismatch",
    category="environment",
    summary="The cuDNN that was loaded doesn't fit the version that TensorFlow was compiled with.",
    signatures=(
        Signature("follows", ("CUDNN_STATUS_EXECUTION_FAILED",), exceptions=("UnknownError",), weight=0.34),
        Signature("root", ("Loaded runtime CuDNN library: {} but source was compiled with",), weight=0.95),
        Signature(
            "root",
            ("CUDNN_STATUS_VERSION_MISMATCH", "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"),
            weight=0.9,
        ),
        Signature(
            "root",
            (
                *texts.CUDNN_HANDLE,
                *texts.NO_CUDNN,
                *texts.DNN_NOT_FOUND,
                *texts.CUDNN_LAUNCH,
                *texts.CUDNN_RNN,
                *texts.CUDNN_BACKWARD,
                *texts.NO_ALGORITHM,
            ),
            needs=("cudnn-unfit",),
            weight=0.8,
        ),
        Signature("follows", texts.DNN_NOT_FOUND, weight=0.5),
        Signature("follows", texts.CUDNN_LAUNCH, weight=0.5),
        Signature("follows", ("<unknown cudnn status:",), weight=0.6),
        Signature("follows", ("could not set cudnn {w} {descriptor|parameters}",), weight=0.5),
        Signature("follows", ("handle: CUDNN_STATUS_NOT_INITIALIZED",), weight=0.45),
        Signature("follows", texts.CUDNN_HANDLE, weight=0.4),
        Signature("follows", texts.NO_CUDNN, weight=0.35),
        Signature(
            "follows",
            (
                "CUDNN_STATUS_{EXECUTION_FAILED|INTERNAL_ERROR|BAD_PARAM|INTERNAL_ERROR_HOST_ALLOCATION_FAILED}",
            ),
            weight=0.35,
        ),
        Signature("confirms", needs=("cudnn-unfit",), weight=0.75),
        Signature("follows", texts.CUDNN_BACKWARD, weight=0.45),
        Signature("follows", texts.CUDNN_RNN, weight=0.42),
        Signature("follows", ("CUDNN_STATUS_NOT_INITIALIZED",), weight=0.4),
        Signature("root", ("compiled against {} but found runtime version",), weight=0.85),
        Signature("excludes", needs=("cudnn-fits",), weight=0.6),
        Signature("excludes", needs=("gpu-memory-low",), weight=0.6),
        Signature("excludes", needs=("allocation-refused",), unless=("cudnn-unfit",), weight=0.7),
        Signature("excludes", ("Failed to determine cuDNN version",), weight=0.5),
        Signature("excludes", needs=("fault-printed",), weight=0.85),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
        *statuses.signs("cudnn-version-mismatch"),
        Signature("follows", texts.NO_CONFIG_OF_CONVOLUTION, weight=0.5),
        Signature("root", ("Could not load symbol cudnn{w}",), weight=0.9),
        Signature("excludes", needs=("other-framework",), weight=0.6),
        Signature(
            "root", ("Cudnn version is too old", "requires {cuDNN|cudnn} {|v|version |>= }{#}"), weight=0.75
        ),
        Signature("follows", ("0xC0000409",), also=("Loaded cuDNN version",), weight=0.42),
        Signature("root", ("could not find {w} in cudnn DSO",), weight=0.93),
        Signature("follows", ("cuda_dnn.cc",), needs=("logged-by:cuda_dnn.cc", "gpu-wanted"), weight=0.3),
    ),
    rivals=("memory-preallocated", "cuda-version-mismatch"),
    notes=(
        "cudnn-unfit",
        "cudnn-fits",
    ),
    help=(
        Help(
            "Install the cuDNN that this TensorFlow was built for: the same major version, and a minor version "
            "at least as high. `tfgpu doctor` shows both versions and which file is loaded."
        ),
        Help(
            "Take the folder of the other cuDNN off LD_LIBRARY_PATH: it comes before the one that was installed "
            "with TensorFlow.",
            sure=False,
            needs=("variable:LD_LIBRARY_PATH",),
        ),
        Help("Restart the process (or the notebook): a library that is loaded stays loaded.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/google-research/deeplab2/issues/66",
            log=(
                "2021-10-13 17:19:29.385716: E tensorflow/stream_executor/cuda/cuda_dnn.cc:362] Loaded runtime CuDNN "
                "library: 8.0.4 but source was compiled with: 8.1.0.  CuDNN library needs to have matching major "
                "version and equal or higher minor version.",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/fizyr/keras-retinanet/issues/1452",
            exception="tensorflow.python.framework.errors_impl.UnknownError",
            message="Failed to get convolution algorithm. This is probably because cuDNN failed to initialize, so "
            "try looking to see if a warning log message was printed above. [[node retinanet/conv1/Conv2D (defined "
            "at keras_retinanet/bin/train.py:551) ]] [Op:__inference_train_function_13978]",
            log=(
                "E tensorflow/stream_executor/cuda/cuda_dnn.cc:328] Could not create cudnn handle: "
                "CUDNN_STATUS_ALLOC_FAILED",
            ),
            cause="memory-preallocated",
        ),
    ),
    meaning="TensorFlow checks at run time which cuDNN was loaded. Another major version, or an older minor one, is "
    "refused; what needs cuDNN (convolutions, recurrent layers, fused batch normalisation) then fails.",
    appearance='E "Loaded runtime CuDNN library: A but source was compiled with: B" in the log. Wording to 1.11: '
    '"7301 (compatibility version 7300)"; 1.12 to 2.3: "major and minor version needs to match"; from 2.5: "matching '
    'major version and equal or higher minor version". The exception says something else: "Failed to get '
    'convolution algorithm" (1.12 to 2.6), "DNN library is not found." (2.7 to 2.15), "No DNN in stream executor." '
    "(2.16 on).",
    distinction="The line with both versions decides, whatever the exception says. Without it, compare the versions "
    "yourself. Little free memory at the failure speaks for memory-preallocated. Where no cuDNN at all could be "
    "opened it is cudnn-missing.",
    confirmation="`tfgpu doctor` names the version that TensorFlow was built for and the file that the loader takes.",
    remedy="Install the matching cuDNN (with pip: tensorflow[and-cuda] brings it), remove older copies from "
    "LD_LIBRARY_PATH, from the conda environment and from the CUDA folder. Other packages may bring their own: "
    "PyTorch pins a version of nvidia-cudnn, too.",
    references=(
        "https://www.tensorflow.org/install/source#gpu",
        "https://docs.nvidia.com/deeplearning/cudnn/backend/latest/reference/support-matrix.html",
    ),
)
