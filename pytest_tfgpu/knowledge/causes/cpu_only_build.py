"""The installed TensorFlow has no GPU support."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="cpu-only-build",
    category="environment",
    summary="The installed TensorFlow was built without GPU support.",
    signatures=(
        Signature(
            "root", ("The requested device appears to be a GPU, but CUDA is not enabled",), weight=0.95
        ),
        Signature("root", texts.PINNED, needs=("cpu-build",), weight=0.9),
        Signature("root", needs=("cpu-build", "no-gpu-listed"), weight=0.9),
        Signature("root", needs=("cpu-build", "gpu-wanted", "gpu-present"), weight=0.8),
        Signature(
            "root",
            needs=("no-kernels", "no-gpu-listed"),
            ops=("CudnnRNN*", "Cudnn*", "Nccl*", "FusedBatchNorm*"),
            weight=0.82,
        ),
        Signature("root", needs=("windows-without-cuda", "no-gpu-listed"), weight=0.88),
        Signature("root", needs=("windows-without-cuda", "pinned-by-program"), weight=0.85),
        Signature("root", needs=("platform:macos", "pinned-by-program", "no-gpu-listed"), weight=0.7),
        Signature(
            "root",
            ("is_built_with_cuda{~}False", "built with CUDA{}False", "Not built with GPU enabled"),
            needs=("gpu-wanted",),
        ),
        Signature("root", ("install GPU version of TF",), needs=("no-gpu-listed",), weight=0.82),
        Signature("follows", texts.LAYOUT, needs=("operation-on-cpu",), weight=0.35),
        Signature("follows", needs=("no-gpu-listed", "no-kernels"), weight=0.5),
        Signature("follows", texts.PINNED, needs=("no-gpu-listed",), weight=0.45),
        Signature("confirms", needs=("cpu-build",), weight=0.75),
        Signature("confirms", needs=("windows-without-cuda",), weight=0.5),
        Signature("follows", texts.NO_GPU, weight=0.4),
        Signature("follows", texts.NO_DEVICE_MAPPED, where="message", weight=0.4),
        Signature("follows", needs=("no-gpu-listed",), unless=("gpu-listed", "message"), weight=0.45),
        Signature("excludes", needs=("cuda-build",), weight=0.9),
        Signature("excludes", needs=("gpu-listed",), weight=0.9),
        Signature(
            "excludes", ("Could not {load dynamic|dlopen} library", "failed call to cuInit"), weight=0.85
        ),
        Signature(
            "excludes",
            ("Cannot dlopen some GPU libraries", "Successfully opened dynamic library"),
            weight=0.85,
        ),
    ),
    rivals=("gpu-not-visible", "cuda-library-missing"),
    notes=("cpu-build", "no-gpu-listed"),
    help=(
        Help(
            "Install TensorFlow with GPU support: pip install tensorflow[and-cuda].",
            needs=("platform:linux",),
        ),
        Help(
            "Use WSL2: from 2.11 on TensorFlow has no GPU support on native Windows.",
            needs=("windows-without-cuda",),
        ),
        Help("On a Mac the GPU comes with the package tensorflow-metal.", needs=("platform:macos",)),
        Help(
            "Look whether another TensorFlow than the one you mean is imported: `tfgpu doctor`.", sure=False
        ),
    ),
    examples=(
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/60237",
            log=("Tensor Flow Version: 2.12.0", "Keras Version: 2.12.0", "GPU is NOT AVAILABLE"),
            facts={"tensorflow": "2.12.0", "platform": "windows"},
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.raw_ops.CudnnRNN(...) with the CUDA build of TensorFlow 2.21.0 on a CPU",
            exception="NotFoundError",
            message="Could not find device for node: {{node CudnnRNN}} = CudnnRNN[T=DT_FLOAT]\nAll kernels registered "
            "for op CudnnRNN:\n  device='GPU'; T in [DT_FLOAT]\n [Op:CudnnRNN]",
            cause="op-unsupported-on-device",
        ),
    ),
    meaning="TensorFlow comes in builds with and without CUDA. This one has none: tensorflow-cpu, native Windows from "
    "2.11 on, a macOS wheel, or a build of a distribution.",
    appearance="No error by itself: everything runs on the CPU, and not one line about CUDA is printed. What needs "
    "a GPU "
    'fails: "<no registered kernels>" for CudnnRNN or NcclAllReduce, "The requested device appears to be a GPU, but '
    'CUDA is not enabled", operations in NCHW layout.',
    distinction="A CUDA build without its libraries lists kernels for the GPU and prints lines about CUDA: "
    "cuda-library-missing, driver-missing, gpu-not-visible.",
    confirmation="tf.test.is_built_with_cuda() is False; `tfgpu doctor` reads it without importing TensorFlow.",
    remedy="Uninstall the CPU package and install tensorflow[and-cuda] (Linux, WSL2), tensorflow-metal (Mac), or 2.10 "
    "as the last one for native Windows.",
    references=("https://www.tensorflow.org/install/pip",),
)
