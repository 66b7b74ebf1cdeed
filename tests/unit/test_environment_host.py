"""Cores and memory that the host, or the container around this process, leaves."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_tfgpu.environment.host import cores_allowed, memory_free_mib

MEMINFO = "MemTotal:       16000000 kB\nMemFree:  1000 kB\nMemAvailable:    8192000 kB\n"


def write_tree(root: Path, files: dict[str, str]) -> None:
    """Write files below a folder that stands for the root of the file system."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "200000 100000\n"}, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "nonsense\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
    ],
)
def test_cores(tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
    """A container's quota is read from either version of cgroups, and rounded up to whole cores."""
    write_tree(tmp_path, {f"sys/fs/cgroup/{name}": text for name, text in files.items()})
    assert cores_allowed(tmp_path) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8000),
        ({"memory.max": "max\n", "memory.current": "1\n"}, 8000),
        ({"memory.max": f"{4 << 30}\n", "memory.current": f"{1 << 30}\n"}, 3072),
        (
            {
                "memory.max": f"{4 << 30}\n",
                "memory.current": f"{3 << 30}\n",
                "memory.stat": f"anon 5\ninactive_file {1 << 30}\n",
            },
            2048,
        ),
        ({"memory.max": f"{1 << 30}\n", "memory.current": f"{2 << 30}\n"}, 0),
        (
            {
                "memory/memory.limit_in_bytes": f"{2 << 30}\n",
                "memory/memory.usage_in_bytes": f"{1 << 30}\n",
            },
            1024,
        ),
    ],
)
def test_memory(tmp_path: Path, files: dict[str, str], expected: int) -> None:
    """Free memory is what the kernel calls available, or what the container's limit leaves, where that is less."""
    tree = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    write_tree(tmp_path, {"proc/meminfo": MEMINFO, **tree})
    assert memory_free_mib(tmp_path) == expected


def test_unknown_memory(tmp_path: Path) -> None:
    """Without /proc nothing is known."""
    assert memory_free_mib(tmp_path) is None
