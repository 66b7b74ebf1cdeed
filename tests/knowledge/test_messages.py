"""TensorFlow's own texts, version by version, and the cause that each is put down to."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_tfgpu.diagnosis import engine
from pytest_tfgpu.diagnosis.evidence import from_text
from pytest_tfgpu.model import Facts

T4: dict[str, Any] = {
    "gpus": [{"name": "Tesla T4", "compute_capability": "7.5", "memory_total_mib": 15360}],
    "tensorflow": "2.21.0",
    "is_cuda_build": True,
}
INIT = "E0000 00:00:1 1 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: "
OLD_INIT = "E tensorflow/stream_executor/cuda/cuda_driver.cc:318] failed call to cuInit: "
RETAIN = "Bad StatusOr access: INTERNAL: CUDA error: Failed call to cuDevicePrimaryCtxRetain: "
LOADER = "W tensorflow/stream_executor/platform/default/dso_loader.cc:64] Could not load dynamic library "
DLOPEN = "W0000 00:00:1 1 gpu_device.cc:2365] Cannot dlopen some GPU libraries."
DNN = "E0000 00:00:1 1 cuda_dnn.cc:461] Could not create cudnn handle: CUDNN_STATUS_NOT_INITIALIZED"
KERNEL = "'cuLaunchKernel(function, gridX, gridY)' failed with '{}' [Op:Mul] name: "
MODULE = "W0000 00:00:1 1 tf_gpu_runtime_wrappers.cc:40] 'cuModuleLoadData(&module, data)' failed with '{}'"

AT_START = [
    (INIT + "UNKNOWN ERROR (303)", "driver-missing"),
    (INIT + "CUDA_ERROR_STUB_LIBRARY: CUDA driver is a stub library", "driver-missing"),
    (INIT + "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected", "gpu-not-visible"),
    (INIT + "CUDA_ERROR_UNKNOWN: unknown error", "driver-unhealthy"),
    (INIT + "CUDA_ERROR_SYSTEM_NOT_READY: system not yet initialized", "driver-unhealthy"),
    (INIT + "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: system has unsupported driver", "driver-library-mismatch"),
    (INIT + "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE: forward compatibility", "driver-too-old"),
    (INIT + "CUDA_ERROR_DEVICE_UNAVAILABLE: device(s) is/are busy or unavailable", "gpu-busy"),
    (OLD_INIT + "UNKNOWN ERROR (303)", "driver-missing"),
    (OLD_INIT + "CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected", "gpu-not-visible"),
    (LOADER + "'libcuda.so.1'; dlerror: libcuda.so.1: cannot open shared object file", "driver-missing"),
    (
        LOADER + "'libcublas.so.11'; dlerror: libcublas.so.11: cannot open shared object file",
        "cuda-library-missing",
    ),
    (LOADER + "'libcudnn.so.8'; dlerror: libcudnn.so.8: cannot open shared object file", "cudnn-missing"),
    (LOADER + "'cudart64_110.dll'; dlerror: cudart64_110.dll not found", "cuda-library-missing"),
    ("Could not locate zlibwapi.dll. Please make sure it is in your library path!", "cudnn-missing"),
    (DLOPEN, "cuda-library-missing"),
    (
        "I gpu_device.cc:1700] Ignoring visible gpu device (device: 0, name: GeForce GT 710) with Cuda compute "
        "capability 3.5. The minimum required Cuda capability is 5.0.",
        "unsupported-compute-capability",
    ),
    (
        "W gpu_device.cc:2431] TensorFlow was not built with CUDA kernel binaries compatible with compute capability "
        "8.9. CUDA kernels will be jit-compiled from PTX, which could take 30 minutes or longer.",
        "kernels-compiled-at-first-use",
    ),
]

RAISED = [
    (
        "RuntimeError",
        "Bad StatusOr access: RESOURCE_EXHAUSTED: CUDA_ERROR_OUT_OF_MEMORY",
        "memory-held-by-other-process",
    ),
    ("RuntimeError", RETAIN + "CUDA_ERROR_DEVICE_UNAVAILABLE: busy or unavailable", "gpu-busy"),
    ("RuntimeError", RETAIN + "CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error", "gpu-hardware-error"),
    ("RuntimeError", RETAIN + "CUDA_ERROR_UNKNOWN: unknown error", "driver-unhealthy"),
    ("InternalError", KERNEL.format("CUDA_ERROR_ILLEGAL_ADDRESS"), "gpu-fault"),
    (
        "InternalError",
        "Error recording CUDA event: CUDA_ERROR_LAUNCH_FAILED: unspecified launch failure",
        "gpu-fault",
    ),
    ("InternalError", "No blas support for stream [Op:MatMul]", "memory-preallocated"),
    ("InternalError", "Blas xGEMM launch failed : a.shape=[1,2,3], b.shape=[1,3,4]", "memory-preallocated"),
    ("InternalError", "Dst tensor is not initialized.", "out-of-memory"),
    ("InternalError", "libdevice not found at ./libdevice.10.bc", "cuda-toolkit-not-found"),
    ("UnavailableError", "No PTX compilation provider is available.", "cuda-toolkit-not-found"),
    ("InternalError", "NCCL: unhandled system error. Set NCCL_DEBUG=WARN for detail.", "collective-failure"),
    ("NotFoundError", "No algorithm worked! [Op:__inference_train_function_1]", "out-of-memory"),
    (
        "UnimplementedError",
        "A deterministic GPU implementation of AdjustContrast is not currently available.",
        "determinism-unsupported",
    ),
    (
        "UnimplementedError",
        "The Conv2D op currently does not support grouped convolutions on the CPU. A grouped convolution was attempted "
        "to be run because the input depth of 6 does not match the filter input depth of 3 [Op:Conv2D]",
        "op-unsupported-on-device",
    ),
    (
        "UnimplementedError",
        "The Conv2D op currently does not support grouped convolutions on the CPU. A grouped convolution was attempted "
        "to be run because the input depth of 4 does not match the filter input depth of 3 [Op:Conv2D]",
        "shape-mismatch",
    ),
    (
        "NotFoundError",
        "No registered 'Where' OpKernel for 'GPU' devices compatible with node {{node Where}}\n\t (OpKernel was found, "
        "but attributes didn't match) Requested Attributes: T=DT_STRING\n\t.  Registered:  device='GPU'; T in "
        "[DT_FLOAT]",
        "dtype-unsupported-on-device",
    ),
    (
        "InvalidArgumentError",
        "Cannot assign a device for operation x: {{node x}}was explicitly assigned to /device:GPU:1 but available "
        "devices are [ /job:localhost/replica:0/task:0/device:CPU:0, /job:localhost/replica:0/task:0/device:GPU:0 ].",
        "invalid-device",
    ),
    (
        "InvalidArgumentError",
        "'visible_device_list' listed an invalid Device id '3' but visible device count is 2",
        "invalid-device",
    ),
    (
        "ResourceExhaustedError",
        "Failed to allocate memory to serialize message of type 'tensorflow.SavedModel' and size 3489660928",
        "host-out-of-memory",
    ),
    (
        "",
        "F tensorflow/stream_executor/cuda/cuda_dnn.cc:209] Unsupported Cudnn convolution forward algorithm: 8",
        "conv-algorithm-unavailable",
    ),
]

ELSEWHERE = [
    ("", "[9112.1] Out of memory: Killed process 812 (python) total-vm:61200kB", "host-out-of-memory"),
    ("", "OpenBLAS blas_thread_init: pthread_create failed for thread 7 of 64", "too-many-threads"),
    ("RuntimeError", "can't start new thread", "too-many-threads"),
    (
        "",
        "terminate called after throwing an instance of 'std::system_error'\n"
        "  what():  Resource temporarily unavailable",
        "too-many-threads",
    ),
    (
        "NotFoundError",
        "build/libtf_grouping.so: undefined symbol: _ZN10tensorflow8internal21CheckOpMessageBuilder9NewStringEv",
        "op-library-unfit",
    ),
    ("InternalError", "failed to run cuBLAS routine: the resource allocation failed", "memory-preallocated"),
    # ptxas 12.5 and, where the input has no file, the driver's own compiler
    (
        "",
        "ptxas v.ptx, line 1; fatal   : Unsupported .version 9.9; current version is '8.5'",
        "cuda-version-mismatch",
    ),
    (
        "",
        "ptxas application ptx input, line 1; fatal   : Unsupported .version 9.9; current version is '8.5'",
        "driver-too-old",
    ),
    ("", "ptxas fatal   : Unresolved extern function '__nv_expf'", "cuda-toolkit-not-found"),
    (
        "",
        "ptxas g.ptx, line 9; error   : Feature 'cp.async.wait_all' requires .target sm_80 or higher",
        "unsupported-compute-capability",
    ),
    (
        "",
        "ptxas fatal   : PTX with .target 'sm_90a' cannot be compiled for architecture 'sm_90'",
        "unsupported-compute-capability",
    ),
    (
        "",
        "ptxas error   : Entry function 'big' uses too much shared data (0x493e0 bytes, 0x29000 max)",
        "tensorflow-defect",
    ),
    ("", "ptxas fatal   : Unknown option '-foo'", "cuda-version-mismatch"),
    (
        "InternalError",
        "Autotuner could not find any supported configs for HLO: %cudnn-conv-bias-activation.6 = (f32[8])",
        "conv-algorithm-unavailable",
    ),
    (
        "OSError",
        "Unable to synchronously open file (unable to open file: name = 'm.h5', errno = 2, error message = 'No such",
        "file-not-found",
    ),
    ("", "Could not load symbol cudnnCreate. Error: undefined symbol: cudnnCreate", "cudnn-version-mismatch"),
    ("ImportError", "librocfft.so.0: cannot open shared object file: No such file", "rocm-stack-mismatch"),
    ("", "NVRM: API mismatch: the client has the version 470.57, but", "driver-library-mismatch"),
    ("", "ptxas fatal   : Unsupported .target 'sm_120'", "unsupported-compute-capability"),
    ("", "Check failed: cufftPlan1d(&p, 8) == CUFFT_SUCCESS (2 vs. 0)", "out-of-memory"),
    ("", "Check failed: cudaMemcpy(a, b, 8) == cudaSuccess (700 vs. 0)", "gpu-fault"),
    (
        "TypeError",
        "Input 'a' of 'X' Op has type half that does not match expected type of float32.",
        "dtype-mismatch",
    ),
    ("InvalidArgumentError", "filter must be 4-dimensional: [3,3] [Op:Conv2D]", "shape-mismatch"),
    (
        "ValueError",
        "Unrecognized keyword arguments: ['ragged'] while deserializing",
        "model-file-unreadable",
    ),
    (
        "InvalidArgumentError",
        "ValueError: `generator` yielded an element of shape (3,) where an element of shape (2,) was expected.",
        "python-exception-in-function",
    ),
    ("InternalError", "CUDA_ERROR_TOO_MANY_PEERS: peer mapping resources exhausted", "collective-failure"),
    ("", "Check failed: err == cudaSuccess (35 vs. 0)", "driver-too-old"),
    ("", "Check failed: err == hipSuccess (98 vs. 0)", "rocm-stack-mismatch"),
    ("", "LLVM ERROR: PTX version 8.5 does not support target 'sm_120'.", "unsupported-compute-capability"),
    ("", "HRESULT failed with 0x887a0005: DXGI_ERROR_DEVICE_REMOVED", "gpu-fault"),
    ("", "Ignored (for causing prior/excessive GPU errors) (IOAF code 4)", "earlier-gpu-fault"),
    ("ValueError", "Memory growth cannot differ between GPU devices", "gpu-options-conflict"),
    ("", "slurmstepd: error: Detected 1 oom-kill event(s) in step 7.batch cgroup", "host-out-of-memory"),
    ("OSError", "[WinError 1455] The paging file is too small for this operation", "host-out-of-memory"),
    ("", "modprobe: FATAL: Module nvidia not found in directory /lib/modules/6.1", "driver-missing"),
    ("ImportError", "libnvidia-ml.so.1: cannot open shared object file", "driver-missing"),
    ("", "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.2", "driver-too-old"),
    ("", "This container was built for NVIDIA Driver Release 418.87 or later", "driver-too-old"),
    ("", "Invalid handle. Cannot load symbol cudnnGetVersion", "cudnn-missing"),
    ("", "F nvinfer_stub.cc:49] getInferLibVersion symbol not found.", "cuda-library-missing"),
    ("", "F cuda_dnn.cc:207] could not find cudnnCreate in cudnn DSO", "cudnn-version-mismatch"),
    ("", "NvMapMemAllocInternalTagged: 1075072515 error 12", "out-of-memory"),
    ("", "Memory access fault by GPU node-1 on address 0x7f00.", "gpu-fault"),
    (
        "",
        "ERROR: tensorflow 2.3.0 requires numpy<1.19, but you have 1.21 which is incompatible.",
        "python-package-conflict",
    ),
    ("", "ResolutionImpossible: tensorflow 2.16.1 depends on ml-dtypes~=0.3.1", "python-package-conflict"),
    ("InternalError", "CUDA_ERROR_DEVICE_NOT_LICENSED: device has no licence", "vgpu-unlicensed"),
    (
        "cupy.cuda.memory.OutOfMemoryError",
        "Out of memory allocating 512 bytes",
        "other-framework-out-of-memory",
    ),
    ("UnimplementedError", "this tf.function cannot be run on XLA.", "xla-unsupported"),
    ("UnimplementedError", "TileOp : Unhandled input dimensions [Op:Tile]", "op-unsupported-on-device"),
    ("InvalidArgumentError", "axis must be a scalar, not shape [2] [Op:X]", "shape-mismatch"),
    ("InvalidArgumentError", "Expects arg[0] to be float but half is provided", "dtype-mismatch"),
    ("RuntimeError", "numpy() is only available when eager execution is enabled.", "numpy-in-graph"),
    ("TypeError", "Bartlett operation does not support symbolic tensors. Received input x", "numpy-in-graph"),
    (
        "ValueError",
        "use_cudnn=True was specified, but cuDNN is not supported for this layer",
        "op-unsupported-on-device",
    ),
    ("ValueError", "R2Score expects 2D inputs with shape (batch_size, output_dim).", "shape-mismatch"),
    ("", "| 46%   ERR!   P8   ERR! / 250W |", "gpu-hardware-error"),
]

TOGETHER = [
    (
        "No DNN in stream executor.",
        [DNN, "E cuda_dnn.cc:466] Memory usage: 1 bytes free, 9 bytes total."],
        "memory-preallocated",
    ),
    (
        "No DNN in stream executor.",
        ["E cuda_dnn.cc:522] Loaded runtime CuDNN library: 10.0.0 but source was compiled with: 9.3.0."],
        "cudnn-version-mismatch",
    ),
    (
        KERNEL.format("CUDA_ERROR_INVALID_HANDLE"),
        [MODULE.format("CUDA_ERROR_INVALID_PTX")],
        "unsupported-compute-capability",
    ),
    (
        KERNEL.format("CUDA_ERROR_INVALID_HANDLE"),
        [MODULE.format("CUDA_ERROR_UNSUPPORTED_PTX_VERSION")],
        "driver-too-old",
    ),
    (
        "No DNN in stream executor.",
        ["E cuda_dnn.cc:461] something that nobody has seen yet"],
        "memory-preallocated",
    ),
    (
        "Cannot assign a device for operation x: {{node x}}was explicitly assigned to /device:GPU:0 but available "
        "devices are [ /job:localhost/replica:0/task:0/device:CPU:0 ].",
        [LOADER + "'libcudart.so.10.1'; dlerror: libcudart.so.10.1: cannot open shared object file"],
        "cuda-library-missing",
    ),
]


def first(exception: str, message: str, *log: str, **facts: Any) -> str | None:
    """Return the id of the first cause, or None."""
    ranked = engine.rank(from_text(exception, message, log), Facts.from_json(facts))
    return ranked[0].cause.id if ranked else None


@pytest.mark.parametrize(("line", "cause"), AT_START)
def test_a_line_printed_at_the_start_names_its_cause(line: str, cause: str) -> None:
    """What TensorFlow prints when it loses a GPU at the start tells why."""
    assert first("", "", line, **T4) == cause


@pytest.mark.parametrize(("exception", "message", "cause"), RAISED)
def test_an_exception_names_its_cause(exception: str, message: str, cause: str) -> None:
    """An exception's class and text alone tell the cause, where they can."""
    assert first(exception, message, **T4) == cause


@pytest.mark.parametrize(("exception", "message", "cause"), ELSEWHERE)
def test_what_others_print_names_its_cause(exception: str, message: str, cause: str) -> None:
    """The system, the driver, Python packages and checks by number say in their own words why it failed."""
    assert first(exception, message) == cause


@pytest.mark.parametrize(("message", "log", "cause"), TOGETHER)
def test_the_line_before_decides_what_an_exception_means(message: str, log: list[str], cause: str) -> None:
    """One text has several causes, and the log line before it tells which."""
    assert first("InternalError", message, *log, **T4) == cause


def test_facts_name_the_library_that_tensorflow_does_not() -> None:
    """From 2.12 on TensorFlow doesn't name the missing library; the facts do."""
    missing = {
        "libraries": [{"name": "libcudnn.so.9"}, {"name": "libcublas.so.12", "path": "/lib/libcublas.so.12"}]
    }
    assert first("", "", DLOPEN, **T4, **missing) == "cudnn-missing"
    missing = {
        "libraries": [{"name": "libcusolver.so.11"}, {"name": "libcudnn.so.9", "path": "/lib/libcudnn.so.9"}]
    }
    assert first("", "", DLOPEN, **T4, **missing) == "cuda-library-missing"


NCHW = "The Conv2D op currently only supports the NHWC tensor format on the CPU. The op was given the format: NCHW"


@pytest.mark.parametrize(
    ("log", "facts", "cause"),
    [
        ([], {}, "op-unsupported-on-device"),
        ([INIT + "UNKNOWN ERROR (303)"], {}, "op-unsupported-on-device"),
        ([INIT + "UNKNOWN ERROR (303)"], T4, "driver-missing"),
        (
            [LOADER + "'libcudnn.so.8'; dlerror: libcudnn.so.8: cannot open shared object file"],
            {},
            "cudnn-missing",
        ),
    ],
)
def test_the_loss_of_a_gpu_comes_before_what_the_cpu_lacks(
    log: list[str], facts: dict[str, Any], cause: str
) -> None:
    """An operation that ended up on the CPU is put down to the lost GPU, where one was meant to be there."""
    assert first("UnimplementedError", NCHW, *log, **facts) == cause


def test_a_stub_of_the_driver_is_told_from_no_driver() -> None:
    """A stub libcuda beside a kernel driver that runs is a mismatch; without one, the driver is missing."""
    line = INIT + "CUDA_ERROR_STUB_LIBRARY: CUDA driver is a stub library"
    assert first("", "", line, **T4) == "driver-missing"
    assert first("", "", line, **T4, driver="555.42.06") == "driver-library-mismatch"


CREATED = (
    "I gpu_device.cc:2043] Created device /device:GPU:0 with 6842 MB memory:  -> device: 0, name: Tesla T4"
)


@pytest.mark.parametrize(
    ("free", "confidence"),
    [("11403264 bytes free, 8589934592", "likely"), ("1033895936 bytes free, 8589934592", "possible")],
)
def test_memory_is_blamed_for_a_handle_as_far_as_the_figures_go(free: str, confidence: str) -> None:
    """Where enough was free for a library to start in, that TensorFlow took its share at the start proves nothing."""
    gpus = [{"name": "Tesla T4", "compute_capability": "7.5", "memory_total_mib": 8192}]
    facts = Facts.from_json({"gpus": gpus, "cudnn": "9.3.0", "built_for": {"cudnn": "9.3"}})
    log = (CREATED, DNN, f"E cuda_dnn.cc:470] Memory usage: {free} bytes total.")
    found = engine.diagnose(from_text("InvalidArgumentError", "No DNN in stream executor.", log), facts)
    assert found is not None
    assert (found.cause, found.confidence) == ("memory-preallocated", confidence)


def test_versions_that_fit_are_said_beside_a_guess_at_the_version() -> None:
    """Who reads that the version may be wrong also reads that the one found here fits."""
    facts = Facts.from_json({**T4, "cudnn": "9.3.0", "built_for": {"cudnn": "9.3"}, "memory_growth": True})
    log = (DNN, "E cuda_dnn.cc:470] Memory usage: 7516192768 bytes free, 8589934592 bytes total.")
    found = engine.diagnose(from_text("InvalidArgumentError", "No DNN in stream executor.", log), facts)
    assert found is not None
    assert found.confidence == "possible"
    assert "cuDNN 9.3.0 is found here and fits" in (found.note or "")
