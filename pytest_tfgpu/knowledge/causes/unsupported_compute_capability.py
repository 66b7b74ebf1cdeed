"""The GPU is too old or too new for this build or library."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="unsupported-compute-capability",
    category="environment",
    summary="This TensorFlow, or a library that it uses, has no code for this GPU.",
    signatures=(
        Signature("root", ("no kernel image is available for execution",), weight=0.9),
        Signature("root", ("CUDA_ERROR_NO_BINARY_FOR_GPU", "cudaErrorNoKernelImageForDevice"), weight=0.9),
        Signature("root", ("CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"), weight=0.88),
        Signature(
            "root", ("Ignoring {visible gpu|gpu} device",), also=("Cuda compute capability {#}",), weight=0.92
        ),
        Signature("root", ("device kernel image is invalid", "CUDNN_STATUS_ARCH_MISMATCH"), weight=0.75),
        Signature("root", ("cudaSuccess ({8|48|98|209} vs. 0)",), weight=0.75),
        Signature("root", ("CUBLAS_STATUS_ARCH_MISMATCH", "CUDA_ERROR_INVALID_IMAGE"), weight=0.75),
        Signature("root", (*texts.PTXAS_TOO_OLD, *texts.PTX_FOR_ANOTHER_GPU), weight=0.85),
        Signature(
            "root",
            (
                "fatal : Unsupported {.target|gpu architecture} '{sm_|compute_}{w}",
                "{'|}sm_{w}' is not a recognized processor",
                "PTX version {#} does not support target",
            ),
            weight=0.85,
        ),
        Signature("root", ("requires compute capability '{}' but is of",), weight=0.8),
        Signature("root", ("invalid device function", "ptxas does not support CC"), weight=0.6),
        Signature("root", ("with compute capability {#} or {later|higher}",), where="message", weight=0.7),
        Signature(
            "root",
            (
                "CUDA_ERROR_INVALID_HANDLE",
                "JIT compilation failed",
                *texts.CUDNN_LAUNCH,
                *texts.CUDNN_RNN,
                *texts.CUDNN_BACKWARD,
                *texts.NO_ALGORITHM,
            ),
            needs=("gpu-newer-than-cuda",),
            weight=0.82,
        ),
        Signature(
            "root",
            (*texts.NO_CUBLAS, *texts.CUBLAS_HANDLE, *texts.NO_CUDNN, *texts.CUDNN_HANDLE, "CUBLAS_STATUS_"),
            needs=("gpu-newer-than-cuda",),
            weight=0.8,
        ),
        Signature(
            "root", ("CUDA_ERROR_INVALID_HANDLE",), also=("not built with CUDA kernel binaries",), weight=0.85
        ),
        Signature(
            "root",
            ("Failed to load in-memory CUBIN", "failed to load PTX text as a module"),
            unless=("allocation-refused",),
            weight=0.65,
        ),
        Signature(
            "root",
            (
                "cuBlas call failed status",
                "failed to run cuBLAS routine",
                "failed BLAS call",
                "CUSOLVER_STATUS_",
                "CUDNN_STATUS_{EXECUTION_FAILED|INTERNAL_ERROR}",
            ),
            needs=("gpu-newer-than-cuda",),
            weight=0.8,
        ),
        Signature("follows", ("CUDA_ERROR_INVALID_HANDLE", "GpuLaunchKernel"), weight=0.35),
        Signature(
            "follows",
            ("too many resources requested for launch", "Shared memory size limit exceeded"),
            weight=0.45,
        ),
        Signature("follows", texts.CUBLAS_EXECUTION, weight=0.42),
        Signature("confirms", needs=("gpu-newer-than-cuda",), weight=0.75),
        Signature("confirms", needs=("gpu-older-than-build",), weight=0.75),
        Signature("root", ("is not compatible with the current PyTorch installation",), weight=0.85),
        Signature("excludes", ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION",), weight=0.8),
        Signature("excludes", needs=("fault-printed",), weight=0.6),
        *statuses.signs("unsupported-compute-capability"),
        Signature("root", ("with compute capability at least {#}",), where="message", weight=0.7),
        Signature("follows", ("{Failed to|Could not} launch {gpuprim|cub}::",), weight=0.35),
    ),
    rivals=("cuda-version-mismatch", "tensorflow-defect"),
    notes=("gpu-newer-than-cuda", "gpu-older-than-build"),
    help=(
        Help("Use a TensorFlow built for a CUDA that knows this GPU.", needs=("gpu-newer-than-cuda",)),
        Help("Use an older TensorFlow, or build one for this GPU.", needs=("gpu-older-than-build",)),
        Help(
            "Compile custom operations for this GPU, too (nvcc -gencode).",
            sure=False,
            unless=("gpu-newer-than-cuda", "gpu-older-than-build"),
        ),
        Help(
            "Compare the GPU's compute capability with the list of the build: `tfgpu doctor` shows both.",
            sure=False,
            unless=("gpu-newer-than-cuda", "gpu-older-than-build"),
        ),
    ),
    examples=(
        Example(
            source="https://github.com/livepeer/lpms/issues/244",
            message="CUDA runtime implicit initialization on GPU:0 failed. Status: device kernel image is invalid",
        ),
        Example(
            source="https://github.com/tensorflow/tensorflow/issues/97387",
            message="CUDA_ERROR_INVALID_HANDLE",
            log=(
                "W0000 00:00:1753232013.685876   24341 gpu_device.cc:2431] TensorFlow was not built with CUDA kernel "
                "binaries compatible with compute capability 12.0. CUDA kernels will be jit-compiled from PTX, which "
                "could take 30 minutes or longer.",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/google-research/bert/issues/285",
            exception="tensorflow.python.framework.errors_impl.InternalError",
            message="cudaGetDevice() failed. Status: CUDA driver version is insufficient for CUDA runtime version",
            cause="driver-too-old",
        ),
    ),
    meaning="GPU code is compiled for certain compute capabilities. This build, a library or a custom operation has "
    "none for this card and, where it brings PTX to be compiled by the driver, that failed too.",
    appearance='"Ignoring visible gpu device ... with Cuda compute capability 3.0. The minimum required Cuda '
    "capability "
    'is 3.5" (all versions); "no kernel image is available for execution on the device", often as an abort; '
    '"device kernel image is invalid" (RTX 30 with CUDA 10); with 2.16 to 2.20 on Blackwell cards \'cuModuleLoadData '
    "failed with CUDA_ERROR_INVALID_PTX' and then InternalError CUDA_ERROR_INVALID_HANDLE.",
    distinction='"TensorFlow was not built with CUDA kernel binaries compatible with ..." alone is a slow start: '
    "kernels-compiled-at-first-use. UNSUPPORTED_PTX_VERSION is driver-too-old. INVALID_HANDLE is only a consequence; "
    "the line before it decides.",
    confirmation="tf.sysconfig.get_build_info()['cuda_compute_capabilities'] against the card's compute capability.",
    remedy="A newer TensorFlow for a new card, an older one (or an own build) for an old card; for custom operations "
    "compile with -gencode for it.",
    references=("https://developer.nvidia.com/cuda-gpus", "https://www.tensorflow.org/install/source#gpu"),
)
