"""Memory of the simulated GPUs: shared by all processes, and the same for NVML and for TensorFlow's allocator."""

from __future__ import annotations

import re

import pytest

from .forks import Forks
from .machine import MIB, Describe, tensorflow_version
from .test_presence import nvml

GIB = 2**30
HOLD = """
import sys, tensorflow as tf
gpu = tf.config.list_physical_devices("GPU")[0]
tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(memory_limit=2048)])
tf.constant([1.0])
print("holding", flush=True)
sys.stdin.read()
"""
NO_RETRY = """
import tensorflow as tf
from tensorflow.python.eager import context
plain = context.Context.config.fget
def without_retry(self):
    config = plain(self)
    config.gpu_options.experimental.disallow_retry_on_allocation_failure = True
    return config
context.Context.config = property(without_retry)
"""
"""TensorFlow's retries take ten seconds; this cuts them."""


def created_mib(stderr: str) -> int:
    """Return the memory of the device that TensorFlow says it created, in MiB."""
    found = re.search(r"Created device .* with (\d+) MB memory", stderr)
    assert found is not None, stderr
    return int(found[1])


def test_two_processes_see_each_other(simulated_gpu: Describe) -> None:
    """What one process takes, NVML shows with its pid and another TensorFlow doesn't get; its end gives it back."""
    machine = simulated_gpu(memory="8 GiB")
    alone = created_mib(machine.run_python("import tensorflow as tf\ntf.constant([1.0])").stderr)
    first = machine.start_python(HOLD)
    try:
        first.wait_for("holding")
        facts = nvml(machine)
        taken = 2 * GIB + 300 * MIB
        assert facts["memory"] == [[8 * GIB, 8 * GIB - taken]]
        ((pid, used, name),) = facts["users"][0]
        assert (pid, used) == (first.process.pid, taken)
        assert "python" in name
        beside = created_mib(machine.run_python("import tensorflow as tf\ntf.constant([1.0])").stderr)
        assert alone - beside == pytest.approx(taken / MIB, abs=2)
    finally:
        first.end()
        first.finish()
    assert nvml(machine)["memory"] == [[8 * GIB, 8 * GIB]]
    assert nvml(machine)["users"] == [[]]


def test_nvml_and_the_allocator_agree(simulated_gpu: Describe) -> None:
    """Inside a process the driver's free memory and NVML's are the same number, contexts of all processes included."""
    code = """
import ctypes, pynvml
cuda, context, free, total = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
cuda.cuInit(0), cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0), cuda.cuCtxSetCurrent(context)
cuda.cuMemAlloc_v2(ctypes.byref(ctypes.c_void_p()), ctypes.c_size_t(2**30))
cuda.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total))
pynvml.nvmlInit()
print(free.value, pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).free)
"""
    machine = simulated_gpu(memory="8 GiB").holding("3 GiB")
    first, second = map(int, machine.run_python(code).stdout.split())
    assert first == second == 4 * GIB - 300 * MIB


def test_each_gpu_has_its_own_memory(forks: Forks, simulated_gpu: Describe) -> None:
    """Memory that is held on one GPU is missing on that GPU only."""
    machine = simulated_gpu(gpus=2, memory="8 GiB").holding("4 GiB", gpu=1)
    stderr = forks.run(machine, "import tensorflow as tf\ntf.constant([1.0])").stderr
    first, second = (int(mib) for mib in re.findall(r"with (\d+) MB memory", stderr))
    assert first - second == pytest.approx(4 * 1024, rel=0.06), "TensorFlow leaves a part of the rest free"


def test_gpu_runs_out_of_memory(forks: Forks, simulated_gpu: Describe) -> None:
    """A tensor larger than the GPU raises ResourceExhaustedError by the GPU's allocator, after its dump."""
    done = forks.run(simulated_gpu(), NO_RETRY + "tf.zeros([10**5, 10**5])")
    assert "ResourceExhaustedError" in done.stderr
    assert "OOM when allocating tensor with shape[100000,100000] and type float" in done.stderr
    assert "device:GPU:0 by allocator GPU_0_bfc" in done.stderr
    assert "TF_GPU_ALLOCATOR=cuda_malloc_async" in done.stderr, "the hint is always there"


def test_out_of_memory_is_retried(forks: Forks, simulated_gpu: Describe) -> None:
    """By default TensorFlow retries for ten seconds before it gives up."""
    done = forks.run(simulated_gpu(), "import tensorflow as tf\ntf.zeros([10**5, 10**5])")
    assert "ResourceExhaustedError" in done.stderr
    assert done.seconds >= 9


def test_copy_that_does_not_fit(forks: Forks, simulated_gpu: Describe) -> None:
    """An array that doesn't fit raises InternalError about its destination, not ResourceExhaustedError."""
    code = NO_RETRY + "import numpy as np\ntf.constant(np.zeros((300, 2**20), 'f'))"
    done = forks.run(simulated_gpu(memory="1 GiB"), code)
    assert "InternalError: Failed copying input tensor" in done.stderr
    assert "Dst tensor is not initialized." in done.stderr
    assert "ResourceExhaustedError" not in done.stderr


def test_no_memory_for_the_context(forks: Forks, simulated_gpu: Describe) -> None:
    """Where others hold nearly everything not even a context can be made."""
    done = forks.run(
        simulated_gpu(memory="8 GiB").holding("8000 MiB"), "import tensorflow as tf\ntf.constant([1.0])"
    )
    assert "InternalError: cudaSetDevice() on GPU:0 failed. Status: out of memory" in done.stderr


TAKEN = """
import os, tensorflow as tf
tf.config.list_logical_devices()
with open(os.environ["SIMULATED_GPU"] + "/machine", "a") as machine:
    machine.write("holder 4242 {} python\\n")
print((tf.constant([1.0]) + 1.0).numpy(), flush=True)
"""


def test_memory_taken_after_the_start(forks: Forks, simulated_gpu: Describe) -> None:
    """Where others took a part of the memory since the start, TensorFlow takes less of it, and says so."""
    done = forks.run(simulated_gpu(memory="8 GiB"), TAKEN.format(4 * GIB))
    assert done.stdout == "[2.]\n"
    assert "failed to allocate" in done.stderr


def test_all_memory_taken_after_the_start(forks: Forks, simulated_gpu: Describe) -> None:
    """Where nothing is left, TensorFlow asks for ever and fills standard error; the limit ends it."""
    done = forks.run(simulated_gpu(memory="8 GiB"), TAKEN.format(8 * GIB), seconds=30, limit=2_000_000)
    assert done.ended == "output"
    assert done.stdout == ""
    assert done.stderr.count("failed to allocate") > 1000


def test_memory_growth(forks: Forks, simulated_gpu: Describe) -> None:
    """With memory growth TensorFlow takes what it needs, not everything."""
    code = """
import pynvml, tensorflow as tf
tf.config.experimental.set_memory_growth(tf.config.list_physical_devices("GPU")[0], True)
tf.zeros([1024, 1024])
pynvml.nvmlInit()
print(pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(0)).used)
"""
    used = int(forks.run(simulated_gpu(), code).stdout)
    assert 300 * MIB < used < 500 * MIB


@pytest.mark.parametrize(
    ("limit", "operation", "line"),
    [
        (
            7850,
            "tf.matmul(tf.constant([[1.0]]), tf.constant([[1.0]]))",
            "failed to create cublas handle: the library was not",
        ),
        (
            7850 if tensorflow_version() < (2, 17) else 7750,
            "tf.nn.conv2d(tf.ones((1, 4, 4, 1)), tf.ones((2, 2, 1, 1)), 1, 'SAME')",
            "Could not create cudnn handle",
        ),
    ],
    ids=["cublas", "cudnn"],
)
def test_memory_that_tensorflow_took_is_missing(
    forks: Forks, simulated_gpu: Describe, limit: int, operation: str, line: str
) -> None:
    """Where TensorFlow's own limit takes everything, the libraries' handles find no memory."""
    code = f"""
import tensorflow as tf
gpu = tf.config.list_physical_devices("GPU")[0]
tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(memory_limit={limit})])
{operation}
"""
    done = forks.run(simulated_gpu(memory="8 GiB", library_memory="100 MiB"), code)
    assert done.exit_status == 1
    assert line in done.stderr
