"""Faults of the GPUs themselves: their age, who else uses them, how they are chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_tfgpu.environment import known_pairs
from pytest_tfgpu.environment.wording import build_name, gpu_name, numbers
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Gpu, GpuProcess, Help, Severity

_ARCHITECTURE = re.compile(r"(sm|compute)_([0-9]{1,2})([0-9])[a-z]?")


def compute_capability(facts: Facts) -> Iterator[Finding]:
    """Find visible GPUs that are too old for the build, or so new that kernels are compiled at first use."""
    built, unfit = _architectures(facts), without_kernels(facts)
    severity: Severity = "error" if len(unfit) == len(facts.visible) else "warning"
    evidence = EvidenceLine(
        ", ".join(f"{kind}_{a}{b}" for kind, (a, b) in built), "TensorFlow's build_info.py"
    )
    for gpu in facts.visible:
        if not built or gpu.compute_capability is None:
            continue
        has = numbers(gpu.compute_capability)
        if len(has) < 2 or _has_binaries(built, has):
            continue
        name = f"{gpu_name(gpu)}, compute capability {gpu.compute_capability}"
        if gpu not in unfit:
            summary = f"{build_name(facts)} has no binary kernels for {name}: they are compiled at first use."
            yield Finding(summary, "warning", "kernels-compiled-at-first-use", evidence=(evidence,))
        else:
            summary = f"{build_name(facts)} has no kernels for {name}."
            yield Finding(summary, severity, "unsupported-compute-capability", evidence=(evidence,))


def without_kernels(facts: Facts) -> tuple[Gpu, ...]:
    """Return the visible GPUs for which the build has no kernels at all: TensorFlow leaves them out."""
    built = _architectures(facts)

    def is_unfit(gpu: Gpu) -> bool:
        has = numbers(gpu.compute_capability or "")
        if not built or len(has) < 2 or _has_binaries(built, has):
            return False
        return not any(kind == "compute" and architecture <= has for kind, architecture in built)

    return tuple(filter(is_unfit, facts.visible))


def _has_binaries(built: list[tuple[str, tuple[int, ...]]], has: tuple[int, ...]) -> bool:
    return any(architecture[0] == has[0] and architecture <= has for _, architecture in built)


def libraries_too_old(facts: Facts) -> Iterator[Finding]:
    """Find a visible GPU that is newer than the CUDA or the cuDNN found here."""
    parts: tuple[tuple[known_pairs.Part, str, str | None], ...] = (
        ("cuda", "CUDA", facts.cuda),
        ("cudnn", "cuDNN", facts.cudnn),
    )
    for gpu in facts.visible:
        for part, title, found in parts:
            row = known_pairs.needed(part, "capability", numbers(gpu.compute_capability or ""))
            if row is None or not found or numbers(found)[: len(row.at_least)] >= row.at_least:
                continue
            oldest = known_pairs.text(row.at_least)
            summary = (
                f"{title} {found} doesn't know {gpu_name(gpu)}, compute capability {gpu.compute_capability}."
            )
            evidence = EvidenceLine(f"needs {title} {oldest} or newer", row.source.url)
            help_ = Help(f"Install {title} {oldest} or newer, or a TensorFlow that was built with it.", False)
            cause = "unsupported-compute-capability"
            yield Finding(summary, "warning", cause, evidence=(evidence,), help=(help_,))


def visibility_cut(facts: Facts) -> Iterator[Finding]:
    """Find that CUDA_VISIBLE_DEVICES names devices that CUDA ignores."""
    value = facts.environment.get("CUDA_VISIBLE_DEVICES")
    if not value or not facts.gpus or not facts.visible_gpus or (facts.gpus[0].uuid or "").startswith("MIG-"):
        return
    tokens = [token.strip() for token in value.split(",")]
    stop = len(facts.visible_gpus)
    if stop < len(tokens) and not tokens[stop].startswith("-"):
        summary = f"CUDA ignores CUDA_VISIBLE_DEVICES={value} from {tokens[stop]!r} on, which names no GPU."
        yield Finding(summary, "warning", "gpu-not-visible")


def gpu_taken(facts: Facts) -> Iterator[Finding]:
    """Find that others hold a visible GPU's memory, or that its compute mode keeps this process off."""
    for gpu in facts.visible:
        holders = [process for process in facts.gpu_processes if process.gpu == gpu.index]
        if gpu.compute_mode == "prohibited":
            yield Finding(f"{gpu_name(gpu)} is in compute mode PROHIBITED.", cause="gpu-busy")
        elif gpu.compute_mode and gpu.compute_mode.startswith("exclusive") and holders:
            summary = f"{gpu_name(gpu)} is in compute mode {gpu.compute_mode} and in use."
            yield Finding(summary, "warning", "gpu-busy", evidence=_holders(holders))
        total, free = gpu.memory_total_mib, gpu.memory_free_mib
        held = sum(process.memory_mib or 0 for process in holders)
        if total and free is not None and free < total / 10:
            summary = f"{gpu_name(gpu)} has {free} of {total} MiB free."
            yield Finding(summary, "warning", "memory-held-by-other-process", "memory", _holders(holders))
        elif total and held >= total / 10:
            others = "Another process holds" if len(holders) == 1 else f"{len(holders)} other processes hold"
            summary = f"{others} {held} of {total} MiB of {gpu_name(gpu)}."
            yield Finding(summary, "info", "memory-held-by-other-process", "memory", _holders(holders))


def _architectures(facts: Facts) -> list[tuple[str, tuple[int, ...]]]:
    """Return (sm or compute, (major, minor)) of the architectures that TensorFlow is built for."""
    built = facts.built_for.compute_capabilities if facts.built_for else ()
    matches = filter(None, (_ARCHITECTURE.fullmatch(name) for name in built))
    return [(match[1], (int(match[2]), int(match[3]))) for match in matches]


def _holders(processes: list[GpuProcess]) -> tuple[EvidenceLine, ...]:
    lines = []
    for process in processes[:5]:
        memory = f": {process.memory_mib} MiB" if process.memory_mib is not None else ""
        lines.append(EvidenceLine(f"process {process.pid} ({process.name or 'unnamed'}){memory}", "NVML"))
    return tuple(lines)
