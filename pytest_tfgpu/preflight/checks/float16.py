"""Proves that float16 works: casting, element-wise arithmetic and a matrix product."""

from __future__ import annotations

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(name="float16", run=f"{__name__}:run", summary="Half precision is right.", dtypes=("float16",))
ORDER = 50

ELEMENT_TOLERANCE = 1e-3
"""One rounding to float16 is at most 4.9e-4."""
PRODUCT_TOLERANCE = 1e-2
"""Also where the sums of 64 products are kept in float16."""


def run(context: Context) -> None:
    """Cast, add, multiply in float16 and compare with NumPy in float64 on the same rounded inputs."""
    import numpy as np

    tf = context.tf
    source = context.rng.standard_normal((64, 64)).astype(np.float32)
    other = context.rng.standard_normal((64, 64)).astype(np.float16)
    rounded, factor = source.astype(np.float16).astype(np.float64), other.astype(np.float64)
    with tf.device(context.device):
        half = tf.cast(tf.constant(source), tf.float16)
        constant = tf.constant(other)
        added = half + constant
        product = tf.linalg.matmul(half, constant)
    context.compare("cast", half, rounded, "float16", tolerance=0.0)
    context.compare("sum", added, rounded + factor, "float16", tolerance=ELEMENT_TOLERANCE)
    context.compare("product", product, rounded @ factor, "float16", tolerance=PRODUCT_TOLERANCE)
