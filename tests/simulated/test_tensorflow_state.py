"""Fixtures about GPU memory, where there is a GPU."""

from __future__ import annotations

from .machine import Describe

GROWTH = """
import tensorflow as tf

def grows():
    gpu, = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_memory_growth(gpu)

def test_unused(gpu_memory_growth):
    assert grows()

def test_back():
    assert not grows()
"""
USED = """

def test_used(gpu_memory_growth):
    with tf.device("/GPU:0"):
        tf.zeros(3)
    assert grows()

def test_still_on(gpu_memory_growth):
    assert grows()
"""
LATE = """
def test_first_operation():
    with tf.device("/GPU:0"):
        tf.zeros(3)

def test_late(gpu_memory_growth):
    raise AssertionError("must not be reached")
"""
MEMORY = """
import tensorflow as tf

MIB = 1 << 20

def test_memory(gpu_memory, gpu_device):
    before = gpu_memory.current // MIB
    with gpu_device:
        kept = tf.zeros(4 * MIB // 4)
        passing = tf.zeros(16 * MIB // 4)
        del passing
    assert gpu_memory.current // MIB == before + 4
    assert gpu_memory.peak // MIB == before + 20
    gpu_memory.reset()
    assert gpu_memory.peak // MIB == before + 4
    assert kept.shape == (MIB,)
"""


def test_growth_that_stays(simulated_gpu: Describe) -> None:
    """Memory growth is put back where the test used no GPU; else it stays, with a warning, and serves later tests."""
    result = simulated_gpu().run_pytest(files={"test_it.py": GROWTH + USED})
    assert result.outcomes == {"passed": 4, "warning": 1}, result.text
    assert "StateWarning: gpu_memory_growth: memory growth stays on" in result.text


def test_growth_that_comes_too_late(simulated_gpu: Describe) -> None:
    """After the first operation on a GPU the test is skipped with that reason; with `--tfgpu-strict` it is an error."""
    machine = simulated_gpu()
    result = machine.run_pytest("-rs", files={"test_it.py": GROWTH + LATE})
    assert result.outcomes == {"passed": 3, "skipped": 1}, result.text
    assert "gpu_memory_growth: found GPUs that are initialised already" in " ".join(result.text.split())


def test_growth_that_the_environment_decides(simulated_gpu: Describe) -> None:
    """TF_FORCE_GPU_ALLOW_GROWTH overrules what a program asks for: false makes a skip, true is good at any time."""
    files = {
        "test_it.py": LATE.replace("late", "any").replace(
            'raise AssertionError("must not be reached")', "pass"
        )
    }
    files["test_it.py"] = "import tensorflow as tf\n" + files["test_it.py"]
    for value, outcomes in (("true", {"passed": 2}), ("false", {"passed": 1, "skipped": 1})):
        machine = simulated_gpu().with_environment(TF_FORCE_GPU_ALLOW_GROWTH=value)
        result = machine.run_pytest("-rs", files=files)
        assert result.outcomes == outcomes, result.text


def test_memory_of_a_test(simulated_gpu: Describe) -> None:
    """`gpu_memory` gives the bytes that tensors take now, and the most they took since the test began."""
    result = simulated_gpu().run_pytest(files={"test_it.py": MEMORY})
    assert result.outcomes == {"passed": 1}, result.text
