"""The work of the preflight's checks, written as a plain script: what a person would run by hand.

Knows nothing of pytest-tfgpu. Runs on the first GPU, or with `cpu` as its argument on the CPU. Prints a line for each
check: its name, seconds, and the largest relative error.
"""

from __future__ import annotations

import os
import sys
import time

DEVICE = "/CPU:0" if sys.argv[1:] == ["cpu"] else "/GPU:0"
if DEVICE == "/CPU:0":
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.config.set_soft_device_placement(False)
tf.config.experimental.enable_tensor_float_32_execution(False)
for gpu in tf.config.list_physical_devices("GPU"):
    tf.config.experimental.set_memory_growth(gpu, True)
rng = np.random.default_rng()


def error(result: tf.Tensor, expected: np.ndarray, tolerance: float = 0.0) -> float:
    """Return the relative error of a result, which must lie on the device and be within the tolerance."""
    assert result.device.endswith(DEVICE.strip("/")), result.device
    difference = np.abs(result.numpy().astype(np.float64) - expected)
    relative = float(np.max(difference) / (np.max(np.abs(expected)) or 1.0))
    assert relative <= tolerance, (relative, tolerance)
    return relative


def device() -> float:
    """List the device and fill a tensor there."""
    assert tf.config.list_logical_devices(DEVICE[1:4])
    with tf.device(DEVICE):
        filled = tf.fill([64], tf.constant(7.0))
    return error(filled, np.full(64, 7.0))


def memory() -> float:
    """Write 6 MiB in four pieces, compute the double of one, and compare."""
    sources = [rng.random((8 << 20) // 20, dtype=np.float32) for _ in range(4)]
    with tf.device(DEVICE):
        pieces = [tf.constant(source) for source in sources]
        double = tf.add(pieces[0], pieces[0])
    for source, piece in zip(sources, pieces, strict=True):
        assert np.array_equal(piece.numpy(), source)
    return error(double, sources[0] + sources[0])


def matmul() -> float:
    """Multiply matrices."""
    left = rng.standard_normal((160, 192)).astype(np.float32)
    right = rng.standard_normal((192, 128)).astype(np.float32)
    with tf.device(DEVICE):
        product = tf.linalg.matmul(tf.constant(left), tf.constant(right))
    return error(product, left.astype(np.float64) @ right.astype(np.float64), 1e-5)


def conv2d() -> float:
    """Convolve images with filters."""
    images = rng.standard_normal((4, 17, 19, 8)).astype(np.float32)
    filters = rng.standard_normal((3, 3, 8, 16)).astype(np.float32)
    with tf.device(DEVICE):
        result = tf.nn.conv2d(tf.constant(images), tf.constant(filters), strides=1, padding="SAME")
    padded = np.pad(images.astype(np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    expected = np.tensordot(windows, filters.astype(np.float64), axes=((4, 5, 3), (0, 1, 2)))
    return error(result, expected, 1e-4)


def float16() -> float:
    """Cast, add and multiply in half precision."""
    source = rng.standard_normal((64, 64)).astype(np.float32)
    other = rng.standard_normal((64, 64)).astype(np.float16)
    rounded, factor = source.astype(np.float16).astype(np.float64), other.astype(np.float64)
    with tf.device(DEVICE):
        half, constant = tf.cast(tf.constant(source), tf.float16), tf.constant(other)
        added, product = half + constant, tf.linalg.matmul(half, constant)
    error(half, rounded)
    return max(error(added, rounded + factor, 1e-3), error(product, rounded @ factor, 1e-2))


def gather() -> float:
    """Gather rows by index."""
    table = rng.standard_normal((1000, 24)).astype(np.float32)
    rows = np.concatenate([rng.integers(0, 1000, 255), [0, 999]]).astype(np.int64)
    with tf.device(DEVICE):
        gathered = tf.gather(tf.constant(table), tf.constant(rows))
    return error(gathered, table[rows])


for check in (device, memory, matmul, conv2d, float16, gather):
    began = time.perf_counter()
    largest = check()
    print(f"{check.__name__} {time.perf_counter() - began:.4f} {largest:.2g}")
