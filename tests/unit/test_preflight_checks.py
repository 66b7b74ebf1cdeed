"""The checks that run only where they are asked for, with the real TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pytest_tfgpu.model import Facts, GpuChecks
from pytest_tfgpu.preflight import Answer, Request, builtin_checks, default_checks, judge, start

FURTHER = {
    "batch-norm": 1e-4,
    "bfloat16": 8e-3,
    "collective": None,
    "conv2d-backward": 2e-4,
    "depthwise": 1e-5,
    "rnn": 1e-4,
    "transfer": None,
    "xla": 1e-6,
}
"""Name of a check -> the tolerance of the comparison that strains its own most."""


@pytest.fixture(scope="module")
def answer() -> Answer:
    """The answer to all further checks on the CPU, from one child."""
    checks = tuple(check for check in builtin_checks() if check not in default_checks())
    return start(Request(checks, "cpu", remember=True)).result()


@pytest.fixture(scope="module")
def cpu(answer: Answer) -> GpuChecks:
    """The results on the CPU."""
    assert answer.problem is None
    (device,) = answer.gpus
    return device


def test_the_further_checks(cpu: GpuChecks) -> None:
    """Each further check is found by itself, in the order of their names, and passes on the CPU where it applies."""
    assert [check.name for check in cpu.checks] == list(FURTHER)
    outcomes = {check.name: check.outcome for check in cpu.checks}
    assert outcomes == {**dict.fromkeys(FURTHER, "passed"), "collective": "not-run"}


def test_rounding_is_seen(cpu: GpuChecks) -> None:
    """What computes is off by rounding, less than it may, and not by nothing: something is compared."""
    for check in cpu.checks:
        if FURTHER[check.name] is not None:
            assert check.max_error is not None
            assert check.tolerance == FURTHER[check.name]
            assert 0 < check.max_error < check.tolerance / 2


def test_bfloat16_proves_its_type() -> None:
    """`requires_dtype("bfloat16")` has a check that answers it."""
    (check,) = (check for check in builtin_checks() if "bfloat16" in check.dtypes)
    assert check.name == "bfloat16"


def test_casts_to_bfloat16_are_exact(cpu: GpuChecks) -> None:
    """The cast agrees bit by bit with rounding to the nearest, ties to even, as NumPy is told to do it."""
    details = next(check.details for check in cpu.checks if check.name == "bfloat16")
    errors = {entry["name"]: entry["error"] for entry in details["comparisons"]}
    assert errors["cast"] == 0
    assert errors["sum"] > 1e-4


def test_transfer_copies_odd_sizes(cpu: GpuChecks) -> None:
    """Copies range from one byte to more than the pieces in which drivers copy."""
    details = next(check.details for check in cpu.checks if check.name == "transfer")
    assert details["bytes"][0] == 1
    assert details["bytes"][-1] > 4 << 20


def test_a_check_that_does_not_apply(answer: Answer, cpu: GpuChecks) -> None:
    """A check that has nothing to say of a device says why, and the device is usable all the same."""
    check = next(check for check in cpu.checks if check.name == "collective")
    assert check.message == "It needs two GPUs."
    assert not check.counts
    assert cpu.usable
    assert not cpu.doubtful
    assert judge(Facts(), answer, device="cpu").verdict == "ok"


def test_what_was_loaded_is_told(answer: Answer) -> None:
    """Asked to, the child tells which libraries and modules it loaded, but none of Python's or TensorFlow's own."""
    assert any("libtensorflow" in name for name in answer.loaded)
    assert any(name.endswith("checks/bfloat16.py") for name in answer.loaded)
    assert json.__file__ not in answer.loaded
    assert answer.tensorflow_path not in answer.loaded


COLLECTIVE = """
import json, numpy, tensorflow as tf
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from pytest_tfgpu.preflight.api import Context
from pytest_tfgpu.preflight.checks import collective
context = Context(tf, "/CPU:0", numpy.random.default_rng())
collective.all_reduce(context, ["/CPU:0", "/CPU:1"])
print(json.dumps(context.comparisons))
"""


def test_a_collective_of_two_devices() -> None:
    """On two logical CPU devices each gets the sum of both, on its own device."""
    done = subprocess.run([sys.executable, "-c", COLLECTIVE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    entries = json.loads(done.stdout)
    assert [entry["name"] for entry in entries] == ["sum on CPU:0", "sum on CPU:1"]
    assert all(0 < entry["error"] < 1e-6 for entry in entries)
