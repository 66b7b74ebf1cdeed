"""Which of NVIDIA's libraries this process has loaded, and the versions that they give of themselves.

For a process that uses them already, as the preflight's child does: nothing is loaded here that isn't.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_tfgpu.environment.files import text_of

_NAME = re.compile(
    r"(libcuda|libcu[a-zA-Z]\w*|libnvrtc|libnvJitLink|libnccl|libnvidia-ml)\.so(?:\.(\d+(?:\.\d+)*))?$"
)
_PROPERTY = {
    "libcublas": "cublasGetProperty",
    "libcublasLt": "cublasLtGetProperty",
    "libcufft": "cufftGetProperty",
    "libcurand": "curandGetProperty",
    "libcusolver": "cusolverGetProperty",
    "libcusparse": "cusparseGetProperty",
    "libcudnn": "cudnnGetProperty",
    "libcudnn_graph": "cudnnGetProperty",
}
"""Library -> its function `int f(libraryPropertyType, int *)` (library_types.h: 0, 1, 2 are the version's parts)."""


def mapped(maps: Path = Path("/proc/self/maps")) -> list[str]:
    """Return the paths of the shared libraries that are loaded in this process; none where it isn't Linux's."""
    rows = (line.split(maxsplit=5) for line in text_of(maps).splitlines() if ".so" in line)
    return list(dict.fromkeys(row[5] for row in rows if len(row) == 6))


def libraries(maps: Path = Path("/proc/self/maps")) -> list[dict[str, Any]]:
    """Return name, file and version of each, as JSON of `LoadedLibrary`; none where the system isn't Linux.

    A library that doesn't tell its version has that of its file's name.
    """
    found = []
    for path in mapped(maps):
        match = _NAME.search(path.removesuffix(" (deleted)").rpartition("/")[2])
        if match:
            version = _ask(match[1], path) or (match[2] if "." in (match[2] or "") else None)
            found.append({"name": match[1], "path": path, "version": version})
    return sorted(found, key=lambda entry: (entry["name"], entry["path"]))


def _ask(name: str, path: str) -> str | None:
    ask = _QUESTIONS.get(name) or (_properties if name in _PROPERTY else None)
    if ask is None:
        return None
    try:
        return ask(ctypes.CDLL(path), name)
    except (OSError, AttributeError):
        return None


def _properties(library: ctypes.CDLL, name: str) -> str | None:
    ask, value, parts = getattr(library, _PROPERTY[name]), ctypes.c_int(), []
    for part in range(3):
        if ask(part, ctypes.byref(value)) != 0:
            return None
        parts.append(str(value.value))
    return ".".join(parts)


def _runtime(library: ctypes.CDLL, _name: str) -> str | None:
    value = ctypes.c_int()
    if library.cudaRuntimeGetVersion(ctypes.byref(value)) != 0:
        return None
    return f"{value.value // 1000}.{value.value % 1000 // 10}"


def _two_parts(library: ctypes.CDLL, name: str) -> str | None:
    ask = library.nvrtcVersion if name == "libnvrtc" else library.nvJitLinkVersion
    major, minor = ctypes.c_int(), ctypes.c_int()
    if ask(ctypes.byref(major), ctypes.byref(minor)) != 0:
        return None
    return f"{major.value}.{minor.value}"


def _nccl(library: ctypes.CDLL, _name: str) -> str | None:
    """NCCL writes 2.27.7 as 22707, and versions before 2.9 with one digit for the minor part: 2.8.4 as 2804."""
    value = ctypes.c_int()
    if library.ncclGetVersion(ctypes.byref(value)) != 0:
        return None
    scale = 10000 if value.value >= 10000 else 1000
    return f"{value.value // scale}.{value.value % scale // 100}.{value.value % 100}"


_QUESTIONS: dict[str, Callable[[ctypes.CDLL, str], str | None]] = {
    "libcudart": _runtime,
    "libnvrtc": _two_parts,
    "libnvJitLink": _two_parts,
    "libnccl": _nccl,
}
