"""From facts and answers to verdicts: which of the three it is, why, and what it is put down to."""

from __future__ import annotations

import inspect
import sys
from dataclasses import replace
from typing import Any

import pytest

from pytest_tfgpu.diagnosis import engine
from pytest_tfgpu.model import CheckResult, Facts, Gpu, GpuChecks, Library, Outcome, Preflight
from pytest_tfgpu.preflight import Answer, judge, run, worth_running
from pytest_tfgpu.preflight.data import CudaDevice, Device, Driver, Problem
from pytest_tfgpu.preflight.explain import ENDED
from pytest_tfgpu.preflight.judge import CUINIT_CAUSES, NO_DEVICE
from pytest_tfgpu.preflight.wording import error_sentence

NOTHING = Facts(tensorflow="2.21.0", tensorflow_path="site-packages/tensorflow", is_cuda_build=True)
"""A machine without any sign of a GPU."""

TWO = replace(
    NOTHING,
    driver="555.42.06",
    gpus=(Gpu(0, "Tesla T4", "GPU-a"), Gpu(1, "Tesla T4", "GPU-b")),
    visible_gpus=(0, 1),
    libraries=(Library("libcuda.so.1", "/usr/lib/libcuda.so.1"),),
    device_files=("/dev/nvidia0", "/dev/nvidia1"),
)
"""A machine with two GPUs."""

DRIVER = Driver(loaded=True, code=0, count=2, devices=(CudaDevice("a"), CudaDevice("b")))


def gpu(
    index: int, *outcomes: Outcome, message: str | None = None, error: dict[str, Any] | None = None
) -> GpuChecks:
    """Return the results of a GPU: checks named a, b, c ... with these outcomes."""
    names = "abcdef"[: len(outcomes)]
    checks = tuple(
        CheckResult(
            name,
            outcome,
            message=None if outcome in ("passed", "not-run") else message,
            details={"error": error} if error and outcome == "failed" else {},
        )
        for name, outcome in zip(names, outcomes, strict=True)
    )
    return GpuChecks(index, f"GPU-{index}", "Tesla T4", checks)


def answer(*gpus: GpuChecks, **more: Any) -> Answer:
    """Return the answer of a child that checked these GPUs."""
    values: dict[str, Any] = {"device": "gpu", "seconds": 3.0, "tensorflow": "2.21.0", "driver": DRIVER}
    return Answer(gpus=gpus, listed=len(gpus), **{**values, **more})


def told(verdict: Preflight) -> tuple[str, str | None, str | None]:
    """Return verdict, reason and cause."""
    return verdict.verdict, verdict.reason, verdict.cause


BOTH = (gpu(0, "passed", "passed"), gpu(1, "passed", "passed"))


def test_all_passed() -> None:
    """Where every check passed the verdict is ok, with no reason, and holds what the child told."""
    verdict = judge(TWO, answer(*BOTH, cudnn_loaded="9.3.0", stderr=("a line",)))
    assert told(verdict) == ("ok", None, None)
    assert (verdict.device, verdict.seconds, verdict.tensorflow) == ("gpu", 3.0, "2.21.0")
    assert (verdict.cudnn_loaded, verdict.stderr, verdict.gpus) == ("9.3.0", ("a line",), BOTH)
    assert Preflight.from_json(verdict.to_json()) == verdict


@pytest.mark.parametrize(
    ("require", "shown", "expected"),
    [
        (0, 2, ("ok", None)),
        (2, 2, ("ok", None)),
        ("all", 2, ("ok", None)),
        (3, 2, ("absent", "2 GPUs are visible, 3 are required.")),
        (3, 3, ("unusable", "TensorFlow lists 2 of the 3 GPUs that CUDA shows.")),
        ("all", 3, ("unusable", "TensorFlow lists 2 of the 3 GPUs that CUDA shows.")),
        (2, 3, ("ok", None)),
    ],
)
def test_require(require: Any, shown: int, expected: tuple[str, str | None]) -> None:
    """Too few GPUs are absent; where CUDA shows enough and TensorFlow lists too few, they are unusable."""
    verdict = judge(TWO, answer(*BOTH, driver=replace(DRIVER, count=shown)), require=require)
    assert (verdict.verdict, verdict.reason) == expected


def test_one_is_one() -> None:
    """A single GPU is spoken of in the singular."""
    verdict = judge(TWO, answer(BOTH[0], driver=replace(DRIVER, count=1)), require=2)
    assert verdict.reason == "1 GPU is visible, 2 are required."


@pytest.mark.parametrize("require", [0, 1, 2, "all"])
def test_a_broken_gpu(require: Any) -> None:
    """A GPU that fails a check makes the verdict unusable, whatever else there is, and is named with the check."""
    broken = gpu(
        1, "passed", "failed", "passed", message="sum (float16): relative error 0.5, allowed is 0.001"
    )
    verdict = judge(TWO, answer(BOTH[0], broken), require=require)
    reason = "GPU 1 fails the check b: sum (float16): relative error 0.5, allowed is 0.001."
    assert told(verdict) == ("unusable", reason, None)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [("crashed", "was killed by SIGABRT"), ("timeout", "did not answer within 120 s")],
)
def test_a_gpu_that_takes_the_child_down(outcome: Outcome, message: str) -> None:
    """What became of the process that ran the check is the reason."""
    verdict = judge(TWO, answer(gpu(0, "passed", outcome, "not-run", message=message)))
    assert verdict.reason == f"GPU 0: the process that ran b {message}."


def test_many_broken_gpus() -> None:
    """Several broken GPUs are listed with the first check that each fails; of many, the first eight."""
    broken = [gpu(number, "passed", "failed", message="x") for number in range(10)]
    assert (
        judge(TWO, answer(BOTH[0], *broken[1:3])).reason == "2 of 3 GPUs fail a check: GPU 1 (b), GPU 2 (b)."
    )
    assert str(judge(TWO, answer(*broken)).reason).endswith("GPU 7 (b) and 2 more.")


def test_a_failed_check_is_diagnosed() -> None:
    """An exception in a check gets the diagnosis that the same exception in a test would get."""
    log = ("Loaded runtime CuDNN library: 8.9.6 but source was compiled with: 9.3.0.",)
    error = {
        "class": "tensorflow.errors.InvalidArgumentError",
        "message": "No DNN in stream executor. [Op:Conv2D]",
    }
    broken = gpu(0, "failed", "passed", message="No DNN in stream executor.", error=error)
    verdict = judge(TWO, answer(broken, logs=(log,)))
    check = verdict.gpus[0].checks[0]
    assert check.diagnosis is not None
    assert (check.cause, verdict.cause) == ("cudnn-version-mismatch", "cudnn-version-mismatch")
    assert log[0] in [line.text for line in check.diagnosis.evidence]
    assert verdict.gpus[0].checks[1].diagnosis is None


def test_a_merely_possible_cause_is_not_the_verdicts() -> None:
    """Where the evidence leaves several causes open, the check's diagnosis lists them and the verdict names none."""
    error = {"class": "tensorflow.errors.InvalidArgumentError", "message": "No DNN in stream executor."}
    verdict = judge(TWO, answer(gpu(0, "failed", message="No DNN", error=error)))
    check = verdict.gpus[0].checks[0]
    assert check.diagnosis is not None
    assert (check.diagnosis.confidence, check.cause) == ("possible", check.diagnosis.cause)
    assert verdict.cause is None


def test_what_an_exception_was_raised_from_is_evidence() -> None:
    """A check that wraps TensorFlow's error is put down to what TensorFlow said."""
    inner = {
        "class": "tensorflow.python.framework.errors_impl.InternalError",
        "message": "cudaGetDevice() failed. Status: CUDA driver version is insufficient for CUDA runtime version",
    }
    error = {"class": "RuntimeError", "message": "my check failed", "chain": [inner], "frames": ["mine:run"]}
    assert judge(TWO, answer(gpu(0, "failed", error=error))).cause == "driver-too-old"


def test_what_follows_a_fault_in_the_same_child() -> None:
    """After a fault every failure in that child only follows from it; another child begins afresh."""
    error = {"class": "InternalError", "message": "'cuLaunchKernel' failed with 'CUDA_ERROR_ILLEGAL_ADDRESS'"}
    verdict = judge(
        TWO, answer(gpu(0, "failed", "passed", "failed", error=error), gpu(1, "failed", error=error))
    )
    causes = [[check.cause for check in found.checks] for found in verdict.gpus]
    assert causes == [["gpu-fault", None, "earlier-gpu-fault"], ["gpu-fault"]]


def test_only_what_ended_the_child_is_explained_by_the_log_alone() -> None:
    """A flood has no exception, and its lines are read; a check that failed in words of its own is left alone."""
    lines = ("cuda_executor.cc:522] failed to allocate 2.00MiB from device: CUDA_ERROR_OUT_OF_MEMORY",)
    said, flooded = gpu(0, "failed", message="the sum is wrong"), gpu(0, "failed", message="was ended")
    flooded = replace(flooded, checks=(replace(flooded.checks[0], details={"ended": "flood"}),))
    causes = []
    for found in (said, flooded):
        (checked,) = judge(TWO, answer(found, logs=(lines,))).gpus
        causes.append(checked.checks[0].cause)
    assert causes[0] is None
    assert causes[1] is not None


def test_a_defect_of_the_diagnosis_costs_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a diagnosis can't be made because of a defect of ours, the verdict stands, and a finding says so."""
    monkeypatch.setattr(engine, "diagnose", lambda *_: {}["gone"])
    verdict = judge(TWO, answer(gpu(0, "failed", message="x", error={"class": "X"})))
    assert verdict.verdict == "unusable"
    text = "A failed check could not be diagnosed (KeyError: 'gone')."
    assert text in [finding.summary for finding in verdict.findings]


def test_absent_without_a_child() -> None:
    """On a machine without any sign of a GPU no child is started, and the facts give the reason."""
    assert not worth_running(NOTHING)
    verdict = judge(NOTHING, None, require=1)
    assert verdict.verdict == "absent"
    assert "no driver" in (verdict.reason or "")
    started: list[str] = []
    assert run(NOTHING, progress=started.append).verdict == "absent"
    assert started == []


def test_checks_that_nobody_ran() -> None:
    """A GPU that is there and was not checked is not called absent."""
    assert told(judge(TWO, None)) == ("unusable", "The checks were not run.", None)


def test_hidden_gpus_are_absent() -> None:
    """GPUs that CUDA_VISIBLE_DEVICES hides are absent, and the reason names the variable."""
    facts = replace(TWO, visible_gpus=(), environment={"CUDA_VISIBLE_DEVICES": "-1"})
    assert not worth_running(facts)
    assert "CUDA_VISIBLE_DEVICES=-1" in (judge(facts, None).reason or "")


def test_a_gpu_that_the_facts_rule_out() -> None:
    """A GPU that TensorFlow can't use, as far as the facts tell, is unusable with or without a child."""
    facts = replace(TWO, is_cuda_build=False)
    assert worth_running(facts)
    for given in (None, answer()):
        verdict = judge(facts, given)
        assert (verdict.verdict, verdict.cause) == ("unusable", "cpu-only-build")


def test_nothing_listed_though_cuda_shows_gpus() -> None:
    """GPUs that the driver shows and TensorFlow doesn't list are unusable."""
    verdict = judge(TWO, answer())
    assert verdict.reason == "The driver shows 2 GPUs, and TensorFlow lists none."
    assert verdict.verdict == "unusable"
    without_nvml = replace(TWO, unknown={"nvml": "NVML is not here."})
    reason = judge(without_nvml, answer()).reason
    assert reason == "The driver shows 2 GPUs, and TensorFlow, which needs NVML, lists none."


@pytest.mark.parametrize(
    ("version", "listed", "summary"),
    [
        ("2.21.0", False, "NVML fails, and TensorFlow then silently drops every GPU."),
        ("2.21.0", True, "NVML gives no answer, so the GPUs of this machine are not known."),
        ("2.16.2", True, "NVML gives no answer, so the GPUs of this machine are not known."),
    ],
)
def test_nvml_denies_what_cuda_shows(version: str, listed: bool, summary: str) -> None:
    """What NVML says of the driver is no fact any more where CUDA works, nor its need where TensorFlow lists GPUs."""
    unknown = {"nvml": "NVML finds no loaded NVIDIA kernel driver."}
    facts = replace(
        NOTHING, tensorflow=version, libraries=TWO.libraries, unknown=unknown, nvml_error=9, visible_gpus=None
    )
    verdict = judge(facts, answer(*BOTH) if listed else answer())
    assert [finding.summary for finding in verdict.findings] == [summary]
    assert (verdict.verdict, verdict.cause) == (("ok", None) if listed else ("unusable", "driver-unhealthy"))


@pytest.mark.parametrize("code", sorted(CUINIT_CAUSES.keys() - NO_DEVICE))
def test_a_driver_that_fails(code: int) -> None:
    """A failing cuInit makes the GPU unusable; its name is the reason, and the code decides the cause."""
    driver = Driver(loaded=True, code=code, error="CUDA_ERROR_SOMETHING")
    assert told(judge(TWO, answer(driver=driver))) == (
        "unusable",
        "The NVIDIA driver fails to start CUDA: CUDA_ERROR_SOMETHING.",
        CUINIT_CAUSES[code],
    )
    unnamed = judge(TWO, answer(driver=replace(driver, error=None)))
    assert unnamed.reason == f"The NVIDIA driver fails to start CUDA: error {code}."


def test_a_driver_that_shows_nothing() -> None:
    """Where the facts show a GPU and CUDA shows none, it is unusable, for it isn't visible."""
    for driver in (
        Driver(loaded=True, code=100, error="CUDA_ERROR_NO_DEVICE"),
        Driver(True, code=0, count=0),
    ):
        verdict = judge(TWO, answer(driver=driver))
        assert (verdict.verdict, verdict.cause) == ("unusable", "gpu-not-visible")


def test_a_driver_library_without_a_gpu_is_absent() -> None:
    """A container image may hold the driver's library where no GPU is: when CUDA says so, none is there."""
    facts = replace(NOTHING, libraries=TWO.libraries, unknown={"nvml": "NVML is not here."})
    assert worth_running(facts)
    driver = Driver(loaded=True, code=100, error="CUDA_ERROR_NO_DEVICE")
    assert told(judge(facts, answer(driver=driver))) == ("absent", "CUDA shows no GPU.", None)
    assert judge(facts, answer(driver=replace(driver, code=999))).verdict == "unusable"


def test_a_preflight_that_could_not_run() -> None:
    """What kept the checks from running is the reason, and counts as unusable on either device."""
    problem = Problem("no-tensorflow", "TensorFlow is not installed for this Python")
    for device in ("gpu", "cpu"):
        verdict = judge(TWO, Answer(device=device, problem=problem), device=device)  # type: ignore[arg-type]
        assert told(verdict) == ("unusable", "TensorFlow is not installed for this Python.", None)
    stopped = Problem("stopped", "the checks were stopped")
    assert judge(TWO, Answer("gpu", problem=stopped)).reason == "The checks were stopped."


@pytest.mark.parametrize("device", ["gpu", "cpu"])
def test_a_hang_on_the_cpu_has_nothing_to_do_with_the_gpu(device: Device) -> None:
    """TensorFlow prints that it finds no GPU, which explains a hang where one is looked for, and none on the CPU."""
    text = "failed call to cuInit: INTERNAL: CUDA error: Failed call to cuInit: UNKNOWN ERROR (303)"
    lines = (f"E0000 00:00:1795292880.134995 24862 cuda_platform.cc:52] {text}",)
    hung = CheckResult("a", "timeout", message="did not answer within 120 s", details={ENDED: "timeout"})
    checked = GpuChecks(0 if device == "gpu" else None, None, device.upper(), (hung,))
    verdict = judge(NOTHING, answer(checked, device=device, logs=(lines,), stderr=lines), device=device)
    assert verdict.verdict == "unusable"
    assert (verdict.cause, verdict.gpus[0].checks[0].cause) == (
        ("driver-missing", "driver-missing") if device == "gpu" else (None, None)
    )
    problem = Problem("timeout", "TensorFlow did not start within 120 s")
    stopped = judge(NOTHING, answer(problem=problem, device=device, stderr=lines), device=device)
    assert stopped.cause == ("driver-missing" if device == "gpu" else None)


def test_the_cpu() -> None:
    """On the CPU the verdict is ok when all checks pass; GPUs, findings and what is required mean nothing."""
    cpu = replace(gpu(0, "passed"), index=None, uuid=None, name="CPU")
    verdict = judge(NOTHING, answer(cpu, device="cpu", driver=None), device="cpu", require=4)
    assert told(verdict) == ("ok", None, None)
    assert (verdict.device, verdict.findings) == ("cpu", ())
    broken = replace(cpu, checks=gpu(0, "failed", message="wrong").checks)
    assert (
        judge(NOTHING, answer(broken, device="cpu"), device="cpu").reason == "CPU fails the check a: wrong."
    )


def test_help_where_tensorflow_is_missing() -> None:
    """Without TensorFlow the findings say which to install, on the CPU as well."""
    problem = Problem("no-tensorflow", "TensorFlow is not installed for this Python")
    for device in ("gpu", "cpu"):
        verdict = judge(Facts(), Answer(device=device, problem=problem), device=device)  # type: ignore[arg-type]
        commands = [help.text for help in verdict.findings[0].help]
        assert any("tensorflow-cpu" in text for text in commands)


def test_no_checks() -> None:
    """Where there was nothing to run, nothing is called ok."""
    assert told(judge(TWO, answer(gpu(0)))) == ("unusable", "There was no check to run.", None)


@pytest.mark.parametrize(
    ("found", "loaded", "count"),
    [
        ("9.3.0", "9.3.0", 0),
        ("9.3.0.75", "9.3.0", 0),
        ("9.3.0", "9.1.1", 1),
        (None, "9.1.1", 0),
        ("9.3.0", None, 0),
    ],
)
def test_another_cudnn_than_expected(found: str | None, loaded: str | None, count: int) -> None:
    """A cuDNN that says another version of itself than the one found is a warning."""
    facts = replace(TWO, cudnn=found)
    before = len(judge(facts, answer(*BOTH)).findings)
    assert len(judge(facts, answer(*BOTH, cudnn_loaded=loaded)).findings) - before == count


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            {
                "class": "tensorflow.python.framework.errors_impl.InternalError",
                "message": "{{function_node __wrapped__Neg_device_/device:GPU:0}} it failed [Op:Neg] name: ",
            },
            "InternalError: it failed",
        ),
        (
            {"class": "builtins.ImportError", "message": "Traceback\n  File x\nno such file\n\n"},
            "ImportError: no such file",
        ),
        ({"class": "builtins.RuntimeError", "message": "first\nsecond"}, "RuntimeError: first"),
        ({"class": "builtins.KeyError", "message": ""}, "KeyError"),
        ({"class": "", "message": "left out"}, "left out"),
        ({}, "failed"),
        ({"class": "a.B", "message": "x" * 400}, "B: " + "x" * 297 + "..."),
    ],
)
def test_an_exception_in_a_sentence(error: dict[str, Any], sentence: str) -> None:
    """An exception is said by its class and the line that says most, without TensorFlow's frames, cut to 300."""
    assert error_sentence(error) == sentence


def test_the_parent_imports_neither_tensorflow_nor_pytest() -> None:
    """Nothing of the preflight's parent side needs TensorFlow, NumPy or pytest."""
    import subprocess

    code = (
        "import sys, pytest_tfgpu.preflight as p; p.builtin_checks()\n"
        "print(sorted({'tensorflow', 'numpy', 'pytest', 'subprocess'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_checks_document_themselves() -> None:
    """Each built-in check has a module docstring that says what it proves, a summary, and a documented function."""
    from importlib import import_module

    from pytest_tfgpu.preflight import builtin_checks

    names = [check.name for check in builtin_checks()]
    assert names[:6] == ["device", "memory", "matmul", "conv2d", "float16", "gather"]
    assert len(set(names)) == len(names)
    for check in builtin_checks():
        module, _, function = check.run.partition(":")
        assert (import_module(module).__doc__ or "").startswith("Proves that ")
        assert inspect.getdoc(getattr(import_module(module), function))
        assert check.summary.endswith(".")
