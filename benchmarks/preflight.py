"""What the preflight costs against a bare script that does the same work: paired runs, interleaved.

Prints, for each, the medians of wall time, CPU time and the most memory held, and the ratios' medians over the pairs.

    python benchmarks/preflight.py [--pairs 10] [--device cpu]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent

PREFLIGHT = """
import sys
from pytest_tfgpu.model import Facts
from pytest_tfgpu.preflight import Request, default_checks, start
answer = start(Request(default_checks(), sys.argv[1])).result()
assert answer.problem is None and all(gpu.usable for gpu in answer.gpus), answer
print(answer.peak_memory_kib)
"""
"""The whole of it: a parent that starts the child and waits. Its memory is the child's, as the child gives it."""

BARE = """
import runpy, sys
sys.argv = [sys.argv[1], sys.argv[2]]
runpy.run_path(sys.argv[0])
status = open('/proc/self/status').read()
print(status.partition('VmHWM:')[2].split()[0])
"""
"""The bare script, which gives its own memory at its end."""

Figures = tuple[float, float, float]
"""Wall time and CPU time in seconds, memory in MiB."""


def measure(command: Sequence[str]) -> Figures:
    """Run a command and return what it, with its children, cost."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit status {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, int(output.split()[-1]) / 1024


def main() -> None:
    """Run the pairs and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    arguments = parser.parse_args()
    bare_command = [sys.executable, "-c", BARE, str(HERE / "bare_checks.py"), arguments.device]
    our_command = [sys.executable, "-c", PREFLIGHT, arguments.device]
    pairs: list[tuple[Figures, Figures]] = []
    for number in range(-1, arguments.pairs):
        order = (bare_command, our_command) if number % 2 else (our_command, bare_command)
        figures = {command[2]: measure(command) for command in order}
        if number >= 0:
            pairs.append((figures[BARE], figures[PREFLIGHT]))
    print(f"{arguments.pairs} interleaved pairs on the {arguments.device.upper()}, medians")
    print(f"{'':14}{'bare':>10}{'preflight':>12}{'ratio':>8}")
    for place, name in enumerate(("wall, s", "CPU, s", "memory, MiB")):
        bare, ours = ([pair[side][place] for pair in pairs] for side in (0, 1))
        ratio = statistics.median(b / a for a, b in zip(bare, ours, strict=True))
        print(f"{name:14}{statistics.median(bare):10.2f}{statistics.median(ours):12.2f}{ratio:8.3f}")


if __name__ == "__main__":
    main()
