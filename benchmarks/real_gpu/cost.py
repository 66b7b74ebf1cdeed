"""What the plugin costs a suite whose tests compute on the GPU."""

from __future__ import annotations

import statistics
import sys
from typing import Any

from benchmarks.real_gpu.place import Place, loading

TESTS, ROUNDS = 500, 3
SUITE = f"""
import pytest
import tensorflow as tf


@pytest.mark.parametrize("number", range({TESTS}))
def test_product(number):
    ones = tf.ones((256, 256))
    assert tf.matmul(ones, ones * number).numpy()[0, 0] == 256 * number
"""
VARIANTS: dict[str, tuple[str, ...] | None] = {
    "without": None,
    "loaded": (),
    "JSON report": ("--tfgpu-report=json:report.json",),
    "JSON report, --tfgpu-memory": ("--tfgpu-report=json:report.json", "--tfgpu-memory=5"),
}
"""The arguments with which the suite is run; None: without the plugin."""


def measure(place: Place) -> dict[str, Any]:
    """Run the suite in each way, in turns, after one turn that isn't counted; wall time in seconds."""
    folder = place.folder / "cost"
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").write_text(SUITE, "utf-8")
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for number in range(-1, ROUNDS):
        for name, arguments in VARIANTS.items():
            ours = ("-p", "no:tfgpu") if arguments is None else (*loading(), *arguments)
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ours]
            done = place.start(command, folder).finish(300)
            if done.exit_status:
                return {"failed": done.text[-4000:]}
            if number >= 0:
                seconds[name].append(round(done.seconds, 3))
    return {"tests": TESTS, "seconds": seconds}


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section as text."""
    if "failed" in told:
        return [str(line) for line in told["failed"].splitlines()[-12:]]
    text = [f"{told['tests']} tests, a product of matrices each; wall time of the session, {ROUNDS} rounds"]
    plain = statistics.median(told["seconds"]["without"])
    for name, seconds in told["seconds"].items():
        median = statistics.median(seconds)
        each = (median - plain) / told["tests"] * 1000
        text.append(f"  {name:30}{median:8.2f} s  ratio {median / plain:.3f}  {each:+.2f} ms a test")
    return text
