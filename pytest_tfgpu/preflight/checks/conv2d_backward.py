"""Proves that the gradients of a convolution are right in float32: what cuDNN does in training."""

from __future__ import annotations

from typing import Any

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context
from pytest_tfgpu.preflight.checks import conv2d

CHECK = Check(
    name="conv2d-backward", run=f"{__name__}:run", summary="The gradients of a convolution are right (cuDNN)."
)
ORDER = None

TOLERANCE = 2e-4
"""As for `conv2d`; the gradient of the filters sums over all places of all images, more than a thousand products."""


def references(images: Any, filters: Any, above: Any) -> tuple[Any, Any]:
    """Return the gradients with respect to `images` and `filters` (stride 1, padding SAME), in float64.

    `above` is the gradient with respect to the result.
    """
    import numpy as np

    height, width = filters.shape[:2]
    turned = np.transpose(filters[::-1, ::-1], (0, 1, 3, 2))
    padding = ((0, 0), (height // 2, height // 2), (width // 2, width // 2), (0, 0))
    padded = np.pad(images.astype(np.float64), padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    by_filters = np.tensordot(windows, above.astype(np.float64), axes=((0, 1, 2), (0, 1, 2)))
    return conv2d.reference(above, turned), np.transpose(by_filters, (1, 2, 0, 3))


def run(context: Context) -> None:
    """Let TensorFlow differentiate a convolution and compare both gradients with NumPy in float64."""
    import numpy as np

    tf = context.tf
    images = context.rng.standard_normal((4, 17, 19, 8)).astype(np.float32)
    filters = context.rng.standard_normal((3, 3, 8, 16)).astype(np.float32)
    above = context.rng.standard_normal((4, 17, 19, 16)).astype(np.float32)
    with tf.device(context.device):
        variables = [tf.constant(images), tf.constant(filters)]
        with tf.GradientTape() as tape:
            tape.watch(variables)
            result = tf.nn.conv2d(*variables, strides=1, padding="SAME")
        gradients = tape.gradient(result, variables, tf.constant(above))
    expected = references(images, filters, above)
    for name, gradient, reference in zip(("images", "filters"), gradients, expected, strict=True):
        context.compare(f"gradient by {name}", gradient, reference, "float32", tolerance=TOLERANCE)
