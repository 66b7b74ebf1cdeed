"""Lines of the past: which are kept, how many, and what they may decide."""

from __future__ import annotations

import time

import pytest

from pytest_tfgpu.diagnosis import past
from pytest_tfgpu.diagnosis.evidence import Evidence, from_text
from pytest_tfgpu.diagnosis.past import Past, diagnose, lines_of, logged, shortened
from pytest_tfgpu.knowledge.catalog import load
from pytest_tfgpu.model import EvidenceLine

OLD = "2024-05-01 10:00:00.123456: "
NEW = "0000 00:00:1795265084.462232    6008 "
LATER = "0521 12:34:56.123456   6008 "
CUDNN = "cuda_dnn.cc:454] Loaded runtime CuDNN library: 8.0.4 but source was compiled with: 9.3.0."
NO_DNN = ("InvalidArgumentError", "No DNN in stream executor. [Op:Conv2D]")
NO_GPU = (
    "InvalidArgumentError",
    "Could not satisfy device specification '/job:localhost/replica:0/task:0/device:GPU:0'. "
    "enable_soft_placement=0. Supported device types [CPU]. All available devices "
    "[/job:localhost/replica:0/task:0/device:CPU:0].",
)


def kept(*texts: str) -> list[tuple[str, str]]:
    """Return text and origin of what is kept of texts, each printed in a test of its own."""
    lines = Past()
    for number, text in enumerate(texts, start=1):
        lines.add(text, f"during test_{number}, call")
    return [(line.text, line.origin) for line in lines.lines()]


def explained(
    failure: tuple[str, str], *printed: str, earlier: tuple[str, ...] = ()
) -> tuple[str, str] | None:
    """Return cause and confidence of a failure after these lines."""
    lines = [EvidenceLine(line, "printed during test_1, call") for line in printed]
    found, _ = diagnose(from_text(*failure, earlier=earlier), lines)
    return None if found is None else (found.cause, found.confidence)


class TestLines:
    """Which lines are TensorFlow's or CUDA's."""

    @pytest.mark.parametrize(
        ("line", "shown", "key"),
        [
            (f"{OLD}E x/{CUDNN}", f"{OLD}E x/{CUDNN}", f"E x/{CUDNN}"),
            (f"E{NEW}{CUDNN}", f"E{NEW}{CUDNN}", f"E{CUDNN}"),
            (f"W{LATER}{CUDNN}", f"W{LATER}{CUDNN}", f"W{CUDNN}"),
            (f"test_a.py::test_x E{NEW}{CUDNN}", f"E{NEW}{CUDNN}", f"E{CUDNN}"),
            (f"test_a.py .{OLD}E x/{CUDNN}", f"{OLD}E x/{CUDNN}", f"E x/{CUDNN}"),
            ("WARNING:tensorflow:slow", "WARNING:tensorflow:slow", "WARNING:tensorflow:slow"),
            ("ptxas fatal   : bad", "ptxas fatal   : bad", "ptxas fatal   : bad"),
        ],
    )
    def test_a_line_of_the_log_is_known(self, line: str, shown: str, key: str) -> None:
        """A line with TensorFlow's time stamp, of each format, or one that names a part of CUDA is kept."""
        assert logged(line) == (shown, key)

    @pytest.mark.parametrize(
        "line", ["", "hello", "100%|####| 3/3", "2024-05-01 10:00:00 INFO start", "E1234 is a code"]
    )
    def test_other_lines_are_not(self, line: str) -> None:
        """Other programs' lines are left out."""
        assert logged(line) is None

    def test_long_texts_lose_their_middle(self) -> None:
        """Of an endless text whole lines of its start and of its end are left."""
        text = "".join(f"{number:07}\n" for number in range(1_000_000))
        short = shortened(text)
        assert len(short) <= past.HEAD + past.TAIL
        assert short.startswith("0000000\n0000001\n")
        assert short.endswith("0999999\n")
        assert {len(line) for line in lines_of(text)} == {7}
        assert shortened("short") == "short"

    def test_a_line_without_end_is_cut(self) -> None:
        """A line that never ends is kept to a length that can be read."""
        assert max(len(line) for line in lines_of("x" * 10_000_000)) <= 2048


class TestPast:
    """What is kept."""

    def test_repeats_are_counted(self) -> None:
        """A line that comes again, at another time, stands once, with where it came first and how often after that."""
        assert kept(f"E{NEW}{CUDNN}\n", f"E{LATER}{CUDNN}\n") == [
            (f"E{NEW}{CUDNN}", "printed during test_1, call, and 1 more time")
        ]
        (line,) = kept(*[f"E{NEW}{CUDNN}\n"] * 4)
        assert line[1] == "printed during test_1, call, and 3 more times"

    def test_figures_tell_lines_apart(self) -> None:
        """Lines that differ in a number are two lines."""
        assert len(kept(f"E{NEW}x.cc:1] code 1", f"E{NEW}x.cc:1] code 2")) == 2

    def test_memory_figures_stay_with_their_test(self) -> None:
        """What the allocator printed for one test says nothing of another, and is left out."""
        line = (
            f"W{NEW}bfc_allocator.cc:512] Allocator (GPU_0_bfc) ran out of memory trying to allocate 4.00GiB"
        )
        assert kept(line) == []

    def test_the_first_and_the_latest_lines_are_kept(self) -> None:
        """However many different lines there are, few are kept: the first ones and the latest."""
        lines = Past()
        for number in range(5000):
            lines.add(f"E{NEW}x.cc:1] code {number}\n", "during test_1, call")
        numbers = [int(line.text.rpartition(" ")[2]) for line in lines.lines()]
        assert numbers == [*range(past.FIRST), *range(5000 - past.LAST, 5000)]

    def test_an_endless_log_costs_little(self) -> None:
        """A hundred megabytes in one test are taken in within a tenth of a second."""
        text = f"E{NEW}{CUDNN}\n" * 1_000_000
        began = time.perf_counter()
        assert len(kept(text)) == 1
        assert time.perf_counter() - began < 0.1


class TestDiagnose:
    """What lines of the past may decide."""

    def test_they_decide_between_what_the_failure_shows(self) -> None:
        """A cause that the failure leaves open is settled by the line that shows it."""
        assert explained(NO_DNN) == ("memory-preallocated", "possible")
        assert explained(NO_DNN, f"E{NEW}{CUDNN}") == ("cudnn-version-mismatch", "confirmed")

    def test_they_explain_no_failure_of_another_kind(self) -> None:
        """A failure that shows no sign of it isn't put down to what was printed."""
        cast = ("UnimplementedError", "Cast string to float is not supported [Op:Cast]")
        assert explained(cast, f"E{NEW}{CUDNN}") == explained(cast)
        assert explained(("UnknownError", "no idea"), f"E{NEW}{CUDNN}") is None

    def test_several_lines_each_serve_their_failure(self) -> None:
        """Of several decisive lines only those of causes that the failure shows are used."""
        lines = (f"E{NEW}{CUDNN}", f"W{NEW}cuda_executor.cc:700] cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX")
        launch = ("InternalError", "'cuLaunchKernel(function)' failed with 'CUDA_ERROR_INVALID_HANDLE'")
        assert explained(NO_DNN, *lines) == ("cudnn-version-mismatch", "confirmed")
        assert explained(launch, *lines) == ("unsupported-compute-capability", "likely")

    def test_why_the_process_has_no_gpu(self) -> None:
        """What TensorFlow said when it found no GPU explains code that later asks for one."""
        line = (
            f"E{NEW}cuda_platform.cc:52] failed call to cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH: system has"
        )
        assert explained(NO_GPU) == ("invalid-device", "likely")
        assert explained(NO_GPU, line) == ("driver-library-mismatch", "likely")
        assert explained(NO_GPU, f"E{NEW}{CUDNN}") == ("invalid-device", "likely")

    def test_the_causes_without_a_gpu_exist(self) -> None:
        """The causes that take the GPU away are in the catalogue."""
        assert {cause.id for cause in load()} >= past.LOSE_GPU

    def test_a_fault_that_a_test_survived(self) -> None:
        """A fault printed during an earlier test makes what fails now its consequence, even if that test passed."""
        failure = (
            "InternalError",
            "Error recording CUDA event: CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access",
        )
        fault = (
            f"W{NEW}op_kernel.cc:1845] INTERNAL: 'cuLaunchKernel' failed with 'CUDA_ERROR_ILLEGAL_ADDRESS'"
        )
        assert explained(failure) == ("gpu-fault", "likely")
        assert explained(failure, fault) == ("earlier-gpu-fault", "likely")
        assert explained(failure, earlier=("gpu-fault",)) == ("earlier-gpu-fault", "likely")

    def test_the_evidence_says_what_was_used(self) -> None:
        """The lines belong to the evidence where they decided, after the failure's own, and else they don't."""
        own = from_text(*NO_DNN, log=["its own line"])
        decided, seen = diagnose(own, [EvidenceLine(f"E{NEW}{CUDNN}", "printed in the preflight")])
        assert decided is not None
        assert [line.origin for line in decided.evidence] == ["printed in the preflight", "exception"]
        assert [line.origin for line in seen.log] == ["log", "printed in the preflight"]
        _, seen = diagnose(own, [EvidenceLine("cuda is fine", "printed in the preflight")])
        assert seen is own

    def test_nothing_stays_nothing(self) -> None:
        """Without a failure to explain the past says nothing."""
        assert diagnose(Evidence(), [EvidenceLine(f"E{NEW}{CUDNN}", "printed in the preflight")])[0] is None
