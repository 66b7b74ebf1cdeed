"""What a container or the machine itself leaves for more processes: cores and memory of the host."""

from __future__ import annotations

import math
from pathlib import Path

from pytest_tfgpu.environment.files import text_of

MIB = 1 << 20
KIB_PER_MIB = 1 << 10


def cores_allowed(root: Path = Path("/")) -> int | None:
    """Return the number of cores that this container may use at a time (cgroup v2 or v1); None: no limit known."""
    words = text_of(root / "sys/fs/cgroup/cpu.max").split()
    if len(words) != 2:
        folder = root / "sys/fs/cgroup/cpu"
        words = [text_of(folder / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    quota, period = map(_number, words)
    return max(1, math.ceil(quota / period)) if quota and period else None


def memory_free_mib(root: Path = Path("/")) -> int | None:
    """Return the memory that more processes can take without swapping, in MiB; None: unknown.

    The least of what the kernel calls available and what the container's limit leaves, where there is one.
    """
    lines = (line.split() for line in text_of(root / "proc/meminfo").splitlines())
    available = [int(words[1]) // KIB_PER_MIB for words in lines if words[:1] == ["MemAvailable:"]]
    return min(available + _left_by_limit(root), default=None)


def _left_by_limit(root: Path) -> list[int]:
    group = root / "sys/fs/cgroup"
    names = {"memory.max": "memory.current", "memory/memory.limit_in_bytes": "memory/memory.usage_in_bytes"}
    left = []
    for limit_name, used_name in names.items():
        limit, used = _number(text_of(group / limit_name)), _number(text_of(group / used_name))
        if limit is not None and used is not None:
            statistics = text_of((group / limit_name).with_name("memory.stat")).splitlines()
            cache = sum(int(line.split()[1]) for line in statistics if line.startswith("inactive_file "))
            left.append(max(0, limit - used + cache) // MIB)
    return left


def _number(text: str) -> int | None:
    """Return a number above 0; None for `max`, -1 and everything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and text != "0" else None
