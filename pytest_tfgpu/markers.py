"""The requirements: one typed function per marker.

Calling the function with a marker's arguments checks them; what it returns is asked, before the test, whether this
machine meets the requirement. The `--markers` line is made from the signature and the docstring.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from pytest_tfgpu.requirements import Machine, Requirement, meets, names_of, size_mib, specifier

if TYPE_CHECKING:
    from pytest_tfgpu.model import Facts, Gpu


def requires_gpu(
    count: int = 1,
    *,
    memory: str | None = None,
    free_memory: str | None = None,
    compute_capability: str | None = None,
) -> Requirement:
    """Skip the test unless TensorFlow can use `count` GPUs with this total and free memory and this capability."""
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count: expected a number of GPUs from 1 on, got {count!r}")
    total = None if memory is None else size_mib(memory)
    free = None if free_memory is None else size_mib(free_memory)
    capability = None if compute_capability is None else specifier(compute_capability, ">=7.0")
    wishes = {"memory": memory, "free memory": free_memory, "compute capability": compute_capability}
    with_ = ", ".join(f"{name} {wish}" for name, wish in wishes.items() if wish is not None)
    required = f"{count} GPU{'s' * (count > 1)}" + (f" with {with_}" if with_ else "")

    def fits(gpu: Gpu) -> bool:
        return (
            (total is None or (gpu.memory_total_mib or 0) >= total)
            and (free is None or (_free_mib(gpu) or 0) >= free)
            and (capability is None or meets(gpu.compute_capability, capability))
        )

    def ask(machine: Machine) -> str | None:
        gpus = machine.gpus()
        fitting = sum(map(fits, gpus))
        if fitting >= count:
            return None
        seen = describe(gpus, memory=total is not None, free=free is not None)
        return f"{seen}{machine.withheld(count, fits)}"

    return Requirement(required, ask, fits=fits)


def together(requirements: Sequence[Requirement]) -> Requirement:
    """Return what several requirements on GPUs ask of the same GPU: each met by another one is no help to a test."""
    tests = [requirement.fits for requirement in requirements if requirement.fits is not None]

    def ask(machine: Machine) -> str | None:
        gpus = machine.gpus()
        if any(all(fits(gpu) for fits in tests) for gpu in gpus):
            return None
        return f"no GPU that meets all of it, among {describe(gpus, memory=True, free=True)}"

    return Requirement(" and ".join(requirement.required for requirement in requirements), ask)


def describe(gpus: Sequence[Gpu], *, memory: bool, free: bool) -> str:
    """Say which GPUs there are, equal ones once: `3 GPUs (2 x Tesla T4, compute capability 7.5; NVIDIA L4)`."""
    counts = Counter(_describe(gpu, memory=memory, free=free) for gpu in gpus)
    seen = "; ".join(text if number == 1 else f"{number} x {text}" for text, number in counts.items())
    return f"{len(gpus)} GPU{'s' * (len(gpus) != 1)} ({seen})"


def _free_mib(gpu: Gpu) -> int | None:
    """Return the free memory that this process may take: its share, where workers share the GPU."""
    known = [mib for mib in (gpu.memory_free_mib, gpu.memory_share_mib) if mib is not None]
    return min(known, default=None)


def _describe(gpu: Gpu, *, memory: bool, free: bool) -> str:
    parts = [gpu.name or "unnamed"]
    if gpu.compute_capability:
        parts.append(f"compute capability {gpu.compute_capability}")
    if memory:
        parts.append("memory unknown" if gpu.memory_total_mib is None else f"{gpu.memory_total_mib} MiB")
    if free:
        mib = _free_mib(gpu)
        whose = "" if gpu.memory_share_mib is None else " for this worker"
        parts.append("free memory unknown" if mib is None else f"{mib} MiB free{whose}")
    return ", ".join(parts)


def _library(facts: Facts, stem: str, version: str | None) -> str:
    """Say what was found of a library: version, file and where it comes from."""
    for library in facts.libraries:
        if library.name.startswith(f"lib{stem}."):
            if library.path is None:
                return f"no {library.name}"
            origin = f" from {library.provider}" if library.provider else ""
            return f"{version or 'version unknown'} ({library.name}{origin})"
    return version or facts.unknown.get(stem) or f"no lib{stem}"


def requires_cudnn(version: str | None = None) -> Requirement:
    """Skip the test unless the cuDNN that TensorFlow would load has this version (`">=9.1,<10"`).

    Where its file doesn't tell the version, the checks are run once, and the cuDNN that they loaded is asked.
    """
    wanted = None if version is None else specifier(version, ">=9.1")

    def ask(machine: Machine) -> str | None:
        machine.gpus()
        found = machine.facts.cudnn
        if found is None and machine.facts.finds_library("libcudnn"):
            if wanted is None:
                return None
            found = machine.checked().cudnn_loaded
        if found is not None and (wanted is None or meets(found, wanted)):
            return None
        return _library(machine.facts, "cudnn", found)

    return Requirement(f"cuDNN {version or 'of any version'}", ask)


def requires_cuda(version: str) -> Requirement:
    """Skip the test unless the CUDA runtime that TensorFlow would load has this version (`">=12.3"`)."""
    wanted = specifier(version, ">=12.3")

    def ask(machine: Machine) -> str | None:
        machine.gpus()
        found = machine.facts.cuda
        return None if meets(found, wanted) else _library(machine.facts, "cudart", found)

    return Requirement(f"CUDA {version}", ask)


def requires_driver(version: str) -> Requirement:
    """Skip the test unless the NVIDIA driver has this version (`">=550"`)."""
    wanted = specifier(version, ">=550")

    def ask(machine: Machine) -> str | None:
        machine.gpus()
        found = machine.facts.driver
        unknown = (
            machine.facts.unknown.get("driver") or machine.facts.unknown.get("nvml") or "version unknown"
        )
        return None if meets(found, wanted) else found or unknown

    return Requirement(f"driver {version}", ask)


def requires_tensorflow(version: str) -> Requirement:
    """Skip the test unless the installed TensorFlow has this version (`">=2.18"`). Needs no GPU."""
    wanted = specifier(version, ">=2.18")

    def ask(machine: Machine) -> str | None:
        found, there = machine.facts.tensorflow, machine.facts.tensorflow_path
        unknown = "TensorFlow of unknown version" if there else "no TensorFlow"
        return None if meets(found, wanted) else found or unknown

    return Requirement(f"TensorFlow {version}", ask)


def requires_dtype(*dtypes: str) -> Requirement:
    """Skip the test unless a check of the preflight computed in each of these data types (`"float16"`)."""
    names = names_of(dtypes, "data type")

    def ask(machine: Machine) -> str | None:
        return _failing(machine, machine.checks_of(names))

    return Requirement(f"data type {', '.join(names)}", ask, dtypes=names)


def requires_check(*checks: str) -> Requirement:
    """Skip the test unless these checks of the preflight pass (`"conv2d"`)."""
    names = names_of(checks, "check")

    def ask(machine: Machine) -> str | None:
        return _failing(machine, names)

    return Requirement(f"check {', '.join(names)}", ask, checks=names)


def _failing(machine: Machine, checks: tuple[str, ...]) -> str | None:
    """Ask the checks that ran; each must have passed on every device that TensorFlow sees here."""
    if machine.device == "gpu":
        machine.gpus()
    preflight = machine.checked()
    if not preflight.gpus:
        return preflight.reason or "the checks could not be run"
    for gpu in preflight.gpus:
        results = {result.name: result for result in gpu.checks}
        for name in checks:
            result = results.get(name)
            if result is None:
                return f"check {name} was not run (--tfgpu-checks)"
            if result.outcome != "passed":
                where = "on the CPU" if gpu.index is None else f"on GPU {gpu.index}"
                words = {"timeout": "timed out", "not-run": "was not run"}.get(result.outcome, result.outcome)
                return f"check {name} {words} {where}" + (f": {result.message}" if result.message else "")
    return None


class Expectation(NamedTuple):
    """Causes that a test may fail of for now."""

    causes: tuple[str, ...]
    reason: str | None
    until: date | None
    """The last day on which that is fine."""

    @property
    def is_over(self) -> bool:
        """Whether that day is over."""
        return self.until is not None and date.today() > self.until


def xfail_cause(*causes: str, reason: str | None = None, until: str | None = None) -> Expectation:
    """Expect the test to fail of one of these causes and of no other, `until` a day (`"2027-03-01"`)."""
    names = names_of(causes, "cause")
    if reason is not None and not isinstance(reason, str):
        raise ValueError(f"reason: expected a text, got {reason!r}")
    try:
        last = None if until is None else date.fromisoformat(until)
    except (TypeError, ValueError):
        raise ValueError(f"until: expected a day such as '2027-03-01', got {until!r}") from None
    return Expectation(names, reason, last)


REQUIREMENTS: dict[str, Callable[..., Requirement]] = {
    marker.__name__: marker
    for marker in (
        requires_gpu,
        requires_cudnn,
        requires_cuda,
        requires_driver,
        requires_tensorflow,
        requires_dtype,
        requires_check,
    )
}
"""The markers that say what a test needs, by name."""

MARKERS: tuple[Callable[..., Requirement | Expectation], ...] = (*REQUIREMENTS.values(), xfail_cause)
BY_NAME = {marker.__name__: marker for marker in MARKERS}


def marker_lines() -> list[str]:
    """Return one line per marker, as `pytest --markers` shows them."""
    lines = []
    for marker in MARKERS:
        signature = inspect.signature(marker).replace(return_annotation=inspect.Signature.empty)
        bare = signature.replace(
            parameters=[
                parameter.replace(annotation=inspect.Parameter.empty)
                for parameter in signature.parameters.values()
            ]
        )
        lines.append(f"{marker.__name__}{bare}: {(marker.__doc__ or '').splitlines()[0]}")
    return lines
