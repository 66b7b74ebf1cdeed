"""Verdicts that are used again: what they depend on, how they are kept, and when they no longer hold.

Only `ok` is kept. What it depends on is known from two sides: before the checks from the facts, the settings and what
is installed, and after them from the child, which tells what it really loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pytest_tfgpu._version import __version__
from pytest_tfgpu.model import Check, Facts, Gpu, Preflight
from pytest_tfgpu.preflight.data import Answer

FORMAT = 1

_VARIABLES = re.compile(
    "CUDA|CUDNN|CUBLAS|GPU|HIP|KERAS|LD_|MKL|NCCL|NVIDIA|OMP|PYTHON(?!HASHSEED)|ROCR|TF|XLA"
)
_STABLE = ("index", "name", "uuid", "compute_capability", "memory_total_mib", "compute_mode")
_TENSORFLOW = ("__init__.py", "python/platform/build_info.py", "libtensorflow_cc.so.2")
_TENSORFLOW_MORE = ("libtensorflow_framework.so.2", "python/_pywrap_tensorflow_internal.so")
_HIGHEST_SHARE = 0.9
"""Of the memory that was free when the checks ran: what must be free again where nobody knows what they took."""


def fingerprint(
    facts: Facts,
    checks: Sequence[Check],
    settings: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
) -> str:
    """Return a digest of what a verdict depends on, as far as it is known before the checks run.

    Memory in use, temperature and the like are left out: they are read anew each time.
    """
    environ = os.environ if environ is None else environ
    data = {
        "format": [FORMAT, __version__],
        "python": [sys.version, sys.executable, *interpreter(), *sys.path],
        "host": [platform.node(), platform.release(), _boot(), str(getattr(os, "getuid", int)()), _folder()],
        "environment": sorted(pair for pair in environ.items() if _VARIABLES.match(pair[0])),
        "facts": _of_facts(facts),
        "files": state([*_files(facts), *filter(None, [shutil.which("ptxas", path=environ.get("PATH"))])]),
        "installed": _installed(),
        "checks": [check.to_json() for check in checks],
        "settings": dict(settings),
    }
    return hashlib.sha256(json.dumps(data, sort_keys=True, default=str).encode()).hexdigest()


def interpreter() -> list[str]:
    """Return the flags of this Python."""
    return [
        f"{name}={getattr(sys.flags, name)}" for name in ("isolated", "no_site", "no_user_site", "optimize")
    ]


def _of_facts(facts: Facts) -> dict[str, Any]:
    plain = facts.to_json()
    kept = {key: plain.get(key) for key in (
        "tensorflow", "tensorflow_distribution", "tensorflow_path", "is_cuda_build", "python", "platform", "driver",
        "driver_cuda", "cuda", "cudnn", "built_for", "visible_gpus", "libraries", "on_demand", "device_files",
        "memory_growth",
    )}  # fmt: skip
    return {**kept, "gpus": [[getattr(gpu, name) for name in _STABLE] for gpu in facts.gpus]}


def _files(facts: Facts) -> Iterable[str]:
    """Yield the files that are known without importing anything: the libraries, and TensorFlow's own."""
    yield from (library.path for library in facts.libraries if library.path is not None)
    if facts.tensorflow_path is not None:
        yield from (str(Path(facts.tensorflow_path, name)) for name in (*_TENSORFLOW, *_TENSORFLOW_MORE))


def _installed() -> list[str]:
    """Return the names of all installed distributions, with their versions, and when each was installed."""
    found = []
    for folder in sys.path:
        try:
            with os.scandir(folder or ".") as entries:
                for entry in entries:
                    if entry.name.endswith((".dist-info", ".egg-info", ".egg-link", ".pth")):
                        found.append(f"{folder}/{entry.name} {entry.stat().st_mtime_ns}")
        except OSError:
            continue
    return sorted(found)


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""


def state(files: Iterable[str]) -> dict[str, list[int]]:
    """Return size and time of change (nanoseconds) of each file; a missing one has neither."""
    found: dict[str, list[int]] = {}
    for name in files:
        try:
            status = Path(name).stat()
        except (OSError, ValueError):
            found[name] = []
        else:
            found[name] = [status.st_size, status.st_mtime_ns]
    return found


def to_remember(
    preflight: Preflight, answer: Answer, facts: Facts, key: str, now: float
) -> dict[str, Any] | None:
    """Return as plain JSON what is to be kept of a verdict; None where it isn't one to keep."""
    if preflight.verdict != "ok" or preflight.reason is not None or not answer.loaded:
        return None
    return {
        "format": FORMAT,
        "key": key,
        "time": now,
        "loaded": state(answer.loaded),
        "needed_mib": {str(index): mib for index, mib in _needed(preflight, answer, facts).items()},
        "preflight": preflight.to_json(),
    }


def _needed(preflight: Preflight, answer: Answer, facts: Facts) -> dict[int, int]:
    """Return the free memory in MiB that each GPU needs for the checks, by index; those unknown are left out."""
    before = {gpu.index: gpu.memory_free_mib for gpu in facts.gpus}
    needed = {}
    for gpu, left in zip(preflight.gpus, answer.memory_left_mib, strict=False):
        free = before.get(gpu.index)
        if gpu.index is not None and free is not None:
            taken = free - left if 0 <= left < free else round(free * _HIGHEST_SHARE)
            needed[gpu.index] = taken
    return needed


def recall(data: object, facts: Facts, key: str, seconds: float, now: float) -> Preflight | None:
    """Return a verdict that was kept, with its age, if everything is as it was; None where it isn't.

    `data` is what was read, whatever that is. A GPU that by now has less free memory than the checks took, that
    another process uses in exclusive mode, or whose free memory isn't known, is checked anew.
    """
    try:
        if not isinstance(data, dict) or (data["format"], data["key"]) != (FORMAT, key):
            return None
        age = now - float(data["time"])
        preflight = Preflight.from_json(data["preflight"])
        if not 0 <= age <= seconds or preflight.verdict != "ok" or state(data["loaded"]) != data["loaded"]:
            return None
        needed = {int(index): int(mib) for index, mib in data["needed_mib"].items()}
    except (AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError):
        return None
    if preflight.device == "gpu" and not _is_free(facts, preflight, needed):
        return None
    return replace(preflight, age=round(age, 1), reason=f"Remembered: the checks ran {in_words(age)} ago.")


def _is_free(facts: Facts, preflight: Preflight, needed: Mapping[int, int]) -> bool:
    by_index = {gpu.index: gpu for gpu in facts.gpus}
    return all(
        checked.index is not None and _has_room(by_index.get(checked.index), needed.get(checked.index), facts)
        for checked in preflight.gpus
    )


def _has_room(gpu: Gpu | None, needed: int | None, facts: Facts) -> bool:
    if gpu is None or gpu.memory_free_mib is None or needed is None or gpu.memory_free_mib < needed:
        return False
    in_use = any(process.gpu == gpu.index for process in facts.gpu_processes)
    return gpu.compute_mode in (None, "default") or not in_use


def in_words(seconds: float) -> str:
    """Return a time span as a person says it: `40 seconds`, `3 minutes`, `2 hours`, `3 days`."""
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}s"
    return f"{seconds:.0f} second{'' if round(seconds) == 1 else 's'}"
