"""TensorFlow's lines on standard error: a decisive one is found however early it came, and nothing looks different."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.suite import Outcome, Suite, clean_environment

PRINTED = """
import os

import pytest
import tensorflow as tf


def say(text):
    os.write(2, f"2024-05-01 10:00:00.123456: {text}\\n".encode())


CUDNN = ("E external/local_xla/xla/stream_executor/cuda/cuda_dnn.cc:523] Loaded runtime CuDNN library: 8.0.4 but "
         "source was compiled with: 9.3.0.")
say("W external/local_xla/xla/stream_executor/cuda/cuda_executor.cc:700] failed to load PTX: cuModuleLoadDataEx: "
    "CUDA_ERROR_INVALID_PTX: a PTX JIT compilation failed")


@pytest.fixture
def layer():
    say(CUDNN)


def test_that_prints(layer):
    say(CUDNN)
    say(CUDNN)


def test_between():
    pass


def test_convolution():
    raise tf.errors.InvalidArgumentError(None, None, "No DNN in stream executor. [Op:Conv2D]")


def test_launch():
    raise tf.errors.InternalError(None, None, "'cuLaunchKernel(function)' failed with 'CUDA_ERROR_INVALID_HANDLE'")


def test_unrelated():
    tf.cast(tf.constant(["a"]), tf.float32)
"""

CAPTURES = {
    "fd": ("--capture=fd",),
    "no": ("-s",),
    "sys": ("--capture=sys",),
    "tee-sys": ("--capture=tee-sys",),
    "fd, workers": ("-n", "2", "--dist=loadfile"),
    "no, workers": ("-s", "-n", "2", "--dist=loadfile"),
    "no, n0": ("-s", "-n", "0"),
    "no, without xdist": ("-s", "-p", "no:xdist"),
    "without capture": ("-p", "no:capture"),
}


@pytest.fixture(scope="module", params=CAPTURES.values(), ids=CAPTURES.keys())
def printed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One run, per way to capture, of a suite whose decisive lines are printed long before the failures."""
    suite = Suite(tmp_path_factory.mktemp("printed"))
    suite.write("test_printed.py", PRINTED)
    return suite.run(*request.param)


def found(outcome: Outcome, test: str) -> dict[str, Any]:
    """Return the diagnosis of a test."""
    (diagnosis,) = [
        entry for entry in outcome.report["diagnoses"] if entry["nodeid"].endswith(f"::{test}")
    ] or pytest.fail(outcome.text)
    chosen: dict[str, Any] = diagnosis
    return chosen


@pytest.mark.parametrize(
    ("test", "cause", "quote", "origin"),
    [
        (
            "test_convolution",
            "cudnn-version-mismatch",
            "Loaded runtime CuDNN library: 8.0.4",
            "printed during test_printed.py::test_that_prints, setup, and 2 more times",
        ),
        (
            "test_launch",
            "unsupported-compute-capability",
            "CUDA_ERROR_INVALID_PTX",
            "printed while collecting test_printed.py",
        ),
    ],
    ids=["test", "import"],
)
def test_a_line_of_before_decides(printed: Outcome, test: str, cause: str, quote: str, origin: str) -> None:
    """A line printed in an earlier test or at import is quoted, with where it came from, in each capture mode."""
    diagnosis = found(printed, test)
    assert diagnosis["cause"] == cause, printed.text
    assert origin in [entry["origin"] for entry in diagnosis["evidence"] if quote in entry["text"]]
    assert f"{origin}:" in " ".join(printed.text.split())


def test_lines_of_before_explain_nothing_else(printed: Outcome) -> None:
    """A failure that shows no sign of what was printed keeps its own cause, without those lines."""
    diagnosis = found(printed, "test_unrelated")
    assert diagnosis["cause"] == "unsupported-cast"
    assert {entry["origin"] for entry in diagnosis["evidence"]} == {"exception"}
    assert "pytest-tfgpu: " not in printed.text


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_tensorflow_in_a_conftest(suite: Suite, capture: str) -> None:
    """What a conftest lets TensorFlow print is heard by default, and what its fixtures do in each capture mode."""
    head, _, rest = PRINTED.partition("@pytest.fixture")
    fixture, _, tests = rest.partition("def test_that_prints")
    suite.write("conftest.py", f"{head}@pytest.fixture{fixture}")
    suite.write(
        "test_it.py", f"import tensorflow as tf\nfrom conftest import *\n\ndef test_that_prints{tests}"
    )
    outcome = suite.run(f"--capture={capture}", "-k", "prints or convolution or launch")
    convolution, launch = found(outcome, "test_convolution"), found(outcome, "test_launch")
    assert convolution["cause"] == "cudnn-version-mismatch"
    origins = [quote["origin"] for quote in launch["evidence"] if "INVALID_PTX" in quote["text"]]
    assert origins == (["printed before or while collecting test_it.py"] if capture == "fd" else [])


# ---------------------------------------------------------------------------------------------- what a user sees


ALTERNATING = """
import os
import subprocess
import sys

import tensorflow as tf


def test_both_streams():
    for number in range(50):
        print("python to standard output", number, flush=True)
        os.write(2, b"E cuda_dnn.cc:1] past Python %d\\n" % number)
        print("python to standard error", number, file=sys.stderr)
    subprocess.run(["sh", "-c", "echo a program says this; echo and that >&2"], check=True)
    os.write(2, b"no line feed at the end")


def test_tools_see_the_same():
    print(os.isatty(1), os.isatty(2), sys.stderr.isatty())


def test_that_fails():
    print("before the failure")
    os.write(2, b"E cuda_dnn.cc:1] before the failure\\n")
    assert not tf
"""


@pytest.fixture(scope="module")
def alternating(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """A suite that writes to both streams in turn."""
    suite = Suite(tmp_path_factory.mktemp("alternating"))
    suite.write("test_both.py", ALTERNATING)
    return suite


def shown(text: str) -> str:
    """Return what pytest and TensorFlow printed, without times and process ids, and without what names the plugin."""
    text = re.sub(r"\d+\.\d\ds", "0.00s", text)
    text = re.sub(r"(?m)^([IWEF])\d{4} \S+ +\d+ ", r"\1 ", text)
    return re.sub(r"0x[0-9a-f]+", "0x", re.sub(r"(?m)^plugins: .*$", "plugins", text))


@pytest.mark.parametrize("capture", ["fd", "no", "sys", "tee-sys"])
def test_one_stream_looks_the_same(alternating: Suite, capture: str) -> None:
    """Where both streams lead to one place the text is, to the letter and in its order, that without the plugin."""
    mine = alternating.run(f"--capture={capture}", report=False)
    plain = alternating.run(f"--capture={capture}", "-p", "no:tfgpu", report=False)
    assert shown(mine.text) == shown(plain.text)
    assert "E cuda_dnn.cc:1] before the failure" in mine.text


def test_two_streams_look_the_same(alternating: Suite) -> None:
    """Where the streams lead to two places each holds what it does without the plugin."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-s"]
    texts = [
        subprocess.run(
            [*command, *more],
            cwd=alternating.folder,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        for more in ([], ["-p", "no:tfgpu"])
    ]
    assert shown(texts[0].stdout) == shown(texts[1].stdout)
    assert shown(texts[0].stderr) == shown(texts[1].stderr)
    assert "past Python 49\n" in texts[0].stderr


def on_a_terminal(suite: Suite, *arguments: str) -> str:
    """Run pytest with a terminal for both streams, and return what it shows."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    with subprocess.Popen(
        command, cwd=suite.folder, env=clean_environment(), stdin=terminal, stdout=terminal, stderr=terminal
    ) as process:
        os.close(terminal)
        text = b""
        while True:
            try:
                data = os.read(controller, 65536)
            except OSError:
                break
            if not data:
                break
            text += data
    os.close(controller)
    assert process.returncode == pytest.ExitCode.TESTS_FAILED, text
    return text.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("capture", ["no", "sys"])
def test_a_terminal_is_left_alone(suite: Suite, capture: str) -> None:
    """Where standard error is a terminal it stays one, no copy is taken, and an open question says so."""
    suite.write(
        "test_it.py",
        PRINTED + "\ndef test_terminal():\n    print('terminal', os.isatty(2))\n    assert os.isatty(2)\n",
    )
    text = on_a_terminal(suite, f"--capture={capture}", "--color=no")
    assert ("terminal True" in text) == (capture == "no")
    assert "test_terminal - " not in text
    section = text.partition("_ test_convolution _")[2].partition("\n____")[0]
    assert "Possible cause: " in section
    assert "TensorFlow's log was not captured here; a decisive line may be missing." in " ".join(
        section.split()
    )


def test_what_a_dying_process_printed_last_is_shown(suite: Suite) -> None:
    """The last line before an abort reaches the user, and so does what its children print after it.

    Python's own words go to the terminal directly, so the line may stand in the middle of them.
    """
    last = "F conv_2d_gpu.h:1] the last line\n"
    suite.write(
        "test_it.py",
        "import os, subprocess\nimport tensorflow as tf\n\ndef test_it():\n"
        "    subprocess.Popen(['sh', '-c', 'sleep 1; echo a child survives >&2'])\n"
        "    os.write(2, b'F conv_2d_gpu.h:1] the last line\\n')\n    os.abort()\n",
    )
    outcome = suite.run("-s", report=False)
    assert outcome.status == -signal.SIGABRT
    assert outcome.text.count(last) == 1
    assert "Fatal Python error: Aborted" in outcome.text.replace(last, "")
    assert outcome.text.endswith("a child survives\n")


def test_a_worker_that_dies(suite: Suite) -> None:
    """The last line of a worker is shown, and the other tests are run."""
    suite.write(
        "test_it.py",
        "import os\nimport tensorflow as tf\n\ndef test_dies():\n"
        "    os.write(2, b'F conv_2d_gpu.h:1] the last line\\n')\n    os.abort()\n\ndef test_lives():\n    pass\n",
    )
    outcome = suite.run("-s", "-n", "1", report=False)
    assert outcome.outcomes == {"failed": 1, "passed": 1}
    assert "F conv_2d_gpu.h:1] the last line\n" in outcome.text


LOOK = """
import os
import sys

def pytest_unconfigure():
    ours = sorted(name for name in sys.modules if name.startswith("pytest_tfgpu.features.tee"))
    print("OPEN", len(os.listdir("/proc/self/fd")), ours)
"""


def test_nothing_is_opened_without_tensorflow(suite: Suite) -> None:
    """In a session that doesn't import TensorFlow no copy is taken, and no more files are open than always."""
    suite.write("conftest.py", LOOK)
    suite.write("test_it.py", "def test_it():\n    pass\n\ndef test_failing():\n    assert 0\n")
    mine, plain = (
        suite.run("-s", *more, report=False).text.partition("OPEN ")[2].splitlines()[0]
        for more in ((), ("-p", "no:tfgpu"))
    )
    assert mine == plain
    assert mine.endswith(" []")


def test_switched_off_with_the_diagnoses(suite: Suite) -> None:
    """Without diagnoses no copy is taken."""
    suite.write("conftest.py", LOOK)
    suite.write("test_it.py", "import tensorflow\n\ndef test_it():\n    pass\n")
    off = suite.run("-s", "--no-tfgpu-diagnose", report=False).text.partition("OPEN ")[2].splitlines()[0]
    on = suite.run("-s", report=False).text.partition("OPEN ")[2].splitlines()[0]
    assert off.endswith(" []")
    assert on.endswith(" ['pytest_tfgpu.features.tee']")


READS_ITSELF = """
import os


def test_capfd(capfd):
    import tensorflow

    capfd.readouterr()
    for number in range(20):
        os.write(2, b"E cuda_dnn.cc:1] %d\\n" % number)
        assert capfd.readouterr().err == f"E cuda_dnn.cc:1] {number}\\n"


def test_that_prints():
    os.write(2, b"E0000 00:00:1795265084.462232    6008 cuda_dnn.cc:454] Loaded runtime CuDNN library: 8.0.4 but "
        b"source was compiled with: 9.3.0.\\n")


def test_convolution():
    import tensorflow as tf

    raise tf.errors.InvalidArgumentError(None, None, "No DNN in stream executor. [Op:Conv2D]")
"""


def test_a_test_that_reads_standard_error_itself(suite: Suite) -> None:
    """A test that imports TensorFlow while it captures by itself reads what it wrote, at once and alone."""
    suite.write("test_it.py", READS_ITSELF)
    outcome = suite.run("-s")
    assert outcome.outcomes == {"passed": 2, "failed": 1}, outcome.text
    assert found(outcome, "test_convolution")["cause"] == "cudnn-version-mismatch"
    assert "cuda_dnn.cc:1] 0" not in outcome.text


@pytest.mark.parametrize("capture", ["fd", "no"])
def test_a_flood(suite: Suite, capture: str) -> None:
    """A million lines between the decisive one and the failure cost next to nothing, and hide nothing."""
    suite.write(
        "test_it.py",
        PRINTED.replace(
            "def test_between():\n    pass\n",
            "def test_between():\n"
            "    line = b'2024-05-01 10:00:00.123456: W tensorflow/x.cc:1] one of many\\n' * 1000\n"
            "    for _ in range(1000):\n        os.write(2, line)\n",
        ),
    )
    outcome = suite.run(f"--capture={capture}", "--durations=0", "-vv")
    assert found(outcome, "test_convolution")["cause"] == "cudnn-version-mismatch"
    assert outcome.text.count("one of many") == (1_000_000 if capture == "no" else 0)
    (seconds,) = re.findall(r"([\d.]+)s call +test_it.py::test_between", outcome.text)
    assert float(seconds) < 5
