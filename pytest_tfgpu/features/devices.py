"""Which of TensorFlow's devices a test gets: the first GPU that is usable and as its marks require.

Knows TensorFlow, and is imported by what a test has asked for only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu.features.gate import build
from pytest_tfgpu.features.machine import LocalMachine

if TYPE_CHECKING:
    from pytest_tfgpu.model import Gpu


def ordinal(item: pytest.Item, machine: LocalMachine) -> int:
    """Return the number that TensorFlow gives the GPU for a test; 0 where it can't be told.

    TensorFlow numbers GPUs as CUDA does, which puts the fastest first: unlike ones are told by name and compute
    capability. Raises NoGpu where there is none.
    """
    from pytest_tfgpu.environment.faults.gpus import without_kernels

    marks = item.iter_markers("requires_gpu")
    fits = [test for mark in marks if (test := build(mark).fits) is not None]
    usable = machine.gpus()
    wanted = next((gpu for gpu in usable if all(test(gpu) for test in fits)), None)
    unfit = without_kernels(machine.facts)
    listed = tuple(gpu for gpu in machine.facts.visible if gpu not in unfit)
    if wanted is None or len(listed) < 2:
        return 0
    kinds = _kinds(unfit)
    if len(kinds) == len(usable):
        listed = usable  # after a preflight only these are left visible
    rank = [gpu for gpu in listed if _kind(gpu) == _kind(wanted)].index(wanted)
    ordinals = [number for number, kind in enumerate(kinds) if kind == _kind(wanted)]
    return ordinals[rank] if rank < len(ordinals) else 0


def _kind(gpu: Gpu) -> tuple[str | None, str | None]:
    return gpu.name, gpu.compute_capability


def _kinds(unfit: tuple[Gpu, ...]) -> list[tuple[str | None, str | None]]:
    """Return name and compute capability of the GPUs that TensorFlow uses, in its order."""
    import tensorflow as tf

    left_out = set(map(_kind, unfit))
    kinds = []
    for device in tf.config.list_physical_devices("GPU"):
        details: dict[str, Any] = tf.config.experimental.get_device_details(device)
        capability = details.get("compute_capability")
        kind = details.get("device_name"), ".".join(map(str, capability)) if capability else None
        if kind not in left_out:
            kinds.append(kind)
    return kinds
