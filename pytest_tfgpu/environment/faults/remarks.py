"""What only some operations would meet, or what is worth knowing: the doctor's, and no verdict's."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_tfgpu.environment import known_pairs
from pytest_tfgpu.environment.toolkit import LIBDEVICE
from pytest_tfgpu.environment.wording import (
    build_name,
    enumerate_names,
    install_cuda_libraries,
    numbers,
    searched,
)
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Help, Library


def remarks(facts: Facts) -> Iterator[Finding]:
    """Yield what is to be said besides the faults of a machine with a GPU."""
    for rule in (toolkit_missing, ptxas_unfit, nccl_missing, copies):
        yield from rule(facts)


def toolkit_missing(facts: Facts) -> Iterator[Finding]:
    """Find that XLA lacks what it compiles with."""
    missing = [entry for entry in _tools(facts) if entry.path is None]
    if missing:
        names = enumerate_names([entry.name for entry in missing])
        yield Finding(
            f"XLA finds no {names.replace(' and ', ' and no ')}: what is compiled with it (jit_compile, Keras' fit) "
            "may fail on the GPU.",
            "warning",
            "cuda-toolkit-not-found",
            evidence=(searched(missing[0]),),
            help=install_cuda_libraries(facts),
        )


def ptxas_unfit(facts: Facts) -> Iterator[Finding]:
    """Find a ptxas that XLA passes over, or whose programs the driver is too old for."""
    ptxas = next((entry for entry in _tools(facts) if entry.name == "ptxas" and entry.path), None)
    if ptxas is None or not ptxas.version:
        return
    version, driver = numbers(ptxas.version), numbers(facts.driver or "")
    place = EvidenceLine(ptxas.path or "", f"ptxas {ptxas.version}")
    row = known_pairs.refused("ptxas", version)
    if row is not None:
        yield Finding(
            f"XLA doesn't use ptxas {ptxas.version}, which it finds first.",
            "warning",
            "cuda-toolkit-not-found",
            evidence=(place, EvidenceLine(row.source.url, "known of it")),
            help=install_cuda_libraries(facts),
        )
    need = known_pairs.needed("driver", "cuda", version)
    if need is not None and driver and facts.platform not in ("jetson", "wsl") and driver < need.at_least:
        oldest = known_pairs.text(need.at_least)
        help_ = Help("Put the ptxas of TensorFlow's CUDA version first on PATH, or update the driver.")
        yield Finding(
            f"XLA finds ptxas {ptxas.version} first, whose programs the driver {facts.driver} is too old for.",
            "warning",
            "cuda-version-mismatch",
            evidence=(place, EvidenceLine(f"needs driver {oldest} or newer", need.source.url)),
            help=(help_,),
        )


def nccl_missing(facts: Facts) -> Iterator[Finding]:
    """Find that several GPUs can't work together for want of NCCL."""
    nccl = next((entry for entry in facts.on_demand if entry.name.startswith("libnccl.")), None)
    if nccl is not None and nccl.path is None and len(facts.visible) > 1:
        yield Finding(
            f"{build_name(facts)} can't load {nccl.name}: {len(facts.visible)} GPUs are visible, and what they compute "
            "together may fail.",
            "warning",
            "cuda-library-missing",
            evidence=(searched(nccl),),
            help=install_cuda_libraries(facts),
        )


def copies(facts: Facts) -> Iterator[Finding]:
    """Find libraries of which the loader comes by several files, and takes the first."""
    doubled = [entry for entry in (*facts.libraries, *facts.on_demand) if entry.path and entry.others]
    if doubled:
        names = enumerate_names([entry.name for entry in doubled])
        what = "is" if len(doubled) == 1 else "are"
        evidence = [
            EvidenceLine(path, f"{entry.name} {word}")
            for entry in doubled[:3]
            for path, word in ((entry.path or "", "taken"), (entry.others[0], "passed over"))
        ]
        yield Finding(f"{names} {what} found more than once.", "info", evidence=tuple(evidence))


def _tools(facts: Facts) -> list[Library]:
    return [entry for entry in facts.on_demand if entry.name in ("ptxas", LIBDEVICE)]
