"""Readings of devices: which were hidden, where an operation was pinned, what kind of GPU there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Function, Probe, Reading
from pytest_tfgpu.diagnosis.readings.libraries import gpu_lost
from pytest_tfgpu.diagnosis.readings.listed import no_gpu_listed
from pytest_tfgpu.environment.visibility import hides_all
from pytest_tfgpu.model import EvidenceLine

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

_LOG_HIDDEN = Probe(
    r"CUDA_VISIBLE_DEVICES is set to [^\n]{0,80} - this hides all GPUs|env: CUDA_VISIBLE_DEVICES=\"(?:-1|none)?\"",
    "cuda_visible_devices",
    flags=re.IGNORECASE,
)
_PINNED = Probe(
    r"explicit device specification|explicitly assigned to|satisfy device specification|"
    r"find any devices for spec|unknown device\.",
    "specification",
    "explicitly assigned",
    "devices for spec",
    "unknown device",
    flags=re.IGNORECASE,
)
_GPU_TEXTS = (
    "cuda",
    "cudnn",
    "cublas",
    "cuinit",
    "nccl",
    "libcu",
    ".dll",
    '.cu"',
    "dll load failed",
    "shared object",
    "dynamic library",
    "gpu libraries",
    "no gpu",
    "gpu device not found",
    "gpu not found",
    "gpu is not found",
    "gpu was not found",
    "no opkernel",
    "no supported devices",
    "convolution algorithm",
    "is_gpu_available",
    "streamexecutor",
)
_NO_COMPUTATION = re.compile(
    r"File|Save|Restore|Checkpoint|Iterator|Dataset|Reader|Record|Decode|Parse|PyFunc|Rpc|Send|Recv"
)
_GPU_WORDS = frozenset((b"dnn", b"blas", b"nvidia", b"nvml"))
_EXCLUSIVE = Probe(
    r"E\. (?:Process|Thread)|Exclusive_(?:Process|Thread)", "e. process", "e. thread", "exclusive_"
)
_VIRTUAL = Probe(
    r"GRID [A-Z]{1,3}\d{1,3}[A-Z]{0,2}-\d|vGPU|virtual GPU|NVIDIA [A-Z]\d{1,3}-\d{1,2}[QCB]\b",
    "name: grid ",
    "name: nvidia ",
    "vgpu",
    "virtual gpu",
)
_FURTHER_GPU = re.compile(
    r"(?:device specification|explicitly assigned to|devices for spec) \W{0,3}[\w:/]{0,80}?gpu:[1-9]|"
    r"gpu:[1-9]\d{0,3} unknown device",
    re.IGNORECASE,
)
_SECOND_GPU = Probe(r"device:GPU:[1-9]", "device:gpu:")


def _pinned(case: Case, _: str) -> Reading | None:
    """Whether the operation was pinned to a device by the program."""
    return Reading("The program pinned the operation to a device.") if _PINNED.search(case) else NO


def _hidden(case: Case, _: str) -> Reading | None:
    """Whether CUDA_VISIBLE_DEVICES hides all GPUs, of any machine or of this one."""
    facts = case.facts
    value = facts.environment.get("CUDA_VISIBLE_DEVICES")
    if value is not None:
        quoted = EvidenceLine(f'CUDA_VISIBLE_DEVICES="{value}"', "facts")
        if _hides_all(value.strip().strip("\"'")):
            return Reading("CUDA_VISIBLE_DEVICES hides all GPUs.", quoted)
        if facts.gpus and facts.visible_gpus == ():
            return Reading("CUDA_VISIBLE_DEVICES names no GPU of this machine.", quoted)
    quote = _LOG_HIDDEN.quote(case)
    return Reading("CUDA_VISIBLE_DEVICES hides all GPUs.", quote) if quote else NO


def _hides_all(value: str) -> bool:
    """Whether the variable leaves no GPU: that is also so where it names one twice."""
    entries = [entry.strip() for entry in value.split(",")]
    return hides_all(value) or len(set(entries)) < len(entries)


def _gpu_wanted(case: Case, _: str) -> Reading | None:
    """Whether what failed was meant for a GPU: it was pinned to one, has no kernel elsewhere, or found none.

    Without an exception there is only the log, and nothing speaks against it. A log that tells how the GPU was lost
    explains such failures; on a machine that is meant to have none, other failures print the same lines. Whoever
    asks for the eighth GPU asks for one that most machines lack, with or without a driver.
    """
    if not any(link.message.strip() for link in case.evidence.chain):
        return Reading()
    if not case.facts.gpus and "gpu:" in case.lower and _FURTHER_GPU.search(case.evidence.message):
        return NO
    if _pinned(case, "") or no_gpu_listed(case, ""):
        return Reading()
    message = case.message
    named = not _GPU_WORDS.isdisjoint(message.words) or any(sign in message.lower for sign in _GPU_TEXTS)
    return Reading() if named or (_op_on_cpu(case, "") and gpu_lost(case, "")) else NO


def _cuda_in_play(case: Case, _: str) -> Reading | None:
    """Whether anything says that this TensorFlow is one for GPUs: it, CUDA, NVIDIA or a GPU is named."""
    facts = case.facts
    if facts.is_cuda_build or facts.gpus or facts.cuda or facts.cudnn or facts.driver:
        return Reading()
    text = case.lower
    return Reading() if any(word in text for word in ("cuda", "cudnn", "nvidia", "gpu")) else NO


def _gpu_present(case: Case, _: str) -> Reading | None:
    """Whether the machine has a GPU."""
    names = ", ".join(gpu.name for gpu in case.facts.gpus if gpu.name)
    return (
        Reading("The machine has a GPU.", EvidenceLine(names, "facts") if names else None)
        if case.facts.gpus
        else NO
    )


def _cpu_build(case: Case, _: str) -> Reading | None:
    """Whether the installed TensorFlow has no GPU support."""
    flavour = case.facts.tensorflow_distribution or ""
    if case.facts.is_cuda_build is False or flavour in ("tensorflow-cpu", "tensorflow_cpu", "tf-nightly-cpu"):
        text = f"{flavour or 'TensorFlow'} {case.facts.tensorflow or ''}".strip()
        return Reading(
            "This TensorFlow was built without CUDA.", EvidenceLine(f"{text}, built without CUDA", "facts")
        )
    return NO


def _cuda_build(case: Case, _: str) -> Reading | None:
    """Whether the installed TensorFlow has GPU support."""
    return Reading() if case.facts.is_cuda_build else NO


def _platform(case: Case, argument: str) -> Reading | None:
    """Whether the platform is one of those in the argument (`windows/macos`)."""
    name = (case.facts.platform or "").lower()
    return Reading(f"The platform is {name}.") if name and name in argument.split("/") else NO


def _op_on_cpu(case: Case, _: str) -> Reading | None:
    """Whether the operation ran on the CPU."""
    if "CPU" in (case.evidence.device or "") or re.search(
        r"device type CPU|on the CPU\b|\[CPU or GPU\(int32\)\]|Op \[CPU\]", case.evidence.message
    ):
        return Reading("The operation ran on the CPU.")
    return NO


def _computing(case: Case, _: str) -> Reading | None:
    """Whether an operation that computes is known to have failed: no files, no data sets, no remote calls."""
    name = case.evidence.op or (case.evidence.node or "").rpartition("/")[2]
    return Reading() if name and not _NO_COMPUTATION.search(name) else NO


def _several_gpus(case: Case, _: str) -> Reading | None:
    """Whether there is more than one GPU."""
    return Reading() if len(case.facts.gpus) > 1 or _SECOND_GPU.search(case) else NO


def _shared_memory(case: Case, _: str) -> Reading | None:
    """Whether gPU and host share one memory (Jetson)."""
    names = " ".join(gpu.name or "" for gpu in case.facts.gpus)
    if case.facts.platform == "jetson" or re.search(r"tegra|jetson|xavier|orin|nano", names, re.IGNORECASE):
        return Reading("On this machine GPU and host share one memory.")
    return NO


def _exclusive(case: Case, _: str) -> Reading | None:
    """Whether the GPU is in exclusive compute mode."""
    modes = [gpu.compute_mode or "" for gpu in case.facts.gpus]
    if any("exclusive" in mode.lower() for mode in modes) or _EXCLUSIVE.search(case):
        return Reading(
            "The GPU is in exclusive compute mode.", EvidenceLine("compute mode: exclusive", "facts")
        )
    return NO


def _virtual(case: Case, _: str) -> Reading | None:
    """Whether the GPU is a virtual one (GRID, vGPU)."""
    names = " ".join(gpu.name or "" for gpu in case.facts.gpus)
    found = _VIRTUAL.pattern.search(names) or _VIRTUAL.search(case)
    return Reading("The GPU is a virtual one.", EvidenceLine(found[0], "facts")) if found else NO


def _mig(case: Case, _: str) -> Reading | None:
    """Whether the GPU is divided by MIG."""
    names = " ".join((gpu.name or "") + (gpu.uuid or "") for gpu in case.facts.gpus)
    visible = case.facts.environment.get("CUDA_VISIBLE_DEVICES", "")
    return Reading("The GPU is divided by MIG.") if re.search(r"\bMIG\b", f"{names} {visible}") else NO


READINGS: dict[str, Function] = {
    "pinned-by-program": _pinned,
    "hidden-by-variable": _hidden,
    "gpu-wanted": _gpu_wanted,
    "cuda-in-play": _cuda_in_play,
    "gpu-present": _gpu_present,
    "cpu-build": _cpu_build,
    "cuda-build": _cuda_build,
    "platform": _platform,
    "operation-on-cpu": _op_on_cpu,
    "computing-operation": _computing,
    "several-gpus": _several_gpus,
    "memory-shared-with-host": _shared_memory,
    "exclusive-mode": _exclusive,
    "virtual-gpu": _virtual,
    "divided-by-mig": _mig,
}
