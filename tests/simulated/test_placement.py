"""What a user sees where TensorFlow silently computes somewhere else than it was told to."""

from __future__ import annotations

import re

import pytest

from .forks import Forks
from .machine import Describe, PytestResult

TESTS = """
import tensorflow as tf

def glimpse(image):
    return tf.image.extract_glimpse(image, [2, 2], tf.zeros((1, 2)))

def test_eager(gpu_device):
    with gpu_device:
        assert glimpse(tf.ones((1, 4, 4, 1))).device.endswith("CPU:0")

def test_graph(gpu_device):
    with gpu_device:
        result = tf.function(lambda image: glimpse(image) * 2.0, autograph=False)(tf.ones((1, 4, 4, 1)))
    assert result.device.endswith("GPU:0")

def test_other_gpu(gpu_device):
    with tf.device("/GPU:7"):
        tf.constant([1.0]) + 1.0

def test_other_gpu_in_a_graph(gpu_device):
    def add(a):
        with tf.device("/GPU:7"):
            return a + 1.0
    tf.function(add, autograph=False)(tf.constant([1.0]))

def test_asked_for_on_the_cpu(gpu_device):
    def on_cpu(image):
        with tf.device("/CPU:0"):
            return glimpse(image)
    with gpu_device:
        on_cpu(tf.ones((1, 4, 4, 1)))
        tf.function(on_cpu, autograph=False)(tf.ones((1, 4, 4, 1)))
    glimpse(tf.ones((1, 4, 4, 1)))

def test_what_belongs_there(gpu_device):
    with gpu_device:
        numbers = tf.constant([[1.0, 2.0]])
        numbers + tf.cast(tf.range(2) + 1, tf.float32)
        tf.matmul(tf.ones((2, 2)), tf.ones((2, 2)))
        variable = tf.Variable([1.0])
        variable.assign_add([1.0])
        tf.print(tf.shape(numbers), tf.strings.length(tf.constant(["a"])))
        tf.io.serialize_tensor(numbers)

def test_without_the_fixture():
    with tf.device("/GPU:7"):
        tf.constant([1.0]) + 1.0
"""
MOVED = {
    "test_eager": "TensorFlow ran ExtractGlimpseV2 on /CPU:0, not on /GPU:0, which was asked for.",
    "test_graph": "TensorFlow ran ExtractGlimpseV2 on /CPU:0, not on /GPU:0, which was asked for.",
    "test_other_gpu": "TensorFlow ran AddV2 on /GPU:0, not on /GPU:7, which was asked for.",
    "test_other_gpu_in_a_graph": "TensorFlow ran AddV2 on /GPU:0, not on /GPU:7, which was asked for.",
}


def warnings(result: PytestResult) -> dict[str, str]:
    """Return the warnings about devices, by test, which must have no others."""
    found = re.findall(r"^test_it\.py::(\w+)\n  test_it\.py:\d+: DeviceWarning: (.*)$", result.stdout, re.M)
    assert len(found) == result.stdout.count("DeviceWarning: "), result.stdout
    return dict(found)


@pytest.mark.parametrize("mode", [(), ("-n", "2")], ids=["plain", "n2"])
def test_operations_that_ran_elsewhere(simulated_gpu: Describe, mode: tuple[str, ...]) -> None:
    """A test with `gpu_device` is warned of each operation that ran on the CPU or on another GPU; others aren't."""
    machine = simulated_gpu().with_environment(TF_FORCE_GPU_ALLOW_GROWTH="true")
    result = machine.run_pytest(*mode, files={"test_it.py": TESTS})
    assert result.outcomes == {"passed": 7, "warning": 4}, result.text
    assert warnings(result) == MOVED


def test_watching_starts_no_gpu(forks: Forks, simulated_gpu: Describe) -> None:
    """While TensorFlow is watched the GPU can still be configured: to watch starts nothing."""
    code = """
import tensorflow as tf
from pytest_tfgpu.features.placement import Placement
placement = Placement()
placement.start()
tf.config.experimental.set_memory_growth(tf.config.list_physical_devices("GPU")[0], True)
print(placement.stop())
"""
    assert forks.run(simulated_gpu(), code).stdout == "[]\n"


def test_as_an_error(simulated_gpu: Describe) -> None:
    """A filter makes an error of the test that was warned."""
    strict = "error::pytest_tfgpu.fixtures.DeviceWarning"
    result = simulated_gpu().run_pytest("-W", strict, "-k", "eager or belongs", files={"test_it.py": TESTS})
    assert result.outcomes == {"passed": 2, "error": 1, "deselected": 5}, result.text
    assert "DeviceWarning: TensorFlow ran ExtractGlimpseV2 on /CPU:0" in result.stdout


CHECK = """
def moved(context):
    with context.tf.device("/CPU:0"):
        result = context.tf.ones(1) + 1.0
    context.compare("sum", result, [2.0], "float32")

def no_kernel(context):
    with context.tf.device(context.device):
        context.tf.strings.length(context.tf.constant(["a"]))

def no_gpu(context):
    with context.tf.device("/GPU:7"):
        context.tf.constant([1.0]) + 1.0
"""
CONFTEST = """
from pytest_tfgpu import Check

def pytest_tfgpu_checks():
    return [Check(name, "mine:" + name) for name in ("moved", "no_kernel", "no_gpu")]
"""


def test_checks_that_run_elsewhere(simulated_gpu: Describe) -> None:
    """In a check nothing is moved silently: what lies elsewhere fails, and so does a device that doesn't exist."""
    files = {"conftest.py": CONFTEST, "mine.py": CHECK, "test_it.py": "def test_it():\n    pass\n"}
    names = "--tfgpu-checks=moved,no_kernel,no_gpu"
    result = simulated_gpu().run_pytest("--tfgpu-preflight", names, files=files)
    assert result.exit_status == 70, result.text
    first, second, third = result.report["preflight"]["gpus"][0]["checks"]
    assert first["message"] == "sum: the result lies on /CPU:0, not on /GPU:0"
    assert second["cause"] in ("invalid-device", "op-unsupported-on-device")
    assert third["cause"] == "invalid-device"
