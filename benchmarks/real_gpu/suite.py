"""A suite that uses the GPU: requirements, fixtures, memory, operations that leave the GPU, workers, reports."""

from __future__ import annotations

from typing import Any

from benchmarks.real_gpu.place import Place

MODES = {"plain": (), "-n 0": ("-n", "0"), "-n 2": ("-n", "2")}
CONFTEST = "import os\n\nos.environ['TF_FORCE_GPU_ALLOW_GROWTH'] = 'true'\n"
SUITE = """
import shutil
import subprocess

import numpy as np
import pytest
import tensorflow as tf


def used_mib():
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def product_error(size=1024):
    rng = np.random.default_rng(5)
    left, right = (rng.standard_normal((size, size)).astype("f") for _ in range(2))
    expected = left.astype("d") @ right.astype("d")
    return float(np.max(np.abs(tf.matmul(left, right).numpy() - expected)) / np.max(np.abs(expected)))

{gates}

@pytest.mark.requires_dtype("float16")
def test_dtype_met(gpu_device):
    with gpu_device:
        assert float(tf.reduce_sum(tf.ones(100, tf.float16))) == 100


def test_device_met(gpu_device):
    with gpu_device:
        assert tf.matmul(tf.ones((64, 64)), tf.ones((64, 64))).device.endswith("GPU:0")


def test_leaves_the_gpu(gpu_device):
    with gpu_device:
        image = tf.ones((1, 4, 4, 1))
        assert tf.image.extract_glimpse(image, [2, 2], tf.zeros((1, 2))).device.endswith("CPU:0")


def test_asks_for_another_gpu(gpu_device):
    with tf.device("/GPU:7"):
        assert (tf.constant([1.0]) + 1.0).device.endswith("GPU:0")


def test_memory(gpu_device, gpu_memory, record_property):
    with gpu_device:
        tf.constant(1.0) + 1.0
        before, used = gpu_memory.current, used_mib()
        kept = tf.zeros([256, 1024, 256])
        kept.numpy()
    record_property("of 256 MiB, by gpu_memory, MiB", (gpu_memory.current - before) >> 20)
    record_property("peak, by gpu_memory, MiB", gpu_memory.peak >> 20)
    record_property("used before and after, by nvidia-smi, MiB", f"{{used}}, {{used_mib()}}")
    assert (gpu_memory.current - before) >> 20 == 256


def test_tf32(tensor_float_32, record_property):
    for allowed in (False, True):
        tensor_float_32(allowed)
        record_property(f"error of a product of 1024, TF32 {{'on' if allowed else 'off'}}", product_error())


def test_mixed_precision(mixed_precision):
    mixed_precision("mixed_float16")
    layer = tf.keras.layers.Conv2D(8, 3, kernel_initializer="ones")
    assert layer(tf.ones((2, 16, 16, 4))).dtype == tf.float16


def test_deterministic(deterministic_ops):
    image, kernel = tf.ones((2, 16, 16, 4)), tf.ones((3, 3, 4, 8))
    results = [tf.nn.conv2d(image, kernel, 1, "SAME").numpy() for _ in range(2)]
    assert np.array_equal(*results)
"""
GATE = """
@pytest.mark.{marker}
def test_{name}():
    pass
"""


def gates(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return markers that the first GPU meets and that it just doesn't, with names that say which."""
    gpu = facts["gpus"][0]
    total = gpu["memory_total_mib"]
    written = [
        ("memory_met", f'requires_gpu(memory="{total - 1} MiB")'),
        ("memory_unmet", f'requires_gpu(memory="{total + 1} MiB")'),
        ("capability_met", f'requires_gpu(compute_capability=">={gpu["compute_capability"]}")'),
        ("capability_unmet", f'requires_gpu(compute_capability=">{gpu["compute_capability"]}")'),
        ("count_met", "requires_gpu(1)"),
        ("count_unmet", f"requires_gpu({len(facts['gpus']) + 1})"),
    ]
    for name in ("cudnn", "cuda", "driver", "tensorflow"):
        if facts.get(name):
            written += [
                (f"{name}_met", f'requires_{name}(">={facts[name]}")'),
                (f"{name}_unmet", f'requires_{name}(">{facts[name]}")'),
            ]
    return written


def use(place: Place) -> dict[str, Any]:
    """Run the suite plain, with `-n 0` and with `-n 2`, with every report, and see which tests end as they should."""
    facts = place.doctor()["facts"]
    module = SUITE.format(
        gates="\n".join(GATE.format(name=name, marker=marker) for name, marker in gates(facts))
    )
    told: dict[str, Any] = {}
    for mode, arguments in MODES.items():
        session = place.session(
            {"conftest.py": CONFTEST, "test_it.py": module},
            "--tfgpu-preflight",
            "--tfgpu-memory=5",
            "--tfgpu-report=markdown:report.md",
            "-rA",
            *arguments,
        )
        report = session.report or {}
        wanted = {name: "skipped" if name.endswith("_unmet") else "passed" for name in session.outcomes}
        told[mode] = {
            "exit_status": session.exit_status,
            "seconds": round(session.seconds, 1),
            "tests": len(session.outcomes),
            "not as they should": {
                name: [outcome, session.failures.get(name, "")]
                for name, outcome in session.outcomes.items()
                if outcome != wanted[name]
            },
            "figures": session.figures,
            "skips": report.get("skips"),
            "memory": report.get("memory"),
            "workers": sorted({test["worker"] for test in report.get("tests", []) if test.get("worker")}),
            "warnings": [line.strip() for line in session.stdout.splitlines() if "DeviceWarning" in line],
            "output": session.text[-20_000:],
        }
    return told


def lines(told: dict[str, Any]) -> list[str]:
    """Return the section as text."""
    text = []
    for mode, run in told.items():
        text.append(f"{mode}: exit status {run['exit_status']}, {run['tests']} tests in {run['seconds']} s")
        if run["exit_status"] not in (0, 1):
            text += [f"  | {line[:200]}" for line in run["output"].splitlines()[-20:]]
        for name, (outcome, raised) in run["not as they should"].items():
            text.append(f"  {name}: {outcome}: {raised.splitlines()[0] if raised else ''}")
        for name, figures in run["figures"].items():
            text += [f"  {name}: {what}: {figure}" for what, figure in figures.items()]
        for memory in run["memory"] or []:
            text.append(
                f"  {memory['peak_mib']:8.1f} MiB peak  {memory['left_mib']:8.1f} MiB left  {memory['nodeid']}"
            )
        text += [f"  {warning}" for warning in run["warnings"]]
    return text
