"""ROCm, MIOpen and TensorFlow-ROCm don't fit one another."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="rocm-stack-mismatch",
    category="environment",
    summary="ROCm, MIOpen and this TensorFlow don't fit one another.",
    signatures=(
        Signature(
            "root",
            (
                "opencl.bc",
                "ld.lld: error",
                "ockl.bc",
                "hsa_{w} failed",
                "amdgcn-amd-amdhsa",
                "amdgpu_target",
                "hip_{fatbin|code_object}.cpp{w} guarantee",
            ),
            weight=0.8,
        ),
        Signature(
            "root",
            (
                "MIOpen Error",
                "miopenStatus{UnknownError|InternalError|NotInitialized|NotImplemented|AllocFailed}",
                "MIOpen(HIP)",
            ),
            weight=0.72,
        ),
        Signature("root", ("hipErrorNoBinaryForGpu", "hipErrorSharedObject", "hip{w} failed"), weight=0.72),
        Signature(
            "root", ("hipSuccess ({#} vs. 0)", "failed with 'hipError{w}", "ihipException"), weight=0.7
        ),
        Signature(
            "root", ("Could not {load dynamic|dlopen} library '{libamdhip64|librocblas|libMIOpen|libhip}{w}",)
        ),
        Signature(
            "root",
            (
                "{libamdhip64|librocblas|libMIOpen|librccl|libhip}{w} cannot open shared object",
                "{librocfft|librocrand|librocsolver|libroctracer|librocm}{w} cannot open shared object",
                "{libmcwamp|libhc_am|libhsa-runtime64|libamd_comgr}{w} cannot open shared object",
                "version `{hip|rocblas|miopen|roc}{w}' not found",
            ),
        ),
        Signature("root", ("undefined symbol: {hip|miopen|rocblas|hsa_|roc}{w}",), weight=0.8),
        Signature("follows", ("ROCm", "rocm"), weight=0.3),
        Signature("excludes", ("ROCm MIOpen only supports",), weight=0.9),
        Signature("excludes", ("hipErrorOutOfMemory",), weight=0.5),
        Signature("root", ("failed call to hipInit", "HSA_STATUS_ERROR_", "/dev/kfd"), weight=0.65),
    ),
    rivals=("unsupported-compute-capability", "driver-missing"),
    help=(Help("Use the ROCm version that this tensorflow-rocm was built for, in all its parts."),),
    examples=(
        Example(
            source="https://github.com/Grench6/RX580-rocM-tensorflow-ubuntu20.4-guide/issues/1",
            exception="ImportError",
            message="librccl.so.1: cannot open shared object file: No such file or directory",
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
    meaning="On AMD GPUs TensorFlow uses ROCm. Each tensorflow-rocm is built for one ROCm version, and MIOpen compiles "
    "kernels with the compiler that is installed: mixed versions fail there.",
    appearance='Lines of MIOpen, HIP, "opencl.bc" or "ld.lld" in the log, then an InternalError or an abort.',
    distinction="An operation that ROCm lacks says so: op-unsupported-on-device.",
    confirmation="Compare /opt/rocm/.info/version with the table of tensorflow-rocm.",
    remedy="Install matching versions, or use AMD's container images.",
    references=("https://rocm.docs.amd.com/projects/install-on-linux/en/latest/",),
)
