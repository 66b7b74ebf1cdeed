"""The machine in the HTML report: its GPUs with their checks, and what else is known of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_tfgpu.model import CheckResult, Facts, Gpu, GpuChecks, Preflight
from pytest_tfgpu.reporters import checks
from pytest_tfgpu.reporters.text import count


@dataclass(frozen=True)
class Device:
    """A GPU: what is known of it, and its checks."""

    name: str
    facts: Gpu | None
    hidden: bool
    checks: tuple[tuple[CheckResult, str], ...]
    """Each check, and its error against its tolerance."""
    verdict: str
    """How its checks ended, in words; empty where none ran."""


def devices(facts: Facts, preflight: Preflight) -> list[Device]:
    """Return the GPUs of the machine with their checks, and devices that only the checks know (the CPU)."""
    left = list(preflight.gpus)
    found = []
    for position, gpu in enumerate(facts.gpus):
        index = position if gpu.index is None else gpu.index
        checked = next((entry for entry in left if _same(entry, gpu, index)), None)
        if checked is not None:
            left.remove(checked)
        hidden = facts.visible_gpus is not None and position not in facts.visible_gpus
        found.append(_device(f"GPU {index}", gpu, hidden, checked))
    for entry in left:
        name = entry.name or "GPU" if entry.index is None else f"GPU {entry.index}"
        gpu_facts = None if entry.index is None else Gpu(entry.index, entry.name, entry.uuid)
        found.append(_device(name, gpu_facts, False, entry))
    return found


def _same(checked: GpuChecks, gpu: Gpu, index: int) -> bool:
    if checked.uuid and gpu.uuid:
        return checked.uuid == gpu.uuid
    return checked.index == index


def _device(name: str, facts: Gpu | None, hidden: bool, checked: GpuChecks | None) -> Device:
    done = checked.checks if checked else ()
    errors = [row[-1] for row in checks.rows(Preflight("ok", gpus=(checked,)))] if checked else []
    wrong = [check for check in done if check.outcome != "passed"]
    verdict = ", ".join(f"{check.name} {check.outcome.replace('-', ' ')}" for check in wrong)
    verdict = verdict or (f"{count(len(done), 'check')} passed" if done else "")
    return Device(name, facts, hidden, tuple(zip(done, errors, strict=True)), verdict)


def slowest_check(preflight: Preflight) -> float:
    """Return how many seconds the slowest check took."""
    return max((check.seconds or 0 for gpu in preflight.gpus for check in gpu.checks), default=0) or 1


def facts(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the facts of the machine by name, but for its GPUs."""
    built = facts.built_for
    flavour = [facts.tensorflow_distribution] if facts.tensorflow_distribution else []
    if built and (built.cuda or built.cudnn):
        flavour.append(f"built for CUDA {built.cuda or '?'} and cuDNN {built.cudnn or '?'}")
    elif facts.is_cuda_build is False:
        flavour.append("built without CUDA")
    named = {
        "TensorFlow": facts.tensorflow and f"{facts.tensorflow} ({', '.join(flavour)})"
        if flavour
        else facts.tensorflow,
        "kernels for": ", ".join(built.compute_capabilities) if built else None,
        "driver": facts.driver,
        "CUDA of the driver": facts.driver_cuda and f"up to {facts.driver_cuda}",
        "CUDA": facts.cuda,
        "cuDNN": facts.cudnn,
        "Python": facts.python,
        "platform": facts.platform,
        "CI": facts.ci,
    }
    yield from ((name, value) for name, value in named.items() if value)
    for process in facts.gpu_processes:
        memory = f", {process.memory_mib} MiB" if process.memory_mib is not None else ""
        yield "process on a GPU", f"{process.pid} ({process.name or 'unnamed'}) on GPU {process.gpu}{memory}"
    for library in (*facts.libraries, *facts.on_demand):
        version = library.version or "version unknown"
        origin = f" from {library.provider}" if library.provider else ""
        yield library.name, f"{version}{origin}" if library.path else "not found"
    yield from facts.environment.items()
    yield from ((f"{name} (unknown)", why) for name, why in facts.unknown.items())


def memory(gpu: Gpu) -> str:
    """Return the memory of a GPU: `8,000 of 8,192 MiB free`."""
    if gpu.memory_total_mib is None:
        return "unknown"
    free = gpu.memory_free_mib
    total = f"{gpu.memory_total_mib:,} MiB"
    return total if free is None else f"{free:,} of {total} free"
