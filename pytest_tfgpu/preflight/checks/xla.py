"""Proves that XLA compiles a function for the device and that it is right: on a GPU with ptxas and the driver."""

from __future__ import annotations

from typing import Any

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(name="xla", run=f"{__name__}:run", summary="XLA compiles a function, and it is right.")
ORDER = None

TOLERANCE = 1e-6
"""Three roundings of float32 (6e-8); compiled code may fuse two of them into one."""


def run(context: Context) -> None:
    """Compile an element-wise function with `jit_compile=True` and compare with NumPy in float64."""
    import numpy as np

    tf = context.tf
    first, second = context.rng.standard_normal((2, 128, 96)).astype(np.float32)

    @tf.function(jit_compile=True)  # type: ignore[untyped-decorator,unused-ignore]
    def fused(left: Any, right: Any) -> Any:
        return tf.maximum(left * right + left, right - left)

    with tf.device(context.device):
        result = fused(tf.constant(first), tf.constant(second))
    left, right = first.astype(np.float64), second.astype(np.float64)
    context.compare(
        "fused", result, np.maximum(left * right + left, right - left), "float32", tolerance=TOLERANCE
    )
