"""The data that flows through pytest-tfgpu: frozen records that become plain JSON and come back from it.

Between processes (child, xdist worker, controller) and into reports only their JSON travels. Nothing here knows
pytest, TensorFlow or CUDA.
"""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, Literal

from pytest_tfgpu.records import Record, record

Outcome = Literal["passed", "failed", "timeout", "crashed", "not-run"]
"""How a check ended. `not-run`: an earlier check took the child down, or the device was never reached."""

Status = Literal["ok", "absent", "unusable", "not-asked", "inconclusive"]
"""The verdict of a preflight. `inconclusive`: the session itself kept the checks from showing anything."""

Severity = Literal["error", "warning", "info"]
Category = Literal["environment", "memory", "operation", "code", "hardware", "not-gpu"]
Confidence = Literal["confirmed", "likely", "possible"]


def _always() -> Any:
    """Mark a tuple that stands in the JSON also when it is empty: readers rely on the key."""
    return field(default=(), metadata={"always": True})


# ---------------------------------------------------------------------------------------------------- facts


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
    device_files: tuple[str, ...] = ()
    """/dev/nvidia0 and the like, and the NVIDIA display controllers under /sys/bus/pci/devices."""
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

    @property
    def visible(self) -> tuple[Gpu, ...]:
        """The GPUs that CUDA would show, in its order."""
        if self.visible_gpus is None:
            return self.gpus
        return tuple(self.gpus[position] for position in self.visible_gpus if position < len(self.gpus))


# ------------------------------------------------------------------------------------- findings, diagnoses


@record
class EvidenceLine(Record):
    """A quoted piece of evidence and where it came from."""

    text: str
    origin: str = ""
    """`exception`, `standard error`, `facts`, `preflight` ..., as a reader would call it."""
    line: int | None = None


@record
class Help(Record):
    """One piece of advice. `sure`: it holds for this failure; else it is worth a try."""

    text: str
    sure: bool = True


@record
class Diagnosis(Record):
    """Why a test failed: the likely cause, what shows it, and what to do."""

    cause: str
    category: Category
    confidence: Confidence
    summary: str
    """One sentence that stands alone and holds no advice."""
    evidence: tuple[EvidenceLine, ...] = _always()
    note: str | None = None
    help: tuple[Help, ...] = _always()
    alternatives: tuple[str, ...] = _always()
    """Ids of other causes that fit the same evidence, likeliest first."""


@record
class Finding(Record):
    """A fault (or a remark) of the machine or its installation, found without a failing test."""

    summary: str
    severity: Severity = "error"
    cause: str | None = None
    category: Category = "environment"
    evidence: tuple[EvidenceLine, ...] = _always()
    help: tuple[Help, ...] = _always()


# ------------------------------------------------------------------------------------------------ preflight


@record
class Check(Record):
    """A check of the preflight: a name and the function that the child imports and calls.

    `run` is an import string `package.module:function`; see `pytest_tfgpu.preflight.api` for what it is given.
    """

    name: str
    run: str
    summary: str = ""
    dtypes: tuple[str, ...] = ()
    """Names of the data types whose support a pass of this check proves (`float16`)."""


@record
class CheckResult(Record):
    """How one check ended on one device."""

    name: str
    outcome: Outcome
    seconds: float | None = None
    max_error: float | None = None
    """Largest relative error against the NumPy reference; None where nothing is compared."""
    tolerance: float | None = None
    cause: str | None = None
    """Id of the cause, where the check failed and one is known."""
    message: str | None = None
    """One sentence: what went wrong."""
    diagnosis: Diagnosis | None = None
    details: dict[str, Any] = field(default_factory=dict)


@record
class GpuChecks(Record):
    """The checks of one device. On the CPU `index` is None and the name is `CPU`."""

    index: int | None = None
    uuid: str | None = None
    name: str | None = None
    checks: tuple[CheckResult, ...] = _always()

    @property
    def usable(self) -> bool:
        """Whether every check passed."""
        return bool(self.checks) and all(check.outcome == "passed" for check in self.checks)

    @property
    def doubtful(self) -> bool:
        """Whether no check went wrong, and some could not be run."""
        outcomes = {check.outcome for check in self.checks}
        return "not-run" in outcomes and outcomes <= {"passed", "not-run"}


@record
class Preflight(Record):
    """The verdict of a preflight and what led to it."""

    verdict: Status
    reason: str | None = None
    """One sentence, for each verdict but `ok`; with `ok` where there is something to say."""
    cause: str | None = None
    device: Literal["gpu", "cpu"] = "gpu"
    seconds: float | None = None
    gpus: tuple[GpuChecks, ...] = _always()
    findings: tuple[Finding, ...] = _always()
    tensorflow: str | None = None
    """The version that the child imported."""
    cudnn_loaded: str | None = None
    """The version that the cuDNN loaded in the child gives of itself, where it was loaded."""
    stderr: tuple[str, ...] = ()
    """The last lines of the child's standard error, capped."""
    age: float | None = None
    """Seconds since the checks ran, where the verdict is a remembered one (`--tfgpu-preflight-cache`)."""


# --------------------------------------------------------------------------------------------------- report


@record
class TestResult(Record):
    """One test of the session."""

    __test__ = False

    nodeid: str
    outcome: str
    phase: str = "call"
    started: float | None = None
    seconds: float | None = None
    worker: str | None = None
    gpu: int | None = None
    cause: str | None = None


@record
class TestDiagnosis(Diagnosis):
    """A diagnosis and the test (or module) that it belongs to."""

    __test__ = False

    nodeid: str = ""
    phase: str = "call"
    """setup, call, teardown or collect."""
    line: int | None = None
    """Line of the test in its file, from 1 on."""


@record
class CauseCount(Record):
    """The failures that share a cause."""

    id: str
    count: int
    nodeids: tuple[str, ...] = _always()


@record
class Skip(Record):
    """A test that was skipped (or failed, with `--tfgpu-strict`) for an unmet requirement."""

    nodeid: str
    requirement: str
    required: str
    found: str


@record
class Report(Record):
    """What a session has to say: the JSON report of schema 1, and what every other report is made from."""

    tfgpu: str
    started: str
    """ISO 8601, UTC."""
    seconds: float
    complete: bool
    exit_status: int | None
    facts: Facts
    preflight: Preflight
    outcomes: dict[str, int] = field(default_factory=dict, metadata={"always": True})
    tests: tuple[TestResult, ...] = _always()
    diagnoses: tuple[TestDiagnosis, ...] = _always()
    causes: tuple[CauseCount, ...] = _always()
    skips: tuple[Skip, ...] = _always()
    problems: tuple[str, ...] = ()
    """Defects of the plugin itself during the session, one line each."""
    schema: int = field(default=1, metadata={"always": True})
