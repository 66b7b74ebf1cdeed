"""What the preflight costs, as ratios: against a bare script, of four GPUs against one, and of a session with it.

    python benchmarks/preflight.py [--pairs 10] [--device cpu] [--only bare gpus beside before]

- `bare`: the checks in the preflight's child against a plain script that does the same work: wall time, CPU time and
  the most memory held (aims: 1.15, 1.15, about 1).
- `gpus`: four simulated GPUs against one (aim: 1.15). Needs gcc; a real GPU isn't used.
- `beside`: a session of pytest whose tests import TensorFlow, with the checks beside its collection on the CPU, against
  the same session without (aims: 1.10 plain and with `-n 0`; `-n 2` is told).
- `before`: the same on a simulated GPU, where collection waits: what it adds, against the time of its child (aim: 1).

Runs are paired and interleaved; what is printed are medians, and the median of the pairs' ratios. Best on an idle
machine.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulated.machine import Machine

HERE = Path(__file__).resolve().parent

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

SUITE = """
import tensorflow as tf

def test_sum():
    assert float(tf.reduce_sum(tf.ones([64, 64]))) == 4096

def test_product():
    ones = tf.ones([8, 8])
    assert float(tf.reduce_sum(tf.linalg.matmul(ones, ones))) == 512
"""
FILES = 4

Figures = tuple[float, float, float]
"""Wall time and CPU time in seconds, memory in MiB."""


def measure(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Figures:
    """Run a command and return what it, with its children, cost."""
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=None if environment is None else dict(environment),
    )
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit status {process.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, int(output.split()[-1]) / 1024


def paired(pairs: int, *runs: Callable[[], Figures]) -> list[list[Figures]]:
    """Run each `pairs` times, in turns that change their order, after one turn that isn't counted."""
    rounds: list[list[Figures]] = []
    for number in range(-1, pairs):
        order = list(range(len(runs)))[:: 1 if number % 2 else -1]
        figures = {place: runs[place]() for place in order}
        if number >= 0:
            rounds.append([figures[place] for place in sorted(figures)])
    return rounds


def show(title: str, names: tuple[str, str], rounds: list[list[Figures]], rows: Sequence[str]) -> None:
    """Print the medians of two runs, and the median ratio of their pairs."""
    print(f"\n{title}\n{'':14}{names[0]:>14}{names[1]:>14}{'ratio':>8}")
    for place, row in enumerate(rows):
        first, second = ([figures[side][place] for figures in rounds] for side in (0, 1))
        ratio = statistics.median(b / a for a, b in zip(first, second, strict=True))
        print(
            f"{row:14}{statistics.median(first):14.2f}{statistics.median(second):14.2f}{ratio:8.3f}",
            flush=True,
        )


def bare(pairs: int, device: str) -> None:
    """Compare the preflight with a bare script."""
    bare_command = [sys.executable, "-c", BARE, str(HERE / "bare_checks.py"), device]
    our_command = [sys.executable, "-c", PREFLIGHT, device]
    rounds = paired(pairs, lambda: measure(bare_command), lambda: measure(our_command))
    show(
        f"The checks on the {device.upper()} against a bare script", ("bare", "preflight"), rounds,
        ("wall, s", "CPU, s", "memory, MiB"),
    )  # fmt: skip


def simulated(folder: Path, gpus: int) -> Machine:
    """Return a simulated machine."""
    sys.path.insert(0, str(HERE.parent))
    from tests.simulated.build import build
    from tests.simulated.machine import Gpu, Machine

    if not (folder / "driver.so").exists():
        shutil.copy(build(), folder / "driver.so")
    return Machine(folder, gpus=(Gpu(),) * gpus)


def gpus(pairs: int, folder: Path) -> None:
    """Compare four GPUs with one."""
    command = [sys.executable, "-c", PREFLIGHT, "gpu"]
    one, four = (simulated(folder, number).environment for number in (1, 4))
    rounds = paired(pairs, lambda: measure(command, one), lambda: measure(command, four))
    show("Four simulated GPUs against one", ("one GPU", "four GPUs"), rounds, ("wall, s", "CPU, s"))


def write_suite(folder: Path) -> None:
    """Write a suite whose modules import TensorFlow."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    for number in range(FILES):
        (folder / f"test_{number}.py").write_text(SUITE)


def session(folder: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> Figures:
    """Run pytest on the suite; return wall time, CPU time, and the seconds of its preflight in place of memory."""
    report = folder / "report.json"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--tfgpu-report=json:{report}",
        *arguments,
    ]
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith(("TFGPU_", "PYTEST_", "GITHUB_"))
    }
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=kept, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with exit status {process.returncode}")
    seconds = json.loads(report.read_text())["preflight"].get("seconds", 0.0)
    return wall, usage.ru_utime + usage.ru_stime, seconds


def beside(pairs: int, folder: Path) -> None:
    """Compare sessions with the checks beside collection with sessions without."""
    write_suite(folder)
    for name, mode in (("plain", ()), ("-n 0", ("-n", "0")), ("-n 2", ("-n", "2"))):
        ours = (*mode, "--tfgpu-preflight", "--tfgpu-device=cpu")
        rounds = paired(
            pairs,
            lambda mode=mode: session(folder, mode, os.environ),  # type: ignore[misc]
            lambda ours=ours: session(folder, ours, os.environ),  # type: ignore[misc]
        )
        show(
            f"A session that imports TensorFlow, {name}, CPU",
            ("without", "beside"),
            rounds,
            ("wall, s", "CPU, s"),
        )


def before(pairs: int, folder: Path) -> None:
    """Compare what a preflight adds to a session whose collection waits for it with the time of its child."""
    write_suite(folder)
    environment = simulated(folder, 1).environment
    rounds = paired(
        pairs,
        lambda: session(folder, (), environment),
        lambda: session(folder, ("--tfgpu-preflight",), environment),
    )
    added = [[(ours[2], 0.0, 0.0), (ours[0] - plain[0], 0.0, 0.0)] for plain, ours in rounds]
    show("What it adds where collection waits, simulated GPU", ("its child", "added"), added, ("wall, s",))


def main() -> None:
    """Run what was asked for and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("bare", "gpus", "beside", "before")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where `bare` runs")
    parser.add_argument(
        "--only", nargs="+", choices=parts, default=parts, metavar="PART", help=", ".join(parts)
    )
    arguments = parser.parse_args()
    print(f"{arguments.pairs} interleaved pairs, {os.cpu_count()} cores, medians")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "bare" in arguments.only:
            bare(arguments.pairs, arguments.device)
        for part in (gpus, beside, before):
            if part.__name__ in arguments.only:
                part(arguments.pairs, folder)


if __name__ == "__main__":
    main()
