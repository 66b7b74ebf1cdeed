"""What goes into a preflight and what comes out of it, before anybody judges it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from pytest_tfgpu.model import Check, Gpu, GpuChecks, LoadedLibrary
from pytest_tfgpu.records import Record, record

Device = Literal["gpu", "cpu"]

ProblemKind = Literal[
    "no-python",
    "no-tensorflow",
    "not-tensorflow",
    "import-failed",
    "crashed",
    "timeout",
    "flood",
    "no-answer",
    "stopped",
]


@record
class Request(Record):
    """What to run, and where."""

    checks: tuple[Check, ...]
    device: Device = "gpu"
    gpus: tuple[Gpu, ...] = ()
    """The visible GPUs as the facts know them, in CUDA's order. TensorFlow's own list is what is checked."""
    timeout: float = 120.0
    """Seconds: for the import of TensorFlow, and then for each GPU."""
    sys_path: tuple[str, ...] = ()
    """Folders that the imports of checks may need; searched last, and after TensorFlow is imported."""
    environment: Mapping[str, str] | None = None
    """The whole environment of the child; None: that of this process."""
    executable: str | None = None
    """The Python to start; None: the one that runs here."""
    remember: bool = False
    """Whether the answer is to say what a verdict depends on: files that were loaded, memory that was taken."""


@record
class CudaDevice(Record):
    """A GPU as the driver's own library lists it in the child."""

    uuid: str | None = None
    """Hexadecimal groups without the prefix `GPU-` or `MIG-`."""
    name: str | None = None


@record
class Driver(Record):
    """What libcuda said in the child, before TensorFlow was imported."""

    loaded: bool
    message: str | None = None
    """Why it could not be loaded, in the words of the loader."""
    code: int | None = None
    """What cuInit returned; 0 is success."""
    error: str | None = None
    """The name of that code, such as `CUDA_ERROR_NO_DEVICE`."""
    cuda: str | None = None
    """The newest CUDA version that the driver supports."""
    count: int | None = None
    """GPUs that CUDA shows this process; None where cuInit failed."""
    devices: tuple[CudaDevice, ...] = ()


@record
class Problem(Record):
    """Why the child could not run the checks at all."""

    kind: ProblemKind
    sentence: str
    error: dict[str, Any] = field(default_factory=dict)
    """Class, message and chain of the exception, where there was one."""
    stack: tuple[str, ...] = ()
    """Python's stack at the end, where it could be had."""


@record
class Answer(Record):
    """What the child, or several one after the other, reported."""

    device: Device
    seconds: float = 0.0
    problem: Problem | None = None
    python: str | None = None
    tensorflow: str | None = None
    tensorflow_path: str | None = None
    driver: Driver | None = None
    listed: int | None = None
    """GPUs that TensorFlow lists; None where it never came to that."""
    gpus: tuple[GpuChecks, ...] = ()
    """Checked devices, in TensorFlow's order. `index` is the facts' where the GPU is known there."""
    logs: tuple[tuple[str, ...], ...] = ()
    """For each of `gpus` the log of the child that checked it."""
    cudnn_loaded: str | None = None
    libraries_loaded: tuple[LoadedLibrary, ...] = ()
    stderr: tuple[str, ...] = ()
    stderr_bytes: int = 0
    peak_memory_kib: int | None = None
    """The most memory that the child held, as it said at its end (Linux)."""
    loaded: tuple[str, ...] = ()
    """Files of code that the children loaded, outside of Python and TensorFlow; where they were asked for."""
    memory_left_mib: tuple[int, ...] = ()
    """Free memory of each of `gpus` after its checks, while the child still held its own; -1: unknown."""
