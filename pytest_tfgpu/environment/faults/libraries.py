"""Faults of the CUDA libraries that TensorFlow opens."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_tfgpu.environment.wording import (
    build_name,
    enumerate_names,
    find_library,
    install_cuda_libraries,
    numbers,
    search_also,
    searched,
)
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Help, Library

WHEEL_FOLDERS = {
    "cudart": "cuda_runtime",
    "cublas": "cublas",
    "cublasLt": "cublas",
    "cufft": "cufft",
    "cusolver": "cusolver",
    "cusparse": "cusparse",
    "cudnn": "cudnn",
}
"""Library -> the folder under `nvidia` that NVIDIA's wheels for CUDA 11 and 12 put it into."""


def libraries_unreached(facts: Facts) -> Iterator[Finding]:
    """Find a library that is installed where the loader doesn't look."""
    for entry in _missing(facts):
        reachable = _outside(entry)
        if not reachable:
            continue
        folder = reachable[0].rpartition("/")[0]
        evidence = [EvidenceLine(reachable[0], "files"), searched(entry)]
        site = (facts.tensorflow_path or "").rpartition("/")[0]
        if site and folder.startswith(f"{site}/nvidia/"):
            part = folder[len(site) + 1 :]
            text = f"{part} is missing in the RUNPATH of libtensorflow_framework.so.2"
            evidence.insert(1, EvidenceLine(text, build_name(facts)))
        yield Finding(
            f"{build_name(facts)} can't load {entry.name}: it is installed where the loader doesn't look.",
            cause=_cause(entry),
            evidence=tuple(evidence),
            help=(search_also(folder),),
        )


def libraries_missing(facts: Facts) -> Iterator[Finding]:
    """Find the libraries that are installed nowhere, or in another major version only."""
    absent = [entry for entry in _missing(facts) if not _outside(entry)]
    cuda = [entry for entry in absent if _cause(entry) == "cuda-library-missing"]
    for entries in (cuda, [entry for entry in absent if entry not in cuda]):
        if not entries:
            continue
        others = [EvidenceLine(path, "another major version") for entry in entries for path in entry.near]
        yield Finding(
            f"{build_name(facts)} can't load {enumerate_names([entry.name for entry in entries])}.",
            cause=_cause(entries[0]),
            evidence=(*others[:4], searched(entries[0])),
            help=(*install_cuda_libraries(facts), *_folders_left_out(facts, entries)),
        )


def cudnn_version(facts: Facts) -> Iterator[Finding]:
    """Find a cuDNN that is older than what TensorFlow was compiled with, or of another major version."""
    needed = facts.built_for.cudnn if facts.built_for else None
    if needed is None or facts.cudnn is None:
        return
    has, wants = numbers(facts.cudnn), numbers(needed)
    if not has or not wants:
        return
    if has[:1] == wants[:1] and (len(wants) < 2 or has[1:2] >= wants[1:2]):
        return
    library = find_library(facts, "libcudnn.so")
    origin = library.provider if library and library.provider else "loader"
    help_ = install_cuda_libraries(facts)
    if origin == "LD_LIBRARY_PATH" and library and library.path:
        folder = library.path.rpartition("/")[0]
        help_ = (Help(f"Put a cuDNN that fits into {folder}, or take that folder off LD_LIBRARY_PATH."),)
    yield Finding(
        f"cuDNN {facts.cudnn} is found here; {build_name(facts)} needs {needed} or a newer {wants[0]}.",
        cause="cudnn-version-mismatch",
        evidence=(EvidenceLine(library.path, origin),) if library and library.path else (),
        help=help_,
    )


def _missing(facts: Facts) -> list[Library]:
    """Return the libraries of CUDA that the loader doesn't find; the driver's own are left out."""
    driver = ("libcuda.so", "libnvidia-ml.so")
    return [entry for entry in facts.libraries if entry.path is None and not entry.name.startswith(driver)]


def _folders_left_out(facts: Facts, entries: list[Library]) -> list[Help]:
    """Return the lines that make the loader look where NVIDIA's wheels will put what TensorFlow's RUNPATH lacks."""
    site = (facts.tensorflow_path or "").rpartition("/")[0]
    folders = {
        f"{site}/nvidia/{WHEEL_FOLDERS[stem]}/lib": entry for entry in entries if (stem := _stem(entry))
    }
    return [
        search_also(folder)
        for folder, entry in folders.items()
        if site and any("/nvidia/" in path for path in entry.searched) and folder not in entry.searched
    ]


def _stem(entry: Library) -> str | None:
    stem = entry.name.removeprefix("lib").partition(".so.")[0]
    return stem if stem in WHEEL_FOLDERS else None


def _outside(entry: Library) -> list[str]:
    """Return the files of just this name that the loader doesn't come by."""
    return [path for path in entry.near if path.rpartition("/")[2] == entry.name]


def _cause(entry: Library) -> str:
    return "cudnn-missing" if entry.name.startswith("libcudnn") else "cuda-library-missing"
