"""The preflight of a session: its table, its verdicts, its exit statuses, and what it leaves alone."""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

import pytest

from tests.suite import MODES, Suite, clean_environment

PASSING = "def test_it():\n    pass\n"
CPU = ("--tfgpu-preflight", "--tfgpu-device=cpu")


def with_broken_check(suite: Suite, body: str) -> dict[str, str]:
    """Give the suite a check `broken` whose function has this body; return the environment in which it is found."""
    suite.provide("pytest_tfgpu_checks", "[Check('broken', 'broken:run', 'fails')]")
    suite.write("broken.py", f"def run(context):\n    {body}\n")
    return {"PYTHONPATH": str(suite.folder)}


def test_a_preflight_on_the_cpu(suite: Suite, mode: tuple[str, ...]) -> None:
    """Each built-in check runs with real numbers, the table shows them, and the tests run after it."""
    suite.write("test_it.py", "from pytest_tfgpu.session import get\n\ndef test_it(pytestconfig, tfgpu):\n"
                "    assert tfgpu.preflight.verdict == 'ok'\n")  # fmt: skip
    outcome = suite.run(*mode, *CPU)
    assert outcome.status == 0, outcome.text
    preflight = outcome.report["preflight"]
    assert preflight["verdict"] == "ok"
    (cpu,) = preflight["gpus"]
    names = ["device", "memory", "matmul", "conv2d", "float16", "gather"]
    assert [check["name"] for check in cpu["checks"]] == names
    assert {check["outcome"] for check in cpu["checks"]} == {"passed"}
    errors = {check["name"]: check.get("max_error") for check in cpu["checks"]}
    assert 0 < errors["matmul"] < 1e-5
    assert 0 < errors["float16"] < 1e-2
    table = outcome.section("tfgpu preflight")
    for name in names:
        assert re.search(rf"^(CPU)? +{name} +passed +\d+\.\d\d s", table, re.M), table
    assert re.search(r"^tfgpu: TensorFlow 2\.\d+\.\d+", outcome.text, re.M)


@pytest.mark.parametrize(("colour", "sign"), [("yes", "\x1b[33m"), ("no", "")])
def test_colour_of_the_verdict(suite: Suite, colour: str, sign: str) -> None:
    """The verdict has a colour where pytest's terminal has colours."""
    suite.write("test_it.py", PASSING)
    text = suite.run("--tfgpu-preflight", f"--color={colour}").text
    (line,) = (line for line in text.splitlines() if "GPU absent: " in line)
    assert line.startswith(f"{sign}GPU absent: ")
    assert ("\x1b[" in text) == bool(sign)


def test_absent_without_a_requirement_goes_on(suite: Suite, mode: tuple[str, ...]) -> None:
    """On a machine without a GPU a preflight says so, starts no child, and the session goes on."""
    suite.write("test_it.py", PASSING)
    outcome = suite.run(*mode, "--tfgpu-preflight")
    assert outcome.status == 0, outcome.text
    assert outcome.report["preflight"]["verdict"] == "absent"
    assert "no NVIDIA GPU" in outcome.section("tfgpu preflight")


def test_absent_with_a_requirement_ends_with_69(suite: Suite, mode: tuple[str, ...]) -> None:
    """`--tfgpu-require=1` without a GPU: status 69, no test runs, reports and JUnit are written, errors are shown."""
    suite.write("test_it.py", "def test_it():\n    open('ran', 'w').close()\n")
    outcome = suite.run(*mode, "--tfgpu-require=1", "--junit-xml=junit.xml")
    assert outcome.status == 69, outcome.text
    assert outcome.report["exit_status"] == 69
    assert outcome.report["preflight"]["verdict"] == "absent"
    assert not (suite.folder / "ran").exists()
    assert outcome.junit.tag == "testsuites"
    assert "tfgpu preflight" in outcome.text
    assert "Traceback" not in outcome.text
    assert "INTERNALERROR" not in outcome.text


def test_a_failing_check_ends_with_70(suite: Suite, mode: tuple[str, ...]) -> None:
    """A device that is there and fails a check ends the session with status 70 and the check's sentence."""
    environment = with_broken_check(suite, "context.fail('The sum is wrong.')")
    suite.write("test_it.py", "def test_it():\n    open('ran', 'w').close()\n")
    outcome = suite.run(*mode, *CPU, "--tfgpu-checks=device,broken", environment=environment)
    assert outcome.status == 70, outcome.text
    assert "The sum is wrong." in outcome.section("tfgpu preflight")
    assert outcome.report["exit_status"] == 70
    assert not (suite.folder / "ran").exists()


def test_collection_errors_are_shown_beside_a_verdict(suite: Suite) -> None:
    """A session that its preflight ends still shows the modules that failed to be imported."""
    suite.write("test_it.py", "import no_such_module\n")
    outcome = suite.run("--tfgpu-require=1")
    assert outcome.status == 69
    assert "No module named 'no_such_module'" in outcome.text


@pytest.mark.parametrize("action", ["skip", "warn"])
def test_on_broken_goes_on(suite: Suite, action: str) -> None:
    """With `skip` and `warn` the session goes on after a failed check, and the verdict is shown."""
    environment = with_broken_check(suite, "context.fail('The sum is wrong.')")
    suite.write(
        "test_it.py",
        "import pytest\n\ndef test_free():\n    pass\n\n@pytest.mark.requires_check('broken')\n"
        "def test_gated():\n    pass\n",
    )
    arguments = (f"--tfgpu-on-broken={action}", "--tfgpu-checks=device,broken")
    outcome = suite.run(*CPU, *arguments, environment=environment)
    assert outcome.status == 0, outcome.text
    assert "The sum is wrong." in outcome.section("tfgpu preflight")
    assert outcome.outcomes == {"passed": 1, "skipped": 1}


CHILDREN = {
    "crash": ("import os; os.abort()", "crashed"),
    "exit": ("import os; os._exit(3)", "crashed"),
    "hang": ("import time; time.sleep(600)", "timeout"),
    "exception": ("raise RuntimeError('broken by hand')", "failed"),
}


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_that_goes_wrong_is_a_verdict(suite: Suite, name: str) -> None:
    """A check that crashes, exits, hangs or raises gives a verdict with a sentence, never a traceback of ours."""
    body, expected = CHILDREN[name]
    environment = with_broken_check(suite, body)
    suite.write("test_it.py", PASSING)
    arguments = ("--tfgpu-checks=device,broken,gather", "--tfgpu-preflight-timeout=25")
    began = time.monotonic()
    outcome = suite.run(*CPU, *arguments, environment=environment)
    assert time.monotonic() - began < 60
    assert outcome.status == 70, outcome.text
    (cpu,) = outcome.report["preflight"]["gpus"]
    results = {check["name"]: check for check in cpu["checks"]}
    assert results["device"]["outcome"] == "passed"
    assert results["broken"]["outcome"] == expected
    assert results["broken"]["message"]
    if expected in ("crashed", "timeout"):
        assert results["gather"]["outcome"] == "not-run"
    assert outcome.report["preflight"]["reason"] in " ".join(outcome.text.split())
    assert "pytest_tfgpu/features" not in outcome.text


def test_overlap_with_collection(suite: Suite) -> None:
    """On the CPU the child works while pytest collects: a check and a module that wait for each other both end."""
    suite.write(
        "meeting.py",
        "import pathlib, time\n\ndef meet(mine, other):\n    pathlib.Path(mine).touch()\n"
        "    end = time.monotonic() + 50\n    while not pathlib.Path(other).exists():\n"
        "        assert time.monotonic() < end\n        time.sleep(0.1)\n\n"
        "def run(context):\n    meet('checked', 'collected')\n",
    )
    suite.provide("pytest_tfgpu_checks", "[Check('meeting', 'meeting:run')]")
    suite.write("test_it.py", f"import meeting\nmeeting.meet('collected', 'checked')\n\n{PASSING}")
    outcome = suite.run(*CPU, "--tfgpu-checks=meeting", environment={"PYTHONPATH": str(suite.folder)})
    assert (outcome.status, outcome.outcomes) == (0, {"passed": 1}), outcome.text


@pytest.mark.parametrize(
    "option",
    ["--collect-only", "--setup-plan", "--fixtures", "--fixtures-per-test", "--cache-show", "--markers"],
)
def test_no_preflight_where_no_test_runs(suite: Suite, option: str) -> None:
    """Options that only show something start no preflight, even where one is required."""
    suite.write("test_it.py", PASSING)
    outcome = suite.run(option, "--tfgpu-require=1", "-p", "cacheprovider", report=False)
    assert outcome.status == 0, outcome.text
    assert "tfgpu preflight" not in outcome.text


def test_quiet_and_no_header(suite: Suite) -> None:
    """`--no-header` hides the line of facts, `-q` the table of a preflight that passed."""
    suite.write("test_it.py", PASSING)
    outcome = suite.run(*CPU, "--tfgpu-checks=device", "--no-header", "-q")
    assert outcome.status == 0
    assert "tfgpu" not in outcome.text.replace("tfgpu summary", "").replace("json report", "")


def test_progress_on_a_terminal_is_one_line_rewritten(suite: Suite) -> None:
    """On a terminal the line that says what goes on is rewritten in place and gone at the end."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals exist on Unix only")
    suite.write("test_it.py", PASSING)
    arguments = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *CPU, "--tfgpu-checks=device"]
    code = f"import pty, sys; sys.exit(pty.spawn({arguments!r}) >> 8)"
    assert pty is not None
    import subprocess

    environment = {**clean_environment(), "TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=suite.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    text = done.stdout.decode()
    assert done.returncode == 0, text
    assert re.search(r"\rtfgpu preflight: [^\r\n]+ *\r", text)
    assert "\ntfgpu preflight:" not in text


def test_progress_elsewhere_is_plain_lines(suite: Suite) -> None:
    """Where the output is no terminal each step is a line of its own, without carriage returns."""
    environment = with_broken_check(suite, "import time; time.sleep(1)")
    suite.write("test_it.py", PASSING)
    outcome = suite.run(*CPU, "--tfgpu-checks=device,broken", environment=environment)
    assert re.search(r"^tfgpu preflight: .+$", outcome.text, re.M)
    assert "\r" not in outcome.text


def test_a_local_tensorflow_folder_fools_nobody(suite: Suite) -> None:
    """A folder `tensorflow` in the working directory isn't taken for TensorFlow by the child."""
    suite.write("tensorflow/__init__.py", "raise RuntimeError('the wrong one')\n")
    suite.write("tests/test_it.py", PASSING)
    outcome = suite.run(*CPU, "--tfgpu-checks=device", "tests")
    assert outcome.status == 0, outcome.text


def test_nothing_of_ours_outlives_an_interrupted_session(suite: Suite) -> None:
    """Where the session ends early, its child is ended with it."""
    environment = with_broken_check(
        suite,
        "import os, time\n    with open('draft', 'w') as file:\n        file.write(str(os.getpid()))\n"
        "    os.rename('draft', 'child')\n    time.sleep(600)",
    )
    suite.write(
        "test_it.py",
        "import os, pathlib, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started us beside\n"
        "while not pathlib.Path('child').exists():\n    time.sleep(0.1)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n",
    )
    outcome = suite.run(*CPU, "--tfgpu-checks=broken", environment=environment)
    assert outcome.status == pytest.ExitCode.INTERRUPTED, outcome.text
    child = int((suite.folder / "child").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()


@pytest.mark.parametrize("mode", [MODES["plain"], MODES["n2"]], ids=["plain", "n2"])
def test_a_check_that_cannot_be_imported(suite: Suite, mode: tuple[str, ...]) -> None:
    """A third party's check that isn't there fails with the import's own words."""
    suite.provide("pytest_tfgpu_checks", "[Check('broken', 'broken:run', 'fails')]")
    suite.write("test_it.py", PASSING)
    outcome = suite.run(*mode, *CPU, "--tfgpu-checks=broken")
    assert outcome.status == 70, outcome.text
    assert "No module named 'broken'" in json.dumps(outcome.report["preflight"])
