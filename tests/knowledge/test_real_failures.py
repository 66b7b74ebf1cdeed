"""Failures of the real TensorFlow on the CPU, from the exception to the cause."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).with_name("real_failures.py")

CAUSES = {
    "host_memory": "host-out-of-memory",
    "cast_of_string": "unsupported-cast",
    "double_with_float_filter": "dtype-mismatch",
    "gather_out_of_range": "index-out-of-range",
    "label_out_of_range": "index-out-of-range",
    "device_that_is_not_there": "invalid-device",
    "numpy_in_layer": "numpy-in-graph",
    "numpy_in_function": "numpy-in-graph",
    "keras_model_fed_strings": "unsupported-cast",
    "python_error_in_function": "python-exception-in-function",
    "python_error_in_dataset": "python-exception-in-function",
    "matmul_of_wrong_shapes": "shape-mismatch",
    "convolution_of_wrong_depth": "shape-mismatch",
    "addition_of_wrong_shapes": "shape-mismatch",
    "keras_layer_of_wrong_shape": "shape-mismatch",
    "cudnn_rnn_on_cpu": "op-unsupported-on-device",
    "full_disk": "disk-full",
    "unknown_file_system": "file-system-unavailable",
    "file_that_is_not_there": "file-not-found",
    "no_file_descriptors_left": "too-many-open-files",
    "string_in_xla": "xla-unsupported",
    "configured_too_late": "gpu-configured-too-late",
    "variable_before_its_initializer": "variable-uninitialized",
    "raised_from_a_tensorflow_error": "shape-mismatch",
    "raised_while_handling_a_tensorflow_error": "index-out-of-range",
    "in_an_exception_group": "shape-mismatch",
}
ORDINARY = ("values_that_differ", "values_that_differ_in_test_case", "assertion_that_mentions_cuda")
UNKNOWN = ("key_error_in_callback",)


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    """What pytest-tfgpu makes of each failure, gathered in one child that imports TensorFlow once."""
    done = subprocess.run(
        [sys.executable, PROGRAM],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=PROGRAM.parents[2],
    )
    if "No module named 'tensorflow'" in done.stderr:
        pytest.skip("TensorFlow isn't installed")
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(("name", "cause"), CAUSES.items())
def test_real_failures_are_put_down_to_their_cause(results: dict[str, Any], name: str, cause: str) -> None:
    """A failure of the real TensorFlow is relevant and gets its own cause."""
    assert results[name]["relevant"]
    assert results[name]["diagnosis"]["cause"] == cause


@pytest.mark.parametrize("name", ORDINARY)
def test_a_tests_own_verdict_is_not_looked_at(results: dict[str, Any], name: str) -> None:
    """Values that differ and assertions are the test's verdict, even where TensorFlow stands on the stack."""
    assert not results[name]["relevant"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_nothing_is_said_where_nothing_is_known(results: dict[str, Any], name: str) -> None:
    """A user's exception that passes through Keras is looked at, and left alone."""
    assert results[name]["relevant"]
    assert results[name]["diagnosis"] is None


def test_every_failure_of_the_program_is_expected_somewhere(results: dict[str, Any]) -> None:
    """No failure of the program goes unchecked, and none that is expected is missing."""
    assert set(results) == {*CAUSES, *ORDINARY, *UNKNOWN}


def test_a_full_host_is_confirmed_and_not_blamed_on_the_gpu(results: dict[str, Any]) -> None:
    """The allocator's name bears out that the host's memory ran out; the note says how much was asked for."""
    diagnosis = results["host_memory"]["diagnosis"]
    assert (diagnosis["confidence"], diagnosis["alternatives"]) == ("confirmed", [])
    assert "shape [1000000, 1000000], takes 3725.3 GiB" in diagnosis["note"]
    assert results["host_memory"]["evidence"]["allocator"] in ("mklcpu", "cpu")


def test_operation_and_device_are_read_from_the_text(results: dict[str, Any]) -> None:
    """The wrapped function's name carries operation and device."""
    evidence = results["matmul_of_wrong_shapes"]["evidence"]
    assert (evidence["op"], evidence["device"]) == ("MatMul", "/device:CPU:0")
    assert evidence["chain"][0]["status"] == "INVALID_ARGUMENT"


def test_what_the_gpu_has_no_part_in_is_said_to_be_so(results: dict[str, Any]) -> None:
    """A Python error inside tf.py_function wears UnknownError and is of the category not-gpu."""
    diagnosis = results["python_error_in_function"]["diagnosis"]
    assert diagnosis["category"] == "not-gpu"
    assert results["python_error_in_function"]["evidence"]["chain"][0]["status"] == "UNKNOWN"
