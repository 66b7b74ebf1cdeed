"""CUDA parts of incompatible versions are mixed."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="cuda-version-mismatch",
    category="environment",
    summary="Parts of CUDA from different versions are loaded together and don't fit.",
    signatures=(
        Signature(
            "root",
            ("undefined symbol: {cu|_cu|__cuda|nv|cublas|cudnn|cusparse|cusolver|cufft}{w}",),
            weight=0.85,
        ),
        Signature(
            "root", ("version `libcu{w}' not found", "version libcu{w} not defined in file"), weight=0.85
        ),
        Signature("root", ("undefined symbol", "symbol not found"), also=("nvidia", "libcu{w}"), weight=0.8),
        Signature("excludes", ("undefined symbol: _Z{w}",), weight=0.5),
        Signature("follows", texts.PTXAS_REFUSED, weight=0.5),
        Signature("root", ("nvlink exited with non-zero error code",), weight=0.75),
        Signature(
            "root",
            (
                "Unsupported .version {#}; current version is",
                "ptxas fatal : Unknown option",
                "newer than toolkit ({#} vs {#})",
            ),
            unless=("text:ptx input",),
            weight=0.75,
        ),
        Signature(
            "root", ("CUDA version mismatch", "cudaErrorSymbolNotFound", "Status: named symbol not found")
        ),
        Signature("root", ("Found multiple CUDA versions", "multiple versions of CUDA"), weight=0.7),
        Signature(
            "root",
            (
                *texts.CUDNN_LAUNCH,
                *texts.NO_CUDNN,
                *texts.NO_CUBLAS,
                "could not set cudnn {w} {descriptor|parameters}",
            ),
            needs=("cuda-unlike-build",),
            weight=0.62,
        ),
        Signature("follows", ("{libcusolver|libcusparse}.so{~}libnvJitLink.so",), weight=0.6),
        Signature("follows", texts.CUDNN_LAUNCH, weight=0.46),
        Signature("follows", ("could not set cudnn {w} {descriptor|parameters}",), weight=0.52),
        Signature("follows", ("CUDA_ERROR_NOT_FOUND", "device kernel image is invalid"), weight=0.45),
        Signature("excludes", ("cuInit: {}CUDA_ERROR_NOT_FOUND",), weight=0.5),
        Signature(
            "follows",
            (
                "CUBLAS_STATUS_{EXECUTION_FAILED|INTERNAL_ERROR|ARCH_MISMATCH}",
                "the GPU program failed to execute",
            ),
            weight=0.35,
        ),
        Signature("follows", ("Error loading CUDA libraries",), weight=0.25),
        Signature("follows", ("invalid device function",), weight=0.35),
        Signature("confirms", needs=("cuda-unlike-build",), weight=0.3),
        Signature("follows", texts.CUDNN_BACKWARD, weight=0.42),
        Signature("follows", (*texts.CUDNN_RNN, *texts.BLAS_LAUNCH), weight=0.3),
        Signature(
            "root", ("Could not load symbol {cu|nv|cublas}{w}",), unless=("text:symbol cudnn",), weight=0.78
        ),
        Signature("excludes", needs=("fault-printed",), weight=0.7),
        Signature("excludes", needs=("fault-earlier",), weight=0.9),
        Signature("excludes", needs=("gpu-memory-low",), weight=0.5),
        Signature("excludes", needs=("allocation-refused",), weight=0.7),
        *statuses.signs("cuda-version-mismatch"),
        Signature(
            "root",
            ("undefined symbol: {__nvJitLink|__cublas|__cufft|__cusolver|__cusparse|nvml}{w}",),
            weight=0.85,
        ),
        Signature("follows", ("Could not load symbol cudnn{w}",), weight=0.5),
        Signature("root", ("could not find {w} in {cublas|cufft|curand|cusolver|cuda} DSO",), weight=0.85),
    ),
    rivals=("cudnn-version-mismatch", "cuda-library-missing"),
    notes=("cuda-unlike-build",),
    help=(
        Help(
            "Keep one CUDA only: `tfgpu doctor` shows which file of each library is loaded, and from where."
        ),
        Help("Take other CUDA folders off LD_LIBRARY_PATH.", sure=False, needs=("variable:LD_LIBRARY_PATH",)),
        Help("Use the CUDA and cuDNN of TensorFlow's table of tested builds.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/psifx/psifx/issues/16",
            exception="ImportError",
            message="site-packages/torch/lib/../../nvidia/cusparse/lib/libcusparse.so.12: undefined symbol: "
            "__nvJitLinkComplete_12_4, version libnvJitLink.so.12",
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
    meaning="All libraries are found, but they belong to different CUDA versions: from pip, conda, the system and "
    "other packages. They load and fail when they call each other, or when TensorFlow calls what an older one lacks.",
    appearance='"undefined symbol: cu..." at import; "cuDNN launch failure", "could not set cudnn filter descriptor: '
    'CUDNN_STATUS_BAD_PARAM" with TensorFlow 1.x; ptxas or nvlink of another version refused by XLA.',
    distinction="A file that can't be found is cuda-library-missing. cuDNN alone is cudnn-version-mismatch. A new card "
    "under an old CUDA is unsupported-compute-capability.",
    confirmation="Look at /proc/<pid>/maps of the failing process for libcu*: all should come from one place.",
    remedy="Make a fresh environment with TensorFlow's own CUDA packages, without LD_LIBRARY_PATH.",
    references=("https://www.tensorflow.org/install/source#gpu",),
)
