"""Fixtures that change TensorFlow's global state for a test, on the CPU and on a machine without a GPU."""

from __future__ import annotations

import pytest

from tests.suite import Suite

SWITCHES = """
import pytest
import tensorflow as tf
from tensorflow.python.framework import config as internal

allowed = tf.config.experimental.tensor_float_32_execution_enabled
policy = tf.keras.mixed_precision.global_policy

def state():
    return allowed(), internal.is_op_determinism_enabled(), policy().name

@pytest.fixture(autouse=True, scope="module")
def as_before():
    tf.random.set_seed(7)
    before = state(), tf.random.uniform(()).numpy()
    yield
    assert state() == before[0]

def test_tensor_float_32(tensor_float_32):
    tensor_float_32(False)
    assert not allowed()

def test_tensor_float_32_is_back(tensor_float_32):
    assert allowed()
    tf.config.experimental.enable_tensor_float_32_execution(False)

def test_tensor_float_32_is_back_whoever_changed_it():
    assert allowed()

def test_mixed_precision(mixed_precision):
    mixed_precision("mixed_float16")
    layer = tf.keras.layers.Dense(2)
    assert (layer.compute_dtype, layer.variable_dtype) == ("float16", "float32")

def test_mixed_precision_is_back():
    assert policy().name == "float32"

def test_wrong_policy(mixed_precision):
    with pytest.raises(ValueError, match="float17"):
        mixed_precision("float17")

def test_deterministic(deterministic_ops):
    assert internal.is_op_determinism_enabled()
    first = tf.random.uniform((4,)).numpy()
    tf.random.set_seed(0)
    assert (tf.random.uniform((4,)).numpy() == first).all()

def test_deterministic_is_back():
    assert not internal.is_op_determinism_enabled()

def test_fails(deterministic_ops, mixed_precision, tensor_float_32):
    mixed_precision("mixed_bfloat16")
    tensor_float_32(False)
    raise AssertionError("on purpose")

def test_all_is_back_after_a_failure():
    assert state() == (True, False, "float32")
"""


def test_switches_are_put_back(suite: Suite, mode: tuple[str, ...]) -> None:
    """Each switch holds for its test and is put back after it, also where the test fails or changes it by itself."""
    suite.write("test_it.py", SWITCHES)
    outcome = suite.run(*mode, "--dist=loadfile" if mode == ("-n", "2") else "-q", "-rfE")
    assert outcome.outcomes == {"failed": 1, "passed": 9}, outcome.text


def test_the_seed_is_put_back(suite: Suite) -> None:
    """After a test with `deterministic_ops` random numbers go on as if it had never been."""
    suite.write(
        "test_it.py",
        """
import tensorflow as tf

def numbers(count):
    return [float(tf.random.uniform(()).numpy()) for _ in range(count)]

EXPECTED = []

def test_before():
    tf.random.set_seed(7)
    EXPECTED.extend(numbers(4))
    tf.random.set_seed(7)
    assert numbers(2) == EXPECTED[:2]

def test_between(deterministic_ops):
    numbers(5)

def test_after():
    assert numbers(2) == EXPECTED[2:]

class TestUserHasItOn:
    def test_first(self):
        tf.config.experimental.enable_op_determinism()

    def test_second(self, deterministic_ops):
        pass

    def test_third(self):
        from tensorflow.python.framework import config
        assert config.is_op_determinism_enabled()
""",
    )
    outcome = suite.run()
    assert outcome.outcomes == {"passed": 6}, outcome.text


def test_a_tensorflow_that_cannot_switch_it_off(suite: Suite) -> None:
    """Where op determinism could not be switched off again the test is skipped, and nothing is changed."""
    suite.write(
        "test_it.py",
        """
from tensorflow.python.framework import config
del config.disable_op_determinism

def test_it(deterministic_ops):
    raise AssertionError("must not be reached")

def test_after():
    assert not config.is_op_determinism_enabled()
""",
    )
    outcome = suite.run("-rs")
    assert outcome.outcomes == {"passed": 1, "skipped": 1}, outcome.text
    assert "deterministic_ops: found TensorFlow 2." in outcome.text
    assert "can't switch op determinism off again" in outcome.text
    assert suite.run("--tfgpu-strict").outcomes["error"] == 1


@pytest.mark.parametrize("fixture", ["gpu_memory_growth", "gpu_memory"])
@pytest.mark.parametrize("device", ["gpu", "cpu"])
def test_without_a_gpu(suite: Suite, fixture: str, device: str) -> None:
    """What is about GPU memory skips on a machine without a GPU, with the reason, and doesn't import TensorFlow."""
    suite.write(
        "test_it.py",
        "import sys\n\n"
        f"def test_it({fixture}):\n    raise AssertionError('must not be reached')\n\n"
        "def test_after():\n    assert 'tensorflow' not in sys.modules\n",
    )
    outcome = suite.run("-rs", f"--tfgpu-device={device}")
    assert outcome.outcomes == {"passed": 1, "skipped": 1}, outcome.text
    assert f"{fixture}: found " in outcome.text
