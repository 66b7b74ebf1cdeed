"""Reports to render: one with a bit of everything, and parts to build others from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pytest_tfgpu.model import (
    BuiltFor,
    CauseCount,
    CheckResult,
    Diagnosis,
    EvidenceLine,
    Facts,
    Finding,
    Gpu,
    GpuChecks,
    Help,
    Host,
    Preflight,
    Report,
    Skip,
    TestDiagnosis,
    TestResult,
)

TESLA = "Tesla T4"

MISMATCH = Diagnosis(
    "cudnn-version-mismatch",
    "environment",
    "confirmed",
    "cuDNN 8.9.6 was loaded; TensorFlow 2.21.0 needs 9.3 or newer.",
    (EvidenceLine("Loaded runtime CuDNN library: 8.9.6", "standard error", 12),),
    "Every operation that uses cuDNN is affected.",
    (Help("Install nvidia-cudnn-cu12 9.3."), Help("Take /usr/lib/cuda off LD_LIBRARY_PATH.", sure=False)),
)

PASSED = (
    CheckResult("device", "passed", 0.314),
    CheckResult("matmul", "passed", 12.04, 1.2e-7, 1e-5),
    CheckResult("gather", "passed", 65.0, 0.0, 0.0),
)
FAILED = (
    CheckResult("device", "passed", 0.314),
    CheckResult("conv2d", "failed", 1.2, cause=MISMATCH.cause, message=MISMATCH.summary, diagnosis=MISMATCH),
    CheckResult("gather", "not-run"),
)

OK = Preflight("ok", seconds=4.1, gpus=(GpuChecks(0, "GPU-1", TESLA, PASSED),))
UNUSABLE = Preflight(
    "unusable",
    MISMATCH.summary,
    MISMATCH.cause,
    seconds=5.0,
    gpus=(GpuChecks(0, "GPU-1", TESLA, FAILED), GpuChecks(1, "GPU-2", TESLA, FAILED)),
)
NOT_ASKED = Preflight("not-asked")

FACTS = Facts(
    tensorflow="2.21.0",
    tensorflow_distribution="tensorflow",
    is_cuda_build=True,
    driver="555.42.06",
    cuda="12.5.82",
    cudnn="9.3.0",
    built_for=BuiltFor("12.5.1", "9"),
    gpus=(Gpu(0, TESLA), Gpu(1, TESLA)),
    visible_gpus=(0, 1),
)


def diagnosed(
    nodeid: str,
    cause: str = "out-of-memory",
    summary: str = "GPU 0 ran out of memory.",
    *,
    category: Any = "memory",
    phase: str = "call",
    **more: Any,
) -> TestDiagnosis:
    """Return a diagnosis of the test `nodeid`."""
    values: dict[str, Any] = {"evidence": (EvidenceLine("OOM when allocating", "exception"),)}
    values |= {"help": (Help("Use a smaller batch."),), **more}
    return TestDiagnosis(cause, category, "likely", summary, nodeid=nodeid, phase=phase, **values)


def report(**more: Any) -> Report:
    """Return a report in which nothing happened, but for the fields given."""
    empty = Report("0.1", "2026-11-21T09:00:00Z", 12.5, True, 0, Facts(), NOT_ASKED)
    return replace(empty, **more)


FULL = report(
    exit_status=1,
    facts=FACTS,
    preflight=replace(UNUSABLE, findings=(Finding("Memory growth is off.", "warning", "memory-growth-off"),)),
    outcomes={"failed": 3, "passed": 7, "skipped": 3},
    tests=(
        TestResult("tests/test_a.py::test_big", "failed", "call", 1.0, 0.5, "gw0", 0, "out-of-memory"),
        TestResult("tests/test_a.py::test_fine", "passed", seconds=0.1),
    ),
    diagnoses=(
        diagnosed("tests/test_a.py::test_big"),
        diagnosed("tests/test_a.py::test_bigger", summary="GPU 1 ran out of memory."),
        diagnosed(
            "tests/test_b.py", MISMATCH.cause, MISMATCH.summary, category="environment", phase="collect"
        ),
    ),
    causes=(
        CauseCount("out-of-memory", 2, ("tests/test_a.py::test_big", "tests/test_a.py::test_bigger")),
        CauseCount(MISMATCH.cause, 1, ("tests/test_b.py",)),
    ),
    skips=(
        Skip("tests/test_c.py::test_1", "requires_cudnn", "cuDNN >=9.1", "8.9.6 (libcudnn.so.8)"),
        Skip("tests/test_c.py::test_2", "requires_cudnn", "cuDNN >=9.1", "8.9.6 (libcudnn.so.8)"),
        Skip("tests/test_c.py::test_3", "requires_gpu", "4 GPUs", "2 GPUs (Tesla T4; Tesla T4)"),
    ),
)

HOSTILE = (
    "::error file=a.py::owned",
    "  ::stop-commands::x",
    "a\n::set-output name=x::y",
    "##[error]owned",
    "##vso[task.complete]",
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "</details></td></table><img src=x onerror=alert(1)>",
    "| a | b |",
    "``` `x` ```",
    "[click](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "https://evil.example and www.evil.example",
    "@octocat",
    "**bold** _it_ ~~gone~~ # head",
    "&lt;b&gt;",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31mred",
    "nul \x00 bell \x07 back \x08 del \x7f",
    "caf\udce9 \ud800",
    "\u202egnp.exe",
    "line\u2028separator\r\ncarriage",
    "%0A::error::x",
)
"""Texts that attack one format or another."""


def hostile(text: str) -> Report:
    """Return a report with `text` wherever text from outside can stand."""
    quote = (EvidenceLine(text, text),)
    diagnosis = Diagnosis(text, "memory", "likely", text, quote, text, (Help(text), Help(text, False)))
    check = CheckResult(text, "failed", 0.1, cause=text, message=text, diagnosis=diagnosis)
    return report(
        exit_status=1,
        facts=Facts(tensorflow=text, driver=text, gpus=(Gpu(0, text),)),
        preflight=Preflight(
            "unusable",
            text,
            None,
            gpus=(GpuChecks(0, text, text, (check,)),),
            findings=(Finding(text, "warning", text, evidence=quote, help=(Help(text),)),),
        ),
        outcomes={text: 1},
        tests=(TestResult(text, "failed"),),
        diagnoses=(
            diagnosed(text, text, text, evidence=quote, help=(Help(text),), note=text),
            diagnosed(text + "::b", text, text + "!"),
        ),
        causes=(CauseCount(text, 2, (text, text + "::b")),),
        skips=(Skip(text, text, text, text),),
        hosts=(Host(text, (text,), Facts(tensorflow=text), Preflight("unusable", text, None)),),
        problems=(text,),
    )
