"""Which CUDA libraries TensorFlow would load, from where and in which version, without loading them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from pytest_tfgpu.environment.loader import Found, Loader, loader
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
    order = loader(build.framework, environ, root)
    return tuple(_describe(name, order, build, environ, root) for name in wanted(build))


def version_of(library: Library | None, parts: int) -> str | None:
    """Return the first `parts` numbers of a library's version, where it has that many."""
    numbers = (library.version or "").split(".") if library else []
    return ".".join(numbers[:parts]) if len(numbers) >= parts else None


def _describe(name: str, order: Loader, build: Build, environ: Mapping[str, str], root: Path) -> Library:
    found = order.find(name)
    if found is None:
        return Library(
            name,
            searched=tuple(map(str, order.folders)),
            near=tuple(dict.fromkeys(_near(name, order, build, environ, root))),
        )
    provider, version = _wheel(found.path)
    return Library(
        name,
        path=str(found.path),
        version=_version(found) or version,
        provider=provider or found.through,
    )


def _version(found: Found) -> str | None:
    """Read the version from the file's own name, or from a name that its chain of links passes."""
    path, best = found.path, None
    for _ in range(8):
        match = _VERSIONED.search(path.name)
        if match and (best is None or len(match[1]) > len(best)):
            best = match[1]
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return best


def _wheel(path: Path) -> tuple[str | None, str | None]:
    """Return (distribution, version) of the wheel that installed a library under a `nvidia` folder."""
    parts = path.parts
    if "nvidia" not in parts:
        return None, None
    depth = len(parts) - 1 - parts[::-1].index("nvidia")
    site = Path(*parts[:depth])
    return _wheel_files(site).get("/".join(parts[depth:]), (None, None))


@cache
def _wheel_files(site: Path) -> dict[str, tuple[str, str]]:
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


def _near(name: str, order: Loader, build: Build, environ: Mapping[str, str], root: Path) -> Iterator[str]:
    stem = name.partition(".so.")[0]
    for folder in _other_folders(build, environ, root):
        if folder not in order.folders and (folder / name).is_file():
            yield str(folder / name)
    for folder in order.folders:
        yield from (str(path) for path in _majors(folder, stem) if path.name != name)
    for cached, path in sorted(order.cache.items()):
        if cached.startswith(f"{stem}.so.") and cached != name and path.exists():
            yield str(path)


def _majors(folder: Path, stem: str) -> list[Path]:
    """Return the files `stem.so.N` of a folder, without those of more exact versions."""
    pattern = re.compile(rf"{re.escape(stem)}\.so\.\d+(\.0)?")
    try:
        return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name))
    except OSError:
        return []


def _other_folders(build: Build, environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    """Yield where CUDA libraries are commonly put: beside TensorFlow, in toolkits and conda environments."""
    if build.folder is not None:
        yield from sorted(build.folder.parent.glob("nvidia/*/lib"))
    for pattern in _TOOLKITS:
        yield from sorted(root.glob(pattern))
    for variable, inside in (("CUDA_HOME", "lib64"), ("CUDA_PATH", "lib64"), ("CONDA_PREFIX", "lib")):
        if environ.get(variable):
            yield Path(environ[variable]) / inside
