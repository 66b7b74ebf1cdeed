"""The preflight beside collection, and verdicts that are remembered, on the CPU."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.suite import MODES, Outcome, Suite

CPU = ("--tfgpu-preflight", "--tfgpu-device=cpu", "--tfgpu-checks=device")
PASSING = "def test_it(tfgpu):\n    assert tfgpu.preflight.verdict == 'ok'\n"
SLOW = "import time\n\ndef run(context):\n    time.sleep(600)\n"
CACHE = ("-p", "cacheprovider", "--tfgpu-preflight-cache=600")


def slow_check(suite: Suite) -> dict[str, str]:
    """Give the suite a check that takes ten minutes; return the environment in which it is found."""
    suite.provide("pytest_tfgpu_checks", "[Check('slow', 'slow:run', 'takes long')]")
    suite.write("slow.py", SLOW)
    return {"PYTHONPATH": str(suite.folder)}


@pytest.mark.parametrize("mode", [MODES["plain"], MODES["n2"]], ids=["plain", "n2"])
def test_the_first_test_waits_for_the_verdict(suite: Suite, mode: tuple[str, ...]) -> None:
    """However fast pytest collects, the first test of every process finds the verdict, with xdist too."""
    suite.write("test_it.py", PASSING + "\ndef test_more(tfgpu):\n    assert tfgpu.preflight.gpus\n")
    outcome = suite.run(*mode, *CPU)
    assert outcome.status == 0, outcome.text
    assert outcome.outcomes == {"passed": 2}


def test_collection_errors_do_not_wait(suite: Suite) -> None:
    """Where modules fail to be collected, so that no test runs, the checks are ended and the verdict says so."""
    environment = slow_check(suite)
    suite.write("test_it.py", "import no_such_module\n")
    began = time.monotonic()
    outcome = suite.run(*CPU[:2], "--tfgpu-checks=slow", environment=environment)
    assert time.monotonic() - began < 60
    assert outcome.status == pytest.ExitCode.INTERRUPTED, outcome.text
    assert "No module named 'no_such_module'" in outcome.text
    preflight = outcome.report["preflight"]
    assert preflight["verdict"] == "inconclusive"
    assert preflight["reason"] == "The session ended before the checks did: modules could not be collected."


def test_collection_errors_that_are_passed_over(suite: Suite) -> None:
    """With `--continue-on-collection-errors` tests run, and wait for the verdict."""
    suite.write("test_bad.py", "import no_such_module\n")
    suite.write("test_it.py", PASSING)
    outcome = suite.run(*CPU, "--continue-on-collection-errors")
    assert outcome.outcomes == {"passed": 1, "error": 1}
    assert outcome.report["preflight"]["verdict"] == "ok"


# ---------------------------------------------------------------------------------------------- remembered


def remembered(outcome: Outcome) -> bool:
    """Whether a session used a verdict that was kept; header and report agree."""
    assert outcome.status == 0, outcome.text
    preflight: dict[str, Any] = outcome.report["preflight"]
    assert preflight["verdict"] == "ok"
    said = re.search(
        r"^tfgpu preflight: ok\. Remembered: the checks ran \d+ seconds? ago\.$", outcome.text, re.M
    )
    assert bool(said) == ("age" in preflight)
    return said is not None


def test_a_verdict_is_remembered(suite: Suite) -> None:
    """The second session uses the first one's verdict, with xdist too, and header and report say how old it is.

    With another check, another variable, an age over the limit, or after `--cache-clear` it is made anew.
    """
    suite.write("test_it.py", PASSING)
    assert not remembered(suite.run(*CPU, *CACHE))
    again = suite.run(*CPU, *CACHE)
    assert remembered(again)
    assert again.report["preflight"]["gpus"][0]["checks"][0]["outcome"] == "passed"
    assert 0 <= again.report["preflight"]["age"] < 120
    assert remembered(suite.run(*CPU, *CACHE, "-n", "2"))
    assert not remembered(suite.run(*CPU, "-p", "cacheprovider")), "it was not asked for"
    assert not remembered(suite.run(*CPU, *CACHE[:2], "--tfgpu-preflight-cache=0.01"))
    assert not remembered(suite.run(*CPU, *CACHE, environment={"TF_ENABLE_ONEDNN_OPTS": "0"}))
    assert not remembered(suite.run(*CPU, *CACHE, "--tfgpu-checks=device,gather"))
    assert not remembered(suite.run(*CPU, *CACHE, "--cache-clear"))


@pytest.mark.parametrize("damage", ["{", "[]", "\x00\xff"])
def test_a_damaged_cache_is_none(suite: Suite, damage: str) -> None:
    """Whatever the file of the cache holds, the checks run, and the session says nothing of it."""
    suite.write("test_it.py", PASSING)
    suite.write(".pytest_cache/d/tfgpu/preflight.json", damage)
    outcome = suite.run(*CPU, *CACHE)
    assert not remembered(outcome)
    assert "pytest-tfgpu:" not in outcome.text


def test_a_bad_verdict_is_not_remembered(suite: Suite) -> None:
    """A failed check is run again each time, and forgets a verdict that was kept."""
    environment = slow_check(suite)
    suite.write("test_it.py", PASSING)
    checks = ("--tfgpu-checks=slow", *CACHE)
    suite.write("slow.py", "def run(context):\n    pass\n")
    assert not remembered(suite.run(*CPU[:2], *checks, environment=environment))
    assert remembered(suite.run(*CPU[:2], *checks, environment=environment))
    suite.write("slow.py", "def run(context):\n    context.fail('It is wrong.')\n")
    assert suite.run(*CPU[:2], *checks, environment=environment).status == 70, "the check's file changed"
    assert suite.run(*CPU[:2], *checks, environment=environment).status == 70
    assert not list((suite.folder / ".pytest_cache/d/tfgpu").iterdir())


def test_a_cache_that_cannot_be_written(suite: Suite) -> None:
    """Where the cache folder can't be made, the checks run, and one line says why nothing is remembered."""
    suite.write("test_it.py", PASSING)
    suite.write("file", "in the way")
    outcome = suite.run(*CPU, *CACHE, "-o", "cache_dir=file/cache")
    assert outcome.outcomes["passed"] == 1, outcome.text
    assert outcome.text.count("--tfgpu-preflight-cache: no verdict is remembered: ") == 1


def test_without_a_cache(suite: Suite) -> None:
    """With `-p no:cacheprovider` nothing is remembered, which is said once, and the session is as ever."""
    suite.write("test_it.py", PASSING)
    for mode in (), ("-n", "2"):
        outcome = suite.run(*mode, *CPU, "--tfgpu-preflight-cache=600")
        assert outcome.status == 0, outcome.text
        assert outcome.text.count("pytest's cache is off, so no verdict is remembered") == 1
