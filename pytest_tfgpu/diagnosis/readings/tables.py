"""What needs what: TensorFlow its CUDA and cuDNN, a GPU its CUDA."""

from __future__ import annotations

import re

Version = tuple[int, ...]

# https://www.tensorflow.org/install/source#gpu
CUDA_OF_TENSORFLOW: tuple[tuple[Version, Version], ...] = (
    ((1, 0), (8, 0)),
    ((1, 5), (9, 0)),
    ((1, 13), (10, 0)),
    ((2, 1), (10, 1)),
    ((2, 4), (11, 0)),
    ((2, 5), (11, 2)),
    ((2, 12), (11, 8)),
    ((2, 15), (12, 2)),
    ((2, 16), (12, 3)),
    ((2, 18), (12, 5)),
)
# https://www.tensorflow.org/install/source#gpu
CUDNN_OF_TENSORFLOW: tuple[tuple[Version, Version], ...] = (
    ((1, 0), (5, 1)),
    ((1, 3), (6, 0)),
    ((1, 5), (7, 0)),
    ((1, 13), (7, 4)),
    ((2, 1), (7, 6)),
    ((2, 4), (8, 0)),
    ((2, 5), (8, 1)),
    ((2, 12), (8, 6)),
    ((2, 14), (8, 7)),
    ((2, 15), (8, 9)),
    ((2, 18), (9, 3)),
)
# Release notes of each CUDA: the first that makes code that runs on this compute capability (8.0's runs on 8.9).
CUDA_OF_CAPABILITY: tuple[tuple[Version, Version], ...] = (
    ((6, 0), (8, 0)),
    ((7, 0), (9, 0)),
    ((7, 5), (10, 0)),
    ((8, 0), (11, 0)),
    ((9, 0), (11, 8)),
    ((10, 0), (12, 8)),
)
# https://developer.nvidia.com/cuda-gpus
CAPABILITY_OF_NAME: tuple[tuple[re.Pattern[str], Version], ...] = (
    (re.compile(r"\bRTX ?(?:PRO )?50\d\d|RTX PRO \d{4} Blackwell", re.I), (12, 0)),
    (re.compile(r"\bB[23]00\b|\bGB200\b", re.I), (10, 0)),
    (re.compile(r"\bH[12]00\b|\bGH200\b|\bH20\b", re.I), (9, 0)),
    (re.compile(r"\bRTX ?40\d\d|\bL40|\bL4\b|RTX \d000 Ada", re.I), (8, 9)),
    (re.compile(r"\bRTX ?30\d\d|\bRTX A\d{4}|\bA10\b|\bA10G\b|\bA40\b", re.I), (8, 6)),
    (re.compile(r"\bA100|\bA30\b", re.I), (8, 0)),
    (re.compile(r"\bRTX ?20\d\d|\bT4\b|\bGTX ?16\d\d|Quadro RTX|TITAN RTX", re.I), (7, 5)),
    (re.compile(r"\bV100|TITAN V\b", re.I), (7, 0)),
)


def lookup(table: tuple[tuple[Version, Version], ...], key: Version) -> Version:
    """Return the value of the last row whose key isn't above `key`; empty where there is none."""
    rows = [value for first, value in table if first <= key]
    return rows[-1] if rows else ()
