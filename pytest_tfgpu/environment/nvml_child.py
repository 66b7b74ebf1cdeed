"""Asks NVML about the machine, in a process of its own: NVML may hang or crash. Run by path, not imported.

Prints one JSON object per answer, so that what was known before a hang is kept. The only argument is the
folder of pynvml.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

COMPUTE_MODES = {0: "default", 1: "exclusive-thread", 2: "prohibited", 3: "exclusive-process"}
SLOWED = {0x20: "heat", 0x40: "heat", 0x80: "power brake", 0x08: "hardware slowdown"}
"""nvmlClocksEventReasons* of nvml.h that mean trouble; an idle GPU and a power limit are none."""
UNCORRECTED, VOLATILE, GPU_SENSOR, SLOWDOWN, VGPU_GUEST = 1, 0, 0, 1, 2
"""nvmlMemoryErrorType_t, nvmlEccCounterType_t, nvmlTemperatureSensors_t, nvmlTemperatureThresholds_t and
nvmlGpuVirtualizationMode_t of nvml.h."""
MIB = 1 << 20


def ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the function's answer; None where NVML has none or the library lacks the function."""
    try:
        return function(*arguments)
    except Exception:
        return None


def text(value: Any) -> str | None:
    """Return a string of NVML, which older bindings give as bytes."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def capability(nvml: Any, handle: Any) -> str | None:
    """Return the compute capability of a device, such as `9.0`."""
    pair = ask(nvml.nvmlDeviceGetCudaComputeCapability, handle)
    return f"{pair[0]}.{pair[1]}" if pair else None


def describe(nvml: Any, handle: Any, index: int) -> dict[str, Any]:
    """Return the fields of a Gpu record for a device or a MIG instance."""
    memory = ask(nvml.nvmlDeviceGetMemoryInfo, handle)
    return {
        "index": index,
        "name": text(ask(nvml.nvmlDeviceGetName, handle)),
        "uuid": text(ask(nvml.nvmlDeviceGetUUID, handle)),
        "compute_capability": capability(nvml, handle),
        "memory_total_mib": memory.total // MIB if memory else None,
        "memory_free_mib": memory.free // MIB if memory else None,
        "compute_mode": COMPUTE_MODES.get(ask(nvml.nvmlDeviceGetComputeMode, handle)),
        "pci": pci(nvml, handle),
    }


def pci(nvml: Any, handle: Any) -> str | None:
    """Return a device's place on the PCI bus as Linux writes it; NVML writes the domain with eight digits."""
    place = text(getattr(ask(nvml.nvmlDeviceGetPciInfo, handle), "busId", None))
    return place.lower()[-12:] if place else None


def health(nvml: Any, handle: Any) -> dict[str, Any]:
    """Return the fields of a Health record that NVML knows."""
    rows = ask(nvml.nvmlDeviceGetRemappedRows, handle) or (None,) * 4
    bits = ask(nvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle) or 0
    return {
        "ecc_uncorrected": ask(nvml.nvmlDeviceGetTotalEccErrors, handle, UNCORRECTED, VOLATILE),
        "remap_pending": None if rows[2] is None else bool(rows[2]),
        "remap_failed": None if rows[3] is None else bool(rows[3]),
        "slowed": list(dict.fromkeys(reason for bit, reason in SLOWED.items() if bits & bit)),
        "temperature": ask(nvml.nvmlDeviceGetTemperature, handle, GPU_SENSOR),
        "slowdown_temperature": ask(nvml.nvmlDeviceGetTemperatureThreshold, handle, SLOWDOWN),
        "vgpu_license": vgpu_license(nvml, handle),
    }


def vgpu_license(nvml: Any, handle: Any) -> str | None:
    """Return whether a virtual GPU has a licence; None for a real one, and where NVML doesn't tell."""
    if ask(nvml.nvmlDeviceGetVirtualizationMode, handle) != VGPU_GUEST:
        return None
    found = ask(nvml.nvmlDeviceGetGridLicensableFeatures_v4, handle)
    if found is None or not found.isGridLicenseSupported:
        return None
    features = found.gridLicensableFeatures[: found.licensableFeaturesCount]
    return "licensed" if any(feature.featureState for feature in features) else "unlicensed"


def instances(nvml: Any, handle: Any, whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the MIG instances of a device; each has the index, capability and compute mode of the whole."""
    for number in range(ask(nvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0):
        instance = ask(nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
        if instance is not None:
            part = describe(nvml, instance, whole["index"])
            yield {**whole, **{key: value for key, value in part.items() if value is not None}}


def processes(nvml: Any, handle: Any, index: int) -> Iterator[dict[str, Any]]:
    """Yield the processes that hold memory of a device."""
    seen = set()
    for function in ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetGraphicsRunningProcesses"):
        for process in ask(getattr(nvml, function), handle) or ():
            if process.pid in seen:
                continue
            seen.add(process.pid)
            name = text(ask(nvml.nvmlSystemGetProcessName, process.pid))
            yield {
                "pid": process.pid,
                "name": os.path.basename(name.split(" ")[0]) if name else None,  # noqa: PTH119
                "memory_mib": process.usedGpuMemory // MIB if process.usedGpuMemory else None,
                "gpu": index,
            }


def answers(nvml: Any) -> Iterator[dict[str, Any]]:
    """Yield what NVML knows, the surest first."""
    version = text(ask(nvml.nvmlSystemGetDriverVersion))
    yield {"driver": version}
    cuda = ask(nvml.nvmlSystemGetCudaDriverVersion_v2) or ask(nvml.nvmlSystemGetCudaDriverVersion)
    yield {"driver_cuda": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None}
    count = nvml.nvmlDeviceGetCount()
    gpus: list[dict[str, Any]] = []
    unknown: dict[str, str] = {}
    handles = []
    for index in range(count):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
        except nvml.NVMLError as error:
            gpus.append({"index": index})
            unknown[f"gpus[{index}]"] = f"NVML can't reach GPU {index}: {error}."
            continue
        handles.append((index, handle))
        whole = describe(nvml, handle, index)
        mig = ask(nvml.nvmlDeviceGetMigMode, handle)
        parts = list(instances(nvml, handle, whole)) if mig and mig[0] == 1 else [whole]
        if not parts:
            unknown[f"gpus[{index}]"] = f"GPU {index} is in MIG mode and has no instance."
        gpus += parts
    yield {"gpus": gpus, "unknown": unknown}
    yield {"processes": [found for index, handle in handles for found in processes(nvml, handle, index)]}
    yield {"health": {str(index): ask(health, nvml, handle) for index, handle in handles}}


def main() -> None:
    """Print the answers."""
    sys.path.insert(0, sys.argv[1])

    def say(answer: dict[str, Any]) -> None:
        print(json.dumps(answer), flush=True)

    try:
        import pynvml as nvml
    except Exception as error:
        say({"error": {"code": None, "text": f"nvidia-ml-py can't be imported: {error}."}})
        return
    try:
        nvml.nvmlInit()
        for answer in answers(nvml):
            say(answer)
        say({"done": True})
    except nvml.NVMLError as error:
        say({"error": {"code": getattr(error, "value", None), "text": str(error)}})


if __name__ == "__main__":
    main()
