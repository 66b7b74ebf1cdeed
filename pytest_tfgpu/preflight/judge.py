"""From facts and the child's answer to the verdict. Pure: the same input gives the same verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from pytest_tfgpu.model import CheckResult, Diagnosis, Facts, Finding, GpuChecks, Help, Preflight
from pytest_tfgpu.preflight.data import Answer, Device
from pytest_tfgpu.preflight.explain import Explainer
from pytest_tfgpu.preflight.holding import excused
from pytest_tfgpu.preflight.wording import device_label

Require = int | Literal["all"]

_NOBODY: Mapping[int, str] = MappingProxyType({})

NO_DEVICE = frozenset({100, 101})
"""Codes of cuInit that say there is no GPU (CUDA_ERROR_NO_DEVICE, CUDA_ERROR_INVALID_DEVICE; cuda.h)."""

CUINIT_CAUSES = {
    34: "driver-library-mismatch",
    35: "driver-too-old",
    46: "gpu-busy",
    100: "gpu-not-visible",
    101: "gpu-not-visible",
    802: "driver-unhealthy",
    803: "driver-library-mismatch",
    804: "driver-too-old",
    999: "driver-unhealthy",
}
"""What a failing cuInit means where a GPU is there (codes: cuda.h)."""


def worth_running(facts: Facts) -> bool:
    """Whether a GPU may be there, so that a child is started; if not, the facts alone give the verdict."""
    from pytest_tfgpu.environment.presence import presence

    return presence(facts).status != "absent"


def judge(
    facts: Facts,
    answer: Answer | None,
    *,
    device: Device = "gpu",
    require: Require = 0,
    held: Mapping[int, str] = _NOBODY,
) -> Preflight:
    """Return the verdict: `ok`, `absent`, `unusable` or `inconclusive`, with a reason and, where one is known, a cause.

    `answer` is None where no child was started. `require` is how many usable GPUs there must be; it means
    nothing on the CPU. `held` says, by the index of a GPU, which process of this session holds memory of it: what
    fails there for want of memory shows nothing.
    """
    from pytest_tfgpu.environment.faults.loaded import as_loaded
    from pytest_tfgpu.environment.presence import presence

    found = _from_facts(facts, answer, device)
    if answer is None:
        here = presence(facts)
        status: Literal["absent", "unusable"] = "absent" if here.status == "absent" else "unusable"
        reason = (here.status != "present" and here.reason) or "The checks were not run."
        return Preflight(status, reason, here.cause, device, findings=found)
    explainer = Explainer(as_loaded(facts, answer.libraries_loaded, answer.cudnn_loaded), device)
    logs = (*answer.logs, *((),) * len(answer.gpus))
    explained = map(explainer.explain, answer.gpus, logs)
    gpus = tuple(gpu if gpu.index is None else excused(gpu, held.get(gpu.index)) for gpu in explained)
    answer = replace(answer, gpus=gpus)
    verdict = _verdict(facts, answer, device, require, explainer)
    return replace(
        verdict,
        device=device,
        seconds=answer.seconds,
        gpus=answer.gpus,
        findings=(*found, *_from_answer(facts, answer), *_held(verdict), *explainer.findings),
        tensorflow=answer.tensorflow,
        cudnn_loaded=answer.cudnn_loaded,
        libraries_loaded=answer.libraries_loaded,
        stderr=answer.stderr,
    )


def _verdict(
    facts: Facts, answer: Answer, device: Device, require: Require, explainer: Explainer
) -> Preflight:
    """Return verdict, reason and cause; the rest of the record is filled in by the caller."""
    if answer.problem is not None:
        problem = answer.problem
        asked = problem.error or problem.kind in ("crashed", "timeout", "flood")
        diagnosis = explainer.diagnose(problem.error, answer.stderr) if asked else None
        return Preflight("unusable", _sentence(problem.sentence), _cause(diagnosis))
    if not answer.gpus:
        return _nothing_listed(facts, answer, explainer)
    doubtful = [gpu for gpu in answer.gpus if gpu.doubtful]
    broken = [gpu for gpu in answer.gpus if not gpu.usable and gpu not in doubtful]
    if broken:
        return Preflight("unusable", _broken_reason(answer, broken), _first_cause(broken))
    if device == "cpu":
        return Preflight("ok")
    listed = len(answer.gpus)
    shown = max(listed, (answer.driver.count if answer.driver else None) or 0)
    needed = shown if require == "all" else require
    if listed >= needed:
        return Preflight("inconclusive", _doubt(doubtful[0])) if doubtful else Preflight("ok")
    if shown >= needed:
        return Preflight("unusable", f"TensorFlow lists {listed} of the {shown} GPUs that CUDA shows.")
    here = "1 GPU is" if shown == 1 else f"{shown} GPUs are"
    return Preflight("absent", f"{here} visible, {needed} are required.")


def _nothing_listed(facts: Facts, answer: Answer, explainer: Explainer) -> Preflight:
    """Tell, where TensorFlow lists no GPU, whether there is none or it can't use the one that is there."""
    from pytest_tfgpu.environment.faults.driver import needs_nvml, nvml_fails
    from pytest_tfgpu.environment.presence import presence

    here, driver = presence(facts), answer.driver
    if here.status == "unusable":
        return Preflight("unusable", here.reason, here.cause)
    shown = (driver.count if driver else None) or 0
    fails = driver is not None and driver.loaded and driver.code not in (0, None, *NO_DEVICE)
    if here.status != "present" and not shown and not fails:
        return Preflight(
            "absent", here.reason if here.status == "absent" else "CUDA shows no GPU.", here.cause
        )
    diagnosis = explainer.diagnose({}, answer.stderr)
    cause = _cause(diagnosis) or here.cause
    if shown:
        what = "a GPU" if shown == 1 else f"{shown} GPUs"
        missed = "nvml" in facts.unknown and needs_nvml(facts)
        who = "TensorFlow, which needs NVML," if missed else "TensorFlow"
        known = (found.cause for found in nvml_fails(facts, cuda_works=True))
        reason = f"The driver shows {what}, and {who} lists none."
        sure = next(known, None) if missed else None
        return Preflight("unusable", reason, sure or cause or next(known, None))
    if driver is None or not driver.loaded:
        return Preflight(
            "unusable",
            "A GPU is there, and the driver's library cannot be loaded.",
            cause or "driver-missing",
        )
    if not driver.code:
        return Preflight("unusable", "A GPU is there, and CUDA shows none.", cause or "gpu-not-visible")
    error = driver.error or f"error {driver.code}"
    return Preflight(
        "unusable",
        f"The NVIDIA driver fails to start CUDA: {error}.",
        CUINIT_CAUSES.get(driver.code) or cause,
    )


def _held(verdict: Preflight) -> list[Finding]:
    if verdict.verdict != "inconclusive":
        return []
    summary = "What this session itself holds of the GPU keeps the checks from it."
    help_ = (
        Help("Use TensorFlow in tests and fixtures, not while conftest files and test modules are imported."),
        Help("Run the checks before pytest collects: without --tfgpu-preflight-overlap.", sure=False),
    )
    return [Finding(summary, "warning", category="memory", help=help_)]


def _doubt(gpu: GpuChecks) -> str:
    """Say why nothing is known of a GPU."""
    first = _first_failed(gpu)
    return _sentence(f"GPU {gpu.index}: the check {first.name} {first.message or 'was not run'}")


def _broken_reason(answer: Answer, broken: list[GpuChecks]) -> str:
    """Say which devices fail, and in what; in full where it is one."""
    if len(broken) > 1:
        which = ", ".join(f"GPU {gpu.index} ({_first_failed(gpu).name})" for gpu in broken[:8])
        more = f" and {len(broken) - 8} more" if len(broken) > 8 else ""
        return f"{len(broken)} of {len(answer.gpus)} GPUs fail a check: {which}{more}."
    if not broken[0].checks:
        return "There was no check to run."
    failed = _first_failed(broken[0])
    name = device_label(broken[0].index, answer.device)
    message = failed.message or failed.outcome.replace("-", " ")
    if failed.outcome in ("timeout", "crashed"):
        return _sentence(f"{name}: the process that ran {failed.name} {message}")
    return _sentence(f"{name} fails the check {failed.name}: {message}")


def _first_failed(gpu: GpuChecks) -> CheckResult:
    return next(check for check in gpu.checks if check.outcome != "passed" and check.counts)


def _first_cause(broken: list[GpuChecks]) -> str | None:
    return next(filter(None, (_cause(check.diagnosis) for gpu in broken for check in gpu.checks)), None)


def _cause(diagnosis: Diagnosis | None) -> str | None:
    """Return the cause of a diagnosis that is more than possible: a verdict's cause stands without a confidence."""
    return None if diagnosis is None or diagnosis.confidence == "possible" else diagnosis.cause


def _from_facts(facts: Facts, answer: Answer | None, device: Device) -> tuple[Finding, ...]:
    """Return the faults that the facts show; where they can't tell without NVML, what CUDA showed the child decides."""
    from pytest_tfgpu.environment.faults import build, driver
    from pytest_tfgpu.environment.findings import findings
    from pytest_tfgpu.environment.presence import presence

    if device == "cpu":
        return tuple(build.tensorflow_missing(facts))
    shown = answer is not None and answer.driver is not None and answer.driver.count
    if answer is None or not shown or presence(facts).status != "unclear":
        return findings(facts)
    about_nvml = driver.nvml_silent(facts) if answer.gpus else driver.nvml_fails(facts, cuda_works=True)
    return (*build.tensorflow_missing(facts), *about_nvml)


def _from_answer(facts: Facts, answer: Answer) -> list[Finding]:
    """Return what the child saw and the facts see otherwise."""
    from pytest_tfgpu.environment.faults.loaded import differences

    differing = list(differences(facts, answer.libraries_loaded))
    if any(finding.cause == "cudnn-version-mismatch" for finding in differing):
        return differing
    found, loaded = facts.cudnn, answer.cudnn_loaded
    if found and loaded and found.split(".")[:3] != loaded.split(".")[:3]:
        text = f"TensorFlow loaded cuDNN {loaded}, where {found} was expected from the libraries found."
        return [*differing, Finding(text, severity="warning")]
    return differing


def _sentence(text: str) -> str:
    """Give a text a capital at its beginning and a full stop at its end."""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")
