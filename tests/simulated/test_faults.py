"""What the real TensorFlow does when a GPU or a library fails under it: exceptions, log lines, aborts, hangs.

Texts that differ between versions of TensorFlow are given for the oldest and the newest.
"""

from __future__ import annotations

import pytest

from .forks import Forks
from .machine import Describe, Machine, built_for, tensorflow_version
from .process import Completed

CUDNN_8 = built_for()[1].startswith("8")
OLD = tensorflow_version() < (2, 17)

ADD = "import tensorflow as tf\nprint((tf.constant([1.0]) + 1.0).numpy())"
MATMUL = "import tensorflow as tf\na = tf.constant([[1.0]])\nprint(tf.matmul(a, a).numpy())"
CONV = """
import numpy as np, tensorflow as tf
print(tf.nn.conv2d(np.ones((2, 8, 8, 4), "f"), np.ones((3, 3, 4, 5), "f"), 1, "SAME").numpy().sum())
"""
TWICE = """
import tensorflow as tf
for _ in range(2):
    try:
        print(tf.constant([1.0]) + 1.0, flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""


def raised(done: Completed) -> str:
    """Return the last line of the traceback, with what follows it."""
    assert done.exit_status == 1, done.text
    return done.stderr[done.stderr.rindex("tensorflow.python.framework.errors_impl.") :].partition(
        ".errors_impl."
    )[2]


# ------------------------------------------------------------------------------------------------- kernels, PTX


@pytest.mark.parametrize("capability", ["3.5", "5.0", "10.0", "12.0"])
def test_gpu_without_kernels_in_the_build(forks: Forks, simulated_gpu: Describe, capability: str) -> None:
    """A GPU that the build has no binaries for is announced with a warning, and works."""
    done = forks.run(simulated_gpu(compute_capability=capability), ADD)
    if OLD and capability == "5.0":
        assert done.stdout == "[2.]\n", "2.16 has binaries for 5.0"
        return
    assert done.stdout == "[2.]\n"
    assert (
        f"not built with CUDA kernel binaries compatible with compute capability {capability}" in done.stderr
    )
    assert "jit-compiled from PTX, which could take 30 minutes" in done.stderr


REFUSED = {
    209: "CUDA_ERROR_NO_BINARY_FOR_GPU",
    218: "CUDA_ERROR_INVALID_PTX",
    222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
}


@pytest.mark.parametrize(("code", "name"), REFUSED.items())
def test_refused_ptx(forks: Forks, simulated_gpu: Describe, code: int, name: str) -> None:
    """When a module is refused the log names the code, and the exception only a consequence of it."""
    done = forks.run(simulated_gpu().failing("cuModuleLoadData*", code), ADD)
    assert f"failed with '{name}'" in done.stderr
    assert raised(done).startswith("InternalError: ")
    assert "CUDA_ERROR_INVALID_HANDLE" in raised(done)
    assert name not in raised(done)


# ------------------------------------------------------------------------------------------------ driver, context


def test_driver_older_than_the_runtime(forks: Forks, simulated_gpu: Describe) -> None:
    """A driver that is too old shows in the exception of the first use."""
    done = forks.run(simulated_gpu().failing("cudaGetDevice", 35), ADD)
    text = "cudaGetDevice() failed. Status: CUDA driver version is insufficient for CUDA runtime version"
    assert raised(done).startswith(f"InternalError: {text}")


CONTEXT_CODES = {
    2: "out of memory",
    46: "CUDA-capable device(s) is/are busy or unavailable",
    214: "uncorrectable ECC error encountered",
    304: "OS call failed or operation not supported on this OS",
    999: "unknown error",
}


@pytest.mark.parametrize(("code", "text"), CONTEXT_CODES.items())
def test_context_that_the_runtime_cannot_make(
    forks: Forks, simulated_gpu: Describe, code: int, text: str
) -> None:
    """Where cudaSetDevice can't make a context, each use of TensorFlow says so."""
    done = forks.run(simulated_gpu().failing("cuDevicePrimaryCtxRetain", code), TWICE)
    expected = f"InternalError cudaSetDevice() on GPU:0 failed. Status: {text}"
    assert done.stdout.splitlines() == [expected] * 2


@pytest.mark.parametrize("code", CONTEXT_CODES)
def test_context_that_tensorflow_cannot_make(forks: Forks, simulated_gpu: Describe, code: int) -> None:
    """Where TensorFlow's own hold on the context fails, the first use raises and the next one never returns."""
    machine = simulated_gpu().failing("cuDevicePrimaryCtxRetain", code, skip=1)
    done = forks.run(machine, TWICE, seconds=5)
    assert done.stdout.startswith("RuntimeError Bad StatusOr access: ")
    assert done.stdout.count("\n") == 1
    assert done.ended == "time"


def test_exclusive_gpu_in_use(forks: Forks, simulated_gpu: Describe) -> None:
    """A GPU in exclusive mode that another process holds is busy."""
    done = forks.run(simulated_gpu(exclusive=True).holding("1 GiB"), ADD)
    assert "Status: CUDA-capable device(s) is/are busy or unavailable" in raised(done)


def test_exclusive_gpu_that_is_free(forks: Forks, simulated_gpu: Describe) -> None:
    """A GPU in exclusive mode serves the first process."""
    assert forks.run(simulated_gpu(exclusive=True), ADD).stdout == "[2.]\n"


def test_prohibited_library_call_is_named(forks: Forks, simulated_gpu: Describe) -> None:
    """A rule counts calls: those before `skip` succeed, and after `count` failures they succeed again."""
    machine = simulated_gpu().failing("cuMemGetInfo_v2", 999, skip=1, count=2)
    code = """
import ctypes
cuda, context, size = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p(), ctypes.c_size_t()
cuda.cuInit(0), cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), cuda.cuCtxSetCurrent(context)
print([cuda.cuMemGetInfo_v2(ctypes.byref(size), ctypes.byref(size)) for _ in range(5)])
"""
    assert forks.run(machine, code).stdout == "[0, 999, 999, 0, 0]\n"


# ----------------------------------------------------------------------------------------------- cuDNN, cuBLAS


def test_cudnn_handle_that_cannot_be_made(forks: Forks, simulated_gpu: Describe) -> None:
    """Without a cuDNN handle a convolution raises, and the log has the status and the memory."""
    code, name = (1, "CUDNN_STATUS_NOT_INITIALIZED") if CUDNN_8 else (1001, "CUDNN_STATUS_NOT_INITIALIZED")
    done = forks.run(simulated_gpu().failing("cudnnCreate", code), CONV)
    assert f"Could not create cudnn handle: {name}" in done.stderr
    assert "bytes free, 8589934592 bytes total" in done.stderr
    assert raised(done).startswith("InvalidArgumentError: ")
    assert "No DNN in stream executor." in raised(done)


@pytest.mark.parametrize("version", ["8.2.4"] if CUDNN_8 else ["8.9.7", "9.0.0", "10.0.0"])
def test_cudnn_of_another_version(forks: Forks, simulated_gpu: Describe, version: str) -> None:
    """A cuDNN that doesn't fit the build is named in the log, with both versions, and refused."""
    done = forks.run(simulated_gpu(cudnn=version), CONV)
    assert f"Loaded runtime CuDNN library: {version} but source was compiled with: " in done.stderr
    assert "No DNN in stream executor." in raised(done)


@pytest.mark.skipif(CUDNN_8, reason="about a build for cuDNN 9")
def test_newer_cudnn_of_the_same_major(forks: Forks, simulated_gpu: Describe) -> None:
    """A newer cuDNN of the same major version works."""
    assert forks.run(simulated_gpu(cudnn="9.8.0"), CONV).stdout == "19360.0\n"


def test_cublas_handle_that_cannot_be_made(forks: Forks, simulated_gpu: Describe) -> None:
    """Without a cuBLAS handle matrix products raise, and convolutions in other words; those of 2.16 work."""
    machine = simulated_gpu().failing("cublasCreate_v2", 1)
    product, convolution = forks.run(machine, MATMUL), forks.run(machine, CONV)
    assert "failed to create cublas handle: the library was not initialized" in product.stderr
    assert "No blas support for stream" in raised(product)
    assert convolution.stdout == "19360.0\n" if OLD else "No BLAS for stream." in raised(convolution)


def test_cublas_product_that_fails(forks: Forks, simulated_gpu: Describe) -> None:
    """A product that cuBLAS can't run raises its status."""
    done = forks.run(simulated_gpu().failing("cublas*Gemm*", 13).failing("cublasGemmEx", 13), MATMUL)
    assert raised(done).startswith("InternalError: ")


def test_no_algorithm_works(forks: Forks, simulated_gpu: Describe) -> None:
    """When each of cuDNN's algorithms fails as it is tried, the exception lists them."""
    code = 8 if CUDNN_8 else 5000
    text = raised(forks.run(simulated_gpu().failing("cudnnBackendExecute", code), CONV))
    assert text.startswith("NotFoundError: ")
    assert "No algorithm worked!" in text
    assert "Profiling failure on CUDNN engine eng0" in text
    assert "CUDNN_STATUS_EXECUTION_FAILED" in text


def test_convolution_that_fails_after_it_was_tried(forks: Forks, simulated_gpu: Describe) -> None:
    """A chosen algorithm that fails when it is used raises UnknownError with cuDNN's status."""
    machine = simulated_gpu().failing("cudnnBackendExecute", 8 if CUDNN_8 else 5000, skip=1)
    text = raised(forks.run(machine, CONV))
    assert text.startswith("UnknownError: ")
    assert "CUDNN_STATUS_EXECUTION_FAILED" in text
    assert "cuda_dnn.cc" in text


# ------------------------------------------------------------------------------------------------- dead contexts


FAULTS = {
    700: "CUDA_ERROR_ILLEGAL_ADDRESS",
    716: "CUDA_ERROR_MISALIGNED_ADDRESS",
    719: "CUDA_ERROR_LAUNCH_FAILED",
}


@pytest.mark.parametrize(("code", "name"), FAULTS.items())
def test_fault_at_a_launch(forks: Forks, simulated_gpu: Describe, code: int, name: str) -> None:
    """A fault names itself at the launch; the next operation fails, though it is fine, and aborts 2.16."""
    done = forks.run(simulated_gpu().failing("cuLaunchKernel", code, count=1), TWICE)
    first, *rest = done.stdout.splitlines()
    assert first.startswith("InternalError ")
    assert f"failed with '{name}'" in first
    if OLD:
        assert (rest, done.exit_status) == ([], -6)
        assert "Unexpected Event status: 1" in done.stderr
    else:
        assert rest[0].startswith("InternalError Failed copying input tensor")
        assert f"Error recording CUDA event: {name}" in rest[0]


def test_fault_in_one_kernel(forks: Forks, simulated_gpu: Describe) -> None:
    """A rule can hit the kernel of one operation and leave the others."""
    machine = simulated_gpu().failing("kernel:AddV2_*", 700)
    code = "import tensorflow as tf\na = tf.constant([1.0])\nprint((a * 2.0).numpy(), flush=True)\na + a"
    done = forks.run(machine, code)
    assert done.stdout == "[2.]\n"
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in raised(done)


def test_fault_under_a_convolution_aborts(forks: Forks, simulated_gpu: Describe) -> None:
    """When the launch that rearranges a convolution's input fails, TensorFlow ends the process."""
    done = forks.run(simulated_gpu().failing("cudaLaunchKernel", 700), CONV)
    assert done.exit_status == -6
    assert "conv_2d_gpu.h" in done.stderr
    assert "an illegal memory access was encountered" in done.stderr


def test_fault_at_an_event_aborts(forks: Forks, simulated_gpu: Describe) -> None:
    """When the query of an event fails, TensorFlow ends the process; only 2.16 gives the code."""
    done = forks.run(simulated_gpu().failing("cuEventQuery", 700), ADD)
    assert done.exit_status == -6
    assert "Unexpected Event status: 1" in done.stderr
    assert ("ILLEGAL_ADDRESS" in done.stderr) == OLD


# ----------------------------------------------------------------------------------------------- XLA's toolkit


XLA = (
    "import tensorflow as tf\nprint(tf.function(lambda a: {}, jit_compile=True)(tf.constant([0.0])).numpy())"
)


def run_fresh(machine: Machine, code: str) -> Completed:
    """Run code in a process of its own; skip where a toolkit of this machine can't be hidden."""
    done = machine.run_python(code)
    if "unshare:" in done.stderr:
        pytest.skip("the CUDA toolkit of this machine can't be hidden here (unshare)")
    return done


def test_no_ptxas(simulated_gpu: Describe) -> None:
    """Without ptxas XLA can compile nothing."""
    done = run_fresh(simulated_gpu().without("ptxas"), XLA.format("a + 1.0"))
    text = raised(done)
    assert "ptxas" in text if CUDNN_8 else "No PTX compilation provider is available" in text


def test_no_libdevice(simulated_gpu: Describe) -> None:
    """Without libdevice XLA can't compile what uses its functions."""
    done = run_fresh(simulated_gpu().without("libdevice"), XLA.format("tf.exp(a)"))
    assert "libdevice not found at ./libdevice.10.bc" in raised(done)


# --------------------------------------------------------------------------------------- what the code asks for


ATTEMPTS = """
import numpy as np, tensorflow as tf

def attempt(function):
    try:
        print(function())
    except Exception as error:
        print(type(error).__name__, str(error).replace("\\n", " "), flush=True)
"""


def test_determinism(forks: Forks, simulated_gpu: Describe) -> None:
    """With determinism on, operations without a deterministic kernel raise UnimplementedError."""
    code = (
        ATTEMPTS
        + """
tf.config.experimental.enable_op_determinism()
image = tf.constant(np.ones((1, 4, 4, 3), "f"))
attempt(lambda: tf.raw_ops.DenseBincount(input=[1, 2, 2], size=4, weights=[], binary_output=False))
attempt(lambda: tf.raw_ops.SparseTensorDenseMatMul(
    a_indices=[[0, 0]], a_values=[1.0], a_shape=[2, 2], b=tf.constant([[1.0], [2.0]])))
attempt(lambda: tf.raw_ops.AdjustContrastv2(images=image, contrast_factor=2.0))
attempt(lambda: tf.quantization.fake_quant_with_min_max_vars_gradient(image, image, 0.0, 1.0))
"""
    )
    lines = forks.run(simulated_gpu(), code).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["UnimplementedError"] * 4, lines
    assert "eterminis" in lines[0]


def test_configuration_too_late(forks: Forks, simulated_gpu: Describe) -> None:
    """Memory growth, limits and visibility can't be set once the GPU is in use."""
    code = (
        ATTEMPTS
        + """
tf.constant([1.0])
gpu = tf.config.list_physical_devices("GPU")[0]
attempt(lambda: tf.config.experimental.set_memory_growth(gpu, True))
attempt(lambda: tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(100)]))
attempt(lambda: tf.config.set_visible_devices([], "GPU"))
"""
    )
    lines = forks.run(simulated_gpu(), code).stdout.splitlines()
    kinds = ("Physical", "Virtual", "Visible")
    assert lines == [
        f"RuntimeError {kind} devices cannot be modified after being initialized" for kind in kinds
    ]


PINNED = """
def eager():
    with tf.device("/GPU:0"):
        return tf.strings.length(tf.constant(["a"])).device

@tf.function(autograph=False)
def graph():
    with tf.device("/GPU:0"):
        return tf.strings.length(tf.constant(["a"]))
"""


def test_operation_without_gpu_kernel(forks: Forks, simulated_gpu: Describe) -> None:
    """An operation that has no GPU kernel can't be pinned to a GPU where soft placement is off."""
    code = ATTEMPTS + PINNED + "tf.config.set_soft_device_placement(False)\nattempt(eager)\nattempt(graph)"
    first, second = forks.run(simulated_gpu(), code).stdout.splitlines()
    assert first.startswith("InvalidArgumentError Could not satisfy device specification")
    assert second.startswith("InvalidArgumentError Cannot assign a device for operation StringLength")


def test_soft_placement_is_silent(forks: Forks, simulated_gpu: Describe) -> None:
    """With soft placement such an operation runs on the CPU and a GPU that isn't there is another one, silently."""
    code = (
        ATTEMPTS
        + PINNED
        + """
attempt(eager)
attempt(lambda: graph().device)
with tf.device("/GPU:7"):
    attempt(lambda: (tf.constant([1.0]) + 1.0).device)
"""
    )
    done = forks.run(simulated_gpu(), code)
    assert [line[-5:] for line in done.stdout.splitlines()] == ["CPU:0", "GPU:0", "GPU:0"]
    assert "\nW0" not in done.stderr


def test_index_out_of_range_is_silent(forks: Forks, simulated_gpu: Describe) -> None:
    """A gather outside of its range raises nothing on a GPU and gives zero."""
    code = "import tensorflow as tf\nprint(tf.gather(tf.constant([5.0, 6.0]), [1, 7]).numpy())"
    assert forks.run(simulated_gpu(), code).stdout == "[6. 0.]\n"
