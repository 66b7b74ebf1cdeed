"""What is given to pytest-xdist's workers, and what is left alone. With real GPUs' stand-ins: tests/simulated."""

from __future__ import annotations

import re

import pytest

from pytest_tfgpu.features.workers import local_workers
from tests.suite import Outcome, Suite

TELLING = """
import os

def test_it(request):
    name = getattr(request.config, "workerinput", {}).get("workerid", "main")
    print("HAS", name, os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH"))
"""

TWO_GPUS = """
import os, pytest

@pytest.hookimpl(optionalhook=True)
def pytest_tfgpu_facts():
    return {
        "gpus": [{"index": 0, "name": "Tesla T4"}, {"index": 1, "name": "Tesla T4"}],
        "visible_gpus": [0, 1],
        "unknown": {},
    }
"""
"""A conftest that says there are two GPUs."""

NO_FILELOCK = {"filelock.py": "raise ImportError('filelock is not installed')\n"}


def seen(outcome: Outcome) -> dict[str, tuple[str, str]]:
    """Return CUDA_VISIBLE_DEVICES and TF_FORCE_GPU_ALLOW_GROWTH in each process."""
    found = re.findall(r"^HAS (\w+) (\S+) (\S+)$", outcome.text, re.M)
    return {name: (visible, growth) for name, visible, growth in found}


def filled(suite: Suite, conftest: str = TWO_GPUS) -> Suite:
    """Give the suite a test that prints what it sees, and a conftest."""
    suite.write("test_it.py", TELLING)
    suite.write("conftest.py", conftest)
    return suite


def test_workers_in_turn(suite: Suite) -> None:
    """Three workers on two GPUs: the two that share one grow their memory as they need it, the third is left alone."""
    outcome = filled(suite).run("-n", "3", "--dist=each", "-rP", "--tfgpu-gpus-per-worker=1")
    assert seen(outcome) == {"gw0": ("0", "true"), "gw1": ("1", "None"), "gw2": ("0", "true")}, outcome.text
    assert "tfgpu: GPU 0 for gw0, gw2\ntfgpu: GPU 1 for gw1\n" in outcome.text


def test_a_users_own_word_stands(suite: Suite) -> None:
    """A worker whose specification sets CUDA_VISIBLE_DEVICES keeps it, and so does TF_FORCE_GPU_ALLOW_GROWTH."""
    outcome = filled(suite).run(
        "--tx=popen//env:CUDA_VISIBLE_DEVICES=5", "--tx=3*popen", "--dist=each", "-rP", "--tfgpu-lock",
        "--no-tfgpu-lock", "--tfgpu-workers-per-gpu=1", environment={"TF_FORCE_GPU_ALLOW_GROWTH": "false"},
    )  # fmt: skip
    visible = {name: values[0] for name, values in seen(outcome).items()}
    assert visible == {"gw0": "5", "gw1": "0", "gw2": "1", "gw3": "0"}, outcome.text
    assert {growth for _, growth in seen(outcome).values()} == {"false"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "2", "--dist=each"),
        ("-n", "2", "--dist=each", "--tfgpu-gpus-per-worker=1", "--tfgpu-device=cpu"),
        ("-n", "0", "--tfgpu-gpus-per-worker=1"),
        ("--tfgpu-gpus-per-worker=1",),
        ("-p", "no:xdist", "--tfgpu-gpus-per-worker=1"),
    ],
    ids=["not asked", "cpu", "n0", "plain", "without xdist"],
)
def test_left_alone(suite: Suite, arguments: tuple[str, ...]) -> None:
    """No variable is set where nothing was asked for, on the CPU, and without workers."""
    outcome = filled(suite).run(*arguments, "-rP")
    assert outcome.status == 0, outcome.text
    assert set(seen(outcome).values()) == {("None", "None")}
    assert "tfgpu: GPU" not in outcome.text


def test_no_gpu(suite: Suite, mode: tuple[str, ...]) -> None:
    """On a machine without a GPU the settings change nothing, and the lock doesn't even need filelock."""
    filled(suite, "")
    for name, text in NO_FILELOCK.items():
        suite.write(f"missing/{name}", text)
    outcome = suite.run(
        *mode, "-rP", "--tfgpu-lock", "--tfgpu-gpus-per-worker=2",
        environment={"PYTHONPATH": str(suite.folder / "missing")},
    )  # fmt: skip
    assert outcome.status == 0, outcome.text
    assert set(seen(outcome).values()) == {("None", "None")}
    assert outcome.report.get("problems", []) == []


def test_the_lock_needs_filelock(suite: Suite) -> None:
    """Where there is a GPU and filelock isn't installed, pytest ends with a usage error that says what to install."""
    filled(suite)
    for name, text in NO_FILELOCK.items():
        suite.write(f"missing/{name}", text)
    outcome = suite.run("--tfgpu-lock", environment={"PYTHONPATH": str(suite.folder / "missing")})
    assert outcome.status == 4, outcome.text
    assert "--tfgpu-lock needs filelock: pip install 'pytest-tfgpu[lock]'" in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize("option", ["-q", "--no-header"])
def test_silence(suite: Suite, option: str) -> None:
    """`-q` and `--no-header` leave out who has which GPU."""
    outcome = filled(suite).run(option, "-n", "2", "--tfgpu-gpus-per-worker=1")
    assert outcome.status == 0
    assert "for gw0" not in outcome.text


AUTO = "def pytest_xdist_auto_num_workers(config):\n    return 3\n"


def test_auto(suite: Suite) -> None:
    """`-n auto` starts a worker per GPU and no more, unless a conftest has a word; a bad value is said once."""
    arguments = ("-n", "auto", "--dist=each", "-rP")
    one_gpu = TWO_GPUS.replace(', {"index": 1, "name": "Tesla T4"}', "").replace("[0, 1]", "[0]")
    asked = ("--tfgpu-workers-per-gpu=1",)
    assert set(seen(filled(suite, one_gpu).run(*arguments, *asked))) == {"gw0"}
    by_conftest = filled(suite, one_gpu + AUTO).run(*arguments, *asked)
    assert set(seen(by_conftest)) == {"gw0", "gw1", "gw2"}, by_conftest.text
    told = suite.run(*arguments, "--tfgpu-gpus-per-worker=0")
    assert told.status == 4
    assert told.text.count("--tfgpu-gpus-per-worker: expected a number of GPUs from 1 on, got '0'") == 1


def test_auto_is_left_alone(suite: Suite) -> None:
    """Where nothing was asked for, `-n auto` starts as many workers as without the plugin."""
    filled(suite, "")
    plain = set(seen(suite.run("-n", "auto", "--dist=each", "-rP")))
    without = set(seen(suite.run("-n", "auto", "--dist=each", "-rP", "-p", "no:tfgpu", report=False)))
    assert plain == without
    assert plain


def test_strict(suite: Suite) -> None:
    """With `--tfgpu-strict` a test that needs more GPUs than its worker has fails, with the setting to change."""
    suite.write("conftest.py", TWO_GPUS)
    suite.write("test_it.py", "import pytest\n\n@pytest.mark.requires_gpu(2)\ndef test_it():\n    pass\n")
    outcome = suite.run("-n", "2", "--tfgpu-gpus-per-worker=1", "--tfgpu-strict")
    assert outcome.outcomes == {"error": 1}, outcome.text


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        ((), 0),
        (("popen",) * 3, 3),
        (("4*popen",), 4),
        (("12*popen//python=python3", "popen"), 13),
        (("2*ssh=gpu-box", "socket=127.0.0.1:8888", "popen//via=proxy", "popen//id=one"), 1),
    ],
)
def test_workers_of_this_host(specs: tuple[str, ...], expected: int) -> None:
    """Only processes of this host count as its workers, as often as a specification says."""

    class Config:
        def getoption(self, name: str) -> list[str]:
            return list(specs)

    assert local_workers(Config()) == expected  # type: ignore[arg-type]
