"""With what XLA compiles for a GPU: ptxas and libdevice, looked for where TensorFlow looks, and never run."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_tfgpu.environment.libraries import WHEELS
from pytest_tfgpu.environment.tensorflow_build import Build
from pytest_tfgpu.model import Library

LIBDEVICE = "libdevice.10.bc"
_DATA_DIR = r"--xla_gpu_cuda_data_dir=(\S+)"
_RELEASE = r"/cuda-(\d+\.\d+)(?:/|$)"


def collect(build: Build, environ: Mapping[str, str], root: Path = Path("/")) -> tuple[Library, ...]:
    """Find ptxas and libdevice; empty where TensorFlow has no CUDA build, and where the system isn't Linux.

    The order is XLA's: the folder that XLA_FLAGS names, PATH (for programs), then the usual places
    (xla/stream_executor/cuda/subprocess_compilation.cc, tsl/platform/default/cuda_root_path.cc).
    """
    if not sys.platform.startswith("linux") or build.built_for is None or build.folder is None:
        return ()
    flags = environ.get("XLA_FLAGS")
    named = [Path(folder) for folder in re.findall(_DATA_DIR, flags)[-1:]] if flags else []
    usual = list(_usual_places(build.folder, environ, root))
    path = [Path(folder) for folder in environ.get("PATH", "").split(os.pathsep) if folder]
    programs = [
        *(folder / "bin/ptxas" for folder in named),
        *(folder / "ptxas" for folder in path),
        *(folder / "bin/ptxas" for folder in usual),
    ]
    bitcode = [folder / "nvvm/libdevice" / LIBDEVICE for folder in (*named, *usual)]
    version = build.wheels.get(WHEELS["ptxas"].replace("_", "-"))
    return _describe("ptxas", programs, build, version), _describe(LIBDEVICE, bitcode, build, version)


def _usual_places(tensorflow: Path, environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    if environ.get("CUDA_HOME"):
        yield Path(environ["CUDA_HOME"])
    yield root / "usr/local/cuda"
    yield root / "opt/cuda"
    yield tensorflow.parent / "nvidia/cuda_nvcc"
    yield tensorflow / "cuda"
    yield from tensorflow.parents[3:4]


def _describe(name: str, candidates: Iterable[Path], build: Build, built_for: str | None) -> Library:
    candidates = list(dict.fromkeys(candidates))
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        folders = tuple(str(path.parent) for path in candidates)
        return Library(name, searched=folders, built_for=built_for)
    version, provider = _origin(found, build)
    return Library(name, str(found), version, provider, built_for=built_for)


def _origin(path: Path, build: Build) -> tuple[str | None, str | None]:
    """Return version and provider of the toolkit that a file belongs to, from its metadata or its folder's name."""
    home = path.parent.parent if path.name == "ptxas" else path.parents[2]
    if build.folder is not None and home == build.folder.parent / "nvidia" / "cuda_nvcc":
        for metadata in build.folder.parent.glob("nvidia_cuda_nvcc_cu*.dist-info"):
            stem, _, version = metadata.name.removesuffix(".dist-info").rpartition("-")
            return version, stem.replace("_", "-")
    try:
        version = json.loads((home / "version.json").read_text("utf-8"))["cuda_nvcc"]["version"]
        return str(version), None
    except (OSError, ValueError, KeyError, TypeError):
        match = re.search(_RELEASE, f"{os.path.realpath(home)}/")
        return match[1] if match else None, None
