"""Every status of CUDA and of its libraries has a reading, or is known to say nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_tfgpu.diagnosis import engine
from pytest_tfgpu.diagnosis.evidence import from_text

NAMES = Path(__file__).with_name("statuses.txt").read_text("utf-8").split()
SENTENCES = [
    line.split(": ", 1) for line in Path(__file__).with_name("sentences.txt").read_text("utf-8").splitlines()
]
"""The statuses of the CUDA runtime and what `cudaGetErrorString` of libcudart 12.5.82 says of each."""
SILENT = (
    "CUDA_ERROR_NOT_READY: device not ready",
    "CUDNN_STATUS_SUCCESS",
    "CUBLAS_STATUS_SUCCESS",
    "cudaSuccess",
    "ncclSuccess",
    "ncclInProgress",
)
NUMBERED = (
    ("CUDA error 700 at kernel.cu:12", "gpu-fault"),
    ("CUDA Runtime Error: 77", "gpu-fault"),
    ("kernel launch failed: error code 719", "gpu-fault"),
    (
        'CUDA error at helper_cuda.h:779 code=35(cudaErrorInsufficientDriver) "cudaGetDeviceCount"',
        "driver-too-old",
    ),
    ("cudaMalloc returned cudaError 2", "out-of-memory"),
    ("cuInit returned CUresult(100)", "gpu-not-visible"),
)


def first(message: str, exception: str = "InternalError") -> str | None:
    """Return the id of the first cause, or None."""
    ranked = engine.rank(from_text(exception, message))
    return ranked[0].cause.id if ranked else None


def strength(name: str) -> float:
    """Return the score of the first cause of a status."""
    ranked = engine.rank(from_text("InternalError", f"operation failed: {name}"))
    return ranked[0].score if ranked else 0.0


@pytest.mark.parametrize("name", NAMES)
def test_a_status_alone_suggests_a_cause(name: str) -> None:
    """A failure of which nothing but the status is left gets a cause, which need not be certain."""
    assert first(f"operation failed: {name}") is not None


DECISIVE = [(name, sentence) for name, sentence in SENTENCES if strength(name) >= 0.6]


@pytest.mark.parametrize(("name", "sentence"), DECISIVE)
def test_a_status_is_known_by_its_sentence(name: str, sentence: str) -> None:
    """TensorFlow prints the sentence alone: it says what the name says."""
    assert first(f"cudaGetDevice() failed. Status: {sentence}") == first(f"operation failed: {name}")


@pytest.mark.parametrize("text", SILENT)
def test_a_status_that_tells_of_no_failure_suggests_none(text: str) -> None:
    """Success, and work in progress, explain nothing."""
    assert first(text) is None


@pytest.mark.parametrize(("text", "cause"), NUMBERED)
def test_a_status_is_known_by_its_number(text: str, cause: str) -> None:
    """Programs that print the number alone are understood, too."""
    assert first(text, "") == cause


@pytest.mark.parametrize(
    "text", ["make: *** [all] Error 2", "exited with error code 2", "HTTP error code 700"]
)
def test_numbers_of_others_say_nothing(text: str) -> None:
    """A number is a status of CUDA only where CUDA or a kernel is named before it."""
    assert first(text, "") is None
