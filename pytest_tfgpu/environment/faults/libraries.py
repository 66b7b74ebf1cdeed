"""Faults of the CUDA libraries that TensorFlow opens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_tfgpu.environment.libraries import WHEELS
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


def libraries_unreached(facts: Facts) -> Iterator[Finding]:
    """Find the libraries that are installed where the loader doesn't look."""
    for cause, entries in _by_cause(entry for entry in _missing(facts) if _outside(entry)):
        folders = list(dict.fromkeys(_outside(entry)[0].rpartition("/")[0] for entry in entries))
        site = (facts.tensorflow_path or "").rpartition("/")[0]
        left_out = [folder[len(site) + 1 :] for folder in folders if folder.startswith(f"{site}/nvidia/")]
        evidence = [EvidenceLine(_outside(entry)[0], "installed") for entry in entries]
        if site and left_out:
            text = f"lacks {enumerate_names(left_out)}"
            evidence.append(
                EvidenceLine(text, f"RUNPATH of {build_name(facts)}'s libtensorflow_framework.so.2")
            )
        names = enumerate_names([entry.name for entry in entries])
        them = "it is" if len(entries) == 1 else "they are"
        yield Finding(
            f"{build_name(facts)} can't load {names}: {them} installed where the loader doesn't look.",
            cause=cause,
            evidence=(*evidence, searched(entries[0])),
            help=(search_also(folders),),
        )


def libraries_missing(facts: Facts) -> Iterator[Finding]:
    """Find the libraries that are installed nowhere, or in another major version only."""
    for cause, entries in _by_cause(entry for entry in _missing(facts) if not _outside(entry)):
        others = [EvidenceLine(path, "another major version") for entry in entries for path in entry.near]
        folders = _folders_left_out(facts, entries)
        yield Finding(
            f"{build_name(facts)} can't load {enumerate_names([entry.name for entry in entries])}.",
            cause=cause,
            evidence=(*others[:4], searched(entries[0])),
            help=(*install_cuda_libraries(facts), *((search_also(folders),) if folders else ())),
        )


def libraries_broken(facts: Facts) -> Iterator[Finding]:
    """Find the libraries that are there and can't be loaded, for want of another library."""
    for cause, entries in _by_cause(entry for entry in facts.libraries if entry.path and entry.lacks):
        lacking = list(dict.fromkeys(name for entry in entries for name in entry.lacks))
        names = enumerate_names([entry.name for entry in entries])
        need = "needs and" if len(entries) == 1 else "need and"
        yield Finding(
            f"{build_name(facts)} can't load {names}, which {need} can't find {enumerate_names(lacking)}.",
            cause=cause,
            evidence=tuple(
                EvidenceLine(entry.path or "", f"lacks {', '.join(entry.lacks)}") for entry in entries
            ),
            help=install_cuda_libraries(facts),
        )


def libraries_older(facts: Facts) -> Iterator[Finding]:
    """Find libraries of an older minor version than TensorFlow's own package asks for; cuDNN has its own rule."""
    entries = [entry for entry in (*facts.libraries, *facts.on_demand) if _is_older(entry)]
    if not entries:
        return
    evidence = [
        EvidenceLine(
            f"{entry.name} {entry.version}, built for {entry.built_for}",
            entry.path or entry.provider or "loader",
        )
        for entry in entries[:4]
    ]
    evidence += [EvidenceLine(path, "passed over") for entry in entries[:1] for path in entry.others[:1]]
    names = enumerate_names([entry.name for entry in entries])
    what = "is" if len(entries) == 1 else "are"
    yield Finding(
        f"{names} {what} older here than what {build_name(facts)} was built for.",
        "warning",
        "cuda-version-mismatch",
        evidence=tuple(evidence),
        help=_take_off(entries) or install_cuda_libraries(facts),
    )


def cublas_parts(facts: Facts) -> Iterator[Finding]:
    """Find a cuBLAS whose two libraries come from different releases: the one is built upon the other."""
    front, base = find_library(facts, "libcublas.so"), find_library(facts, "libcublasLt.so")
    if not (front and base and front.path and base.path and front.version and base.version):
        return
    if numbers(front.version)[:3] == numbers(base.version)[:3]:
        return
    if min(len(numbers(front.version)), len(numbers(base.version))) < 3:
        return
    yield Finding(
        f"libcublas {front.version} and libcublasLt {base.version} come from different releases of CUDA.",
        "warning",
        "cuda-version-mismatch",
        evidence=(EvidenceLine(front.path, "libcublas"), EvidenceLine(base.path, "libcublasLt")),
        help=_take_off([front, base]) or install_cuda_libraries(facts),
    )


def _is_older(entry: Library) -> bool:
    has, wants = numbers(entry.version or ""), numbers(entry.built_for or "")
    if not entry.path or len(has) < 2 or len(wants) < 2 or entry.name.startswith("libcudnn"):
        return False
    return has[:2] < wants[:2]


def _take_off(entries: Iterable[Library]) -> tuple[Help, ...]:
    """Return which folders to take off LD_LIBRARY_PATH, where what they hide lies elsewhere on the path."""
    folders = [
        (entry.path or "").rpartition("/")[0]
        for entry in entries
        if entry.provider == "LD_LIBRARY_PATH" and entry.others
    ]
    return tuple(Help(f"Take {folder} off LD_LIBRARY_PATH.") for folder in dict.fromkeys(folders))


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


def _by_cause(entries: Iterable[Library]) -> Iterator[tuple[str, list[Library]]]:
    """Yield each cause and the libraries that it is about; cuDNN's are a cause of their own."""
    grouped: dict[str, list[Library]] = {"cuda-library-missing": [], "cudnn-missing": []}
    for entry in entries:
        is_cudnn = entry.name.startswith("libcudnn")
        grouped["cudnn-missing" if is_cudnn else "cuda-library-missing"].append(entry)
    yield from ((cause, found) for cause, found in grouped.items() if found)


def _folders_left_out(facts: Facts, entries: list[Library]) -> list[str]:
    """Return the folders that NVIDIA's wheels will fill and that TensorFlow's RUNPATH into wheels lacks."""
    site = (facts.tensorflow_path or "").rpartition("/")[0]
    if not site or not any("/nvidia/" in folder for folder in entries[0].searched):
        return []
    stems = (entry.name.partition(".so.")[0] for entry in entries)
    folders = (f"{site}/nvidia/{WHEELS[stem]}/lib" for stem in stems if stem in WHEELS)
    return [folder for folder in dict.fromkeys(folders) if folder not in entries[0].searched]


def _outside(entry: Library) -> list[str]:
    """Return the files of just this name that the loader doesn't come by."""
    return [path for path in entry.near if path.rpartition("/")[2] == entry.name]
