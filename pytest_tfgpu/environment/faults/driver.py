"""Faults of the NVIDIA driver and of NVML."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_tfgpu.environment import known_pairs, nvml
from pytest_tfgpu.environment.driver import MODULE
from pytest_tfgpu.environment.wording import (
    build_name,
    find_library,
    numbers,
    reach_driver,
    reach_nvml,
    search_also,
    searched,
)
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Help, Library

_CONSUMER = re.compile(r"GeForce|TITAN|\bRTX [2-5]\d{3}\b")
"""Cards on which NVIDIA's forward compatibility packages don't work."""


def passed_over(facts: Facts) -> bool:
    """Whether this is a container on a machine with NVIDIA's driver, and was started without the GPUs."""
    shows = any(re.match(r"/dev/(nvidia|nvhost-gpu|dxg)", name) for name in facts.device_files)
    return facts.platform == "docker" and MODULE in facts.device_files and not shows


def driver_library(facts: Facts) -> Library | None:
    """Return the record of libcuda.so.1, where the loader finds one that isn't a stub for linking."""
    found = find_library(facts, "libcuda.so")
    return found if found and found.path and "/stubs/" not in found.path else None


def driver_missing(facts: Facts) -> Iterator[Finding]:
    """Find that the driver's own library isn't there, or is a stub for linking."""
    library = find_library(facts, "libcuda.so")
    if library is None or driver_library(facts) is not None:
        return
    if library.path is None:
        yield Finding(
            "The driver's library libcuda.so.1 is not found, though the machine has an NVIDIA GPU.",
            cause="driver-missing",
            evidence=(searched(library),),
            help=(search_also([library.near[0].rpartition("/")[0]]),)
            if library.near
            else reach_driver(facts),
        )
    else:
        yield Finding(
            "The loader takes a stub for the driver's library libcuda.so.1.",
            cause="driver-library-mismatch" if facts.driver else "driver-missing",
            evidence=(EvidenceLine(library.path, "loader"),),
            help=(Help("Take the folder of stubs off LD_LIBRARY_PATH; stubs serve linking only."),),
        )


def driver_shadowed(facts: Facts) -> Iterator[Finding]:
    """Find a libcuda.so.1 that isn't the loaded kernel driver's own, and so hides the one that is."""
    library = driver_library(facts)
    if library is None or library.path is None or facts.platform == "jetson":
        return
    own = [path for path in library.others if path.startswith("/usr/lib/wsl/")]
    if own and not library.path.startswith("/usr/lib/wsl/"):
        evidence = (EvidenceLine(library.path, "taken"), EvidenceLine(own[0], "passed over"))
        help_ = Help("Remove the NVIDIA driver that is installed inside WSL: Windows brings the only one.")
        summary = "A Linux driver's libcuda.so.1 hides that of WSL, and can't work there."
        yield Finding(summary, cause="driver-library-mismatch", evidence=evidence, help=(help_,))
        return
    has, kernel = numbers(library.version or ""), numbers(facts.driver or "")
    told = facts.nvml_error == nvml.VERSION_MISMATCH
    if told or len(has) < 2 or has[0] < 100 or not kernel or has == kernel:
        return
    shown = EvidenceLine(f"libcuda {library.version}", library.path)
    evidence = (shown, EvidenceLine(f"kernel driver {facts.driver}", "NVIDIA driver"))
    others = tuple(EvidenceLine(path, "passed over") for path in library.others[:2])
    if "/compat/" in library.path and has > kernel:
        names = [gpu.name for gpu in facts.visible if gpu.name]
        consumer = next((name for name in names if _CONSUMER.search(name)), None)
        if consumer is None:
            return
        summary = f"The forward compatibility libcuda {library.version} doesn't work on a {consumer}."
        help_ = Help("Take the folder `compat` off the loader's path, and update the driver instead.")
    elif "/compat/" in library.path:
        summary = (
            f"The libcuda {library.version} of a compat package is older than the driver {facts.driver}."
        )
        help_ = Help(
            "Take the folder `compat` off the loader's path: the driver is newer than what it is for."
        )
    else:
        summary = f"The loader takes libcuda {library.version}, and the driver that runs is {facts.driver}."
        help_ = Help("Restart after a driver update; else remove the libcuda.so.1 that is not the driver's.")
    yield Finding(summary, cause="driver-library-mismatch", evidence=(*evidence, *others), help=(help_,))


def needs_nvml(facts: Facts) -> bool:
    """Whether the installed TensorFlow has no GPU where NVML fails: seen with 2.21.0, and not with 2.16.2."""
    return not (facts.tensorflow or "").startswith("2.16.")


def nvml_silent(facts: Facts) -> Iterator[Finding]:
    """Find that NVML gives no answer, where TensorFlow does without."""
    if "nvml" in facts.unknown:
        summary = "NVML gives no answer, so the GPUs of this machine are not known."
        evidence = (EvidenceLine(facts.unknown["nvml"], "NVML"), *_driver_versions(facts))
        yield Finding(summary, "warning", evidence=evidence)


def nvml_fails(facts: Facts, *, cuda_works: bool = False) -> Iterator[Finding]:
    """Find that NVML is missing or refuses: TensorFlow asks it, too, and then silently drops the GPU.

    `cuda_works`: CUDA showed a GPU, whatever NVML says of the driver.
    """
    reason = facts.unknown.get("nvml")
    if reason is None or facts.platform == "jetson" or any(driver_missing(facts)):
        return
    if facts.is_cuda_build is False and facts.nvml_error not in (
        nvml.VERSION_MISMATCH,
        nvml.DRIVER_NOT_LOADED,
    ):
        return
    evidence = (EvidenceLine(reason, "NVML"), *_driver_versions(facts))
    if not needs_nvml(facts):
        yield from nvml_silent(facts)
    elif facts.nvml_error == nvml.LIBRARY_NOT_FOUND:
        library = find_library(facts, "libnvidia-ml.so")
        yield Finding(
            "TensorFlow can't load NVML (libnvidia-ml.so.1), and without it silently drops every GPU.",
            cause="cuda-library-missing",
            evidence=(*evidence, searched(library)) if library else evidence,
            help=reach_nvml(facts),
        )
    elif facts.nvml_error == nvml.VERSION_MISMATCH:
        help_ = Help("Restart the machine after a driver update, or reload the NVIDIA kernel modules.")
        summary = "The NVIDIA kernel driver and its libraries differ in version."
        yield Finding(summary, cause="driver-library-mismatch", evidence=evidence, help=(help_,))
    elif facts.nvml_error == nvml.DRIVER_NOT_LOADED and not cuda_works:
        summary = "The NVIDIA kernel driver is not loaded."
        yield Finding(summary, cause="driver-missing", evidence=evidence, help=reach_driver(facts))
    elif facts.nvml_error is not None:
        help_ = Help("Run nvidia-smi, which asks the same library and says more.", sure=False)
        summary = "NVML fails, and TensorFlow then silently drops every GPU."
        yield Finding(summary, cause="driver-unhealthy", evidence=evidence, help=(help_,))
    else:
        yield Finding(reason, "warning", "driver-unhealthy" if "crashed" in reason else None)


def driver_too_old(facts: Facts) -> Iterator[Finding]:
    """Find that the driver is older than the CUDA that TensorFlow was built with needs."""
    needed = facts.built_for.cuda if facts.built_for else None
    if needed is None:
        return
    build = f"{build_name(facts)} is built with CUDA {needed}"
    update = (Help("Update the NVIDIA driver, or install a TensorFlow that was built with an older CUDA."),)
    if facts.driver_cuda:
        shown = EvidenceLine(f"driver {facts.driver or '(unknown)'}: CUDA {facts.driver_cuda}", "NVML")
        has, wants = numbers(facts.driver_cuda), numbers(needed)
        if not has:
            return
        if has[:1] < wants[:1]:
            summary = f"The driver supports CUDA {facts.driver_cuda} at most; {build}."
            yield Finding(summary, cause="driver-too-old", evidence=(shown,), help=update)
        elif has[:2] < wants[:2]:
            summary = f"The driver supports CUDA {facts.driver_cuda}, and {build}."
            yield Finding(summary, "warning", "driver-too-old", evidence=(shown,), help=update)
    elif facts.driver and facts.platform != "jetson":
        row = known_pairs.needed("driver", "cuda", numbers(needed))
        has = numbers(facts.driver)
        if row and has and has < row.at_least:
            summary = f"The driver {facts.driver} is too old: {build}."
            text = f"needs driver {known_pairs.text(row.at_least)} or newer ({row.source.url})"
            evidence = EvidenceLine(text, f"CUDA {needed}")
            yield Finding(summary, cause="driver-too-old", evidence=(evidence,), help=update)


def _driver_versions(facts: Facts) -> tuple[EvidenceLine, ...]:
    library = find_library(facts, "libcuda.so")
    lines = []
    if facts.driver:
        lines.append(EvidenceLine(f"kernel driver {facts.driver}", "/proc/driver/nvidia/version"))
    if library and library.path and library.version and "." in library.version:
        lines.append(EvidenceLine(f"libcuda {library.version}", library.path))
    return tuple(lines)
