"""Questions to NVML, put through the real pynvml to real libraries that fail in every way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import pytest_tfgpu
from pytest_tfgpu.environment import nvml_child
from pytest_tfgpu.environment.nvml import Answer, Question
from tests.trees import compile_library

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libraries of Linux")


def ask(tmp_path: Path, code: str, timeout: float = 10.0) -> Answer:
    """Ask an NVML whose library is built from C code."""
    compile_library(tmp_path / "libnvidia-ml.so.1", code=code)
    environ = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    return Question(environ, timeout).answer()


def test_no_library() -> None:
    """Without libnvidia-ml.so.1 the answer is that it isn't found, with NVML's own code."""
    environ = {"LD_LIBRARY_PATH": "/nowhere"}
    answer = Question(environ, 10.0).answer()
    if answer.data:
        pytest.skip("this machine has NVML")
    assert answer == Answer({}, 12, "NVML's library (libnvidia-ml.so.1) is not found.")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (4, "NVML is refused access to the NVIDIA driver."),
        (9, "NVML finds no loaded NVIDIA kernel driver."),
        (18, "NVML and the NVIDIA kernel driver differ in version."),
        (15, "NVML failed: GPU is lost (error 15)."),
        (999, "NVML failed: Unknown Error (error 999)."),
    ],
)
def test_refusal(tmp_path: Path, code: int, sentence: str) -> None:
    """A code that nvmlInit returns is kept, and said as a sentence."""
    answer = ask(tmp_path, f"int nvmlInitWithFlags(unsigned flags) {{ return {code}; }}")
    assert (answer.code, answer.data) == (code, {})
    assert answer.reason == sentence


def test_library_without_functions(tmp_path: Path) -> None:
    """A library that lacks NVML's functions is told from one that fails."""
    answer = ask(tmp_path, "int unrelated;")
    assert answer.code == 13
    assert answer.reason == "NVML lacks a function: its library and nvidia-ml-py don't fit."


def test_hang(tmp_path: Path) -> None:
    """An NVML that never returns is cut off at the time limit, and its process is gone."""
    code = "#include <unistd.h>\nint nvmlInitWithFlags(unsigned flags) { for (;;) sleep(1); }"
    compile_library(tmp_path / "libnvidia-ml.so.1", code=code)
    began = time.monotonic()
    question = Question({**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}, 0.4)
    answer = question.answer()
    assert 0.4 <= time.monotonic() - began < 2
    assert answer == Answer({}, None, "NVML did not answer within 0.4 s.")
    with pytest.raises(ProcessLookupError):
        os.kill(question._process.pid, 0)


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("abort();", "NVML crashed (SIGABRT)."),
        ("raise(SIGSEGV);", "NVML crashed (SIGSEGV)."),
        ("_exit(3);", "NVML gave no whole answer (exit status 3)."),
    ],
)
def test_crash(tmp_path: Path, statement: str, sentence: str) -> None:
    """An NVML that takes its process down is a sentence in this one."""
    headers = "#include <signal.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
    answer = ask(tmp_path, f"{headers}int nvmlInitWithFlags(unsigned flags) {{ {statement} return 0; }}")
    assert answer == Answer({}, None, sentence)


def test_garbage_on_standard_output(tmp_path: Path) -> None:
    """What a library prints between the answers, even halves of JSON, is passed over."""
    code = """
    #include <stdio.h>
    int nvmlInitWithFlags(unsigned flags) { puts("{\\"driver\\": "); puts("[1]"); fflush(stdout); return 0; }
    int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, "555.42.06"); return 0; }
    int nvmlDeviceGetCount_v2(unsigned *count) { *count = 0; return 0; }
    """
    answer = ask(tmp_path, code)
    assert answer.reason is None
    assert answer.data["driver"] == "555.42.06"
    assert answer.data["gpus"] == answer.data["processes"] == []


def test_answers_before_a_late_crash_are_kept(tmp_path: Path) -> None:
    """The driver's version is known although counting the GPUs crashes."""
    code = """
    #include <stdio.h>
    #include <stdlib.h>
    int nvmlInitWithFlags(unsigned flags) { return 0; }
    int nvmlSystemGetDriverVersion(char *text, unsigned size) { snprintf(text, size, "555.42.06"); return 0; }
    int nvmlDeviceGetCount_v2(unsigned *count) { abort(); }
    """
    answer = ask(tmp_path, code)
    assert answer.data == {"driver": "555.42.06", "driver_cuda": None}
    assert answer.reason == "NVML crashed (SIGABRT)."


def test_device_that_is_lost(tmp_path: Path) -> None:
    """A GPU that NVML counts and can't reach stays in its place, with the reason."""
    code = """
    int nvmlInitWithFlags(unsigned flags) { return 0; }
    int nvmlDeviceGetCount_v2(unsigned *count) { *count = 1; return 0; }
    int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) { return 15; }
    """
    answer = ask(tmp_path, code)
    assert answer.data["gpus"] == [{"index": 0}]
    assert answer.data["unknown"] == {"gpus[0]": "NVML can't reach GPU 0: GPU is lost."}


def test_interpreter_that_does_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no Python can be started, that is the reason, and nothing is raised."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    answer = ask(tmp_path, "int unrelated;")
    assert (answer.reason or "").startswith("NVML could not be asked: ")


def test_no_process_is_started_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither the library nor anything of a driver is found, nobody is asked."""
    if any(Path(sign).exists() for sign in ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")):
        pytest.skip("this machine has a driver")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    answer = Question({"LD_LIBRARY_PATH": "/nowhere"}, 5.0).answer()
    assert (answer.code, answer.reason) == (12, "NVML's library (libnvidia-ml.so.1) is not found.")


def test_without_nvidia_ml_py(tmp_path: Path) -> None:
    """A Python without nvidia-ml-py says that it is missing."""
    shutil.copytree(Path(pytest_tfgpu.__file__).parent, tmp_path / "pytest_tfgpu")
    compile_library(tmp_path / "libnvidia-ml.so.1", code="int unrelated;")
    code = (
        f"import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [{str(tmp_path)!r}]\n"
        "from pytest_tfgpu.environment.nvml import Question\n"
        f"print(Question({{'LD_LIBRARY_PATH': {str(tmp_path)!r}}}, 5.0).answer().reason)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "nvidia-ml-py is not installed.\n"


def test_child_reports_a_broken_pynvml(tmp_path: Path) -> None:
    """A pynvml that can't be imported is an answer of the child, not a traceback."""
    (tmp_path / "pynvml.py").write_text("raise RuntimeError('broken')\n")
    command = [sys.executable, "-I", "-S", nvml_child.__file__, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["error"]["text"] == "nvidia-ml-py can't be imported: broken."
    assert done.stderr == ""
