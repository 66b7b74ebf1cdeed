"""The example suite that adds checks and facts by hooks, as a third party does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suite import MODES, Suite

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_checks"
CHECKS = "--tfgpu-checks=device,attention,two-devices"


@pytest.fixture
def example(suite: Suite) -> Suite:
    """The example, in a folder of its own."""
    for path in EXAMPLE.iterdir():
        if path.is_file():
            suite.write(path.name, path.read_text("utf-8"))
    return suite


@pytest.mark.parametrize("mode", [MODES["plain"], MODES["n2"]], ids=["plain", "n2"])
def test_in_the_preflight(example: Suite, mode: tuple[str, ...]) -> None:
    """The preflight runs the team's checks, its facts hold in every process, and tests are gated by both."""
    outcome = example.run(*mode, "--tfgpu-preflight", "--tfgpu-device=cpu", CHECKS)
    assert outcome.status == 0, outcome.text
    assert outcome.outcomes == {"passed": 2, "skipped": 1}
    report = outcome.report
    (cpu,) = report["preflight"]["gpus"]
    results = {check["name"]: check for check in cpu["checks"]}
    assert results["attention"]["outcome"] == "passed"
    assert 0 < results["attention"]["max_error"] < 1e-4
    assert (results["two-devices"]["outcome"], report["preflight"]["verdict"]) == ("not-run", "ok")
    assert report["facts"]["driver"] == "555.42.06"
    (skip,) = report["skips"]
    assert skip["found"] == "check two-devices was not run on the CPU: It needs two GPUs."


def test_on_demand(example: Suite) -> None:
    """Without a preflight the checks that markers name are run once, on demand."""
    outcome = example.run("--tfgpu-device=cpu")
    assert outcome.status == 0, outcome.text
    assert outcome.outcomes == {"passed": 2, "skipped": 1}


def test_without_the_plugin(example: Suite) -> None:
    """The same conftest does no harm where the plugin is switched off."""
    outcome = example.run("-p", "no:tfgpu", "-k", "keeps_the_shape", "-o", "addopts=", report=False)
    assert outcome.outcomes["passed"] == 1, outcome.text
