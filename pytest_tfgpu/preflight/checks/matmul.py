"""Proves that a matrix product is right in float32: on a GPU, that cuBLAS loads and works."""

from __future__ import annotations

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(
    name="matmul", run=f"{__name__}:run", summary="A matrix product is right (cuBLAS).", dtypes=("float32",)
)
ORDER = 30

TOLERANCE = 1e-5
"""Float32 rounding (6e-8) over sums of 192 products leaves about 1e-6; wrong numbers are off by far more."""


def run(context: Context) -> None:
    """Multiply two random matrices and compare with NumPy in float64."""
    import numpy as np

    tf = context.tf
    left = context.rng.standard_normal((160, 192)).astype(np.float32)
    right = context.rng.standard_normal((192, 128)).astype(np.float32)
    with tf.device(context.device):
        product = tf.linalg.matmul(tf.constant(left), tf.constant(right))
    context.compare(
        "product", product, left.astype(np.float64) @ right.astype(np.float64), "float32", tolerance=TOLERANCE
    )
