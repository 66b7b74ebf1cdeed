"""cuDNN, a part of it or a library that it needs can't be loaded."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="cudnn-missing",
    category="environment",
    summary="cuDNN, a part of it, or a library that it needs can't be loaded.",
    signatures=(
        Signature(
            "root",
            (
                "Could not {load dynamic|dlopen} library {'|}libcudnn{w}",
                "Could not {load dynamic|dlopen} library {'|}cudnn{w}",
                "Could not load library {libcudnn|cudnn}_{w}",
                "Could not find {'|}cudnn{w}",
                "libcudnn{w} cannot open shared object file",
                "libcudnn{w} image not found",
                "Library not loaded: @rpath/libcudnn{w}",
                "Unable to load any of {{libcudnn",
                "cuDNN could not be found or could not be loaded",
                "Could not locate zlibwapi.dll",
                "Couldn't open CUDA library {libcudnn|cudnn}{w}",
                "Unable to load cuDNN DSO",
                "Failed to load libcudnn",
            ),
            needs=("gpu-wanted",),
            weight=0.9,
        ),
        Signature(
            "root",
            ("Failed to determine cuDNN version",),
            also=("Cannot dlopen some GPU libraries",),
            needs=("gpu-wanted",),
            weight=0.8,
        ),
        Signature("follows", needs=("only-xla-gpu-listed",), weight=0.4),
        Signature("follows", ("Cannot dlopen some GPU libraries",), needs=("gpu-wanted",), weight=0.3),
        Signature("follows", texts.DNN_NOT_FOUND, weight=0.42),
        Signature("follows", ("Failed to determine cuDNN version",), needs=("gpu-wanted",), weight=0.5),
        Signature("follows", texts.CUDNN_HANDLE, weight=0.2),
        Signature("confirms", needs=("library-missing:libcudnn",), weight=0.8),
        Signature("excludes", needs=("cudnn-unfit",), weight=0.6),
        Signature("excludes", ("undefined symbol", "not defined in file"), weight=0.7),
        Signature("excludes", needs=("library-found:libcudnn",), weight=0.7),
        *statuses.signs("cudnn-missing"),
        Signature("root", ("WinDLL(build_info.cudnn_dll_name)",), weight=0.85),
        Signature("follows", ("heuristics are skipped due to missing library",), weight=0.4),
        Signature(
            "root", ("Invalid handle. Cannot load symbol cudnn{w}",), needs=("gpu-wanted",), weight=0.8
        ),
        Signature("follows", ("0xC0000409",), also=("Loaded cuDNN version",), weight=0.4),
    ),
    rivals=("cudnn-version-mismatch", "cuda-library-missing"),
    notes=("library-missing:libcudnn",),
    help=(
        Help(
            "Install cuDNN of the major version that this TensorFlow was built for: with pip, "
            "`pip install tensorflow[and-cuda]`; `tfgpu doctor` shows where it was looked for.",
            unless=("platform:windows",),
        ),
        Help(
            "Put cuDNN's DLL files, and zlibwapi.dll for cuDNN 8, into a folder on PATH.",
            needs=("platform:windows",),
        ),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/8898",
            log=(
                "I tensorflow/stream_executor/dso_loader.cc:126] Couldn't open CUDA library libcudnn.so.5. "
                "LD_LIBRARY_PATH: /home/user/Downloads:/usr/local/cuda-8.0/lib64",
                "I tensorflow/stream_executor/cuda/cuda_dnn.cc:3517] Unable to load cuDNN DSO",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/orpatashnik/StyleCLIP/issues/20",
            log=(
                "2021-07-10 16:39:37.238757: W tensorflow/stream_executor/platform/default/dso_loader.cc:55] Could "
                "not load dynamic library 'libcudart.so.10.0'; dlerror: libcudart.so.10.0: cannot open shared object "
                "file: No such file or directory; LD_LIBRARY_PATH: /usr/local/nvidia/lib64:/usr/local/cuda/lib64",
            ),
            cause="cuda-library-missing",
        ),
    ),
    meaning="TensorFlow opens cuDNN by name when it looks for GPUs, and cuDNN opens its own parts when they are first "
    "used. The loader found none of that name, or a library that it needs is missing.",
    appearance='ImportError "libcudnn.so.7: cannot open shared object file" (1.x); W "Could not load dynamic library '
    '\'libcudnn.so.8\'" (2.0 to 2.11); from 2.12 only "Cannot dlopen some GPU libraries", without a name, from 2.17 '
    'with "Failed to determine cuDNN version" before it. A missing part ends the process: "Could not load library '
    'libcudnn_cnn_infer.so.8", "Unable to load any of {libcudnn_cnn.so.9...}". On Windows: "Could not locate '
    'zlibwapi.dll", error code 126.',
    distinction="The name in the line decides; other names are cuda-library-missing. A cuDNN that is found and "
    "refused for its version is cudnn-version-mismatch. libnvinfer belongs to TensorRT and is optional.",
    confirmation="`tfgpu doctor` names the file that is missing and the folders that were searched. "
    "TF_CPP_VMODULE=dso_loader=3 makes TensorFlow name it, too.",
    remedy="Install cuDNN for the CUDA that TensorFlow was built for; the CUDA toolkit doesn't contain it. Make "
    "sure its folder is searched (LD_LIBRARY_PATH, ldconfig; PATH on Windows).",
    references=(
        "https://www.tensorflow.org/install/pip",
        "https://docs.nvidia.com/deeplearning/cudnn/installation/latest/",
    ),
)
