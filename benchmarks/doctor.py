"""How long `tfgpu doctor` takes: `python benchmarks/doctor.py [RUNS]` prints medians of wall and CPU time.

Beside it stands a Python that does nothing, since that much is not doctor's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time


def measure(command: list[str]) -> tuple[float, float]:
    """Run a command; return its wall time and the CPU time of it and its children, in seconds."""
    before, began = os.times(), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    wall, after = time.perf_counter() - began, os.times()
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return wall, cpu


def main() -> None:
    """Interleave the runs and print a line for each command."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    commands = {
        "tfgpu doctor": [sys.executable, "-m", "pytest_tfgpu", "doctor"],
        "tfgpu doctor --json": [sys.executable, "-m", "pytest_tfgpu", "doctor", "--json"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for command in commands.values():
        measure(command)
    for _ in range(runs):
        for name, command in commands.items():
            times[name].append(measure(command))
    print(f"median (fastest) of {runs} runs, seconds")
    for name, pairs in times.items():
        walls, cpus = zip(*pairs, strict=True)
        texts = [f"{statistics.median(values):.3f} ({min(values):.3f})" for values in (walls, cpus)]
        print(f"{name:<20}  wall {texts[0]}  CPU {texts[1]}")


if __name__ == "__main__":
    main()
