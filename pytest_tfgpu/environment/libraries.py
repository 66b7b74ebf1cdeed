"""Which CUDA libraries TensorFlow would load, from where and in which version, without loading them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from pytest_tfgpu.environment.elf import NotElfError, read_dynamic
from pytest_tfgpu.environment.files import names_in, text_of
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
WHEELS = {
    "libcudart": "cuda_runtime",
    "libcublas": "cublas",
    "libcublasLt": "cublas",
    "libcufft": "cufft",
    "libcurand": "curand",
    "libcusolver": "cusolver",
    "libcusparse": "cusparse",
    "libcudnn": "cudnn",
    "libnvrtc": "cuda_nvrtc",
    "libnccl": "nccl",
    "ptxas": "cuda_nvcc",
    "libdevice": "cuda_nvcc",
}
"""Library -> the folder under `nvidia` that NVIDIA's wheels for CUDA 11 and 12 put it into."""
_NVRTC = {"11": "libnvrtc.so.11.2", "12": "libnvrtc.so.12", "13": "libnvrtc.so.13"}
_DRIVER_FOLDERS = (
    "usr/lib/wsl/lib",
    "usr/local/nvidia/lib64",
    "usr/local/nvidia/lib",
    "run/opengl-driver/lib",
)
"""Where the driver's libraries lie in WSL, in containers of older runtimes, and in NixOS."""
_VERSIONED = r"\.so\.(\d+(?:\.\d+)+)$"
_MAJOR = r"(libcu\w*)\.so\.\d+(?:\.0)?"
_LISTED = r"(?m)^([^,\n]*/lib[^/,\n]+\.so[^/,\n]*),"
_TOOLKIT = ("lib64", "targets/*/lib", "lib")
"""Where the libraries of a CUDA toolkit lie in its folder."""


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


def wanted_later(build: Build) -> tuple[str, ...]:
    """Return the names of the libraries that are opened only when an operation needs them."""
    cuda = build.built_for.cuda if build.built_for else None
    nvrtc = _NVRTC.get(cuda.partition(".")[0]) if cuda else None
    nccl = "libnccl.so.2" if "nccl" in build.wheels else None
    return tuple(filter(None, (nvrtc, nccl)))


def collect(
    build: Build, environ: Mapping[str, str], root: Path = Path("/")
) -> tuple[tuple[Library, ...], tuple[Library, ...]]:
    """Find each library as the loader would: those opened at once, those opened when an operation needs them.

    Both are empty where the loader isn't Linux's.
    """
    if not sys.platform.startswith("linux"):
        return (), ()
    search = _Search(loader(build.framework, environ, root), build, environ, root)
    at_once = tuple(search.describe(name) for name in wanted(build))
    opener = next((_opener_of_nvrtc(entry) for entry in at_once if entry.name.startswith("libcudnn")), None)
    later = []
    for name in wanted_later(build):
        later.append(search.describe(name, called_from=opener if name.startswith("libnvrtc") else None))
    return at_once, tuple(later)


def _opener_of_nvrtc(cudnn: Library) -> Path | None:
    """Return the file that opens NVRTC: from cuDNN 9 on libcudnn_graph, beside the one that TensorFlow opens."""
    if cudnn.path is None:
        return None
    part = Path(cudnn.path).with_name(cudnn.name.replace("libcudnn", "libcudnn_graph"))
    return part if part.is_file() else Path(cudnn.path)


def version_of(library: Library | None, parts: int) -> str | None:
    """Return the first `parts` numbers of a library's version, where it has that many."""
    numbers = (library.version or "").split(".") if library else []
    return ".".join(numbers[:parts]) if len(numbers) >= parts else None


class _Search:
    """One search on this machine; what is listed once isn't listed again."""

    def __init__(self, order: Loader, build: Build, environ: Mapping[str, str], root: Path) -> None:
        self._order, self._build, self._environ, self._root = order, build, environ, root
        self._folders = order.folders
        self._wheels: dict[Path, dict[str, tuple[str, str]]] = {}

    def describe(self, name: str, *, called_from: Path | None = None) -> Library:
        """Return the record of a library; `called_from`: the file that opens it, where that isn't TensorFlow."""
        order = self._order if called_from is None else self._order.called_from(called_from)
        wheel = WHEELS.get(name.partition(".so.")[0], "").replace("_", "-")
        built_for = cut(wheel, self._build.wheels.get(wheel))
        files = list(order.find_all(name))
        if not files:
            searched = tuple(map(str, order.folders))
            near = tuple(dict.fromkeys(self._near(name)))
            return Library(name, searched=searched, near=near, built_for=built_for)
        drivers = self._drivers(name) if name in DRIVER else ()
        found, *others = _distinct((*(file.path for file in files), *drivers))
        provider, version = self._wheel(found)
        return Library(
            name,
            str(found),
            _file_version(found) or version,
            provider or files[0].through,
            built_for=built_for,
            others=tuple(map(str, others)),
            lacks=() if name in DRIVER else tuple(self._lacking(found)),
        )

    def _drivers(self, name: str) -> Iterator[Path]:
        """Yield the files of this name in the driver's own folders, which the loader isn't always told of."""
        for folder in _DRIVER_FOLDERS:
            if (self._root / folder / name).is_file():
                yield self._root / folder / name

    def _lacking(self, path: Path) -> Iterator[str]:
        """Yield the libraries of NVIDIA's that a file needs and that are found neither from it nor from TensorFlow."""
        try:
            needed = read_dynamic(path).needed
        except (OSError, NotElfError):
            return
        names = [name for name in needed if name.startswith(("libcu", "libnv"))]
        order = self._order.called_from(path) if names else self._order
        yield from (name for name in names if not (order.find(name) or self._order.find(name)))

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
        if name in DRIVER:
            yield from map(str, self._drivers(name))
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
        for folder in _distinct(filter(os.path.isdir, self._folders)):
            files += [folder / name for name in sorted(_majors_among(names_in(folder)))]
        return [*files, *sorted(Path(self._order.cache[name]) for name in _majors_among(self._order.cache))]

    @cached_property
    def _other_folders(self) -> list[Path]:
        """Where CUDA libraries are commonly put and the loader doesn't look: wheels, toolkits, conda."""
        folders: list[Path] = []
        if self._build.folder is not None:
            wheels = self._build.folder.parent / "nvidia"
            folders += (wheels / name / "lib" for name in sorted(names_in(wheels)))
        local = self._root / "usr/local"
        toolkits = [local / name for name in sorted(names_in(local)) if name.startswith("cuda")]
        for inside in _TOOLKIT:
            folders += (folder for toolkit in toolkits for folder in sorted(toolkit.glob(inside)))
        folders.append(self._root / "opt/cuda/lib64")
        for variable, inside in (("CUDA_HOME", "lib64"), ("CUDA_PATH", "lib64"), ("CONDA_PREFIX", "lib")):
            if self._environ.get(variable):
                folders.append(Path(self._environ[variable]) / inside)
        return [folder for folder in folders if folder not in self._folders]


def cut(wheel: str, version: str | None) -> str | None:
    """Return a wheel's version as its library states it: 9.3.0.75 is cuDNN 9.3.0."""
    return ".".join(version.split(".")[:3]) if version and "cudnn" in wheel else version


def _distinct(paths: Iterable[Path]) -> list[Path]:
    """Return the first path of each file."""
    seen: dict[str, Path] = {}
    for path in paths:
        seen.setdefault(os.path.realpath(path), path)
    return list(seen.values())


def _majors_among(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if name[:5] == "libcu" and re.fullmatch(_MAJOR, name))


def _file_version(path: Path) -> str | None:
    """Read the version from the file's own name, or from a name that its chain of links passes."""
    best = None
    for _ in range(8):
        match = re.search(_VERSIONED, path.name)
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
        for name in re.findall(_LISTED, text_of(folder / "RECORD")):
            files[name] = (stem.replace("_", "-"), cut(stem, version) or version)
    return files
