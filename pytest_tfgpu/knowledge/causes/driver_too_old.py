"""The driver is older than the CUDA that TensorFlow was built with needs."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="driver-too-old",
    category="environment",
    summary="The NVIDIA driver is older than the CUDA version in use needs.",
    signatures=(
        Signature("root", ("driver version is insufficient for CUDA runtime version",), weight=0.88),
        Signature(
            "root",
            (
                "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
                "compiled with an unsupported toolchain",
                "update your CUDA driver to a version compatible",
                "cudaErrorInsufficientDriver",
                "The NVIDIA driver on your system is too old",
                "unsatisfied condition: {cuda|driver}",
                "requirement error: unsatisfied condition",
                "cudaSuccess (35 vs. 0)",
            ),
            weight=0.88,
        ),
        Signature(
            "root",
            texts.FORWARD_COMPATIBILITY,
            unless=("driver-halves-differ",),
            weight=0.75,
        ),
        # the driver's own compiler calls its input so; ptxas names a file
        Signature("root", ("ptx input{~}Unsupported .version {#}; current version is",), weight=0.8),
        Signature("follows", ("Unsupported .version {#}; current version is",), weight=0.4),
        Signature(
            "root", ("could not find {}in libcuda DSO", "libcuda.so.1: undefined symbol: cu{w}"), weight=0.93
        ),
        Signature(
            "root",
            (*texts.CUDNN_HANDLE, *texts.CUBLAS_HANDLE, *texts.NO_CUDNN, "failed call to cuInit"),
            needs=("driver-too-old-for-cuda",),
            weight=0.8,
        ),
        Signature("confirms", needs=("driver-too-old-for-cuda",), weight=0.75),
        Signature("follows", ("Failed to create session",), unless=("text:gRPC",), weight=0.25),
        Signature("excludes", needs=("driver-fits-cuda",), weight=0.3),
        Signature("excludes", needs=("fault-printed",), weight=0.5),
        *statuses.signs("driver-too-old"),
        Signature(
            "root",
            (
                "This container was built for NVIDIA Driver Release {#} or later",
                "driver version ({#}) is older than",
                "{requires|needs} {|NVIDIA |a }driver {version |}{>=|at least}",
                "update your {graphics|NVIDIA|GPU} driver",
            ),
            weight=0.8,
        ),
    ),
    rivals=("driver-library-mismatch", "cuda-version-mismatch"),
    notes=("driver-too-old-for-cuda",),
    help=(
        Help(
            "Update the NVIDIA driver (on the host, for containers); `tfgpu doctor` shows what it supports."
        ),
        Help("Else use a TensorFlow that was built for an older CUDA.", sure=False),
    ),
    examples=(
        Example(
            source="https://github.com/google-research/bert/issues/285",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="cudaGetDevice() failed. Status: CUDA driver version is insufficient for CUDA runtime version",
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
    meaning="Each CUDA version needs a driver of at least a certain version. The one here can't run the CUDA libraries "
    "that were loaded, or can't compile the code that they bring.",
    appearance='InternalError "cudaGetDevice() failed. Status: CUDA driver version is insufficient for CUDA runtime '
    "version\" (1.x on); \"'cuModuleLoadData(&module, data)' failed with 'CUDA_ERROR_UNSUPPORTED_PTX_VERSION'\" in the "
    "log (2.4 on), and then an InternalError that says only CUDA_ERROR_INVALID_HANDLE. A driver that is older still "
    'lacks functions: "could not find cuDevicePrimaryCtxSetFlags in libcuda DSO" (1.x).',
    distinction='"Possibly insufficient driver version", which TensorFlow prints whenever cuDNN isn\'t initialised, is '
    "a guess: compare the versions. A missing driver with CUDA libraries present gives the same text: driver-missing. "
    "CUDA_ERROR_INVALID_PTX is a GPU that is too new: unsupported-compute-capability.",
    confirmation="nvidia-smi shows the newest CUDA that the driver serves; compare it with what TensorFlow was "
    "built for.",
    remedy="Update the driver. CUDA 12.x needs 525.60 or newer, 11.x needs 450.80 or newer (Linux). In conda, "
    "cudatoolkit may be newer than the driver serves: pin it.",
    references=("https://docs.nvidia.com/deploy/cuda-compatibility/",),
)
