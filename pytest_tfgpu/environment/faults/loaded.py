"""What was really loaded, against what the facts expected: the evidence of the preflight's child."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pytest_tfgpu.environment.wording import find_library, numbers
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, LoadedLibrary

_CAUSES = {"libcudnn": "cudnn-version-mismatch", "libcuda": "driver-library-mismatch"}


def differences(facts: Facts, loaded: Sequence[LoadedLibrary]) -> Iterator[Finding]:
    """Find libraries of which two are loaded at once, or another than the loader was expected to take."""
    names = dict.fromkeys(entry.name for entry in loaded)
    for name in names:
        entries = [entry for entry in loaded if entry.name == name]
        if len(entries) > 1:
            yield _twice(name, entries)
        else:
            yield from _other(facts, entries[0])
    yield from _parts(loaded)


def as_loaded(facts: Facts, loaded: Sequence[LoadedLibrary], cudnn: str | None = None) -> Facts:
    """Return the facts as evidence about a process that loaded these: with their versions of CUDA and cuDNN."""
    runtime = {entry.version for entry in loaded if entry.name == "libcudart" and entry.version}
    cuda = runtime.pop() if len(runtime) == 1 else facts.cuda
    return replace(facts, cuda=cuda, cudnn=cudnn or facts.cudnn)


def _twice(name: str, entries: Sequence[LoadedLibrary]) -> Finding:
    versions = dict.fromkeys(entry.version or "unknown" for entry in entries)
    what = f"in the versions {' and '.join(versions)}" if len(versions) > 1 else "from two files"
    return Finding(
        f"{name} is loaded twice in one process, {what}.",
        "warning",
        _cause(name),
        evidence=tuple(map(_quote, entries)),
    )


def _other(facts: Facts, entry: LoadedLibrary) -> Iterator[Finding]:
    expected = find_library(facts, f"{entry.name}.so")
    if expected is None or not expected.path or not entry.path:
        return
    if os.path.realpath(expected.path) == os.path.realpath(entry.path):
        return
    found = f" {entry.version}" if entry.version else ""
    differs = _numbers(entry.version) != _numbers(expected.version)
    yield Finding(
        f"TensorFlow loaded {entry.name}{found} from another place than expected.",
        "warning" if differs else "info",
        _cause(entry.name) if differs else None,
        evidence=(_quote(entry), EvidenceLine(f"{expected.path} ({expected.version or '?'})", "expected")),
    )


def _parts(loaded: Sequence[LoadedLibrary]) -> Iterator[Finding]:
    """Find parts of cuDNN from different releases: it refuses to work with them."""
    parts = [entry for entry in loaded if entry.name.startswith("libcudnn") and _numbers(entry.version)]
    if len({_numbers(entry.version) for entry in parts}) > 1 and len({entry.name for entry in parts}) > 1:
        yield Finding(
            "Parts of cuDNN from different releases are loaded in one process.",
            "warning",
            "cudnn-version-mismatch",
            evidence=tuple(map(_quote, parts[:6])),
        )


def _numbers(version: str | None) -> tuple[int, ...]:
    """Return the parts of a version that a library's own function and its file's name both state."""
    return numbers(version or "")[:2]


def _quote(entry: LoadedLibrary) -> EvidenceLine:
    return EvidenceLine(f"{entry.path} ({entry.version or 'version unknown'})", "loaded")


def _cause(name: str) -> str:
    return next(
        (cause for stem, cause in _CAUSES.items() if name == stem or name.startswith(f"{stem}_")),
        "cuda-version-mismatch",
    )
