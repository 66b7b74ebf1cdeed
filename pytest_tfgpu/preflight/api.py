"""What a check of the preflight is given. Third parties write checks against this module.

A check is a function that takes a `Context`. It passes by returning, and fails by raising:

    def run(context):
        values = context.rng.standard_normal((64, 64))
        with context.tf.device(context.device):
            result = context.tf.linalg.matmul(values, values)
        context.compare("product", result, values @ values, "float64")

It runs in the preflight's child process, after TensorFlow was imported, once per GPU; where there are several, on all
of them at the same time, in a thread each. Soft device placement and TensorFloat-32 are switched off.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import numpy as np

TOLERANCES = {
    "float64": 1e-12,
    "float32": 1e-5,
    "float16": 5e-3,
    "bfloat16": 4e-2,
    "complex64": 1e-5,
    "complex128": 1e-12,
}
"""Relative errors by data type that `Context.compare` allows where the check states none; others: exact."""


class CheckFailed(Exception):
    """A check found something wrong; its text is one sentence for the user."""


class DoesNotApply(Exception):
    """A check found that it has nothing to say of this device; its text is one sentence for the user."""


def relative_error(result: Any, reference: Any) -> float:
    """Return the largest difference, divided by the largest magnitude in `reference` (by 1 where that is 0).

    Both are arrays of one shape. NaN or infinity in the result where the reference has none give `inf`.
    """
    import numpy as np

    kind = np.complex128 if np.iscomplexobj(reference) else np.float64
    expected, found = np.asarray(reference, kind), np.asarray(result).astype(kind)
    if not expected.size:
        return 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        error = float(np.max(np.abs(found - expected))) / (float(np.max(np.abs(expected))) or 1.0)
    return error if math.isfinite(error) else math.inf


@dataclass
class Context:
    """One run of one check on one device."""

    tf: Any
    """The imported `tensorflow`."""
    device: str
    """Where to compute: `/GPU:0`, `/GPU:1` ... or `/CPU:0`, for `tf.device`."""
    rng: np.random.Generator
    """Fresh random numbers; the seed is reported with the result."""
    memory_free_mib: int | None = None
    """Free memory of the GPU before TensorFlow started, where it is known."""
    details: dict[str, Any] = field(default_factory=dict)
    """Anything worth reporting, as plain JSON data."""
    comparisons: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, sentence: str) -> NoReturn:
        """End the check as failed, with a sentence for the user."""
        raise CheckFailed(sentence)

    def does_not_apply(self, sentence: str) -> NoReturn:
        """End the check as not run, which is no fault of the device: `It needs two GPUs.` is such a sentence."""
        raise DoesNotApply(sentence)

    def located(self, name: str, tensor: Any) -> None:
        """Fail unless `tensor` really lies on the device asked for."""
        for attribute in ("device", "backing_device"):
            found = getattr(tensor, attribute, None)
            if found is not None and not found.endswith("/device:" + self.device.strip("/")):
                self.fail(f"{name}: the result lies on {_short(found)}, not on {self.device}")

    def compare(
        self, name: str, result: Any, reference: Any, dtype: str, *, tolerance: float | None = None
    ) -> float:
        """Fail unless `result`, a tensor of type `dtype`, lies on the device and equals `reference`.

        `reference` is an array, best computed in float64 from the same inputs. `tolerance` is the
        relative error allowed (see `relative_error` and `TOLERANCES`). Returns the error found.
        """
        import numpy as np

        self.located(name, result)
        if result.dtype != self.tf.as_dtype(dtype):
            self.fail(f"{name}: the result is {result.dtype.name}, not {dtype}")
        values, expected = result.numpy(), np.asarray(reference)
        if values.shape != expected.shape:
            self.fail(f"{name}: the result has shape {values.shape}, not {expected.shape}")
        allowed = TOLERANCES.get(dtype, 0.0) if tolerance is None else tolerance
        error = relative_error(values, expected)
        finite = error if math.isfinite(error) else None
        self.comparisons.append({"name": name, "dtype": dtype, "error": finite, "tolerance": allowed})
        if finite is None:
            self.fail(f"{name} ({dtype}): the result holds NaN or infinity where the reference has none")
        if error > allowed:
            self.fail(f"{name} ({dtype}): relative error {error:.2g}, allowed is {allowed:.2g}")
        return error


def _short(device: str) -> str:
    """Give `/job:localhost/replica:0/task:0/device:CPU:0` as `/CPU:0`."""
    return "/" + device.rpartition("/device:")[2] if "/device:" in device else device
