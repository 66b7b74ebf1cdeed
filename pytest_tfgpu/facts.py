"""What is true on a machine, as data: plain JSON and back. `pytest_tfgpu.model` gives these records, too."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Literal

from pytest_tfgpu.records import Record, record


@record
class Health(Record):
    """How well a GPU is, as NVML and the kernel's log tell. What they don't tell is left out."""

    ecc_uncorrected: int | None = None
    """Uncorrectable memory errors since the driver was loaded."""
    remap_pending: bool | None = None
    """Rows of its memory wait for a reset of the GPU to be replaced."""
    remap_failed: bool | None = None
    """A row of its memory could not be replaced."""
    slowed: tuple[str, ...] = ()
    """What lowers the clocks now: `heat`, `power brake`, `hardware slowdown`."""
    temperature: int | None = None
    """Degrees Celsius."""
    slowdown_temperature: int | None = None
    """Degrees Celsius from which on the hardware lowers the clocks."""
    xids: tuple[int, ...] = ()
    """Numbers of the driver's error reports (Xid) about this GPU in the kernel's log, the oldest first."""
    vgpu_license: Literal["licensed", "unlicensed"] | None = None
    """Of a virtual GPU (NVIDIA vGPU)."""


@record
class Gpu(Record):
    """One GPU (or MIG instance) as NVML or the device files show it. Memory in MiB."""

    index: int | None = None
    name: str | None = None
    uuid: str | None = None
    compute_capability: str | None = None
    memory_total_mib: int | None = None
    memory_free_mib: int | None = None
    memory_share_mib: int | None = None
    """What this process may take of the free memory, where several workers of its session share the GPU."""
    compute_mode: str | None = None
    pci: str | None = None
    """Its place on the PCI bus, such as `0000:3b:00.0`."""
    health: Health | None = None


@record
class GpuProcess(Record):
    """A process that holds GPU memory. Memory in MiB."""

    pid: int | None = None
    name: str | None = None
    memory_mib: int | None = None
    gpu: int | None = None


@record
class BuiltFor(Record):
    """What the installed TensorFlow was compiled for (tensorflow/python/platform/build_info.py)."""

    cuda: str | None = None
    cudnn: str | None = None
    compute_capabilities: tuple[str, ...] = ()


@record
class Library(Record):
    """A shared library of CUDA that TensorFlow opens by name: the file that the loader would take."""

    name: str
    """Such as `libcudnn.so.9`: the name that TensorFlow asks for."""
    path: str | None = None
    """None: found nowhere."""
    version: str | None = None
    provider: str | None = None
    """Where it comes from: `nvidia-cudnn-cu12`, `LD_LIBRARY_PATH`, `ldconfig` ..."""
    searched: tuple[str, ...] = ()
    """Folders that were looked in, where it is missing."""
    near: tuple[str, ...] = ()
    """Where it is missing: files of this name outside those folders, and other major versions of it."""
    built_for: str | None = None
    """The version that TensorFlow's own package asks for, or the oldest of those."""
    others: tuple[str, ...] = ()
    """Other files of this name that the loader would come by later, and so never takes."""
    lacks: tuple[str, ...] = ()
    """Libraries of NVIDIA's that this file needs and the loader doesn't find: without them it can't be loaded."""


@record
class LoadedLibrary(Record):
    """A library of NVIDIA's that a process has loaded."""

    name: str
    """Without version: `libcublas`."""
    path: str | None = None
    version: str | None = None
    """As the library says, else as its file's name says."""


@record
class Facts(Record):
    """What is true on this machine, gathered without importing TensorFlow and without starting CUDA.

    All keys are optional. What could not be found out stands in `unknown`, with the reason.
    """

    tensorflow: str | None = None
    """Version of the installed TensorFlow, e.g. `2.21.0`."""
    tensorflow_distribution: str | None = None
    """The flavour: `tensorflow`, `tensorflow-cpu`, `tf-nightly` ..."""
    tensorflow_path: str | None = None
    """The folder of the installed package."""
    is_cuda_build: bool | None = None
    python: str | None = None
    platform: str | None = None
    """linux, macos, windows, wsl, docker, colab or jetson."""
    driver: str | None = None
    """Version of the NVIDIA driver, e.g. `555.42.06`."""
    driver_cuda: str | None = None
    """The newest CUDA version that the driver supports."""
    cuda: str | None = None
    """CUDA runtime (libcudart) found here."""
    cudnn: str | None = None
    """cuDNN found here."""
    built_for: BuiltFor | None = None
    gpus: tuple[Gpu, ...] = ()
    """All GPUs of the machine, whatever CUDA_VISIBLE_DEVICES says."""
    visible_gpus: tuple[int, ...] | None = field(default=None, metadata={"always": True})
    """Positions in `gpus` that CUDA_VISIBLE_DEVICES leaves visible, in CUDA's order; None: unknown."""
    gpu_processes: tuple[GpuProcess, ...] = ()
    memory_growth: bool | None = None
    libraries: tuple[Library, ...] = ()
    on_demand: tuple[Library, ...] = ()
    """What is taken only when an operation needs it: NVRTC, NCCL, and ptxas and libdevice, with which XLA compiles."""
    device_files: tuple[str, ...] = ()
    """/dev/nvidia0 and the like, /proc/driver/nvidia/version, and NVIDIA's controllers under /sys/bus/pci/devices."""
    nvml_error: int | None = None
    """The code with which NVML refused (12: no library, 9: driver not loaded, 18: versions differ)."""
    environment: dict[str, str] = field(default_factory=dict)
    """The environment variables that matter to TensorFlow on a GPU; no others."""
    ci: str | None = None
    """`github`, `gitlab`, `jenkins`, `azure` ... or None."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Name of a fact (`nvml`, `driver`, ...) -> why it is unknown, as a sentence."""

    def with_fact(self, name: str, value: object) -> Facts:
        """Return the facts with one of them replaced, by its name and as plain JSON.

        Raises ValueError where there is no such fact or the value has the wrong type.
        """
        if not any(field.name == name for field in fields(Facts)):
            raise ValueError(f"there is no fact {name!r}")
        return Facts.from_json({**self.to_json(), name: value})

    def finds_library(self, stem: str) -> bool:
        """Whether a library is found under any version, as in `facts.finds_library("libcudnn")`."""
        return any(library.path and library.name.startswith(f"{stem}.") for library in self.libraries)

    @property
    def visible(self) -> tuple[Gpu, ...]:
        """The GPUs that CUDA would show, in its order."""
        if self.visible_gpus is None:
            return self.gpus
        return tuple(self.gpus[position] for position in self.visible_gpus if position < len(self.gpus))
