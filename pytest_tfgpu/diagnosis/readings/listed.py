"""Readings of the lists of devices that TensorFlow and programs print."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Function, Probe, Reading
from pytest_tfgpu.diagnosis.text import TAKES_A_GPU

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

_LIST = Probe(
    r"(?:devices are|available devices|[Rr]egistered devices:|device types) \[([^\]\n]{0,2000})\]",
    "devices are [",
    "available devices [",
    "registered devices: [",
    "device types [",
)
_REAL_GPU = re.compile(r"(?<!XLA_)GPU(?![A-Z_])", re.IGNORECASE)
_ONLY_CPU_LISTED = Probe(
    r"\[PhysicalDevice\(name='/physical_device:CPU:0', device_type='CPU'\)\]$|Num GPUs Available: {1,4}0\b|"
    r"Device mapping: no known devices|GPU available: False|is_gpu_available\(\)[^\n]{0,20}\bFalse|"
    r"GPUs?(?: is| are|:)? {1,4}(?:NOT AVAILABLE|not available)$|\b0 Physical GPUs|"
    r"list_physical_devices\(['\"]GPU['\"]\)\)?\s{0,4}(?:returns )?\[\]|"
    r"\bGPUs?\b[^\n]{0,40}?[?:=>)] {0,4}\[\]\s{0,4}$|"
    r"\b(?:GPUs?|is_gpu)[ _](?:is |are )?(?:available|found|detected|present|support)[^\n]{0,12}[?:=)]"
    r" {0,4}(?:False|None|0)\s{0,4}$|Default GPU Device: {0,4}$",
    "[physicaldevice(",
    "num gpus available",
    " not available",
    "0 physical gpus",
    "list_physical_devices('gpu'",
    'list_physical_devices("gpu"',
    "no known devices",
    "gpu available: false",
    "is_gpu_available()",
    "[]",
    "default gpu device:",
    "gpu_available",
    "gpu available",
    "gpus available",
    "gpu is ",
    "gpu support",
    flags=re.MULTILINE,
)
_SAID_OF_GPUS = frozenset((b"gpu", b"gpus", b"physicaldevice", b"mapping", b"cpu"))
"""Words of which one is in every text that lists no GPU."""
_PROTO = Probe(r"device_type: \"(CPU|GPU)\"", 'device_type: "cpu"')
"""One device in what `device_lib.list_local_devices()` returns."""


_INDEXED = Probe(
    TAKES_A_GPU,
    "set_memory_growth(",
    "set_visible_devices(",
    "_device_configuration(",
    "get_device_details(",
    "tf.device(",
    "_devices(",
    flags=re.IGNORECASE,
)


def _indexed(case: Case) -> str | None:
    """Return the number of the GPU that the program took from TensorFlow's list and that isn't there, as written."""
    found = _INDEXED.search(case) if "IndexError" in case.classes else None
    return (found[1] or found[2]).strip() if found else None


def _lists(case: Case) -> list[str]:
    known = case.readings.get("*devices")
    if not isinstance(known, list):
        known = case.readings["*devices"] = [found[1] for found in _LIST.finditer(case)]
    return known


def no_gpu_listed(case: Case, _: str) -> Reading | None:
    """Whether TensorFlow's list of devices holds no GPU."""
    lists = _lists(case)
    if lists and not any(_REAL_GPU.search(entry) for entry in lists):
        return Reading("TensorFlow had no GPU among its devices.", _LIST.quote(case))
    if _indexed(case) == "0":
        return Reading("TensorFlow listed no GPU.", _INDEXED.quote(case))
    if _SAID_OF_GPUS.isdisjoint(case.raw_words):
        return NO
    protos = {found[1] for found in _PROTO.finditer(case)}
    if protos == {"CPU"} and not lists:
        return Reading("TensorFlow listed no GPU.", _PROTO.quote(case))
    quote = None if lists or protos else _ONLY_CPU_LISTED.quote(case)
    return Reading("TensorFlow listed no GPU.", quote) if quote else NO


def _gpu_listed(case: Case, _: str) -> Reading | None:
    """Whether TensorFlow's list of devices holds a GPU."""
    if any(_REAL_GPU.search(entry) for entry in _lists(case)):
        return Reading("TensorFlow had a GPU among its devices.", _LIST.quote(case))
    return NO


def _only_xla_gpu(case: Case, _: str) -> Reading | None:
    """Whether XLA's device for a GPU is listed and the GPU itself isn't (1.14 to 2.3): its libraries failed to load."""
    lists = _lists(case)
    if any("XLA_GPU" in entry for entry in lists) and not any(_REAL_GPU.search(entry) for entry in lists):
        return Reading("TensorFlow saw a GPU and didn't take it among its devices.", _LIST.quote(case))
    return NO


def _too_few(case: Case, _: str) -> Reading | None:
    """Whether the program took a GPU from TensorFlow's list that isn't in it."""
    number = _indexed(case)
    if number is None:
        return NO
    few = "" if number == "0" else f"TensorFlow lists so few GPUs that [{number}] is beyond the last one."
    return Reading(few, _INDEXED.quote(case))


READINGS: dict[str, Function] = {
    "no-gpu-listed": no_gpu_listed,
    "gpu-listed": _gpu_listed,
    "gpus-too-few": _too_few,
    "only-xla-gpu-listed": _only_xla_gpu,
}
