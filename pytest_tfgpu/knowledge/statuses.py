"""What the rarer statuses of CUDA and its libraries suggest, by cause.

Statuses that decide by themselves, or together with other texts, stand in the files of their causes. The rest is
here, so that none is met without a reading. Names and numbers: CUDA driver and runtime API, cuBLAS, cuDNN (8 and 9),
cuFFT, cuRAND, cuSOLVER, cuSPARSE and NCCL, as NVIDIA documents them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from pytest_tfgpu.knowledge.schema import Role, Signature

_NAMES = """
vgpu-unlicensed root 0.85
    CUDA_ERROR_DEVICE_NOT_LICENSED; cudaErrorDeviceNotLicensed; doesn't have valid Grid license;
    CUBLAS_STATUS_LICENSE_ERROR
vgpu-unlicensed follows 0.4
    CUDNN_STATUS_LICENSE_ERROR; CUFFT_LICENSE_ERROR; cuBLAS routine: the license check failed
vgpu-unlicensed follows 0.32
    CUDA_ERROR_NOT_PERMITTED; cudaErrorNotPermitted
driver-unhealthy follows 0.3
    CUDA_ERROR_NOT_PERMITTED; cudaErrorNotPermitted
driver-unhealthy follows 0.45
    CUDA_ERROR_NOT_INITIALIZED; cudaErrorInitializationError; cudaErrorStartupFailure;
    CURAND_STATUS_INITIALIZATION_FAILED; startup failure in cuda runtime
driver-unhealthy root 0.75
    cudaErrorMps{ConnectionFailed|RpcFailure|ServerNotReady}; cudaErrorSystemNotReady; cudaErrorOperatingSystem;
    MPS client failed to connect to the MPS control daemon; between the MPS server and the MPS client failed;
    MPS server is not ready to accept new MPS client requests
gpu-busy root 0.75
    CUDA_ERROR_MPS_MAX_{CLIENTS|CONNECTIONS}_REACHED; cudaErrorMpsMax{Clients|Connections}Reached;
    hardware resources required to {create MPS client|support device connections} have been exhausted;
    exclusive-thread device already in use by a different thread
gpu-not-visible follows 0.45
    cudaErrorInvalidDevice
driver-library-mismatch follows 0.42
    {CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND|cudaErrorSharedObjectSymbolNotFound}
driver-library-mismatch root 0.85
    cudaErrorSystemDriverMismatch
driver-library-mismatch follows 0.4
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND; JIT compiler library not found
driver-missing root 0.8
    cudaErrorSharedObjectInitFailed; cudaErrorStubLibrary; shared object initialization failed
driver-too-old root 0.88
    CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDA_DRIVER; cudaErrorUnsupportedPtxVersion;
    cudaErrorCallRequiresNewerDriver; API call is not supported in the installed CUDA driver
driver-too-old root 0.85
    cudaErrorCompatNotSupportedOnDevice; cudaErrorIncompatibleDriverContext; incompatible driver context
cuda-version-mismatch follows 0.45
    {CUDA_ERROR_SHARED_OBJECT_SYMBOL_NOT_FOUND|cudaErrorSharedObjectSymbolNotFound|shared object symbol not found}
cuda-version-mismatch root 0.7
    CUDNN_STATUS_NOT_SUPPORTED_INCOMPATIBLE_CUDART; CURAND_STATUS_VERSION_MISMATCH
cuda-version-mismatch follows 0.4
    CUSOLVER_STATUS_{INTERNAL_ERROR|EXECUTION_FAILED|NOT_INITIALIZED};
    CUSPARSE_STATUS_{INTERNAL_ERROR|EXECUTION_FAILED|NOT_INITIALIZED};
    CUFFT_{INTERNAL_ERROR|SETUP_FAILED|EXEC_FAILED};
    CURAND_STATUS_{INTERNAL_ERROR|LAUNCH_FAILURE|INITIALIZATION_FAILED|NOT_INITIALIZED};
    cuBLAS routine: an internal operation failed
cudnn-missing root 0.8
    CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED; CUDNN_STATUS_RUNTIME_PREREQUISITE_MISSING
cudnn-version-mismatch follows 0.4
    CUDNN_STATUS_SERIALIZATION_VERSION_MISMATCH; CUDNN_STATUS_DEPRECATED
cudnn-version-mismatch follows 0.36
    CUDNN_STATUS_{MAPPING_ERROR|INVALID_VALUE|NOT_INITIALIZED|RUNTIME_IN_PROGRESS|RUNTIME_FP_OVERFLOW}
cuda-toolkit-not-found root 0.6
    CUDA_ERROR_JIT_COMPILER_NOT_FOUND; cudaErrorJitCompilerNotFound; JIT compiler library not found;
    NVRTC_ERROR_BUILTIN_OPERATION_FAILURE
unsupported-compute-capability root 0.75
    {CUSOLVER|CUSPARSE|CURAND}_STATUS_ARCH_MISMATCH; CUDNN_STATUS_NOT_SUPPORTED_ARCH_MISMATCH; requires an
    architectural feature absent from the device; CUDA_ERROR_JIT_COMPILATION_DISABLED;
    cudaErrorJitCompilationDisabled; JIT compilation was disabled; cudaErrorInvalidPtx;
    cudaErrorInvalidKernelImage; cudaErrorInvalidDeviceFunction
unsupported-compute-capability follows 0.35
    {CUBLAS|CUSOLVER|CUSPARSE|CUFFT}{_STATUS|}_NOT_SUPPORTED; CUDA_ERROR_NOT_SUPPORTED; cudaErrorNotSupported;
    the {functionality requested|requested functionality} is not supported; CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
    cudaErrorLaunchOutOfResources; CUDA_ERROR_{NOT_FOUND|INVALID_SOURCE|UNSUPPORTED_LIMIT|CDP_NOT_SUPPORTED};
    cudaError{InvalidResourceHandle|InvalidSource|SymbolNotFound|UnsupportedLimit}
out-of-memory follows 0.5
    CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED; {CUSPARSE|CURAND}_STATUS_{ALLOC|ALLOCATION}_FAILED;
    CUSPARSE_STATUS_INSUFFICIENT_RESOURCES; CUFFT_NO_WORKSPACE; hipErrorOutOfMemory; hipErrorMemoryAllocation;
    HIP out of memory
host-out-of-memory root 0.7
    CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED
gpu-fault root 0.8
    CUDA_ERROR_INVALID_ADDRESS_SPACE;
    cudaError{InvalidAddressSpace|MisalignedAddress|IllegalInstruction|InvalidPc|LaunchTimeout|Assert};
    hipError{IllegalAddress|LaunchFailure|Assert}; operation not supported on global/shared address space;
    failed. Status: invalid program counter; CUDA error{}: invalid program counter
gpu-fault follows 0.4
    {CUSOLVER|CUSPARSE|CURAND}_STATUS_{MAPPING_ERROR|EXECUTION_FAILED}; CUBLAS_STATUS_MAPPING_ERROR;
    CURAND_STATUS_LAUNCH_FAILURE; CUFFT_EXEC_FAILED; an access to GPU memory space failed;
    CUDA_ERROR_MPS_CLIENT_TERMINATED; cudaErrorMpsClientTerminated; MPS client has been terminated by the server
gpu-fault follows 0.3
    CUDA_ERROR_{INVALID_VALUE|INVALID_CONTEXT|MAP_FAILED|UNMAP_FAILED|ILLEGAL_STATE|DEINITIALIZED};
    CUBLAS_STATUS_EXECUTION_FAILED; the function failed to launch on the GPU;
    cudaError{InvalidValue|DeviceUninitialized|MapBufferObjectFailed}
earlier-gpu-fault follows 0.45
    CUDA_ERROR_CONTEXT_IS_DESTROYED; cudaErrorContextIsDestroyed; failed. Status: context is destroyed;
    CURAND_STATUS_PREEXISTING_FAILURE
gpu-hardware-error root 0.7
    CUDA_ERROR_{CONTAINED|EXTERNAL_DEVICE|HARDWARE_STACK_ERROR}; cudaError{Contained|ExternalDevice};
    an async error has {occured|occurred} in external entity outside of CUDA
gpu-hardware-error root 0.85
    cudaError{NvlinkUncorrectable|ECCUncorrectable|HardwareStackError}; uncorrectable NVLink error detected;
    failed. Status: hardware stack error
collective-failure root 0.8
    {ncclInvalidArgument|ncclInvalidUsage|ncclRemoteError|ncclUnhandledCudaError};
    cudaError{PeerAccessUnsupported|PeerAccessNotEnabled|TooManyPeers}; peer access has not been enabled;
    peer access is not supported between these two devices
collective-failure follows 0.3
    CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED; cudaErrorPeerAccessAlreadyEnabled
conv-algorithm-unavailable follows 0.4
    CUDNN_STATUS_INTERNAL_ERROR_COMPILATION_FAILED; CUDNN_STATUS_INTERNAL_ERROR_BAD_LAUNCH_PARAM
shape-mismatch follows 0.3
    {CUBLAS|CUSOLVER|CUSPARSE}_STATUS_INVALID_VALUE; CUFFT_INVALID_{SIZE|VALUE|TYPE|PLAN};
    CURAND_STATUS_LENGTH_NOT_MULTIPLE; an unsupported value or parameter was passed to the function
dtype-unsupported-on-device follows 0.36
    {CUSOLVER|CUSPARSE}_STATUS_MATRIX_TYPE_NOT_SUPPORTED; CURAND_STATUS_DOUBLE_PRECISION_REQUIRED
op-unsupported-on-device follows 0.33
    CUFFT_{NOT_IMPLEMENTED|NOT_SUPPORTED|UNALIGNED_DATA}
tensorflow-defect follows 0.32
    CUDA_ERROR_INVALID_VALUE; cudaErrorInvalidValue; cudaErrorInvalidConfiguration; invalid configuration
    argument; {CUBLAS|CUSOLVER|CUSPARSE}_STATUS_INVALID_VALUE;
    CUDA_ERROR_STREAM_CAPTURE_{UNSUPPORTED|INVALIDATED|MERGE|UNMATCHED|UNJOINED|ISOLATION|IMPLICIT};
    cudaErrorStreamCapture{Unsupported|Invalidated|Merge|Unmatched|Unjoined|Isolation|Implicit};
    CUDA_ERROR_{GRAPH_EXEC_UPDATE_FAILURE|CAPTURED_EVENT|COOPERATIVE_LAUNCH_TOO_LARGE|ALREADY_MAPPED};
    CUDA_ERROR_{CONTEXT_ALREADY_CURRENT|PRIMARY_CONTEXT_ACTIVE|HOST_MEMORY_ALREADY_REGISTERED}
"""
"""A cause, a role and a weight; under it the templates, separated by semicolons."""

CODE_SAYS = ("CUDA", "cudaError", "CUresult", "error code")
"""What stands before the number of a status."""

_NUMBERS = """
out-of-memory follows 0.5
    2
driver-too-old root 0.85
    35/222/804
gpu-not-visible root 0.7
    38/100
gpu-busy root 0.7
    46
unsupported-compute-capability root 0.75
    48/98/200/209/218
gpu-hardware-error root 0.85
    214/220
driver-missing root 0.7
    34/303
gpu-fault root 0.8
    77/700/702/710/714/715/716/717/718/719
driver-library-mismatch root 0.8
    803
driver-unhealthy root 0.6
    802
driver-unhealthy follows 0.35
    3/304/999
"""
"""Statuses by number, where they mean the same in all versions that print them so."""


@cache
def _rows(table: str) -> tuple[tuple[str, Role, float, str], ...]:
    """Return cause, role, weight and what belongs to them."""
    return tuple(_parsed(table))


def _parsed(table: str) -> Iterator[tuple[str, Role, float, str]]:
    heading, body = "", ""
    for line in (*table.strip().splitlines(), "end"):
        if line.startswith(" "):
            body += f" {line.strip()}"
            continue
        if heading:
            cause, role, weight = heading.split()
            yield cause, "root" if role == "root" else "follows", float(weight), body.strip()
        heading, body = line, ""


def signs(cause: str) -> tuple[Signature, ...]:
    """Return the signatures of a cause that the tables hold."""
    named = [
        Signature(role, tuple(names.split("; ")), weight=weight)
        for identifier, role, weight, names in _rows(_NAMES)
        if identifier == cause
    ]
    numbered = [
        Signature(role, CODE_SAYS, needs=(f"cuda-code:{codes}",), weight=weight)
        for identifier, role, weight, codes in _rows(_NUMBERS)
        if identifier == cause
    ]
    return (*named, *numbered)
