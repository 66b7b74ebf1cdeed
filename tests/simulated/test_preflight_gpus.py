"""The preflight of machines with several GPUs, beside collection, and remembered."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from .machine import Describe, Gpu, Machine, PytestResult
from .verdicts import ABSENT, UNUSABLE, outcomes

HELPERS = Path(__file__).parents[1] / "plugin" / "preflight_children" / "third_party.py"
CONFTEST = """
import pytest
from pytest_tfgpu import Check

@pytest.hookimpl(optionalhook=True)
def pytest_tfgpu_checks():
    names = ("quiet", "aborts_on_one", "hangs_on_one")
    return [Check(name, f"third_party:{name}") for name in names]
"""
GATED = """
import os, pytest

@pytest.mark.requires_gpu()
def test_one(gpu_device):
    import tensorflow as tf
    with gpu_device:
        assert float(tf.constant(2.0) + 1.0) == 3
    assert len(tf.config.list_logical_devices("GPU")) == 3

@pytest.mark.requires_gpu(3)
@pytest.mark.requires_check("quiet")
def test_three():
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1,3"

@pytest.mark.requires_gpu(4)
def test_four():
    raise AssertionError("must not run")
"""
HOLDS = "import tensorflow as tf\nheld = tf.constant(1.0) + 1.0\n"


def broken_third(machine: Machine, name: str, *arguments: str) -> PytestResult:
    """Run gated tests behind a preflight in which one of four GPUs takes its process down."""
    files = {"conftest.py": CONFTEST, "third_party.py": HELPERS.read_text(), "test_it.py": GATED}
    settings = ("--tfgpu-preflight", f"--tfgpu-checks=quiet,{name}", *arguments)
    return machine.with_environment(ABORTS_ON="2", HANGS_ON="2").run_pytest(*settings, files=files)


@pytest.mark.parametrize(("name", "outcome"), [("aborts_on_one", "crashed"), ("hangs_on_one", "timeout")])
def test_one_of_four_takes_its_process_down(simulated_gpu: Describe, name: str, outcome: str) -> None:
    """A GPU that crashes or hangs the child is found; the other three are usable, and tests that need one run."""
    arguments = ("--tfgpu-on-broken=skip", "--tfgpu-require=3", "--tfgpu-preflight-timeout=10")
    result = broken_third(simulated_gpu(gpus=4), name, *arguments)
    assert result.exit_status == 0, result.text
    assert result.outcomes == {"passed": 2, "skipped": 1}
    gpus = result.report["preflight"]["gpus"]
    passed, failed = {"quiet": "passed", name: "passed"}, {"quiet": "passed", name: outcome}
    assert [outcomes(gpu) for gpu in gpus] == [passed, passed, failed, passed]
    (skip,) = result.report["skips"]
    assert skip["found"].startswith("3 GPUs")


def test_all_are_required(simulated_gpu: Describe) -> None:
    """With `--tfgpu-require=all` one broken GPU of four ends the session, even where tests would be kept off it."""
    arguments = ("--tfgpu-on-broken=skip", "--tfgpu-require=all")
    result = broken_third(simulated_gpu(gpus=4), "aborts_on_one", *arguments)
    assert result.exit_status == UNUSABLE, result.text
    assert result.report["preflight"]["reason"].startswith(
        "GPU 2: the process that ran aborts_on_one was killed"
    )


def test_too_few_gpus(simulated_gpu: Describe) -> None:
    """A machine with one GPU where two are required has too few: absent, not unusable."""
    result = simulated_gpu().run_pytest("--tfgpu-preflight", "--tfgpu-require=2")
    assert result.exit_status == ABSENT
    assert result.report["preflight"]["verdict"] == "absent"


def test_one_broken_gpu_of_two(simulated_gpu: Describe) -> None:
    """With one GPU of two that others hold entirely, one is usable and two are not."""
    machine = simulated_gpu(gpus=2).holding("8100 MiB", gpu=1)
    result = machine.run_pytest("--tfgpu-preflight", "--tfgpu-require=2")
    assert result.exit_status == UNUSABLE
    assert result.report["preflight"]["verdict"] == "unusable"


def test_unlike_gpus_by_their_uuids(simulated_gpu: Describe) -> None:
    """GPUs of several kinds, chosen by uuid in an order of one's own, are checked and named in that order."""
    machine = simulated_gpu(gpus=3).with_gpu(1, name="NVIDIA A100", compute_capability="8.0", memory="40 GiB")
    uuids = [f"GPU-{number:08x}-5d1e-4b2c-9a37-0123456789ab" for number in range(3)]
    chosen = machine.with_environment(CUDA_VISIBLE_DEVICES=f"{uuids[1]},{uuids[0]}")
    files = {
        "test_it.py": "import pytest\n\n@pytest.mark.requires_gpu(compute_capability='>=8.0')\ndef test_new():\n"
        "    pass\n\n@pytest.mark.requires_gpu(2, compute_capability='>=8.0')\ndef test_two_new():\n    pass\n"
    }
    result = chosen.run_pytest(
        "--tfgpu-preflight", "--tfgpu-require=all", "--tfgpu-checks=device", files=files
    )
    assert result.outcomes == {"passed": 1, "skipped": 1}, result.text
    gpus = result.report["preflight"]["gpus"]
    assert [(gpu["index"], gpu["uuid"], gpu["name"]) for gpu in gpus] == [
        (1, uuids[1], "NVIDIA A100"),
        (0, uuids[0], "Tesla T4"),
    ]
    shown = [gpu["checks"][0]["details"]["compute_capability"] for gpu in gpus]
    assert shown == ["8.0", "7.5"]


def test_an_instance_of_a_gpu(simulated_gpu: Describe) -> None:
    """A MIG instance that was chosen by its uuid is checked under its own name and uuid."""
    part = Gpu(name="NVIDIA A100 MIG 3g.20gb", compute_capability="8.0", memory="20 GiB")
    machine = simulated_gpu(name="NVIDIA A100", compute_capability="8.0").with_gpu(0, instances=(part, part))
    uuid = "MIG-00000001-77c0-5a44-8d52-0123456789ab"
    chosen = machine.with_environment(CUDA_VISIBLE_DEVICES=uuid)
    result = chosen.run_pytest("--tfgpu-preflight", "--tfgpu-require=1", "--tfgpu-checks=device,matmul")
    assert result.exit_status == 0, result.text
    (gpu,) = result.report["preflight"]["gpus"]
    assert (gpu["uuid"], gpu["name"]) == (uuid, part.name)


def test_further_checks(simulated_gpu: Describe) -> None:
    """The further checks whose kernels are simulated pass on a GPU; a collective says that it needs two."""
    names = ("bfloat16", "conv2d-backward", "transfer", "xla", "collective")
    result = simulated_gpu().run_pytest("--tfgpu-preflight", f"--tfgpu-checks={','.join(names)}")
    assert result.exit_status == 0, result.text
    (gpu,) = result.report["preflight"]["gpus"]
    assert outcomes(gpu) == {**dict.fromkeys(names, "passed"), "collective": "not-run"}
    assert result.report["preflight"]["verdict"] == "ok"


# ------------------------------------------------------------------------------------------- beside collection


def test_memory_that_the_session_holds_itself(simulated_gpu: Describe) -> None:
    """Where modules take the GPU while they are imported, it isn't called unusable: who holds it is said."""
    files = {"conftest.py": HOLDS, "test_it.py": "def test_it():\n    pass\n"}
    settings = ("--tfgpu-preflight", "--tfgpu-require=1", "--tfgpu-preflight-overlap")
    result = simulated_gpu(memory="2 GiB").run_pytest(*settings, files=files)
    assert result.exit_status == 0, result.text
    assert result.outcomes == {"passed": 1}
    preflight = result.report["preflight"]
    assert preflight["verdict"] == "inconclusive"
    assert "this session's own process" in preflight["reason"]
    (finding,) = preflight["findings"]
    assert finding["summary"] == "What this session itself holds of the GPU keeps the checks from it."


# -------------------------------------------------------------------------------------------------- remembered


def test_a_remembered_verdict(simulated_gpu: Describe, tmp_path: Path) -> None:
    """On a GPU a verdict is used again until memory runs short, a library changes or the GPU is another one."""
    machine = simulated_gpu()
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text("def test_it():\n    pass\n")
    report = tmp_path / "report.json"

    def age() -> float | None:
        """Run pytest once more; return the age of its verdict, None where it is a fresh one."""
        settings = ("--tfgpu-preflight-cache=600", "--tfgpu-checks=matmul", f"--tfgpu-report=json:{report}")
        done = machine.run([sys.executable, "-m", "pytest", "--tfgpu-preflight", *settings], folder=tmp_path)
        assert done.exit_status == 0, done.text
        found: float | None = json.loads(report.read_text())["preflight"].get("age")
        return found

    assert age() is None
    assert age() is not None
    machine.become(machine.holding("1 GiB", pid=1))
    assert age() is not None, "enough is free"
    machine.become(machine.holding("7800 MiB", pid=1))
    kept = tmp_path / ".pytest_cache" / "d" / "tfgpu" / "preflight.json"
    needed = json.loads(kept.read_text())["needed_mib"]
    assert 300 < needed["0"] < 1000
    machine.become(machine)
    library = next((machine.folder / "lib").glob("libcublas.so.12.*"))
    os.utime(library, ns=(0, library.stat().st_mtime_ns + 1))
    assert age() is None, "cuBLAS is another file"
    assert age() is not None
    machine.become(machine.with_gpu(0, uuid="GPU-aaaaaaaa-5d1e-4b2c-9a37-0123456789ab"))
    assert age() is None, "the GPU is another one"
