"""Checks as a third party might write them: sound ones, ones that find something wrong, ones that misbehave."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pytest_tfgpu.preflight.api import Context


def sound(context: Context) -> None:
    """Compute in float64, note something, print on every stream there is."""
    print("a stray line on standard output")
    os.write(1, b'{"event": "done"}\nno newline')
    os.system("echo from a shell")
    values = context.rng.standard_normal((8, 8))
    with context.tf.device(context.device):
        result = context.tf.linalg.matmul(values, values)
    context.details["noted"] = {"threads": 2, "path": Path("somewhere")}
    context.compare("product", result, values @ values, "float64")


def folder(context: Context) -> None:
    """Report where this ran, and what it could import."""
    context.details["cwd"] = str(Path.cwd())
    context.details["tensorflow"] = context.tf.__file__
    context.details["helpers_last"] = sys.path.index(str(Path(__file__).parent)) > sys.path.index(
        str(Path(context.tf.__file__).parents[1])
    )
    context.details["own_folder_searched"] = any(entry.endswith("preflight") for entry in sys.path)


def settings(context: Context) -> None:
    """Report the settings that checks run under."""
    config = context.tf.config
    context.details["soft_placement"] = config.get_soft_device_placement()
    context.details["tensor_float_32"] = config.experimental.tensor_float_32_execution_enabled()


def reads_input(context: Context) -> None:
    """Standard input is empty, not ours."""
    context.details["input"] = sys.stdin.read()


def wrong_numbers(context: Context) -> None:
    """Compare with a reference that is off by one per mille."""
    ones = context.tf.ones([4])
    context.compare("ones", ones, ones.numpy(), "float32")
    context.compare("ones", ones, ones.numpy() * 1.001, "float32")


def not_a_number(context: Context) -> None:
    """Compare a result that holds NaN."""
    zeros = context.tf.zeros([4])
    context.compare("quotient", zeros / zeros, zeros.numpy(), "float32")


def wrong_type(context: Context) -> None:
    """Compare a result of another data type than claimed."""
    context.compare("zeros", context.tf.zeros([4]), context.tf.zeros([4]).numpy(), "float16")


def wrong_shape(context: Context) -> None:
    """Compare a result of another shape than the reference's."""
    context.compare("zeros", context.tf.zeros([4]), context.tf.zeros([2, 2]).numpy(), "float32")


def elsewhere(context: Context) -> None:
    """Compare a result that lies on another logical device than the one asked for."""
    with context.tf.device("/CPU:0"):
        result = context.tf.ones([4])
    Context(context.tf, "/GPU:0", context.rng).compare("ones", result, result.numpy(), "float32")


def unsupported(context: Context) -> None:
    """Ask TensorFlow for what it can't do, and wrap its error."""
    try:
        context.tf.cast(context.tf.constant(["a"]), context.tf.float32)
    except context.tf.errors.UnimplementedError as error:
        raise RuntimeError("the workload failed") from error


def no_such_device(context: Context) -> None:
    """Ask for a device that isn't there; soft placement would hide it."""
    with context.tf.device("/GPU:7"):
        context.tf.ones([4]) + 1.0


def leaves(context: Context) -> None:
    """Leave with SystemExit."""
    raise SystemExit(4)


class Mute(Exception):
    """An exception that can't be printed."""

    def __str__(self) -> str:
        raise ValueError("no text")


def mute(context: Context) -> None:
    """Raise an exception that can't be printed."""
    raise Mute


def talkative(context: Context) -> None:
    """Fail with a message of 10 MB."""
    raise RuntimeError("x" * 10_000_000)


def huge_details(context: Context) -> None:
    """Note far more than anybody wants to read."""
    context.details["numbers"] = list(range(1_000_000))


def odd_details(context: Context) -> None:
    """Note what JSON doesn't know, and state a tolerance as a NumPy number."""
    scalars = context.rng.standard_normal(1).astype("float32")
    circle: list[Any] = []
    circle.append(circle)
    noted = {
        "nan": float("nan"),
        "number": scalars[0] * 0 + 1,
        3: (1, 2),
        "array": scalars[:0],
        "mute": Mute(),
    }
    context.details.update(noted, circle=circle)  # type: ignore[arg-type]
    context.compare("ones", context.tf.ones([2]), [1, 1], "float32", tolerance=scalars[0] * 0)


def aborts(context: Context) -> None:
    """Abort the process, as TensorFlow does where a check of its own fails."""
    os.abort()


def exits(context: Context) -> None:
    """End the process as if all were well."""
    os._exit(0)


def hangs(context: Context) -> None:
    """Never return, and hold the interpreter's lock, as native code can."""
    ctypes.PyDLL(None).sleep(600)


def floods(context: Context) -> None:
    """Log without end."""
    while True:
        os.write(2, b"E0000 failed to allocate memory\n" * 1000)


def leaves_a_process(context: Context) -> None:
    """Start a process that stays."""
    context.details["pid"] = subprocess.Popen(["sleep", "600"]).pid


def waits(context: Context) -> None:
    """Take a while, in Python."""
    time.sleep(600)


def results(context: Context) -> Any:
    """Return something: it is ignored."""
    return {"outcome": "failed"}


def quiet(context: Context) -> None:
    """Say which device this is; compute nothing."""
    context.details["device"] = context.device


def _is(context: Context, variable: str) -> bool:
    """Whether this is the GPU that a variable names as CUDA_VISIBLE_DEVICES does."""
    number = int(context.device.rpartition(":")[2])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return os.environ[variable] == (visible.split(",")[number] if visible else str(number))


def aborts_on_one(context: Context) -> None:
    """Abort the process on the GPU that ABORTS_ON names."""
    if _is(context, "ABORTS_ON"):
        os.abort()


def hangs_on_one(context: Context) -> None:
    """Hang on the GPU that HANGS_ON names."""
    if _is(context, "HANGS_ON"):
        time.sleep(600)


def hangs_on_first_of_several(context: Context) -> None:
    """Hang on the first GPU, where there are several."""
    if context.device == "/GPU:0" and len(context.tf.config.list_logical_devices("GPU")) > 1:
        time.sleep(600)
