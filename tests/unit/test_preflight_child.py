"""The preflight on the CPU: real children with the real TensorFlow, and machines on which there is none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

import pytest

import pytest_tfgpu
from pytest_tfgpu.model import Check, CheckResult
from pytest_tfgpu.preflight import Answer, Request, default_checks, start
from pytest_tfgpu.preflight.ledger import Ledger

HELPERS = Path(__file__).parents[1] / "plugin" / "preflight_children"


def third_party(*names: str) -> tuple[Check, ...]:
    """Return checks whose functions have these names."""
    return tuple(Check(name, f"third_party:{name}") for name in names)


def request(*checks: Check, seconds: float = 60.0, **more: Any) -> Request:
    """Return a request to run checks on the CPU."""
    return Request(checks, device="cpu", timeout=seconds, sys_path=(str(HELPERS),), **more)


def run(*checks: Check, **more: Any) -> Answer:
    """Run checks in a child on the CPU, and return its answer, as it is after a journey as JSON."""
    answer = start(request(*checks, **more)).result()
    assert Answer.from_json(answer.to_json()) == answer
    return answer


def by_name(answer: Answer) -> dict[str, CheckResult]:
    """Return the results of the one device."""
    assert len(answer.gpus) == 1, answer
    return {check.name: check for check in answer.gpus[0].checks}


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with changes."""
    return {**os.environ, **changes}


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Answer, list[str]]:
    """The answer to the default checks, and what was shown meanwhile.

    The folder it runs in holds a `tensorflow` folder, and this Python prints at its start.
    """
    folder = tmp_path_factory.mktemp("usual")
    (folder / "tensorflow").mkdir()
    (folder / "tensorflow" / "__init__.py").write_text("raise ImportError('not this one')")
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(
        "import os; print('hello from sitecustomize'); os.write(1, b'and more')"
    )
    before, texts = Path.cwd(), []
    os.chdir(folder)
    try:
        going = start(request(*default_checks(), environment=environment(PYTHONPATH=str(folder / "site"))))
        while going.progress() == "starting":
            assert not going.wait(0.01)
    finally:
        os.chdir(before)
    return going.result(texts.append), texts


def test_all_checks_pass(usual: tuple[Answer, list[str]]) -> None:
    """Every default check passes on the CPU, within the tolerance that it states, in the order of the checks."""
    answer, _ = usual
    assert answer.problem is None
    assert [check.outcome for check in answer.gpus[0].checks] == ["passed"] * 6
    names = ["device", "memory", "matmul", "conv2d", "float16", "gather"]
    assert [check.name for check in answer.gpus[0].checks] == names
    for check in answer.gpus[0].checks:
        assert check.seconds is not None
        assert check.seconds > 0
        assert isinstance(check.details["seed"], int)
        if check.name != "memory":
            assert check.max_error is not None
            assert check.tolerance is not None
            assert check.max_error <= check.tolerance


def test_rounding_is_seen(usual: tuple[Answer, list[str]]) -> None:
    """Products in float32 and sums in float16 are off by rounding, and not by nothing: something is compared."""
    results = by_name(usual[0])
    assert 1e-8 < (results["matmul"].max_error or 0) < 1e-5
    assert 1e-8 < (results["conv2d"].max_error or 0) < 1e-4
    kinds = {entry["name"]: entry for entry in results["float16"].details["comparisons"]}
    assert kinds["cast"]["error"] == 0
    assert 1e-5 < kinds["sum"]["error"] < 1e-3


def test_the_answer_names_the_device(usual: tuple[Answer, list[str]]) -> None:
    """The device is the CPU, the version is that of the real TensorFlow, and its log is kept."""
    answer, _ = usual
    gpu = answer.gpus[0]
    assert (gpu.index, gpu.uuid, gpu.name, gpu.usable) == (None, None, "CPU", True)
    assert (answer.tensorflow or "").count(".") == 2
    assert answer.listed is None
    assert any("hello from sitecustomize" in line for line in answer.stderr)
    assert any("cpu_feature_guard" in line for line in answer.stderr)
    assert 0 < answer.stderr_bytes < 100_000


def test_a_folder_called_tensorflow_is_not_imported(usual: tuple[Answer, list[str]]) -> None:
    """TensorFlow comes from the installation, though the working directory holds a folder of that name."""
    assert "site-packages" in (usual[0].tensorflow_path or "")


def test_progress_is_told(usual: tuple[Answer, list[str]]) -> None:
    """While the child works, short texts say what it does."""
    texts = usual[1]
    assert "importing TensorFlow" in texts
    assert set(texts) <= {
        "starting",
        "importing TensorFlow",
        "starting the devices",
        *(f"CPU: {check.name}" for check in default_checks()),
    }


@pytest.fixture(scope="module")
def checked() -> dict[str, CheckResult]:
    """The results of third-party checks that leave the child alive, run in one child."""
    names = (
        "sound",
        "results",
        "folder",
        "settings",
        "reads_input",
        "wrong_numbers",
        "not_a_number",
        "wrong_type",
    )
    names += ("wrong_shape", "elsewhere", "unsupported", "no_such_device", "leaves", "mute", "talkative")
    names += ("huge_details", "odd_details", "no_such_function", "leaves_a_process")
    more = (Check("no_such_module", "no_such_module:run"), Check("malformed", "third_party"))
    answer = run(*third_party(*names), *more)
    assert answer.problem is None
    return by_name(answer)


def test_a_sound_check_passes(checked: dict[str, CheckResult]) -> None:
    """A third-party check passes by returning; what it notes is kept as JSON, what it returns and prints is not."""
    sound = checked["sound"]
    assert sound.outcome == "passed"
    assert sound.tolerance == 1e-12
    assert sound.details["noted"] == {"threads": 2, "path": "somewhere"}
    assert checked["results"].outcome == "passed"


def test_where_a_check_runs(checked: dict[str, CheckResult]) -> None:
    """A check runs in the parent's folder; the parent's path is searched last, the child's own folder not at all."""
    details = checked["folder"].details
    assert details["cwd"] == str(Path.cwd())
    assert "site-packages" in details["tensorflow"]
    assert details["helpers_last"] is True
    assert details["own_folder_searched"] is False


def test_settings_of_the_child(checked: dict[str, CheckResult]) -> None:
    """Soft placement and TensorFloat-32 are off, and standard input is empty."""
    details = checked["settings"].details
    assert (details["soft_placement"], details["tensor_float_32"]) == (False, False)
    assert checked["reads_input"].details["input"] == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrong_numbers", "ones (float32): relative error 0.001, allowed is 1e-05"),
        ("not_a_number", "quotient (float32): the result holds NaN or infinity where the reference has none"),
        ("wrong_type", "zeros: the result is float32, not float16"),
        ("wrong_shape", "zeros: the result has shape (4,), not (2, 2)"),
        ("elsewhere", "ones: the result lies on /CPU:0, not on /GPU:0"),
        ("leaves", "SystemExit: 4"),
        ("mute", "Mute: (its text can't be had: ValueError)"),
        ("no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("no_such_function", "AttributeError: module 'third_party' has no attribute 'no_such_function'"),
    ],
)
def test_a_failing_check_has_a_sentence(checked: dict[str, CheckResult], name: str, message: str) -> None:
    """What a check finds wrong, and any exception, is an outcome with a sentence."""
    assert (checked[name].outcome, checked[name].message) == ("failed", message)


def test_the_worst_comparison_is_reported(checked: dict[str, CheckResult]) -> None:
    """Of several comparisons the one that strains its tolerance most gives error and tolerance."""
    assert checked["wrong_numbers"].max_error == pytest.approx(0.001, rel=0.01)
    assert len(checked["wrong_numbers"].details["comparisons"]) == 2
    assert checked["not_a_number"].max_error is None


def test_an_exception_is_kept_as_data(checked: dict[str, CheckResult]) -> None:
    """Class, message and chain of an exception come back: the evidence of a diagnosis."""
    error = checked["unsupported"].details["error"]
    assert (error["class"], error["message"]) == ("builtins.RuntimeError", "the workload failed")
    assert error["chain"][0]["class"].endswith("errors_impl.UnimplementedError")
    assert "Cast string to float is not supported" in error["chain"][0]["message"]
    assert error["frames"][-1] == "third_party:unsupported"
    assert "InvalidArgumentError" in (checked["no_such_device"].message or "")


def test_oversized_reports_are_cut(checked: dict[str, CheckResult]) -> None:
    """A message of 10 MB is cut, details beyond a megabyte are dropped, and the outcome is told all the same."""
    assert len(checked["talkative"].message or "") <= 320
    assert len(checked["talkative"].details["error"]["message"]) <= 1 << 16
    assert checked["huge_details"].outcome == "passed"
    assert checked["huge_details"].details == {}


def test_odd_details_become_plain(checked: dict[str, CheckResult]) -> None:
    """Numbers of NumPy come back as numbers, what JSON doesn't know as text; nothing of it harms the others."""
    odd = checked["odd_details"]
    assert (odd.outcome, odd.tolerance, odd.max_error) == ("passed", 0.0, 0.0)
    assert [odd.details[key] for key in ("nan", "number", "3", "array")] == ["nan", 1.0, [1, 2], "[]"]
    assert odd.details["mute"] == "(its text can't be had: ValueError)"
    json.loads(json.dumps(odd.to_json(), allow_nan=False))


def test_nothing_is_left_running(checked: dict[str, CheckResult]) -> None:
    """A process that a check started and left is gone once the answer is there."""
    pid = checked["leaves_a_process"].details["pid"]
    stat = Path(f"/proc/{pid}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


@pytest.mark.parametrize(
    ("name", "seconds", "outcome", "message"),
    [
        ("aborts", 60, "crashed", "was killed by SIGABRT"),
        ("exits", 60, "crashed", "ended with exit status 0 without an answer"),
        ("floods", 60, "failed", "was ended after it had written 32 MiB of output"),
        ("hangs", 12, "timeout", "did not answer within 12 s (--tfgpu-preflight-timeout)"),
    ],
)
def test_a_check_that_takes_the_child_down(name: str, seconds: float, outcome: str, message: str) -> None:
    """A crash, a silent exit, a flood and a hang are put to the check that had begun; the later ones did not run."""
    answer = run(*third_party("sound", name, "settings", "results"), seconds=seconds)
    results = by_name(answer)
    assert answer.problem is None
    assert (results[name].outcome, results[name].message) == (outcome, message)
    assert results["sound"].outcome == "passed"
    assert [results[later].outcome for later in ("settings", "results")] == ["not-run", "not-run"]
    if name in ("aborts", "hangs"):
        assert results[name].details["stack"][0].endswith(f"in {name}")
    assert not answer.gpus[0].usable


def test_stop_ends_the_checks() -> None:
    """A run that is stopped answers at once that it was, and its child is gone."""
    going = start(request(*third_party("waits")))
    while going.progress() != "CPU: waits":
        assert not going.wait(0.05)
    child = going._child
    began = time.monotonic()
    going.stop()
    assert time.monotonic() - began < 5
    assert going.done()
    problem = going.result().problem
    assert problem is not None
    assert (problem.kind, problem.sentence) == ("stopped", "the checks were stopped")
    assert child is not None
    assert child.returncode == -signal.SIGKILL


def test_the_child_ends_with_its_parent(tmp_path: Path) -> None:
    """Where the parent is killed, the child ends by itself."""
    program = (
        "import os, signal, time\n"
        "from pytest_tfgpu.model import Check\n"
        "from pytest_tfgpu.preflight import Request, start\n"
        f"going = start(Request((Check('waits', 'third_party:waits'),), 'cpu', sys_path=({str(HELPERS)!r},)))\n"
        "while going.progress() != 'CPU: waits': time.sleep(0.05)\n"
        "print(going._child._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    stat = Path(f"/proc/{int(done.stdout)}/stat")
    deadline = time.monotonic() + 10
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline, "the child still runs"
        time.sleep(0.05)


# ------------------------------------------------------------------------------------ TensorFlow can't be had


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with nothing installed but this package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    shutil.copytree(Path(pytest_tfgpu.__file__).parent, site / "pytest_tfgpu")
    return str(folder / "bin" / "python")


def run_in(python: str, **variables: str) -> Answer:
    """Run the default checks on the CPU from another Python, and return the answer."""
    code = (
        "import json\nfrom pytest_tfgpu.preflight import Request, default_checks, start\n"
        "answer = start(Request(default_checks(), device='cpu', timeout=60.0)).result()\n"
        "print(json.dumps(answer.to_json()))"
    )
    command = [python, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(**variables))
    return Answer.from_json(json.loads(done.stdout))


def problem(answer: Answer) -> tuple[str, str]:
    """Return kind and sentence of what kept the checks from running."""
    assert answer.problem is not None
    assert answer.gpus == ()
    return answer.problem.kind, answer.problem.sentence


def test_no_tensorflow(bare_python: str) -> None:
    """A Python without TensorFlow is told as that."""
    answer = run_in(bare_python, PYTHONPATH="")
    assert problem(answer) == ("no-tensorflow", "TensorFlow is not installed for this Python")


def test_an_empty_folder_is_no_tensorflow(bare_python: str, tmp_path: Path) -> None:
    """A folder `tensorflow` without a package in it counts as no TensorFlow."""
    (tmp_path / "tensorflow").mkdir()
    answer = run_in(bare_python, PYTHONPATH=str(tmp_path))
    assert problem(answer)[0] == "no-tensorflow"


def test_something_else_called_tensorflow(tmp_path: Path) -> None:
    """A package of that name that comes first on PYTHONPATH is named, and not imported."""
    package = tmp_path / "tensorflow" / "__init__.py"
    package.parent.mkdir()
    package.write_text("raise SystemExit('imported')")
    answer = run(*default_checks(), environment=environment(PYTHONPATH=str(tmp_path)))
    assert problem(answer) == (
        "not-tensorflow",
        f"`import tensorflow` finds {package}, which is not TensorFlow",
    )


def test_a_tensorflow_that_cannot_be_imported(tmp_path: Path) -> None:
    """Where the import of the real TensorFlow fails, the sentence says why, and the exception is kept."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text(
        "raise ImportError('libopenblas.so.0: cannot open shared object file')"
    )
    answer = run(*default_checks(), environment=environment(PYTHONPATH=str(tmp_path)))
    kind, sentence = problem(answer)
    assert kind == "import-failed"
    expected = "TensorFlow cannot be imported: ImportError: libopenblas.so.0: cannot open shared object file"
    assert sentence == expected
    assert answer.problem is not None
    assert answer.problem.error["class"] == "builtins.ImportError"


def test_a_crash_while_tensorflow_is_imported(tmp_path: Path) -> None:
    """A crash before any check says what went on."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("import os; os.abort()")
    answer = run(*default_checks(), environment=environment(PYTHONPATH=str(tmp_path)))
    assert problem(answer) == (
        "crashed",
        "the preflight's process was killed by SIGABRT while importing TensorFlow",
    )
    assert answer.problem is not None
    assert answer.problem.stack[0].endswith("in <module>")


def test_a_hang_while_tensorflow_is_imported(tmp_path: Path) -> None:
    """A hang before any check is ended at the limit."""
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.py").write_text("import time; time.sleep(600)")
    answer = run(*default_checks(), seconds=3, environment=environment(PYTHONPATH=str(tmp_path)))
    assert problem(answer) == (
        "timeout",
        "the preflight's process did not answer within 3 s (--tfgpu-preflight-timeout) while importing TensorFlow",
    )


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ('echo garbage; echo \'{"event": "done"}\'', "ended with exit status 0 without an answer"),
        ("cat >/dev/null & exit 7", "ended with exit status 7 without an answer"),
        ("kill -SEGV $$", "was killed by SIGSEGV"),
    ],
)
def test_a_python_that_is_none(tmp_path: Path, script: str, expected: str) -> None:
    """Where the program started is not a Python that answers, its end is told."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    assert (
        problem(run(*default_checks(), executable=str(program)))[1] == f"the preflight's process {expected}"
    )


def test_a_python_that_cannot_be_started(tmp_path: Path) -> None:
    """Where the program can't be started, the sentence says why."""
    missing = str(tmp_path / "python")
    answer = run(*default_checks(), executable=missing)
    assert problem(answer) == ("no-python", f"{missing} cannot be started: No such file or directory")


def test_a_python_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedded Python has no program to start; no other Python is started in its place."""
    monkeypatch.setattr(sys, "executable", "")
    assert problem(run(*default_checks()))[0] == "no-python"


def test_a_defect_of_ours_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the parent's own code ends the child and becomes a problem."""
    monkeypatch.setattr(Ledger, "_on_started", lambda *_: 1 / 0)
    answer = run(*third_party("waits"))
    assert problem(answer) == (
        "no-answer",
        "the preflight failed by itself: ZeroDivisionError: division by zero",
    )
