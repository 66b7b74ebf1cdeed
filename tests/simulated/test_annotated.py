"""What a user sees of a test that fails on a GPU: the cause in its report, whatever TensorFlow said."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from .forks import Forks
from .machine import Describe, Machine, PytestResult, misfit, tensorflow_version

OLD = tensorflow_version() < (2, 17)
CONV = "tf.nn.conv2d(tf.ones((2, 8, 8, 4)), tf.ones((3, 3, 4, 5)), 1, 'SAME')"
ADD = "tf.constant([1.0]) + 1.0"
MATMUL = "tf.matmul(tf.ones((2, 2)), tf.ones((2, 2)))"
LIMIT = """
gpu = tf.config.list_physical_devices("GPU")[0]
tf.config.set_logical_device_configuration(gpu, [tf.config.LogicalDeviceConfiguration(memory_limit={})])
"""


Run = Callable[..., PytestResult]
"""The type of the fixture `run`."""


@pytest.fixture
def run(forks: Forks) -> Run:
    """Run tests with these bodies in one process on a machine: `run(machine, "tf.zeros([8])", ...)`."""

    def run_bodies(machine: Machine, *bodies: str) -> PytestResult:
        tests = []
        for number, body in enumerate(bodies):
            lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
            tests.append(f"def test_{number}():\n{lines}")
        module = "import numpy as np, tensorflow as tf\n\n" + "\n".join(tests)
        return machine.run_pytest(files={"test_it.py": module}, forks=forks)

    return run_bodies


def diagnosis(result: PytestResult, number: int = 0) -> dict[str, Any]:
    """Return the diagnosis of a test, which must have failed, and be shown with it."""
    assert result.exit_status == 1, result.text
    found = [d for d in result.report["diagnoses"] if d["nodeid"].endswith(f"::test_{number}")]
    assert len(found) == 1, result.text
    chosen: dict[str, Any] = found[0]
    assert chosen["summary"] in " ".join(result.stdout.split()), "the summary stands in the test's report"
    return chosen


# ------------------------------------------------------------------------------------------------------- memory


def test_out_of_memory(run: Run, simulated_gpu: Describe) -> None:
    """A tensor larger than the GPU: confirmed, with the request quoted."""
    found = diagnosis(run(simulated_gpu(), "tf.zeros([10**5, 10**5])"))
    assert (found["cause"], found["confidence"]) == ("out-of-memory", "confirmed")
    assert any("by allocator GPU_0_bfc" in line["text"] for line in found["evidence"])


def test_copy_that_does_not_fit(run: Run, simulated_gpu: Describe) -> None:
    """An array larger than the GPU, though TensorFlow speaks of an uninitialised tensor."""
    found = diagnosis(run(simulated_gpu(memory="1 GiB"), "tf.constant(np.zeros((300, 2**20), 'f'))"))
    assert found["cause"] == "out-of-memory"


@pytest.mark.parametrize(
    ("limit", "operation"), [(7850, MATMUL), (7850 if OLD else 7750, CONV)], ids=["cublas", "cudnn"]
)
def test_memory_preallocated(run: Run, simulated_gpu: Describe, limit: int, operation: str) -> None:
    """Where this process took everything itself no other process is blamed for a handle that finds no memory."""
    found = diagnosis(run(simulated_gpu(library_memory="100 MiB"), LIMIT.format(limit) + operation))
    assert found["cause"] == "memory-preallocated"


def test_memory_held_by_another_process(run: Run, simulated_gpu: Describe) -> None:
    """Where another process holds nearly all memory it is named with its pid."""
    found = diagnosis(run(simulated_gpu().holding("8100 MiB", name="jupyter"), ADD))
    assert (found["cause"], found["confidence"]) == ("memory-held-by-other-process", "confirmed")
    assert any(str(os.getpid()) in line["text"] for line in found["evidence"])


def test_limit_of_its_own(run: Run, simulated_gpu: Describe) -> None:
    """Where nobody else holds memory, a small share of it was TensorFlow's own limit: no other process is blamed."""
    found = diagnosis(run(simulated_gpu(), LIMIT.format(64) + "tf.constant(np.zeros((128, 2**18), 'f'))"))
    assert found["cause"] == "out-of-memory"
    assert "memory-held-by-other-process" not in found["alternatives"]


LATER = """
import os, pathlib, tensorflow as tf

def test_0():
    tf.config.set_soft_device_placement(False)
    pathlib.Path(os.environ["SIMULATED_GPU"], "machine").write_text(pathlib.Path("later").read_text())
    tf.zeros([256, 1024, 256])
"""


@pytest.mark.parametrize("mode", [(), ("-n", "1")], ids=["plain", "n1"])
def test_memory_taken_during_the_session(simulated_gpu: Describe, mode: tuple[str, ...]) -> None:
    """A process that came to the GPU after the preflight is named, with its pid."""
    machine = simulated_gpu().with_environment(TF_FORCE_GPU_ALLOW_GROWTH="true")
    files = {"test_it.py": LATER, "later": machine.holding("7700 MiB", name="jupyter").description()}
    before = machine.description()
    try:
        found = diagnosis(machine.run_pytest("--tfgpu-preflight", *mode, files=files))
    finally:
        (machine.folder / "machine").write_text(before)
    assert (found["cause"], found["confidence"]) == ("memory-held-by-other-process", "confirmed")
    assert any(str(os.getpid()) in line["text"] for line in found["evidence"])


def test_context_without_memory(run: Run, simulated_gpu: Describe) -> None:
    """A context that finds no memory before any operation: others hold it."""
    machine = simulated_gpu().failing("cuDevicePrimaryCtxRetain", 2, skip=1).holding("7 GiB")
    found = diagnosis(run(machine, ADD))
    assert found["cause"] == "memory-held-by-other-process"


# ---------------------------------------------------------------------------------------- driver, kernels, cuDNN


CONTEXT = {
    2: "memory-held-by-other-process",
    46: "gpu-busy",
    214: "gpu-hardware-error",
    304: "driver-unhealthy",
    999: "driver-unhealthy",
}


@pytest.mark.parametrize("skip", [0, 1], ids=["the runtime's", "TensorFlow's"])
@pytest.mark.parametrize(("code", "cause"), CONTEXT.items())
def test_context_that_cannot_be_made(
    run: Run, simulated_gpu: Describe, code: int, cause: str, skip: int
) -> None:
    """The first use of a GPU whose context can't be made fails of what the driver says, in either of two wordings."""
    found = diagnosis(run(simulated_gpu().failing("cuDevicePrimaryCtxRetain", code, skip=skip), ADD))
    assert cause in (found["cause"], *found["alternatives"])
    assert found["cause"] == cause or found["confidence"] == "possible"


def test_busy_gpu(run: Run, simulated_gpu: Describe) -> None:
    """A GPU in exclusive mode that is taken is confirmed by its compute mode."""
    found = diagnosis(run(simulated_gpu(exclusive=True).holding("1 GiB"), ADD))
    assert (found["cause"], found["confidence"]) == ("gpu-busy", "confirmed")


def test_driver_too_old(run: Run, simulated_gpu: Describe) -> None:
    """A driver that is older than the runtime."""
    assert diagnosis(run(simulated_gpu().failing("cudaGetDevice", 35), ADD))["cause"] == "driver-too-old"


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (209, "unsupported-compute-capability"),
        (218, "unsupported-compute-capability"),
        (222, "driver-too-old"),
    ],
)
def test_refused_ptx(run: Run, simulated_gpu: Describe, code: int, cause: str) -> None:
    """The refused module in the log decides, not the invalid handle in the exception."""
    found = diagnosis(run(simulated_gpu().failing("cuModuleLoadData*", code), ADD))
    assert found["cause"] == cause
    assert any("cuModuleLoadData" in line["text"] for line in found["evidence"])


def test_cudnn_of_another_version(run: Run, simulated_gpu: Describe) -> None:
    """The version line in the log decides, not the missing DNN in the exception."""
    found = diagnosis(run(simulated_gpu(cudnn=misfit()), CONV))
    assert (found["cause"], found["confidence"]) == ("cudnn-version-mismatch", "confirmed")


def test_decisive_line_in_an_earlier_test(run: Run, simulated_gpu: Describe) -> None:
    """The version line, printed in the first test that convolves, explains the second one, too."""
    result = run(simulated_gpu(cudnn=misfit()), CONV, CONV)
    assert diagnosis(result, 1)["cause"] == "cudnn-version-mismatch"


def test_no_algorithm_worked(run: Run, simulated_gpu: Describe) -> None:
    """With no other process on the GPU none is blamed for a convolution without an algorithm."""
    found = diagnosis(run(simulated_gpu().failing("cudnnBackendExecute", 5000), CONV))
    assert found["cause"] in ("conv-algorithm-unavailable", "memory-preallocated")


def test_product_that_fails(run: Run, simulated_gpu: Describe) -> None:
    """A product that cuBLAS can't run may be a fault of the GPU, which is said to be possible."""
    machine = simulated_gpu().failing("cublas*Gemm*", 13).failing("cublasGemmEx", 13)
    found = diagnosis(run(machine, MATMUL))
    assert found["confidence"] == "possible"
    assert "gpu-fault" in (found["cause"], *found["alternatives"])


def test_unknown_error_of_a_convolution(run: Run, simulated_gpu: Describe) -> None:
    """An UnknownError out of Conv2D with cuDNN's status is not left alone."""
    found = diagnosis(run(simulated_gpu().failing("cudnnBackendExecute", 5000, skip=1), CONV))
    assert found["confidence"] in ("possible", "likely")


HANDLES = {
    "cudnn": ("cudnnCreate", 1 if OLD else 1001, CONV, "Could not create cudnn handle"),
    "cublas": ("cublasCreate_v2", 1, MATMUL, "failed to create cublas handle"),
    "cublas under a convolution": ("cublasCreate_v2", 1, CONV, "failed to create cublas handle"),
}


@pytest.mark.parametrize("row", HANDLES)
def test_handle_that_cannot_be_made(run: Run, simulated_gpu: Describe, row: str) -> None:
    """A library's handle that can't be made is put down to memory first, and the log's line is quoted."""
    function, code, body, line = HANDLES[row]
    result = run(simulated_gpu().failing(function, code), body)
    if OLD and row == "cublas under a convolution":
        assert result.exit_status == 0, "2.16 convolves without cuBLAS"
        return
    found = diagnosis(result)
    assert (found["cause"], found["confidence"]) in [
        ("memory-preallocated", c) for c in ("likely", "possible")
    ]
    assert any(line in quoted["text"] for quoted in found["evidence"])


@pytest.mark.parametrize("code", [700, 716, 719])
def test_fault(run: Run, simulated_gpu: Describe, code: int) -> None:
    """A kernel that faults is a GPU fault, whichever of the three codes it has."""
    found = diagnosis(run(simulated_gpu().failing("cuLaunchKernel", code, count=1), ADD))
    assert (found["cause"], found["category"]) == ("gpu-fault", "hardware")


def test_fault_and_what_follows(run: Run, simulated_gpu: Describe) -> None:
    """The first test that meets a fault has it; what fails after it in the process only follows, and aborts 2.16."""
    result = run(simulated_gpu().failing("cuLaunchKernel", 700, count=1), ADD, "tf.constant([2.0]) * 2.0")
    if OLD:
        assert (result.exit_status, result.report["complete"]) == (-6, False)
        return
    assert diagnosis(result, 0)["cause"] == "gpu-fault"
    assert diagnosis(result, 1)["cause"] == "earlier-gpu-fault"


FORK = """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import tensorflow as tf

def add():
    return (tf.constant([1.0]) + 1.0).numpy()

def test_0():
    add()
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("METHOD")) as pool:
        assert pool.submit(add).result(60) == [2.0]
"""


def test_fork_of_a_process_that_uses_the_gpu(simulated_gpu: Describe) -> None:
    """A process that was forked after CUDA had started can't use it, and aborts in 2.16; one that was spawned can."""
    forked = simulated_gpu().run_pytest(files={"test_it.py": FORK.replace("METHOD", "fork")})
    if OLD:
        assert "BrokenProcessPool" in forked.stdout
        assert "CUDA_ERROR_NOT_INITIALIZED: initialization error" in forked.text
        return
    found = diagnosis(forked)
    assert (found["cause"], found["confidence"]) == ("cuda-after-fork", "likely")
    assert any("CUDA_ERROR_NOT_INITIALIZED" in line["text"] for line in found["evidence"])
    spawned = simulated_gpu().run_pytest(files={"test_it.py": FORK.replace("METHOD", "spawn")})
    assert spawned.exit_status == 0, spawned.text


# ------------------------------------------------------------------------------------------------- a GPU is lost


PINNED = "tf.config.set_soft_device_placement(False)\nwith tf.device('/GPU:0'):\n    tf.constant(1.0) + 1.0"


def test_lost_gpu_for_a_library(run: Run, simulated_gpu: Describe) -> None:
    """Code that asks for a GPU which TensorFlow lost for a library fails of the library."""
    found = diagnosis(run(simulated_gpu().without("libcublas.so.12"), PINNED))
    assert found["cause"] == "cuda-library-missing"


def test_lost_gpu_for_the_driver(run: Run, simulated_gpu: Describe) -> None:
    """Code that asks for a GPU which the driver doesn't give fails of the driver."""
    found = diagnosis(run(simulated_gpu().failing("cuInit", 803), PINNED))
    assert found["cause"] == "driver-library-mismatch"


@pytest.mark.parametrize("value", ["", "97"])
def test_lost_gpu_for_a_variable(run: Run, simulated_gpu: Describe, value: str) -> None:
    """CUDA_VISIBLE_DEVICES that hides the GPU, or names none of the machine's, is confirmed and quoted."""
    found = diagnosis(run(simulated_gpu().with_environment(CUDA_VISIBLE_DEVICES=value), PINNED))
    assert (found["cause"], found["confidence"]) == ("gpu-not-visible", "confirmed")
    assert f'CUDA_VISIBLE_DEVICES="{value}"' in [line["text"] for line in found["evidence"]]


FIRST = "tf.config.experimental.set_memory_growth(tf.config.list_physical_devices('GPU')[0], True)"


def test_first_of_no_gpus(run: Run, simulated_gpu: Describe) -> None:
    """Code that takes the first GPU where TensorFlow lists none fails of what hides it, and the line is quoted."""
    found = diagnosis(run(simulated_gpu().without("libcublas.so.12"), FIRST))
    assert found["cause"] == "cuda-library-missing"
    found = diagnosis(run(simulated_gpu().with_environment(CUDA_VISIBLE_DEVICES="97"), FIRST))
    assert (found["cause"], found["confidence"]) == ("gpu-not-visible", "confirmed")
    assert {"text": FIRST, "origin": "traceback"}.items() <= next(
        line.items() for line in found["evidence"] if line["origin"] == "traceback"
    )


def test_second_of_one_gpu(run: Run, simulated_gpu: Describe) -> None:
    """Code that takes the second of one GPU names a device that isn't there, and it is said which."""
    body = "gpus = tf.config.list_physical_devices('GPU')\ntf.config.set_visible_devices(gpus[1], 'GPU')"
    found = diagnosis(run(simulated_gpu(), body))
    assert found["cause"] == "invalid-device"
    assert "[1] is beyond the last one" in found["note"]


# ------------------------------------------------------------------------------------------ what the code asks for


IMAGE = "image = tf.ones((1, 4, 4, 3))\ntf.config.experimental.enable_op_determinism()\n"
GPU = "tf.constant([1.0])\ngpu = tf.config.list_physical_devices('GPU')[0]\n"
HARD = "tf.config.set_soft_device_placement(False)\n"
CODE = {
    "determinism: bincount": (
        "determinism-unsupported",
        IMAGE + "tf.raw_ops.DenseBincount(input=[1, 2], size=4, weights=[], binary_output=False)",
    ),
    "determinism: sparse matmul": (
        "determinism-unsupported",
        IMAGE + "tf.raw_ops.SparseTensorDenseMatMul(\n"
        "    a_indices=[[0, 0]], a_values=[1.0], a_shape=[2, 2], b=tf.ones((2, 1)))",
    ),
    "determinism: contrast": (
        "determinism-unsupported",
        IMAGE + "tf.raw_ops.AdjustContrastv2(images=image, contrast_factor=2.0)",
    ),
    "determinism: fake quantisation": (
        "determinism-unsupported",
        IMAGE + "tf.quantization.fake_quant_with_min_max_vars_gradient(image, image, 0.0, 1.0)",
    ),
    "determinism: max pooling": (
        "determinism-unsupported",
        IMAGE + "tf.raw_ops.MaxPoolGradWithArgmax(\n"
        "    input=image, grad=tf.ones((1, 2, 2, 3)), argmax=tf.zeros((1, 2, 2, 3), tf.int64),\n"
        "    ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding='VALID')",
    ),
    "growth too late": (
        "gpu-configured-too-late",
        GPU + "tf.config.experimental.set_memory_growth(gpu, True)",
    ),
    "limit too late": (
        "gpu-configured-too-late",
        GPU + "tf.config.set_logical_device_configuration(\n"
        "    gpu, [tf.config.LogicalDeviceConfiguration(100)])",
    ),
    "hidden too late": ("gpu-configured-too-late", GPU + "tf.config.set_visible_devices([], 'GPU')"),
    "operation without a kernel": (
        "invalid-device",
        HARD + "with tf.device('/GPU:0'):\n    tf.strings.length(tf.constant(['a']))",
    ),
    "operation without a kernel, in a graph": (
        "op-unsupported-on-device",
        HARD + "@tf.function(autograph=False)\ndef length():\n    with tf.device('/GPU:0'):\n"
        "        return tf.strings.length(tf.constant(['a']))\nlength()",
    ),
    "GPU that doesn't exist": (
        "invalid-device",
        HARD + "with tf.device('/GPU:7'):\n    tf.constant(1.0) + 1.0",
    ),
}


@pytest.mark.parametrize("row", CODE)
def test_code(run: Run, simulated_gpu: Describe, row: str) -> None:
    """A GPU that works, and code that asks for what it can't do."""
    cause, body = CODE[row]
    assert diagnosis(run(simulated_gpu(), body))["cause"] == cause


def test_index_out_of_range(run: Run, simulated_gpu: Describe) -> None:
    """A gather outside of its range gives zeros without an error: a test that passes, and nothing to explain."""
    body = "assert tf.gather(tf.constant([5.0, 6.0]), [1, 7]).numpy().tolist() == [6.0, 0.0]"
    result = run(simulated_gpu(), body)
    assert (result.exit_status, result.report["diagnoses"]) == (0, [])


@pytest.mark.parametrize(("part", "expression"), [("ptxas", "a + 1.0"), ("libdevice", "tf.exp(a)")])
def test_toolkit(run: Run, simulated_gpu: Describe, part: str, expression: str) -> None:
    """A function that XLA can't compile for want of a part of the toolkit."""
    result = run(
        simulated_gpu().without(part),
        f"tf.function(lambda a: {expression}, jit_compile=True)(tf.constant([1.0]))",
    )
    if "unshare:" in result.stderr:
        pytest.skip("the CUDA toolkit of this machine can't be hidden here (unshare)")
    assert diagnosis(result)["cause"] == "cuda-toolkit-not-found"


def test_nothing_to_explain(run: Run, simulated_gpu: Describe) -> None:
    """On a healthy GPU an ordinary failure stays as it is."""
    result = run(simulated_gpu(), f"assert ({ADD}).numpy()[0] == 3.0")
    assert result.exit_status == 1
    assert result.report["diagnoses"] == []


def test_with_xdist(simulated_gpu: Describe) -> None:
    """Two workers on two GPUs give the same causes as one process."""
    machine = simulated_gpu(gpus=2).failing("cudnnBackendExecute", 5000, skip=1)
    machine = machine.with_environment(TF_FORCE_GPU_ALLOW_GROWTH="true")
    tests = {"large": "tf.zeros([10**5, 10**5])", "convolution": CONV, "fine": ADD}
    body = "".join(f"def test_{name}():\n    {line}\n\n" for name, line in tests.items())
    causes = []
    for mode in ((), ("-n", "2")):
        result = machine.run_pytest(*mode, files={"test_it.py": f"import tensorflow as tf\n\n{body}"})
        assert result.outcomes == {"passed": 1, "failed": 2}, result.text
        causes.append({found["nodeid"]: found["cause"] for found in result.report["diagnoses"]})
    assert causes[0] == causes[1]
    assert causes[0]["test_it.py::test_large"] == "out-of-memory"
    assert set(causes[0]) == {"test_it.py::test_large", "test_it.py::test_convolution"}


def test_with_xdist_and_a_decisive_line(simulated_gpu: Describe) -> None:
    """A line that decides is read from what the worker printed."""
    machine = simulated_gpu(gpus=2, cudnn=misfit())
    body = f"import tensorflow as tf\n\ndef test_0():\n    {CONV}\n"
    result = machine.run_pytest("-n", "2", files={"test_it.py": body})
    assert diagnosis(result)["cause"] == "cudnn-version-mismatch"
