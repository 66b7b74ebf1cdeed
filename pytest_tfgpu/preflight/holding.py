"""GPU memory that the session's own processes hold: what fails for the lack of it says nothing about the GPU."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from pytest_tfgpu.model import CheckResult, Facts, GpuChecks, GpuProcess

FOR_WANT_OF_MEMORY = frozenset(
    {
        "gpu-busy",
        "memory-fragmentation",
        "memory-held-by-other-process",
        "memory-leak",
        "memory-preallocated",
        "out-of-memory",
    }
)
"""Causes that come from what else is on the GPU; `gpu-busy` is a GPU that only one process may use."""


def lacks_memory(result: CheckResult) -> bool:
    """Whether a check went wrong and the lack of GPU memory may be why."""
    found = result.diagnosis
    if found is None or result.outcome in ("passed", "not-run"):
        return False
    return not FOR_WANT_OF_MEMORY.isdisjoint((found.cause, *found.alternatives))


def excused(gpu: GpuChecks, holder: str | None) -> GpuChecks:
    """Return the results without those that show only that `holder`, of this session, holds the GPU's memory.

    From the first check that failed for it on, those that went wrong were not run in a way that says anything.
    """
    if holder is None or not any(map(lacks_memory, gpu.checks)):
        return gpu
    checks: list[CheckResult] = []
    short = False
    for result in gpu.checks:
        short = short or lacks_memory(result)
        if short and result.outcome != "passed":
            result = CheckResult(result.name, "not-run", message=f"can't tell: {holder}")
        checks.append(result)
    return replace(gpu, checks=tuple(checks))


def without(facts: Facts, own: Collection[int]) -> Facts:
    """Return the facts as they are for others: what the processes `own` hold of the GPUs counts as free."""
    mine = [process for process in facts.gpu_processes if process.pid in own]
    if not mine:
        return facts
    held = {
        gpu.index: sum(process.memory_mib or 0 for process in mine if process.gpu == gpu.index)
        for gpu in facts.gpus
    }
    gpus = tuple(
        gpu
        if gpu.memory_free_mib is None
        else replace(gpu, memory_free_mib=gpu.memory_free_mib + held[gpu.index])
        for gpu in facts.gpus
    )
    others = tuple(process for process in facts.gpu_processes if process not in mine)
    return replace(facts, gpus=gpus, gpu_processes=others)


def holders(facts: Facts, own: Collection[int]) -> dict[int, str]:
    """Return, by the index of a GPU, which of the processes `own` hold memory of it, in words.

    NVML may list processes by numbers of another namespace. Where none of those listed exists here, any of them may
    be one of `own` that has loaded the driver.
    """
    listed = facts.gpu_processes
    known = [process for process in listed if process.pid in own]
    if not known and listed and not any(_exists(process) for process in listed) and any(map(_uses_cuda, own)):
        known = list(listed)
    by_gpu: dict[int, list[GpuProcess]] = defaultdict(list)
    for process in known:
        if process.gpu is not None:
            by_gpu[process.gpu].append(process)
    return {gpu: _in_words(processes) for gpu, processes in by_gpu.items()}


def _in_words(processes: list[GpuProcess]) -> str:
    memory = sum(process.memory_mib or 0 for process in processes)
    pids = ", ".join(str(process.pid) for process in processes[:4])
    who = "this session's own process" + ("es" if len(processes) > 1 else "")
    verb = "hold" if len(processes) > 1 else "holds"
    return f"{who} {pids} {verb} {f'{memory} MiB of ' if memory else ''}it"


def family(root: int) -> frozenset[int]:
    """Return the numbers of a process and of all that descend from it (Linux; elsewhere of the process alone)."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children[parent].append(int(entry.parent.name))
    found, rest = {root}, [root]
    while rest:
        new = [pid for pid in children[rest.pop()] if pid not in found]
        found.update(new)
        rest += new
    return frozenset(found)


def _exists(process: GpuProcess) -> bool:
    return process.pid is not None and Path(f"/proc/{process.pid}").exists()


def _uses_cuda(pid: int) -> bool:
    try:
        return "/libcuda.so" in Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return False
