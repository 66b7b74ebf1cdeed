"""A CUDA library other than cuDNN can't be loaded."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

_NAMES = (
    "{libcudart|libcublas|libcublasLt|libcufft|libcurand|libcusolver|libcusparse|libnvrtc|libnvJitLink|"
    "libcupti|libnccl}"
)

CAUSE = Cause(
    id="cuda-library-missing",
    category="environment",
    summary="A CUDA library that TensorFlow needs can't be loaded, so it uses no GPU.",
    signatures=(
        Signature(
            "root",
            (
                "Could not {load dynamic|dlopen} library '{libcudart|libcublas|libcufft|libcurand|libcusolver}{w}",
                "Could not {load dynamic|dlopen} library '{libcublasLt|libcusparse|libnvrtc|libnvJitLink}{w}",
                "Could not {load dynamic|dlopen} library '{cudart64|cublas64|cublasLt64|cufft64|curand64}{w}",
                "Could not {load dynamic|dlopen} library '{cusolver64|cusparse64}{w}",
            ),
            needs=("gpu-wanted",),
            weight=0.88,
        ),
        Signature(
            "root",
            (
                f"{_NAMES}{{w}} cannot open shared object file",
                "{libcublasLt|libcudart|libcublas}{w} image not found",
                f"Library not loaded: @rpath/{_NAMES}{{w}}",
                "Could not {find|load} {'|}{cudart64|cublas64|cufft64|curand64|cusolver64|cusparse64}{w}",
                "Couldn't open CUDA library {libcublas|libcufft|libcurand|libcudart}{w}",
            ),
            needs=("gpu-wanted",),
            weight=0.88,
        ),
        Signature(
            "follows",
            ("DLL load failed",),
            also=("native TensorFlow runtime", "_pywrap_tensorflow"),
            needs=("cuda-in-play",),
            unless=("tensorflow:>=2.1",),
            weight=0.5,
        ),
        Signature("root", ("Error loading CUDA libraries",), weight=0.8),
        Signature("root", ("The GPU version of TensorFlow requires that this DLL",), weight=0.8),
        Signature("root", ("could not find {}in libcupti DSO",), weight=0.93),
        Signature("root", ("WinDLL(build_info.cudart_dll_name)",), weight=0.85),
        Signature("root", needs=("only-xla-gpu-listed",), weight=0.84),
        Signature("follows", ("Unable to load NCCL library",), weight=0.3),
        Signature("root", ("Cannot dlopen some GPU libraries",), needs=("gpu-wanted",), weight=0.78),
        Signature(
            "follows", ("Could not find cuda drivers on your machine",), needs=("gpu-wanted",), weight=0.4
        ),
        Signature("confirms", needs=("library-missing:libcu",), weight=0.75),
        Signature("excludes", needs=("library-missing:libcudnn",), weight=0.3),
        Signature("excludes", needs=("cpu-build",), weight=0.8),
        Signature("excludes", ("failed call to cuInit",), weight=0.3),
        Signature("excludes", ("initialization routine failed",), weight=0.5),
        Signature(
            "root",
            (
                "{libnvToolsExt|libcusparseLt|libcufile|libnvvm|libcudadevrt}{w} cannot open shared object file",
                "Couldn't open CUDA library {libcusolver|libcusparse|cublas64|cufft64|curand64|cudart64|cusolver64}{w}",
                "Could not locate {cublas64|cublasLt64|cufft64|curand64|cusolver64|cusparse64|cudart64|nvrtc64}{w}",
                "CUDA runtime library not found",
            ),
            needs=("gpu-wanted",),
            weight=0.8,
        ),
        Signature("follows", ("Couldn't open CUDA library {libcupti|cupti64}{w}",), weight=0.35),
        Signature("root", ("Cannot dlopen all CUDA libraries",), needs=("gpu-wanted",), weight=0.65),
        Signature("follows", ("Failed call to cudaGetRuntimeVersion",), needs=("gpu-wanted",), weight=0.4),
        Signature("follows", needs=("no-gpu-listed", "cuda-unlike-build"), weight=0.6),
        Signature("root", ("symbol not found.",), weight=0.7),
    ),
    rivals=("cuda-version-mismatch", "cudnn-missing"),
    notes=("library-missing:libcu",),
    help=(
        Help(
            "Install the CUDA libraries of the version that this TensorFlow was built for: with pip, "
            "`pip install tensorflow[and-cuda]`. `tfgpu doctor` names the missing file and where it was looked for.",
            unless=("platform:windows",),
        ),
        Help(
            "Install the CUDA version that this TensorFlow was built for, on PATH.",
            needs=("platform:windows",),
        ),
        Help(
            "Name the library: run once with TF_CPP_VMODULE=dso_loader=3.",
            sure=False,
            needs=("tensorflow:>=2.12",),
        ),
    ),
    examples=(
        Example(
            source="https://github.com/orpatashnik/StyleCLIP/issues/20",
            log=(
                "2021-07-10 16:39:37.238757: W tensorflow/stream_executor/platform/default/dso_loader.cc:55] Could "
                "not load dynamic library 'libcudart.so.10.0'; dlerror: libcudart.so.10.0: cannot open shared object "
                "file: No such file or directory; LD_LIBRARY_PATH: /usr/local/nvidia/lib64:/usr/local/cuda/lib64",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/tensorflow/tensorflow/issues/8898",
            log=(
                "I tensorflow/stream_executor/dso_loader.cc:126] Couldn't open CUDA library libcudnn.so.5. "
                "LD_LIBRARY_PATH: /home/user/Downloads:/usr/local/cuda-8.0/lib64",
            ),
            cause="cudnn-missing",
        ),
        LookAlike(
            source="https://github.com/tensorflow/tensorflow/issues/37689",
            log=(
                "2020-03-18 08:16:50.221103: W tensorflow/stream_executor/platform/default/dso_loader.cc:55] Could not "
                "load dynamic library 'libnvinfer.so.6'; dlerror: libnvinfer.so.6: cannot open shared object file: No "
                "such file or directory; LD_LIBRARY_PATH: /usr/local/cuda/lib64:/.singularity.d/libs",
            ),
            cause=None,
        ),
    ),
    meaning="TensorFlow opens libcudart, libcublas, libcufft, libcusolver, libcusparse and others by name and major "
    "version. If one can't be opened it drops every GPU and goes on with the CPU, without an error.",
    appearance='ImportError "libcublas.so.9.0: cannot open shared object file" (1.x); W "Could not load dynamic '
    "library "
    '\'libcublas.so.11\'" (2.0 to 2.11); from 2.12 only "Cannot dlopen some GPU libraries", without a name. "Could not '
    'find cuda drivers on your machine" (from 2.12) means libcudart, not the driver. Afterwards tests fail for want '
    'of a GPU. A trace that wants CUPTI aborts: "could not find cuptiActivityRegisterCallbacks in libcupti DSO" (1.x).',
    distinction="libcuda.so.1 is the driver (driver-missing), libcudnn is cudnn-missing, libnvinfer is TensorRT and "
    "optional. If a library is found and doesn't fit the others, it is cuda-version-mismatch.",
    confirmation="`tfgpu doctor` names the file; TF_CPP_VMODULE=dso_loader=3 makes TensorFlow name it.",
    remedy="Install what TensorFlow was built for, in one way only (pip, conda or the system). Keep LD_LIBRARY_PATH "
    "free of other CUDA versions. TensorFlow 2.21.0's wheel doesn't search nvidia/cusolver/lib: put that folder on "
    "LD_LIBRARY_PATH.",
    references=("https://www.tensorflow.org/install/pip", "https://www.tensorflow.org/install/source#gpu"),
)
