"""Proves that rows are gathered by index exactly, as embeddings do."""

from __future__ import annotations

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(name="gather", run=f"{__name__}:run", summary="Rows are gathered by index exactly.")
ORDER = 60


def run(context: Context) -> None:
    """Gather random rows, the first and the last among them, and compare bit by bit."""
    import numpy as np

    tf = context.tf
    table = context.rng.standard_normal((1000, 24)).astype(np.float32)
    rows = np.concatenate([context.rng.integers(0, len(table), 255), [0, len(table) - 1]]).astype(np.int64)
    with tf.device(context.device):
        gathered = tf.gather(tf.constant(table), tf.constant(rows))
    context.compare("rows", gathered, table[rows], "float32", tolerance=0.0)
