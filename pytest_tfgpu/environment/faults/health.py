"""What ails the GPUs: memory errors, heat, the driver's error reports, a licence.

None of it keeps TensorFlow from a GPU by itself, so none of it makes a GPU unusable; an error says that its results
and its life are not to be relied on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_tfgpu.environment.wording import gpu_name
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Gpu, Health, Help

CLOSE = 5
"""Degrees below the slowdown's from which on a GPU counts as hot."""
XIDS = {
    48: "a memory error that could not be corrected",
    64: "a replacement of failing memory that could not be recorded",
    74: "an NVLink error",
    79: "the GPU has fallen off the bus",
    92: "a high rate of memory errors",
    94: "a contained memory error",
    95: "an uncontained memory error",
    119: "the GPU's system processor does not answer",
}
"""Reports that speak of the hardware, and not of the program that ran (https://docs.nvidia.com/deploy/xid-errors/)."""
FATAL = (79, 95)


def health(facts: Facts) -> Iterator[Finding]:
    """Find what ails the visible GPUs, and those that NVML can't reach."""
    seen: set[int | None] = set()
    for gpu in facts.visible:
        if gpu.health is not None and gpu.index not in seen:
            seen.add(gpu.index)
            for rule in (_memory, _reports, _clocks, _license):
                yield from rule(gpu, gpu.health)
    for key, text in facts.unknown.items():
        if re.fullmatch(r"gpus\[\d+\]", key):
            lost = "is lost" in text or "reset" in text.lower()
            cause = "gpu-hardware-error" if lost else None
            yield Finding(text, "warning", cause, "hardware" if lost else "environment")


def ailments(facts: Facts) -> tuple[str, ...]:
    """Return a few words for each visible GPU that is not well: `GPU 1: memory errors`."""
    words: dict[int | None, str] = {}
    for gpu in facts.visible:
        if gpu.health is not None:
            word = _word(gpu.health)
            if word:
                words.setdefault(gpu.index, word)
    return tuple(f"GPU {index}: {word}" for index, word in words.items())


def _word(health: Health) -> str | None:
    if health.ecc_uncorrected or health.remap_pending or health.remap_failed:
        return "memory errors"
    if any(number in XIDS for number in health.xids):
        return "hardware errors"
    if health.vgpu_license == "unlicensed":
        return "no licence"
    return "slowed down" if health.slowed else "hot" if _is_hot(health) else None


def _memory(gpu: Gpu, health: Health) -> Iterator[Finding]:
    """Find uncorrectable errors, and rows of memory that were or should be replaced."""
    where = "" if gpu.index is None else f" -i {gpu.index}"
    look = Help(f"nvidia-smi -q -d ECC,ROW_REMAPPER{where}")
    if health.remap_failed:
        summary = f"{gpu_name(gpu)} could not replace a row of its memory that fails."
        evidence = EvidenceLine("row remapping failed", "NVML")
        replace_it = Help("Have the card replaced.")
        yield Finding(summary, "error", "gpu-hardware-error", "hardware", (evidence,), (look, replace_it))
    elif health.remap_pending:
        summary = f"{gpu_name(gpu)} has rows of memory that are replaced only when it is reset."
        evidence = EvidenceLine("row remapping pending", "NVML")
        reset = Help(f"nvidia-smi --gpu-reset{where}")
        yield Finding(summary, "warning", "gpu-hardware-error", "hardware", (evidence,), (reset,))
    if health.ecc_uncorrected:
        count = health.ecc_uncorrected
        errors = f"{count} uncorrectable memory error{'s' * (count != 1)}"
        evidence = EvidenceLine(f"uncorrected volatile ECC errors: {count}", "NVML")
        summary = f"{gpu_name(gpu)} had {errors} since the driver was loaded."
        yield Finding(summary, "warning", "gpu-hardware-error", "hardware", (evidence,), (look,))


def _reports(gpu: Gpu, health: Health) -> Iterator[Finding]:
    """Find the driver's error reports about the hardware since boot."""
    numbers = [number for number in health.xids if number in XIDS]
    if not numbers:
        return
    evidence = tuple(EvidenceLine(f"Xid {number}: {XIDS[number]}", "kernel log") for number in numbers)
    severity = "error" if set(numbers) & set(FATAL) else "warning"
    summary = f"The driver reported errors of the hardware of {gpu_name(gpu)} since boot."
    help_ = Help(
        "Restart the machine; if they come back, the card, its power or its slot is at fault.", False
    )
    yield Finding(summary, severity, "gpu-hardware-error", "hardware", evidence, (help_,))  # type: ignore[arg-type]


def _clocks(gpu: Gpu, health: Health) -> Iterator[Finding]:
    """Find lowered clocks, and a temperature that is about to lower them."""
    degrees = "" if health.temperature is None else f" It is at {health.temperature} °C."
    if health.slowed:
        reasons = " and ".join(health.slowed)
        yield Finding(
            f"{gpu_name(gpu)} runs slower than it could: {reasons}.{degrees}", "warning", category="hardware"
        )
    elif _is_hot(health):
        summary = f"{gpu_name(gpu)} is at {health.temperature} °C, and slows down at {health.slowdown_temperature} °C."
        yield Finding(summary, "warning", category="hardware")


def _is_hot(health: Health) -> bool:
    now, limit = health.temperature, health.slowdown_temperature
    return now is not None and limit is not None and limit > 0 and now >= limit - CLOSE


def _license(gpu: Gpu, health: Health) -> Iterator[Finding]:
    """Find a virtual GPU without a licence, which the driver slows down and then refuses to work with."""
    if health.vgpu_license == "unlicensed":
        summary = f"{gpu_name(gpu)} is a virtual GPU without a licence."
        help_ = Help("nvidia-smi -q | grep -A 2 'License Status'")
        yield Finding(summary, "warning", "vgpu-unlicensed", help=(help_,))
