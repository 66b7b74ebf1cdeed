"""Lay out real files for tests: shared libraries built by gcc, installed packages, the files of a driver."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

BUILD_INFO = """\
import collections

build_info = collections.OrderedDict({pairs!r})
"""
CUDA_BUILD: Mapping[str, object] = {
    "cuda_compute_capabilities": ["sm_60", "sm_70", "sm_80", "sm_89", "compute_90"],
    "cuda_version": "12.5.1",
    "cudnn_version": "9",
    "is_cuda_build": True,
    "is_rocm_build": False,
}
CPU_BUILD: Mapping[str, object] = {"is_cuda_build": False, "is_rocm_build": False}


def compile_library(
    path: Path,
    *,
    soname: str = "",
    runpath: Sequence[str] = (),
    rpath: Sequence[str] = (),
    needs: Sequence[Path] = (),
    code: str = "",
) -> Path:
    """Build a shared library with gcc that needs others. Without gcc the test is skipped."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("gcc is not installed")
    path.parent.mkdir(parents=True, exist_ok=True)
    options = [f"-Wl,-soname,{soname}"] if soname else []
    if runpath:
        options += ["-Wl,--enable-new-dtags", f"-Wl,-rpath,{':'.join(runpath)}"]
    if rpath:
        options += ["-Wl,--disable-new-dtags", f"-Wl,-rpath,{':'.join(rpath)}"]
    options += ["-x", "none", "-Wl,--no-as-needed", *map(str, needs)]
    command = [gcc, "-shared", "-fPIC", "-x", "c", "-", "-o", str(path), *options]
    subprocess.run(command, input=code or "int unused;", text=True, check=True)
    return path


def touch(path: Path, text: str = "") -> Path:
    """Write a file and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@dataclass(frozen=True)
class Site:
    """A folder of installed packages."""

    folder: Path

    def install(
        self, name: str, version: str, files: Sequence[str] = (), *, requires: Sequence[str] = ()
    ) -> Site:
        """Install a distribution: its metadata, and its files unless they exist already."""
        metadata = self.folder / f"{name.replace('-', '_')}-{version}.dist-info"
        lines = [f"Requires-Dist: {line}" for line in requires]
        touch(metadata / "METADATA", "\n".join([f"Name: {name}", f"Version: {version}", *lines, "", "text"]))
        touch(metadata / "RECORD", "".join(f"{file},sha256=x,1\n" for file in files))
        for file in files:
            if not (self.folder / file).exists():
                touch(self.folder / file)
        return self

    def install_tensorflow(
        self,
        version: str = "2.21.0",
        *,
        name: str = "tensorflow",
        build: Mapping[str, object] = CUDA_BUILD,
        requires: Sequence[str] = (),
    ) -> Site:
        """Install what looks like TensorFlow to those who read files."""
        info = "tensorflow/python/platform/build_info.py"
        touch(self.folder / info, BUILD_INFO.format(pairs=list(build.items())))
        return self.install(name, version, ["tensorflow/__init__.py", info], requires=requires)
