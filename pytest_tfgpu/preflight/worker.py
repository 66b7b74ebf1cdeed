"""The part of the preflight's child that works with TensorFlow: starts the devices and checks them."""

from __future__ import annotations

import math
import os
import secrets
import sys
import sysconfig
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_tfgpu.environment.loaded import libraries, mapped
from pytest_tfgpu.model import INAPPLICABLE
from pytest_tfgpu.preflight import probe
from pytest_tfgpu.preflight.api import CheckFailed, Context, DoesNotApply

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_tfgpu.preflight.child import Channel

LONGEST_TEXT = 1 << 16
"""Characters of one exception's message."""


def describe(error: BaseException) -> dict[str, Any]:
    """Return an exception as data: class, message, the functions it passed through, and what led to it."""
    chain: list[dict[str, Any]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(chain) < 10:
        seen.add(id(current))
        try:
            message = str(current)
        except Exception as failure:
            message = f"(its text can't be had: {type(failure).__name__})"
        kind = type(current)
        chain.append({"class": f"{kind.__module__}.{kind.__qualname__}", "message": message[:LONGEST_TEXT]})
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    modules, trace = [], error.__traceback__
    while trace is not None:
        modules.append(f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_frame.f_code.co_name}")
        trace = trace.tb_next
    return {**chain[0], "chain": chain[1:], "frames": modules[-30:]}


def prepare(tf: Any, kind: str) -> None:
    """Make the settings under which the checks mean something and leave the memory of the GPU to others."""
    tf.config.set_soft_device_placement(False)
    tf.config.experimental.enable_tensor_float_32_execution(False)
    if kind == "CPU":
        tf.config.set_visible_devices([], "GPU")
        return
    for gpu in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(gpu, True)
        except ValueError:
            continue


def initialise(
    tf: Any, kind: str, channel: Channel, expected: int | None
) -> tuple[int, dict[str, Any] | None]:
    """Start the devices. Returns how many there are, and the error that all of them share, if there is one.

    Where one of several GPUs can't be started, none can: then the parent is asked to start each by itself.
    Where another number than `expected` is listed, nobody knows which is which, and there are none to check.
    """
    channel.send("initialising")
    error, logical = None, 0
    physical = len(tf.config.list_physical_devices(kind))
    channel.send("listed", count=physical)
    if expected not in (None, physical):
        return 0, None
    try:
        prepare(tf, kind)
        logical = len(tf.config.list_logical_devices(kind))
    except BaseException as failure:
        error = describe(failure)
    if physical > 1 and logical != physical:
        channel.send("separate")
        os._exit(0)
    if physical and not logical and error is None:
        error = {"class": "", "message": "TensorFlow leaves this device out", "chain": []}
    return physical, error


def run_check(tf: Any, check: dict[str, Any], device: str, free_mib: int | None) -> dict[str, Any]:
    """Run one check on one device; the result is JSON of a `CheckResult`, and never an exception."""
    import numpy as np

    seed = secrets.randbits(64)
    context = Context(tf, device, np.random.default_rng(seed), free_mib)
    result: dict[str, Any] = {"name": check["name"], "outcome": "passed"}
    began = time.perf_counter()
    try:
        module, _, function = check["run"].partition(":")
        getattr(import_module(module), function)(context)
    except DoesNotApply as reason:
        result |= {"outcome": "not-run", "message": str(reason)}
        context.details[INAPPLICABLE] = True
    except CheckFailed as failure:
        result |= {"outcome": "failed", "message": str(failure)}
    except BaseException as error:
        result |= {"outcome": "failed"}
        context.details["error"] = describe(error)
    result["seconds"] = time.perf_counter() - began
    if context.comparisons:
        worst = max(context.comparisons, key=_strain)
        result |= {"max_error": worst["error"], "tolerance": worst["tolerance"]}
        context.details["comparisons"] = context.comparisons
    result["details"] = {**context.details, "seed": seed}
    plain: dict[str, Any] = as_plain(result)
    return plain


def as_plain(value: Any, depth: int = 8) -> Any:
    """Return what a check noted as plain JSON data: NumPy's scalars as numbers, what is not finite or odd as text."""
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if depth and isinstance(value, Mapping):
        return {str(key): as_plain(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        return [as_plain(item, depth - 1) for item in value]
    number = getattr(value, "item", None)
    if depth and callable(number) and getattr(value, "shape", None) == ():
        return as_plain(number(), 0)
    try:
        return str(value)
    except Exception as failure:
        return f"(its text can't be had: {type(failure).__name__})"


def _strain(comparison: dict[str, Any]) -> tuple[float, float]:
    """Order comparisons by how much of their tolerance they use."""
    if comparison["error"] is None:
        return (float("inf"), 0.0)
    return (comparison["error"] / (comparison["tolerance"] or 1e-300), comparison["tolerance"])


def check_devices(
    tf: Any, request: dict[str, Any], channel: Channel, restart_clock: Callable[[], None]
) -> None:
    """Run every check on every device, and report each as it begins and ends.

    The devices are checked at the same time, in a thread each, unless the request says that they are not: most of
    the time goes into work that TensorFlow does once per device, on one core.
    """
    kind = request["device"].upper()
    count, error = initialise(tf, kind, channel, request["expected"])
    count = count if kind == "GPU" else min(count, 1)

    def check_device(position: int) -> None:
        free = request["memory_free_mib"][position : position + 1] or [None]
        for number, check in enumerate(request["checks"]):
            channel.send("check", position=position, name=check["name"])
            if error is None:
                result = run_check(tf, check, f"/{kind}:{position}", free[0])
            elif number == 0:
                result = {"name": check["name"], "outcome": "failed", "details": {"error": error}}
            else:
                result = {"name": check["name"], "outcome": "not-run"}
            channel.send("result", position=position, result=result)
        left = {"memory_left_mib": probe.memory_left_mib(position)} if request["remember"] else {}
        channel.send(
            "device-done", position=position, cudnn=probe.cudnn_version(), libraries=libraries(), **left
        )
        restart_clock()

    if count < 2 or not request["together"]:
        for position in range(count):
            check_device(position)
        return
    with ThreadPoolExecutor(count, "tfgpu-check") as pool:
        for checked in [pool.submit(check_device, position) for position in range(count)]:
            checked.result()


def peak_memory_kib() -> int | None:
    """Return the largest memory that this process ever held, in KiB (Linux; elsewhere None).

    `getrusage` is no use here: on Linux its figure starts with the memory of the parent.
    """
    try:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])
    except (OSError, ValueError, IndexError):
        return None


def loaded_files(tf: Any) -> list[str]:
    """Return the files of code in this process: all libraries, and the modules that aren't Python's or TensorFlow's."""
    python = sysconfig.get_path("stdlib") + os.sep
    tensorflow = str(Path(tf.__file__).parent) + os.sep

    def is_foreign(name: str) -> bool:
        own = name.startswith(python) and "site-packages" not in name
        return not own and not name.startswith(tensorflow)

    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    modules = (name for name in files if isinstance(name, str))
    return sorted({*filter(is_foreign, modules), *mapped()})
