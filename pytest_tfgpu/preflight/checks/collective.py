"""Proves that two GPUs add up their values as distributed training does: by `tf.distribute` and NCCL."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from pytest_tfgpu.model import Check
from pytest_tfgpu.preflight.api import Context

CHECK = Check(
    name="collective", run=f"{__name__}:run", summary="Two GPUs reduce their values together (NCCL)."
)
ORDER = None

TOLERANCE = 1e-6
"""A sum of two numbers in float32 is rounded once (6e-8)."""

_ONE_AT_A_TIME = threading.Lock()
"""Collectives of overlapping groups of GPUs that are under way together can wait for each other for ever."""


def run(context: Context) -> None:
    """Let this GPU and the next one sum random values, and compare the result on both with NumPy."""
    kind, _, number = context.device.strip("/").partition(":")
    count = len(context.tf.config.list_logical_devices(kind))
    if kind != "GPU" or count < 2:
        context.does_not_apply("It needs two GPUs.")
    with _ONE_AT_A_TIME:
        all_reduce(context, [context.device, f"/GPU:{(int(number) + 1) % count}"])


def all_reduce(context: Context, devices: Sequence[str]) -> None:
    """Sum random values, one array per device, over these devices."""
    import numpy as np

    tf = context.tf
    sources = context.rng.standard_normal((len(devices), 1024)).astype(np.float32)
    strategy = tf.distribute.MirroredStrategy(list(devices))

    def step(own: object) -> object:
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, own)

    values = strategy.experimental_distribute_values_from_function(
        lambda replica: tf.constant(sources[replica.replica_id_in_sync_group])
    )
    results = strategy.experimental_local_results(strategy.run(step, args=(values,)))
    expected = sources.astype(np.float64).sum(0)
    for device, result in zip(devices, results, strict=True):
        name = f"sum on {device.strip('/')}"
        replace(context, device=device).compare(name, result, expected, "float32", tolerance=TOLERANCE)
