"""Proves that a depthwise convolution is right in float32: on a GPU mostly TensorFlow's own kernels, not cuDNN's."""

from __future__ import annotations

from typing import Any

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(name="depthwise", run=f"{__name__}:run", summary="A depthwise convolution is right.")
ORDER = None

TOLERANCE = 1e-5
"""Float32 rounding over sums of 9 products leaves about 2e-7."""


def reference(images: Any, filters: Any) -> Any:
    """Convolve each channel of NHWC `images` with its own filters (HWCM, odd size), stride 1, padding SAME."""
    import numpy as np

    height, width, channels, multiplier = filters.shape
    padding = ((0, 0), (height // 2, height // 2), (width // 2, width // 2), (0, 0))
    padded = np.pad(images.astype(np.float64), padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    result = np.einsum("nijcab,abcm->nijcm", windows, filters.astype(np.float64))
    return result.reshape(*images.shape[:3], channels * multiplier)


def run(context: Context) -> None:
    """Convolve random images depthwise and compare with NumPy in float64."""
    import numpy as np

    tf = context.tf
    images = context.rng.standard_normal((4, 17, 19, 8)).astype(np.float32)
    filters = context.rng.standard_normal((3, 3, 8, 2)).astype(np.float32)
    with tf.device(context.device):
        result = tf.nn.depthwise_conv2d(
            tf.constant(images), tf.constant(filters), strides=[1, 1, 1, 1], padding="SAME"
        )
    context.compare("convolution", result, reference(images, filters), "float32", tolerance=TOLERANCE)
