"""Measure what reports of many failures cost: `python benchmarks/reports.py [--failures 10000]`.

Two sessions of tests that all fail of a cause, one without a report and one with JSON, Markdown, HTML and GitHub's
step summary: seconds of processor time and memory that the second takes more. The best of some rounds, which alternate.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = """
import pytest
import tensorflow as tf

@pytest.mark.parametrize("number", range({failures}))
def test_it(number):
    raise tf.errors.UnimplementedError(None, None, "Cast string to float is not supported")
"""
FORMATS = ("json:report.json", "markdown:report.md", "html:report.html")


def session(folder: Path, *, reports: bool) -> tuple[float, float]:
    """Run pytest; return seconds of processor time, and the most memory that it held, in MB."""
    asked = [f"--tfgpu-report={value}" for value in FORMATS] if reports else []
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TFGPU_", "GITHUB_"))
    }
    if reports:
        environment |= {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(folder / "summary.md")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--tb=no",
        "--no-summary",
        "-p",
        "no:cacheprovider",
        *asked,
    ]
    (folder / "summary.md").unlink(missing_ok=True)
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 1:
        raise SystemExit(f"pytest ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def main() -> None:
    """Run the sessions in turn, and print what the reports cost."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failures", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    best = {False: (float("inf"), 0.0), True: (float("inf"), 0.0)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_it.py").write_text(TESTS.format(failures=arguments.failures))
        for _ in range(arguments.rounds):
            for reports in best:
                best[reports] = min(best[reports], session(folder, reports=reports))
    for reports, (seconds, memory) in best.items():
        print(f"{'with' if reports else 'without'} reports: {seconds:.2f} s, {memory:.0f} MB")
    more = tuple(with_ - without for with_, without in zip(best[True], best[False], strict=True))
    print(f"reports of {arguments.failures:,} failures: {more[0]:.2f} s and {more[1]:.0f} MB more")


if __name__ == "__main__":
    main()
