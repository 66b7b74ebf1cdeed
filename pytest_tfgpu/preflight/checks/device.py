"""Proves that TensorFlow lists the device and puts the result of an operation on it."""

from __future__ import annotations

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(name="device", run=f"{__name__}:run", summary="TensorFlow lists the device and computes on it.")
ORDER = 10


def run(context: Context) -> None:
    """Look the device up, report what TensorFlow knows of it, and fill a small tensor there."""
    import numpy as np

    tf = context.tf
    kind, _, number = context.device.strip("/").partition(":")
    physical, logical = tf.config.list_physical_devices(kind), tf.config.list_logical_devices(kind)
    context.details["tensorflow_device"] = context.device
    if int(number) >= min(len(physical), len(logical)):
        context.fail(f"TensorFlow does not list {context.device}")
    if kind != "CPU":
        found = tf.config.experimental.get_device_details(physical[int(number)])
        context.details["name"] = found.get("device_name")
        context.details["compute_capability"] = (
            ".".join(map(str, found.get("compute_capability", ()))) or None
        )
    value = float(context.rng.integers(1, 1000))
    with tf.device(context.device):
        filled = tf.fill([64], tf.constant(value, tf.float32))
    context.compare("fill", filled, np.full(64, value), "float32", tolerance=0.0)
