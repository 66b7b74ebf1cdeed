"""TensorFlow's global switches for the length of a test: set, and put back as they were found.

Imports TensorFlow, so only what a fixture of ours calls in a test's own process may use it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

TOO_LATE = (
    "GPUs that are initialised already: TensorFlow changes this only before the process's first operation"
)
SEED = 0
"""TensorFlow's global seed where operations have to be deterministic: random ones refuse to run without any."""


class NotPossible(Exception):
    """TensorFlow doesn't allow the switch; the text says why, in words that follow "found"."""


@contextmanager
def memory_growth() -> Iterator[list[str]]:
    """Let GPU memory grow as needed. Yields a list that afterwards says what could not be put back.

    Raises NotPossible where TensorFlow doesn't allow it, or the environment overrules it.
    """
    import tensorflow as tf

    forced = os.environ.get("TF_FORCE_GPU_ALLOW_GROWTH")
    if forced == "false":
        raise NotPossible("TF_FORCE_GPU_ALLOW_GROWTH=false, which overrules it")
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        raise NotPossible("no GPU that TensorFlow lists")
    before = [tf.config.experimental.get_memory_growth(gpu) for gpu in gpus]
    left: list[str] = []
    if forced == "true" or all(before):
        yield left
        return
    try:
        for gpu in gpus:
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:
        raise NotPossible(TOO_LATE) from None
    except ValueError as error:
        raise NotPossible(f"GPUs that can't be switched: {error}") from None
    try:
        yield left
    finally:
        try:
            for gpu, growth in zip(gpus, before, strict=True):
                tf.config.experimental.set_memory_growth(gpu, growth)
        except RuntimeError:
            left.append("gpu_memory_growth: memory growth stays on, for the test initialised the GPUs")


@contextmanager
def tensor_float_32() -> Iterator[Callable[[bool], None]]:
    """Yield a function that allows or forbids TensorFloat-32."""
    import tensorflow as tf

    before = tf.config.experimental.tensor_float_32_execution_enabled()
    try:
        yield tf.config.experimental.enable_tensor_float_32_execution
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


@contextmanager
def deterministic_ops() -> Iterator[None]:
    """Make operations deterministic, under a fixed global seed.

    TensorFlow's public API only switches this on; `disable_op_determinism`, which its own tests use, switches it off
    (2.16 to 2.21). Raises NotPossible where that is gone, before anything is changed.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    if config.is_op_determinism_enabled():
        yield
        return
    switch_off = getattr(config, "disable_op_determinism", None)
    if switch_off is None:
        raise NotPossible(f"TensorFlow {tf.__version__}, which can't switch op determinism off again")
    state = context.context()
    before = {name: getattr(state, name) for name in ("_seed", "_rng") if hasattr(state, name)}
    tf.random.set_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        switch_off()
        tf.random.set_seed(SEED)  # also forgets the kernels that were made while it was on
        for name, value in before.items():
            setattr(state, name, value)


@contextmanager
def mixed_precision() -> Iterator[Callable[[Any], None]]:
    """Yield a function that sets Keras' global dtype policy, such as `mixed_float16`."""
    policies = [(module, module.global_policy()) for module in _keras_policies()]

    def choose(policy: Any) -> None:
        for module, _ in policies:
            module.set_global_policy(policy)

    try:
        yield choose
    finally:
        for module, before in policies:
            module.set_global_policy(before)


def _keras_policies() -> list[Any]:
    """Return the module for policies of TensorFlow's Keras, and of another one that is imported beside it."""
    import tensorflow as tf

    packages: list[ModuleType | None] = [tf.keras, sys.modules.get("keras")]
    found = {
        id(package.mixed_precision.set_global_policy): package.mixed_precision
        for package in packages
        if package is not None and hasattr(package, "mixed_precision")
    }
    return list(found.values())


class GpuMemory:
    """The memory that TensorFlow's allocator holds on one GPU, in bytes."""

    def __init__(self, device: str) -> None:
        """Count from now on; starts the GPU."""
        self._device = device
        self.reset()

    @property
    def current(self) -> int:
        """Bytes that tensors and their kind take now."""
        return self._ask("current")

    @property
    def peak(self) -> int:
        """The most bytes that they took since the test began, or since `reset`."""
        return self._ask("peak")

    def reset(self) -> None:
        """Forget the peak so far."""
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats(self._device)

    def _ask(self, what: str) -> int:
        import tensorflow as tf

        return int(tf.config.experimental.get_memory_info(self._device)[what])
