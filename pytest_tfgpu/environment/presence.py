"""Whether there is a GPU for this process, told from the facts alone."""

from __future__ import annotations

import re
from typing import Literal

from pytest_tfgpu.environment import nvml
from pytest_tfgpu.environment.faults import faults
from pytest_tfgpu.environment.faults.driver import driver_library, passed_over
from pytest_tfgpu.model import Facts
from pytest_tfgpu.records import Record, record

PresenceStatus = Literal["absent", "present", "unusable", "unclear"]


@record
class Presence(Record):
    """What the facts say about the GPUs of this process.

    `absent`: no GPU is shown, or CUDA_VISIBLE_DEVICES hides all. `present`: one is there, and nothing known
    keeps TensorFlow from using it. `unusable`: one is there, and TensorFlow can't use it. `unclear`: the
    driver's library is here and NVML doesn't answer, so that only running it tells whether there is a GPU.
    """

    status: PresenceStatus
    reason: str | None = None
    """One sentence, for each status but `present`."""
    cause: str | None = None
    gpus: int | None = None
    """How many GPUs this process sees; None: unknown."""


def presence(facts: Facts) -> Presence:
    """Tell whether a GPU is there for this process, and what is known to keep TensorFlow from it."""
    if passed_over(facts):
        return Presence("absent", _not_passed_on(facts), "driver-missing", 0)
    if is_hidden(facts):
        return Presence("absent", _hidden(facts), "gpu-not-visible", 0)
    if _is_shown(facts):
        count = None if facts.visible_gpus is None or not facts.gpus else len(facts.visible)
        fault = next((fault for fault in faults(facts) if fault.severity == "error"), None)
        if fault is None:
            return Presence("present", gpus=count)
        return Presence("unusable", fault.summary, fault.cause, count)
    if "nvml" in facts.unknown and driver_library(facts) is not None:
        return Presence("unclear", f"The driver's library libcuda.so.1 is here, but: {facts.unknown['nvml']}")
    return Presence("absent", _absent(facts), _absent_cause(facts), 0)


def is_hidden(facts: Facts) -> bool:
    """Whether CUDA_VISIBLE_DEVICES leaves none of the GPUs that there are, or that there may be."""
    if facts.visible_gpus != ():
        return False
    may_be = "nvml" in facts.unknown and (_is_shown(facts) or driver_library(facts) is not None)
    return bool(facts.gpus) or may_be


def _is_shown(facts: Facts) -> bool:
    """Whether the driver, NVML or a device file shows a GPU; NVML's mismatch is a kernel driver's answer."""
    if facts.gpus or facts.nvml_error == nvml.VERSION_MISMATCH:
        return True
    return any(re.match(r"/dev/(nvidia\d|nvhost-gpu)", name) for name in facts.device_files)


def _on_the_bus(facts: Facts) -> bool:
    return any(name.startswith("/sys/bus/pci/") for name in facts.device_files)


def _not_passed_on(facts: Facts) -> str:
    driver = f" (driver {facts.driver})" if facts.driver else ""
    return (
        f"This container was started without the NVIDIA GPU of its machine{driver}: it has no /dev/nvidia0."
    )


def _hidden(facts: Facts) -> str:
    value = facts.environment.get("CUDA_VISIBLE_DEVICES")
    which = {0: "all GPUs", 1: "the only GPU"}.get(len(facts.gpus), f"all {len(facts.gpus)} GPUs")
    if value is None:
        return "None of the GPUs is visible to this process."
    setting = f"CUDA_VISIBLE_DEVICES={value}" if value else "An empty CUDA_VISIBLE_DEVICES"
    return f"{setting} hides {which}."


def _absent(facts: Facts) -> str:
    if facts.driver is not None:
        reason = next((text for key, text in facts.unknown.items() if key.startswith("gpus[")), None)
        return reason or f"The NVIDIA driver {facts.driver} shows no GPU."
    if _on_the_bus(facts):
        return "An NVIDIA GPU is on the PCI bus, but no NVIDIA driver is loaded."
    if facts.platform == "macos":
        return "There is no NVIDIA GPU: no NVIDIA driver exists for macOS."
    return "There is no NVIDIA GPU: no driver, NVML or device file shows one."


def _absent_cause(facts: Facts) -> str | None:
    return "driver-missing" if facts.driver is None and _on_the_bus(facts) else None
