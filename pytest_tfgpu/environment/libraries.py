"""Which CUDA libraries TensorFlow would load, from where and in which version, without loading them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from pytest_tfgpu.environment.loader import Loader, loader
from pytest_tfgpu.environment.tensorflow_build import Build
from pytest_tfgpu.model import Library

DRIVER = ("libcuda.so.1", "libnvidia-ml.so.1")
_BY_CUDA: dict[str, tuple[str, ...]] = {
    "11": ("cudart.11.0", "cublas.11", "cublasLt.11", "cufft.10", "curand.10", "cusolver.11", "cusparse.11"),
    "12": ("cudart.12", "cublas.12", "cublasLt.12", "cufft.11", "cusolver.11", "cusparse.12"),
    "13": ("cudart.13", "cublas.13", "cublasLt.13", "cufft.12", "cusolver.12", "cusparse.12"),
}
"""CUDA's major version -> the libraries that TensorFlow opens (CUDA release notes, component versions)."""
_VERSIONED = re.compile(r"\.so\.(\d+(?:\.\d+)+)$")
_MAJOR = re.compile(r"(libcu\w*)\.so\.\d+(?:\.0)?")
_LISTED = re.compile(r"^([^,\n]*/lib[^/,\n]+\.so[^/,\n]*),", re.MULTILINE)
_TOOLKITS = (
    "usr/local/cuda*/lib64",
    "usr/local/cuda*/targets/*/lib",
    "usr/local/cuda*/lib",
    "opt/cuda/lib64",
)


def wanted(build: Build) -> tuple[str, ...]:
    """Return the names that this TensorFlow opens, in its order; without a CUDA build the driver's only."""
    built_for = build.built_for
    if built_for is None or built_for.cuda is None:
        return DRIVER
    names = []
    for entry in _BY_CUDA.get(built_for.cuda.partition(".")[0], ()):
        stem, _, version = entry.partition(".")
        names.append(f"lib{stem}.so.{version}")
    if built_for.cudnn:
        names.append(f"libcudnn.so.{built_for.cudnn.partition('.')[0]}")
    return (*DRIVER, *names)


def collect(build: Build, environ: Mapping[str, str], root: Path = Path("/")) -> tuple[Library, ...]:
    """Find each wanted library as the loader would; empty where the loader isn't Linux's."""
    if not sys.platform.startswith("linux"):
        return ()
    search = _Search(loader(build.framework, environ, root), build, environ, root)
    return tuple(search.describe(name) for name in wanted(build))


def version_of(library: Library | None, parts: int) -> str | None:
    """Return the first `parts` numbers of a library's version, where it has that many."""
    numbers = (library.version or "").split(".") if library else []
    return ".".join(numbers[:parts]) if len(numbers) >= parts else None


class _Search:
    """One search on this machine; what is listed once isn't listed again."""

    def __init__(self, order: Loader, build: Build, environ: Mapping[str, str], root: Path) -> None:
        self._order, self._build, self._environ, self._root = order, build, environ, root
        self._wheels: dict[Path, dict[str, tuple[str, str]]] = {}

    def describe(self, name: str) -> Library:
        """Return the record of a library."""
        found = self._order.find(name)
        if found is None:
            searched = tuple(map(str, self._order.folders))
            return Library(name, searched=searched, near=tuple(dict.fromkeys(self._near(name))))
        provider, version = self._wheel(found.path)
        version = _file_version(found.path) or version
        return Library(name, str(found.path), version, provider or found.through)

    def _wheel(self, path: Path) -> tuple[str | None, str | None]:
        """Return (distribution, version) of the wheel that installed a library under a `nvidia` folder."""
        parts = path.parts
        if "nvidia" not in parts:
            return None, None
        depth = len(parts) - 1 - parts[::-1].index("nvidia")
        site = Path(*parts[:depth])
        if site not in self._wheels:
            self._wheels[site] = _wheel_files(site)
        return self._wheels[site].get("/".join(parts[depth:]), (None, None))

    def _near(self, name: str) -> Iterator[str]:
        others = (f"{folder}/{name}" for folder in self._other_folders)
        yield from (path for path in others if os.path.isfile(path))  # noqa: PTH113
        stem = name.partition(".so.")[0]
        for path in self._majors:
            if path.name.startswith(f"{stem}.so.") and path.name != name and path.exists():
                yield str(path)

    @cached_property
    def _majors(self) -> list[Path]:
        """The files `libcu*.so.N`, in whatever major version, that the loader would find by their names."""
        files = []
        for folder in self._order.folders:
            try:
                names = sorted(name for name in os.listdir(folder) if _is_major(name))  # noqa: PTH208
            except OSError:
                continue
            files += [folder / name for name in names]
        cached = sorted(Path(path) for name, path in self._order.cache.items() if _is_major(name))
        return [*files, *cached]

    @cached_property
    def _other_folders(self) -> list[Path]:
        """Where CUDA libraries are commonly put and the loader doesn't look: wheels, toolkits, conda."""
        folders: list[Path] = []
        if self._build.folder is not None:
            folders += sorted(self._build.folder.parent.glob("nvidia/*/lib"))
        for pattern in _TOOLKITS:
            folders += sorted(self._root.glob(pattern))
        for variable, inside in (("CUDA_HOME", "lib64"), ("CUDA_PATH", "lib64"), ("CONDA_PREFIX", "lib")):
            if self._environ.get(variable):
                folders.append(Path(self._environ[variable]) / inside)
        return [folder for folder in folders if folder not in self._order.folders]


def _is_major(name: str) -> bool:
    return name.startswith("libcu") and _MAJOR.fullmatch(name) is not None


def _file_version(path: Path) -> str | None:
    """Read the version from the file's own name, or from a name that its chain of links passes."""
    best = None
    for _ in range(8):
        match = _VERSIONED.search(path.name)
        if match and (best is None or len(match[1]) > len(best)):
            best = match[1]
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return best


def _wheel_files(site: Path) -> dict[str, tuple[str, str]]:
    """Return library -> (distribution, version) of NVIDIA's wheels in a folder of packages."""
    files: dict[str, tuple[str, str]] = {}
    for folder in site.glob("nvidia_*.dist-info"):
        stem, _, version = folder.name.removesuffix(".dist-info").rpartition("-")
        try:
            record = (folder / "RECORD").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        # cuDNN's wheels count a build number as a fourth part: 9.3.0.75 is cuDNN 9.3.0.
        number = ".".join(version.split(".")[:3]) if "cudnn" in stem else version
        for name in _LISTED.findall(record):
            files[name] = (stem.replace("_", "-"), number)
    return files
