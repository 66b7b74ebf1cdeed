"""What a check measures with, and what the child asks of NVIDIA's libraries."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_tfgpu.preflight import probe
from pytest_tfgpu.preflight.api import relative_error
from pytest_tfgpu.preflight.checks.conv2d import reference

VECTORS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


def test_relative_error_is_the_largest_difference_over_the_largest_magnitude() -> None:
    """The error is relative to the largest magnitude of the reference, and absolute where that is zero."""
    assert relative_error(np.array([1.0, -4.0]), np.array([1.0, -5.0])) == pytest.approx(0.2)
    assert relative_error(np.array([0.25]), np.array([0.0])) == 0.25
    assert relative_error(np.array([1 + 1j]), np.array([1 + 2j])) == pytest.approx(1 / math.sqrt(5))
    assert relative_error(np.zeros(0), np.zeros(0)) == 0.0


@given(values=VECTORS, scale=st.floats(1e-3, 1e3))
def test_relative_error_does_not_depend_on_scale(values: list[float], scale: float) -> None:
    """Equal arrays have no error, and scaling a result by 1 + x gives the error x, whatever the scale."""
    array = np.array([*values, 1.0]) * scale
    assert relative_error(array, array) == 0.0
    assert relative_error(array * 1.5, array) == pytest.approx(0.5)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_small_error(bad: float) -> None:
    """NaN and infinity in a result are an infinite error, in every floating type."""
    for dtype in (np.float16, np.float32, np.float64):
        assert relative_error(np.array([1.0, bad], dtype), np.array([1.0, 2.0])) == math.inf


def test_integers_do_not_overflow() -> None:
    """Differences of unsigned integers are computed in float64."""
    assert relative_error(np.array([0], np.uint8), np.array([255], np.uint8)) == 1.0


def test_the_reference_convolution_is_a_convolution() -> None:
    """The NumPy reference equals a convolution written out as loops."""
    rng = np.random.default_rng(5)
    images, filters = rng.standard_normal((2, 5, 4, 3)), rng.standard_normal((3, 3, 3, 2))
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = np.zeros((2, 5, 4, 2))
    for batch, row, column, channel in np.ndindex(expected.shape):
        window = padded[batch, row : row + 3, column : column + 3, :]
        expected[batch, row, column, channel] = (window * filters[..., channel]).sum()
    assert np.allclose(reference(images, filters), expected, rtol=1e-12)


# -------------------------------------------------------------------------------------------- the libraries


def library(folder: Path, name: str, source: str) -> Path:
    """Compile a shared library."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is needed to build a library")
    path = folder / name
    command = ["gcc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(path)]
    subprocess.run(command, input=source.encode(), check=True)
    return path


def test_a_driver_library_that_is_not_there(tmp_path: Path) -> None:
    """A driver library that can't be loaded is data, in the loader's words."""
    answer = probe.driver(str(tmp_path / "libcuda.so.1"))
    assert answer["loaded"] is False
    assert "cannot open shared object file" in answer["message"]


def test_a_library_that_is_no_driver(tmp_path: Path) -> None:
    """A library without cuInit is no driver."""
    answer = probe.driver(str(library(tmp_path, "libcuda.so.1", "int nothing(void) { return 0; }")))
    assert answer["loaded"] is False
    assert "cuInit" in answer["message"]


def test_a_driver_with_little_to_say(tmp_path: Path) -> None:
    """Functions that are missing or fail leave their values out."""
    source = "int cuInit(int f) { return 0; } int cuDeviceGetCount(int *n) { *n = 2; return 0; }"
    assert probe.driver(str(library(tmp_path, "few.so", source))) == {
        "loaded": True,
        "code": 0,
        "count": 2,
        "devices": [{}, {}],
    }
    failing = "int cuInit(int f) { return 999; } int cuGetErrorName(int e, const char **s) { return 1; }"
    answer = probe.driver(str(library(tmp_path, "failing.so", failing)))
    assert answer == {"loaded": True, "code": 999, "error": None}


@pytest.mark.parametrize(
    ("number", "version"),
    [(8907, "8.9.7"), (8600, "8.6.0"), (90300, "9.3.0"), (90801, "9.8.1"), (100000, "10.0.0")],
)
def test_the_version_that_cudnn_gives_of_itself(tmp_path: Path, number: int, version: str) -> None:
    """The cuDNN that a process has loaded is found there, and asked for its version."""
    path = library(tmp_path, "libcudnn.so.9", f"unsigned long cudnnGetVersion(void) {{ return {number}; }}")
    code = (
        "import ctypes, json; from pytest_tfgpu.preflight import probe\n"
        f"before = probe.cudnn_version(); ctypes.CDLL({str(path)!r})\n"
        "print(json.dumps([before, probe.cudnn_version()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    answer: list[Any] = json.loads(done.stdout)
    assert answer == [None, version]
