"""What the installed TensorFlow is and was built for, read from its files and never by importing it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_tfgpu.environment.files import names_in, text_of
from pytest_tfgpu.model import BuiltFor

BUILD_INFO = "tensorflow/python/platform/build_info.py"
NEWEST_PYTHON = (3, 13)
"""TensorFlow up to 2.21 has wheels for Python 3.13 and older (classifiers of tensorflow 2.21.0)."""
_DISTRIBUTIONS = ("tensorflow", "tf_nightly", "intel_tensorflow", "nvidia_tensorflow", "amd_tensorflow")
_PLAIN_NAMES = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu")
_CUDNN_BOUND = r"(?m)^Requires-Dist: nvidia-cudnn-cu\d+\b[^;\n]*?[>=]=\s*(\d+\.\d+)"
_WHEEL = re.compile(r"^Requires-Dist: nvidia-([a-z-]+)-cu\d+\b\s*\(?([^;\n)]*)", re.MULTILINE)
_LOWER = re.compile(r"[>=]=\s*(\d+(?:\.\d+)*)")
_CLAUSE = re.compile(r"\b([a-z]+_\d+[a-z]?)\b")


class Build(NamedTuple):
    """The installed TensorFlow. `folder` is None where none is installed, and `unknown` says so."""

    version: str | None = None
    distribution: str | None = None
    folder: Path | None = None
    is_cuda_build: bool | None = None
    built_for: BuiltFor | None = None
    owners: tuple[str, ...] = ()
    """The distributions that say this folder's files are theirs; more than one: they overwrote each other."""
    unknown: str | None = None
    wheels: Mapping[str, str] = MappingProxyType({})
    """Wheels of NVIDIA that its package names -> the oldest version it allows: `cuda-nvcc` -> `12.5.82`."""

    @property
    def framework(self) -> Path | None:
        """The library from which TensorFlow opens those of CUDA."""
        return self.folder / "libtensorflow_framework.so.2" if self.folder else None


def collect(search_path: Sequence[str], python: tuple[int, int] = sys.version_info[:2]) -> Build:
    """Describe the TensorFlow that an import would find along `search_path`.

    A folder named `tensorflow` that isn't an installed TensorFlow is passed over.
    """
    entries = (Path(entry) for entry in search_path if entry)
    site = next((entry for entry in entries if (entry / BUILD_INFO).is_file()), None)
    if site is None:
        return Build(unknown=_not_installed(python))
    owners = _owners(site)
    version = owners[0][1] if owners else None
    try:
        info = read_build_info((site / BUILD_INFO).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        info, unknown = {}, f"TensorFlow's build_info.py can't be read: {error}."
    else:
        unknown = "" if version else "TensorFlow is installed without the metadata that states its version."
    is_cuda = info.get("is_cuda_build")
    metadata = text_of(owners[0][2] / "METADATA") if owners and is_cuda else ""
    return Build(
        version=version,
        distribution=owners[0][0] if owners else None,
        folder=site / "tensorflow",
        is_cuda_build=is_cuda if isinstance(is_cuda, bool) else None,
        built_for=_built_for(info, metadata),
        owners=tuple(name for name, _, _ in owners),
        unknown=unknown or None,
        wheels={name: bound[1] for name, text in _WHEEL.findall(metadata) if (bound := _LOWER.search(text))},
    )


def read_build_info(text: str) -> Mapping[str, Any]:
    """Return the dictionary `build_info` of TensorFlow's generated module.

    Raises ValueError or SyntaxError where the text doesn't define one of literals.
    """
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "build_info" for target in node.targets
        ):
            value = node.value.args[0] if isinstance(node.value, ast.Call) and node.value.args else node.value
            try:
                return dict(ast.literal_eval(value))
            except TypeError as error:
                raise ValueError(f"build_info is no dictionary ({error})") from error
    raise ValueError("it defines no build_info")


def _not_installed(python: tuple[int, int]) -> str:
    if python > NEWEST_PYTHON:
        newest = ".".join(map(str, NEWEST_PYTHON))
        return (
            f"TensorFlow is not installed, and TensorFlow up to 2.21 has no wheel for Python "
            f"{python[0]}.{python[1]}: the newest it supports is {newest}."
        )
    return "TensorFlow is not installed for this Python."


def _owners(site: Path) -> list[tuple[str, str, Path]]:
    """Return (name, version, metadata folder) of the distributions that TensorFlow's files belong to."""
    candidates = []
    for name in sorted(name for name in names_in(site) if name.endswith(".dist-info")):
        stem, _, version = name.removesuffix(".dist-info").rpartition("-")
        if stem.replace("-", "_").lower().startswith(_DISTRIBUTIONS):
            candidates.append((stem.replace("_", "-").lower(), version, site / name))
    if len(candidates) == 1 and candidates[0][0] in _PLAIN_NAMES:
        return candidates
    owners = [candidate for candidate in candidates if _records(candidate[2], BUILD_INFO)]
    return owners or [candidate for candidate in candidates if candidate[0] in _PLAIN_NAMES]


def _records(folder: Path, name: str) -> bool:
    try:
        return name.encode() in (folder / "RECORD").read_bytes()
    except OSError:
        return False


def _built_for(info: Mapping[str, Any], metadata: str) -> BuiltFor | None:
    if not info.get("is_cuda_build"):
        return None
    cuda, cudnn = info.get("cuda_version"), info.get("cudnn_version")
    if isinstance(cudnn, str) and "." not in cudnn:
        cudnn = _cudnn_minor(metadata, cudnn) or cudnn
    return BuiltFor(
        cuda=cuda if isinstance(cuda, str) else None,
        cudnn=cudnn if isinstance(cudnn, str) else None,
        compute_capabilities=tuple(_capabilities(info.get("cuda_compute_capabilities"))),
    )


def _cudnn_minor(metadata: str, major: str) -> str | None:
    """Return major.minor of the oldest cuDNN of this major version that the wheel's own extra allows."""
    bounds = [bound for bound in re.findall(_CUDNN_BOUND, metadata) if bound.partition(".")[0] == major]
    return bounds[0] if bounds else None


def _capabilities(value: object) -> Iterable[str]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return (match for item in items if isinstance(item, str) for match in _CLAUSE.findall(item))
