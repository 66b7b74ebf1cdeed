"""Proves that memory of the device can be allocated, keeps what is written to it, and is given back."""

from __future__ import annotations

from typing import Any

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(
    name="memory", run=f"{__name__}:run", summary="Memory is allocated, keeps its contents and is freed."
)
ORDER = 20

PIECES = 4
LARGEST_MIB = 8
"""Of the device's memory in use at once: the pieces, and the double of one, computed there."""


def run(context: Context) -> None:
    """Write random pieces, hold them all, compare them and the double of one computed there, free them."""
    import numpy as np

    tf = context.tf
    free = context.memory_free_mib
    mib = LARGEST_MIB if free is None else max(1, min(LARGEST_MIB, free // 64))
    length = mib * 2**20 // ((PIECES + 1) * np.dtype(np.float32).itemsize)
    context.details["allocated_mib"] = mib
    before = _in_use(context)
    sources = [context.rng.random(length, dtype=np.float32) for _ in range(PIECES)]
    with tf.device(context.device):
        pieces = [tf.constant(source) for source in sources]
        double = tf.add(pieces[0], pieces[0])
    for source, piece in zip(sources, pieces, strict=True):
        context.located("piece", piece)
        if not np.array_equal(piece.numpy(), source):
            context.fail("memory of the device does not keep what was written to it")
    context.located("double", double)
    if not np.array_equal(double.numpy(), sources[0] + sources[0]):
        context.fail("memory of the device does not hold what was computed into it")
    del pieces, piece, double
    after = _in_use(context)
    if before is not None and after is not None and after > before:
        context.fail(f"{after - before} bytes of {mib} MiB are still allocated after they were freed")


def _in_use(context: Context) -> Any:
    """Return the bytes that TensorFlow has allocated on the device; None where it keeps no count (CPU)."""
    try:
        return context.tf.config.experimental.get_memory_info(context.device.strip("/"))["current"]
    except ValueError:
        return None
