"""`--tfgpu-memory`: what TensorFlow's allocator says of each test."""

from __future__ import annotations

import pytest

from .machine import Describe

TESTS = """
import pytest
import tensorflow as tf

kept = []

def test_without_a_gpu():
    pass

def test_large():
    with tf.device("/GPU:0"):
        tf.zeros([64, 1024, 256])

def test_that_keeps():
    with tf.device("/GPU:0"):
        kept.append(tf.zeros([16, 1024, 256]))

@pytest.mark.parametrize("gpu", [1])
def test_small_on_another(gpu):
    with tf.device(f"/GPU:{gpu}"):
        tf.zeros([4, 1024, 256])

def test_nothing():
    pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["plain", "n1"])
def test_peak_and_what_is_left(simulated_gpu: Describe, workers: tuple[str, ...]) -> None:
    """The report has the peak of each test that used a GPU, and what it left; the terminal names the largest."""
    machine = simulated_gpu(gpus=2)
    done = machine.run_pytest("--tfgpu-memory=2", *workers, files={"test_it.py": TESTS})
    assert done.outcomes == {"passed": 5}, done.text
    memory = {use["nodeid"].partition("::")[2]: use for use in done.report["memory"]}
    assert sorted(memory) == ["test_large", "test_small_on_another[1]", "test_that_keeps"]
    large, keeps, small = (
        memory[name] for name in ("test_large", "test_that_keeps", "test_small_on_another[1]")
    )
    assert (large["gpu"], keeps["gpu"], small["gpu"]) == (0, 0, 1)
    assert 64 <= large["peak_mib"] < 66
    assert 0 <= large["left_mib"] < 1
    assert 16 <= keeps["peak_mib"] < 18
    assert 16 <= keeps["left_mib"] < 17
    assert 4 <= small["peak_mib"] < 5
    summary = done.stdout.partition("= tfgpu summary =")[2].splitlines()
    assert summary[1] == "GPU memory of 3 tests, the 2 largest peaks"
    assert summary[2].startswith("64 MiB ")
    assert summary[2].endswith("GPU 0  test_it.py::test_large")
    assert summary[3].endswith("test_it.py::test_that_keeps")


def test_nothing_is_initialised_for_it(simulated_gpu: Describe) -> None:
    """A session whose tests use no GPU stays without one, and says nothing of memory."""
    machine = simulated_gpu()
    test = (
        "import tensorflow as tf\nfrom tensorflow.python.eager import context\n\n"
        "def test_first():\n    pass\n\n"
        "def test_it():\n    assert not getattr(context.context_safe(), '_initialized', False)\n"
    )
    done = machine.run_pytest("--tfgpu-memory=5", files={"test_it.py": test})
    assert done.outcomes == {"passed": 2}, done.text
    assert "memory" not in done.report
    assert "GPU memory" not in done.stdout
