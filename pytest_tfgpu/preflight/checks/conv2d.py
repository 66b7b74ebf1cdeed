"""Proves that a two-dimensional convolution is right in float32: on a GPU, that cuDNN loads and works."""

from __future__ import annotations

from typing import Any

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(
    name="conv2d", run=f"{__name__}:run", summary="A convolution is right (cuDNN).", dtypes=("float32",)
)
ORDER = 40

TOLERANCE = 1e-4
"""Winograd algorithms, which cuDNN may choose, round more coarsely than a plain sum does."""


def reference(images: Any, filters: Any) -> Any:
    """Convolve NHWC `images` with HWIO `filters` of odd size, stride 1, padding SAME, in float64."""
    import numpy as np

    height, width = filters.shape[:2]
    padding = ((0, 0), (height // 2, height // 2), (width // 2, width // 2), (0, 0))
    padded = np.pad(images.astype(np.float64), padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    return np.tensordot(windows, filters.astype(np.float64), axes=((4, 5, 3), (0, 1, 2)))


def run(context: Context) -> None:
    """Convolve random images with random filters and compare with NumPy in float64."""
    import numpy as np

    tf = context.tf
    images = context.rng.standard_normal((4, 17, 19, 8)).astype(np.float32)
    filters = context.rng.standard_normal((3, 3, 8, 16)).astype(np.float32)
    with tf.device(context.device):
        result = tf.nn.conv2d(tf.constant(images), tf.constant(filters), strides=1, padding="SAME")
    context.compare("convolution", result, reference(images, filters), "float32", tolerance=TOLERANCE)
