"""Proves that batch normalisation is right in training and in inference: on a GPU cuDNN's, where it takes it."""

from __future__ import annotations

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(
    name="batch-norm",
    run=f"{__name__}:run",
    summary="Batch normalisation is right, in training and inference.",
)
ORDER = None

TOLERANCE = 1e-4
"""Mean and variance over a thousand values, and a reciprocal square root: a few roundings of float32 (6e-8) each."""
EPSILON = 1e-3


def run(context: Context) -> None:
    """Normalise with the batch's own moments and with given ones, and compare with NumPy in float64."""
    import numpy as np

    tf = context.tf
    shape, channels = (8, 12, 11, 16), 16
    images = (context.rng.standard_normal(shape) * 2 + 1).astype(np.float32)
    scale, offset = context.rng.standard_normal((2, channels)).astype(np.float32)
    with tf.device(context.device):
        given = [tf.constant(values) for values in (images, scale, offset)]
        trained, mean, variance = tf.compat.v1.nn.fused_batch_norm(*given, epsilon=EPSILON, is_training=True)
        inferred, _, _ = tf.compat.v1.nn.fused_batch_norm(
            *given, mean=mean, variance=variance, epsilon=EPSILON, is_training=False
        )
    exact = images.astype(np.float64)
    axes, count = (0, 1, 2), exact[..., 0].size
    moments = exact.mean(axes), exact.var(axes)
    unbiased = moments[1] * count / (count - 1)
    for name, result, spread in (("training", trained, moments[1]), ("inference", inferred, unbiased)):
        expected = (exact - moments[0]) / np.sqrt(spread + EPSILON) * scale + offset
        context.compare(name, result, expected, "float32", tolerance=TOLERANCE)
    context.compare("mean", mean, moments[0], "float32", tolerance=TOLERANCE)
    context.compare("variance", variance, unbiased, "float32", tolerance=TOLERANCE)
