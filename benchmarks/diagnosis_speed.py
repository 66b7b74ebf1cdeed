"""What a diagnosis costs: one failure, a long CI log, and loading the catalogue.

    python benchmarks/diagnosis_speed.py [--megabytes N]

Targets: 2 ms at the median for a message of 20 kB with 200 log lines; a log of 100 MB within 10 s and 200 MB of memory;
60 ms for the catalogue.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_tfgpu.diagnosis import engine, evidence
from pytest_tfgpu.knowledge.catalog import builtin_causes

FRAME = '  File "/usr/lib/python3/site-packages/keras/src/trainers/trainer.py", line 371, in fit\n    self.step(it)\n'
LINE = "2026-01-01 12:00:{:02d}.000000: I tensorflow/core/common_runtime/executor.cc:{}] step {} of this run is done"
LOADING = (
    "import time, pytest_tfgpu.model; begin = time.process_time(); "
    "from pytest_tfgpu.knowledge.catalog import load; load(); print(1000 * (time.process_time() - begin))"
)


def one_failure() -> list[float]:
    """Return the milliseconds of CPU time of a diagnosis, for each example of the catalogue made large."""
    noise = [LINE.format(number % 60, number, number) for number in range(200)]
    times = []
    for cause in builtin_causes():
        for example in cause.examples:
            message = (example.message + "\n" + FRAME * 200)[:20_000]
            log = [*noise[: 200 - len(example.log)], *example.log]
            begin = time.process_time()
            engine.diagnose(evidence.from_text(example.exception, message, log))
            times.append(1000 * (time.process_time() - begin))
    return times


def write_log(path: Path, megabytes: int) -> None:
    """Write a CI log of about this size with a failing test in every ten thousand lines."""
    failing = "".join(
        (
            "_____________ test_{number} _____________\n",
            "E   tensorflow.python.framework.errors_impl.InternalError: No blas support for stream [Op:MatMul]\n",
            "=============\n",
        )
    )
    plain = "".join(
        f"tests/test_{number}.py::test_something PASSED  [{number % 100:3d}%]\n" for number in range(10_000)
    )
    with path.open("w", encoding="utf-8") as file:
        written, number = 0, 0
        while written < megabytes << 20:
            block = (
                plain
                + LINE.format(number % 60, number, number)
                + "\n"
                + failing.replace("{number}", str(number))
            )
            written += file.write(block)
            number += 1


def long_log(megabytes: int) -> tuple[float, float]:
    """Return seconds and megabytes that `tfgpu diagnose --json` takes for a log of this size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ci.log"
        write_log(path, megabytes)
        begin = time.perf_counter()
        command = [sys.executable, "-m", "pytest_tfgpu", "diagnose", "--json", str(path)]
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode == 0
        return time.perf_counter() - begin, usage.ru_maxrss / 1024


def main() -> None:
    """Print the three figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=100)
    arguments = parser.parse_args()
    one_failure()
    times = sorted(one_failure())
    print(
        f"one failure: median {statistics.median(times):.2f} ms, slowest {times[-1]:.2f} ms of {len(times)}"
    )
    loads = [
        float(subprocess.run([sys.executable, "-c", LOADING], capture_output=True, check=True).stdout)
        for _ in range(9)
    ]
    print(f"catalogue: median {statistics.median(loads):.1f} ms of CPU time, of {len(loads)}")
    for size in (arguments.megabytes // 2, arguments.megabytes):
        seconds, memory = long_log(size)
        print(f"log of {size} MB: {seconds:.1f} s, {memory:.0f} MB")


if __name__ == "__main__":
    main()
