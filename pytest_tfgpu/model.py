"""The data that flows through pytest-tfgpu: frozen records that become plain JSON and come back from it.

Between processes (child, xdist worker, controller) and into reports only their JSON travels. Nothing here knows
pytest, TensorFlow or CUDA.
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, Literal

from pytest_tfgpu.facts import BuiltFor as BuiltFor
from pytest_tfgpu.facts import Facts as Facts
from pytest_tfgpu.facts import Gpu as Gpu
from pytest_tfgpu.facts import GpuProcess as GpuProcess
from pytest_tfgpu.facts import Health as Health
from pytest_tfgpu.facts import Library as Library
from pytest_tfgpu.facts import LoadedLibrary as LoadedLibrary
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


INAPPLICABLE = "inapplicable"
"""Key in the details of a check that was not run because it has nothing to say of that device."""


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

    @property
    def counts(self) -> bool:
        """Whether the result says something of the device, or should have."""
        return self.outcome != "not-run" or INAPPLICABLE not in self.details


@record
class GpuChecks(Record):
    """The checks of one device. On the CPU `index` is None and the name is `CPU`."""

    index: int | None = None
    uuid: str | None = None
    name: str | None = None
    checks: tuple[CheckResult, ...] = _always()

    @property
    def usable(self) -> bool:
        """Whether every check passed, but those that don't apply to this device."""
        return bool(self.checks) and all(check.outcome == "passed" for check in self.checks if check.counts)

    @property
    def doubtful(self) -> bool:
        """Whether no check went wrong, and some could not be run."""
        outcomes = {check.outcome for check in self.checks if check.counts}
        return "not-run" in outcomes and outcomes <= {"passed", "not-run"}

    @property
    def may_serve(self) -> bool:
        """Whether tests may have this device: nothing is known against it."""
        return self.usable or self.doubtful


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
    libraries_loaded: tuple[LoadedLibrary, ...] = ()
    """NVIDIA's libraries that the child had loaded after the checks."""
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
    """Index of the GPU that its xdist worker was given, where that is one."""
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
class MemoryUse(Record):
    """What a test took of a GPU's memory, as TensorFlow's allocator says, in MiB."""

    nodeid: str
    peak_mib: float
    """The most that was in use at any time of the test, with what had been there before."""
    left_mib: float
    """How much more was in use after the test than before it."""
    gpu: int | None = None


@record
class Host(Record):
    """Another host, on which pytest-xdist's workers ran tests: they were judged by what it has."""

    name: str
    """As the host calls itself."""
    workers: tuple[str, ...]
    facts: Facts
    preflight: Preflight


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
    memory: tuple[MemoryUse, ...] = ()
    """Where `--tfgpu-memory` was asked for: the tests that used a GPU."""
    hosts: tuple[Host, ...] = ()
    """The other hosts, where there were any; `facts` and `preflight` are of the one on which pytest was started."""
    problems: tuple[str, ...] = ()
    """Defects of the plugin itself during the session, one line each."""
    schema: int = field(default=1, metadata={"always": True})
