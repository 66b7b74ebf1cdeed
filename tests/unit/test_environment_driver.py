"""The driver's part of the facts: NVML's answers merged with the files of /proc, /dev and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_tfgpu.environment import driver
from pytest_tfgpu.environment.nvml import Answer
from pytest_tfgpu.model import Gpu, GpuProcess
from tests.trees import touch

CLOSED = """\
NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 19:39:15 UTC 2024
GCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1~22.04)
"""
OPEN = """\
NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  555.42.06  Release Build  (dvs-builder@U16)
GCC version:  gcc version 11.4.0
"""
INFORMATION = """\
Model: \t\t NVIDIA GeForce RTX 3090
IRQ:   \t\t 88
GPU UUID: \t {uuid}
Video BIOS: \t 94.02.42.00.b0
Device Minor: \t 0
"""
FAILED = Answer(code=12, reason="NVML's library (libnvidia-ml.so.1) is not found.")


def add_pci_device(root: Path, address: str, vendor: str, kind: str) -> None:
    """Put a device on the PCI bus."""
    touch(root / f"sys/bus/pci/devices/{address}/vendor", f"{vendor}\n")
    touch(root / f"sys/bus/pci/devices/{address}/class", f"{kind}\n")


def test_whole_answer(tmp_path: Path) -> None:
    """What NVML answers becomes the records as they are."""
    gpu = {"index": 0, "name": "Tesla T4", "memory_total_mib": 15360, "compute_mode": None}
    process = {"pid": 7, "name": "python", "memory_mib": None, "gpu": 0}
    data = {"driver": "555.42.06", "driver_cuda": "12.5", "gpus": [gpu], "processes": [process]}
    found = driver.collect(Answer(data), tmp_path)
    assert (found.driver, found.driver_cuda) == ("555.42.06", "12.5")
    assert found.gpus == (Gpu(index=0, name="Tesla T4", memory_total_mib=15360),)
    assert found.processes == (GpuProcess(pid=7, name="python", gpu=0),)
    assert found.unknown == {}


@pytest.mark.parametrize(("text", "version"), [(CLOSED, "535.183.01"), (OPEN, "555.42.06"), ("NVRM", None)])
def test_version_of_the_kernel_module(tmp_path: Path, text: str, version: str | None) -> None:
    """The version of both kinds of kernel module is read where NVML gives none."""
    touch(tmp_path / "proc/driver/nvidia/version", text)
    found = driver.collect(FAILED, tmp_path)
    assert found.driver == version
    assert (found.nvml_error, found.unknown) == (12, {"nvml": FAILED.reason})


@pytest.mark.parametrize(("uuid", "known"), [("GPU-1234-5678", "GPU-1234-5678"), ("GPU-????????-????", None)])
def test_gpus_of_the_kernel_module(tmp_path: Path, uuid: str, known: str | None) -> None:
    """Without NVML the kernel module's files name the GPUs; a uuid that it masks is unknown."""
    for address in ("0000:01:00.0", "0000:41:00.0"):
        touch(tmp_path / f"proc/driver/nvidia/gpus/{address}/information", INFORMATION.format(uuid=uuid))
    gpus = driver.collect(FAILED, tmp_path).gpus
    name = "NVIDIA GeForce RTX 3090"
    assert gpus == (Gpu(index=0, name=name, uuid=known), Gpu(index=1, name=name, uuid=known))


def test_gpus_by_device_files(tmp_path: Path) -> None:
    """Where only device files are there (as in a container), each numbered one is a GPU."""
    for name in ("nvidia3", "nvidia7", "nvidiactl", "nvidia-uvm", "null"):
        touch(tmp_path / "dev" / name)
    found = driver.collect(FAILED, tmp_path)
    assert found.gpus == (Gpu(index=0), Gpu(index=1))
    assert found.device_files == ("/dev/nvidia3", "/dev/nvidia7", "/dev/nvidiactl", "/dev/nvidia-uvm")


def test_answer_without_gpus_stands(tmp_path: Path) -> None:
    """Where NVML lists no GPU, leftover device files don't add any."""
    touch(tmp_path / "dev/nvidia0")
    assert driver.collect(Answer({"driver": "555.42.06", "gpus": []}), tmp_path).gpus == ()


def test_answer_cut_off(tmp_path: Path) -> None:
    """What NVML said before it hung is kept, with the reason why the rest is missing."""
    answer = Answer({"driver": "555.42.06", "driver_cuda": "12.5"}, reason="NVML did not answer within 2 s.")
    touch(tmp_path / "dev/nvidia0")
    found = driver.collect(answer, tmp_path)
    assert (found.driver, found.gpus) == ("555.42.06", (Gpu(index=0),))
    assert found.unknown == {"nvml": "NVML did not answer within 2 s."}


def test_controllers_on_the_bus(tmp_path: Path) -> None:
    """NVIDIA's display controllers on the PCI bus are listed; its audio function and other vendors' aren't."""
    add_pci_device(tmp_path, "0000:00:02.0", "0x8086", "0x030000")
    add_pci_device(tmp_path, "0000:01:00.0", "0x10de", "0x030200")
    add_pci_device(tmp_path, "0000:01:00.1", "0x10de", "0x040300")
    found = driver.collect(FAILED, tmp_path)
    assert found.device_files == ("/sys/bus/pci/devices/0000:01:00.0",)
    assert found.gpus == ()


def test_bare_machine(tmp_path: Path) -> None:
    """A machine without any of these files has no driver and no GPUs."""
    found = driver.collect(FAILED, tmp_path)
    assert (found.driver, found.gpus, found.device_files) == (None, (), ())


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """A file of the driver that isn't UTF-8 is read as far as it goes."""
    path = touch(tmp_path / "proc/driver/nvidia/version")
    path.write_bytes(b"\xff\xfe Kernel Module  535.183.01  \xff\n")
    assert driver.kernel_version(tmp_path) == "535.183.01"
