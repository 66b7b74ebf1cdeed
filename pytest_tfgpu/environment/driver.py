"""The NVIDIA driver and its GPUs: what NVML answers, and what /proc, /dev and the PCI bus show without it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from pytest_tfgpu.environment.files import names_in, text_of
from pytest_tfgpu.environment.nvml import Answer
from pytest_tfgpu.model import Gpu, GpuProcess, Health

PCI = "/sys/bus/pci/devices/"
MODULE = "/proc/driver/nvidia/version"
"""Shows the kernel's module; a container sees that of its host, with or without the GPUs."""
_VERSION = r"Kernel Module\b.*?\s(\d+\.\d+(?:\.\d+)*)\s"
_DEVICES = ("nvidiactl", "nvidia-uvm", "nvhost-gpu", "dxg")
"""Besides nvidia0, nvidia1 and so on."""
_NVIDIA, _DISPLAY = "0x10de", "0x03"
"""PCI vendor NVIDIA; PCI base class of display controllers (pci.ids)."""


class Driver(NamedTuple):
    """The part of the facts that the driver answers for."""

    driver: str | None = None
    driver_cuda: str | None = None
    gpus: tuple[Gpu, ...] = ()
    processes: tuple[GpuProcess, ...] = ()
    device_files: tuple[str, ...] = ()
    nvml_error: int | None = None
    unknown: Mapping[str, str] = MappingProxyType({})


def collect(answer: Answer, root: Path = Path("/")) -> Driver:
    """Merge NVML's answer with the files under `root`, which speak where NVML is silent."""
    data = answer.data
    unknown = {str(key): str(value) for key, value in (data.get("unknown") or {}).items()}
    if answer.reason:
        unknown["nvml"] = answer.reason
    devices = device_files(root)
    gpus = tuple(Gpu.from_json(gpu) for gpu in data.get("gpus") or ())
    if "gpus" not in data:
        gpus = _gpus_from_files(root, devices)
    version = data.get("driver") or kernel_version(root)
    if version:
        from pytest_tfgpu.environment import xid

        gpus = _with_health(gpus, data.get("health") or {}, xid.reports(root))
    return Driver(
        driver=version,
        driver_cuda=data.get("driver_cuda"),
        gpus=gpus,
        processes=tuple(GpuProcess.from_json(process) for process in data.get("processes") or ()),
        device_files=devices,
        nvml_error=answer.code,
        unknown=unknown,
    )


def kernel_version(root: Path = Path("/")) -> str | None:
    """Return the version of the loaded NVIDIA kernel module; None where none is loaded."""
    text = text_of(root / MODULE.lstrip("/"))
    match = re.search(_VERSION, text) if text else None
    return match[1] if match else None


def device_files(root: Path = Path("/")) -> tuple[str, ...]:
    """Return what shows NVIDIA's kernel driver, and NVIDIA's display controllers on the PCI bus."""
    names = names_in(root / "dev")
    numbered = (name for name in names if name.startswith("nvidia") and name[len("nvidia") :].isdecimal())
    found = [f"/dev/{name}" for name in (*sorted(numbered), *(name for name in _DEVICES if name in names))]
    if (root / MODULE.lstrip("/")).exists():
        found.append(MODULE)
    bus = root / PCI.lstrip("/")
    for name in sorted(names_in(bus)):
        by_nvidia = text_of(bus / name / "vendor").strip() == _NVIDIA
        if by_nvidia and text_of(bus / name / "class").startswith(_DISPLAY):
            found.append(PCI + name)
    return tuple(found)


def _gpus_from_files(root: Path, devices: tuple[str, ...]) -> tuple[Gpu, ...]:
    """Describe the GPUs by /proc/driver/nvidia/gpus (name, uuid), else count /dev/nvidia0 and the like."""
    folder = root / "proc/driver/nvidia/gpus"
    gpus = []
    for index, name in enumerate(sorted(names_in(folder))):
        pairs = (line.partition(":") for line in text_of(folder / name / "information").splitlines())
        values = {key.strip(): value.strip() for key, _, value in pairs}
        uuid = values.get("GPU UUID", "?")
        gpus.append(Gpu(index=index, name=values.get("Model"), uuid=None if "?" in uuid else uuid))
    numbered = [name for name in devices if re.fullmatch(r"/dev/nvidia\d+", name)]
    return tuple(gpus) or tuple(Gpu(index=index) for index in range(len(numbered)))


def _with_health(
    gpus: tuple[Gpu, ...], told: Mapping[str, Any], reported: Mapping[str, tuple[int, ...]]
) -> tuple[Gpu, ...]:
    """Return the GPUs with what NVML tells of their health by index, and the kernel's log by place on the bus."""
    found = []
    for gpu in gpus:
        health = Health.from_json(told.get(str(gpu.index)) or {})
        xids = reported.get((gpu.pci or "").rpartition(".")[0], ())
        health = replace(health, xids=xids) if xids else health
        found.append(gpu if health == Health() else replace(gpu, health=health))
    return tuple(found)
