"""Proves that data get to the device and back unchanged, in sizes from a byte to some MiB, aligned or not."""

from __future__ import annotations

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(name="transfer", run=f"{__name__}:run", summary="Copies to the device and back are exact.")
ORDER = None

SIZES = (1, 3, 255, 4096, 65_537, 1 << 20, (4 << 20) + 3)
"""Bytes. Drivers copy small ones inline and large ones through pinned memory, in pieces."""


def run(context: Context) -> None:
    """Copy random bytes to the device, on it, and back, and compare bit by bit."""
    import numpy as np

    tf = context.tf
    free = context.memory_free_mib
    sizes = SIZES if free is None else [size for size in SIZES if 16 * size <= free << 20]
    context.details["bytes"] = list(sizes)
    for size in sizes:
        source = context.rng.integers(0, 256, size, dtype=np.uint8)
        with tf.device("/CPU:0"):
            host = tf.constant(source)
        with tf.device(context.device):
            there = tf.identity(host)
        context.located(f"{size} bytes", there)
        with tf.device("/CPU:0"):
            back = tf.identity(there)
        for name, values in (("read there", there.numpy()), ("copied back", back.numpy())):
            wrong = int(np.count_nonzero(values != source))
            if wrong:
                context.fail(f"{wrong} of {size} bytes are wrong when {name}")
