"""What the plugin costs a suite that doesn't need it: CPU time of pytest on thousands of trivial tests.

Compares, in interleaved rounds, pytest without the plugin (`-p no:tfgpu`, twice: their ratio shows the noise), with the
plugin loaded but unused, and with every feature that costs something per test. CPU time is user plus system time
of the whole process, children included; it varies far less than the clock on a busy machine.

    python benchmarks/overhead.py
    python benchmarks/overhead.py --pairs 5 --tests 1000 --also "--tfgpu-strict"

Other plugins are left out unless `--with-plugins` is given. Needs a POSIX system.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PLAIN, AGAIN, UNUSED = "plain", "plain again", "plugin unused"
TESTS_PER_FILE = 100
AIMS = {UNUSED: 1.01}
AIM_WITH_FEATURES = 1.03


def write_suite(folder: Path, tests: int) -> None:
    """Write `tests` trivial tests, 100 per file."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    for first in range(0, tests, TESTS_PER_FILE):
        numbers = range(first, min(first + TESTS_PER_FILE, tests))
        text = "\n\n".join(f"def test_{number}():\n    assert {number} + 1 > {number}" for number in numbers)
        (folder / f"test_{first:06d}.py").write_text(f"{text}\n")


def environment(with_plugins: bool) -> dict[str, str]:
    """Return this environment without what would change a run."""
    ours = ("TFGPU_", "PYTEST_", "GITHUB_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept if with_plugins else {**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def cpu_seconds(arguments: list[str], folder: Path, environ: dict[str, str]) -> float:
    """Run pytest in `folder` and return its user and system time in seconds.

    Raises SystemExit, with pytest's output, where the run isn't green.
    """
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=folder,
            env=environ,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            text = output.read().decode(errors="replace")[-4000:]
            raise SystemExit(f"pytest {shlex.join(arguments)} ended with {process.returncode}:\n{text}")
    return usage.ru_utime + usage.ru_stime


def measure(
    variants: dict[str, list[str]], pairs: int, tests: int, with_plugins: bool
) -> dict[str, list[float]]:
    """Run each variant once per round, each round in another order, after one round that isn't counted."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    environ = environment(with_plugins)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_suite(folder, tests)
        for arguments in variants.values():
            cpu_seconds(arguments, folder, environ)
        names = list(variants)
        for number in range(pairs):
            shift = number % len(names)
            for variant in names[shift:] + names[:shift]:
                times[variant].append(cpu_seconds(variants[variant], folder, environ))
            print(f"\rround {number + 1} of {pairs}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return times


def table(times: dict[str, list[float]]) -> list[str]:
    """Return one line per variant: median, ratio of the medians, and median of the ratios within each round.

    The last is the steadier one where the load of the machine changes during the measurement.
    """
    width = max(map(len, times))
    base = statistics.median(times[PLAIN])
    lines = [f"{'':{width}}  median CPU s  min CPU s   ratio  by round   aim"]
    for name, values in times.items():
        median = statistics.median(values)
        aim = AIMS.get(name, None if name in (PLAIN, AGAIN) else AIM_WITH_FEATURES)
        wanted = "" if aim is None else f"  {aim:.2f}"
        paired = statistics.median(mine / plain for mine, plain in zip(values, times[PLAIN], strict=True))
        figures = f"{median:12.3f}  {min(values):9.3f}  {median / base:.4f}    {paired:.4f}"
        lines.append(f"{name:{width}}  {figures}{wanted}")
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="CPU time of pytest with and without pytest-tfgpu.")
    parser.add_argument("--pairs", type=int, default=30, help="rounds to run (default: 30)")
    parser.add_argument("--tests", type=int, default=5000, help="trivial tests in the suite (default: 5000)")
    parser.add_argument(
        "--also", action="append", default=[], metavar="ARGS", help="measure pytest with these arguments, too"
    )
    parser.add_argument(
        "--with-plugins", action="store_true", help="load the other installed plugins as well"
    )
    options = parser.parse_args()
    load = [] if options.with_plugins else ["-p", "tfgpu"]
    variants = {PLAIN: ["-p", "no:tfgpu"], UNUSED: load, AGAIN: ["-p", "no:tfgpu"]}
    with tempfile.TemporaryDirectory() as folder:
        for text in [f"--tfgpu-report=json:{folder}/report.json --tfgpu-strict", *options.also]:
            shown = text.replace(f"{folder}/", "")
            variants[shown] = [*load, *shlex.split(text)]
        times = measure(variants, options.pairs, options.tests, options.with_plugins)
    print(f"{options.tests} tests, {options.pairs} rounds, Python {sys.version.split()[0]}")
    print("\n".join(table(times)))


if __name__ == "__main__":
    main()
