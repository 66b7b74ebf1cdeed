"""Proves that bfloat16 works: casting, element-wise arithmetic and a matrix product."""

from __future__ import annotations

from typing import Any

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(
    name="bfloat16", run=f"{__name__}:run", summary="Brain floating point is right.", dtypes=("bfloat16",)
)
ORDER = None

ELEMENT_TOLERANCE = 8e-3
"""One rounding to bfloat16 is at most 3.9e-3."""
PRODUCT_TOLERANCE = 4e-2
"""Also where the sums of 64 products are rounded on the way."""


def rounded(values: Any) -> Any:
    """Round float32 to the nearest bfloat16, ties to even, and give it as float32."""
    import numpy as np

    bits = values.view(np.uint32).astype(np.uint64)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32)


def run(context: Context) -> None:
    """Cast, add, multiply in bfloat16 and compare with NumPy in float64 on the same rounded inputs."""
    import numpy as np

    tf = context.tf
    source = context.rng.standard_normal((64, 64)).astype(np.float32)
    other = context.rng.standard_normal((64, 64)).astype(np.float32)
    left, right = rounded(source).astype(np.float64), rounded(other).astype(np.float64)
    with tf.device(context.device):
        brain = tf.cast(tf.constant(source), tf.bfloat16)
        factor = tf.cast(tf.constant(other), tf.bfloat16)
        added = brain + factor
        product = tf.linalg.matmul(brain, factor)
    context.compare("cast", brain, left, "bfloat16", tolerance=0.0)
    context.compare("sum", added, left + right, "bfloat16", tolerance=ELEMENT_TOLERANCE)
    context.compare("product", product, left @ right, "bfloat16", tolerance=PRODUCT_TOLERANCE)
