"""What fails because this session itself holds the GPU's memory is no fault of the GPU."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_tfgpu.model import CheckResult, Diagnosis, Facts, Gpu, GpuChecks, GpuProcess, Outcome
from pytest_tfgpu.preflight import Answer, judge
from pytest_tfgpu.preflight.data import Driver
from pytest_tfgpu.preflight.holding import excused, family, holders, lacks_memory, without

OUT_OF_MEMORY = {
    "class": "tensorflow.python.framework.errors_impl.InternalError",
    "message": "failed initializing StreamExecutor for CUDA device ordinal 0: INTERNAL: failed call to "
    "cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY: out of memory; total memory reported: 8589934592",
    "chain": [],
}
FACTS = Facts(
    tensorflow="2.21.0",
    driver="555.42",
    gpus=(Gpu(0, "Tesla T4", "GPU-0"), Gpu(1, "Tesla T4", "GPU-1")),
    visible_gpus=(0, 1),
)
WHO = "this session's own process 7 holds 7000 MiB of it"


def result(name: str, outcome: Outcome, cause: str | None = None, *others: str) -> CheckResult:
    """Return a result with a diagnosis where a cause is given."""
    found = None if cause is None else Diagnosis(cause, "memory", "likely", "It failed.", alternatives=others)
    return CheckResult(name, outcome, cause=cause, diagnosis=found)


@pytest.mark.parametrize(
    ("check", "lacks"),
    [
        (result("memory", "failed", "out-of-memory"), True),
        (result("conv2d", "failed", "cudnn-version-mismatch", "memory-preallocated"), True),
        (result("device", "failed", "gpu-busy"), True),
        (result("memory", "passed", "out-of-memory"), False),
        (result("matmul", "failed", "gpu-fault"), False),
        (result("matmul", "failed"), False),
    ],
)
def test_what_may_be_for_want_of_memory(check: CheckResult, lacks: bool) -> None:
    """A cause that comes from what else is on the GPU, or one that it may be, is no more than that."""
    assert lacks_memory(check) is lacks


def test_what_is_excused() -> None:
    """From the first check for want of memory on, what went wrong was not run; wrong numbers before it stay wrong."""
    checks = (
        result("matmul", "failed"),
        result("conv2d", "failed", "memory-preallocated"),
        result("float16", "passed"),
        result("gather", "crashed"),
    )
    gpu = GpuChecks(0, checks=checks)
    assert excused(gpu, None) is gpu
    found = excused(gpu, WHO)
    assert [check.outcome for check in found.checks] == ["failed", "not-run", "passed", "not-run"]
    assert found.checks[1].message == f"can't tell: {WHO}"
    assert not found.doubtful
    assert excused(replace(gpu, checks=checks[1:]), WHO).doubtful


def test_who_holds_what() -> None:
    """Of the processes that NVML lists, those of this session are named by GPU, with what they hold."""
    processes = (
        GpuProcess(7, "python", 7000, 0),
        GpuProcess(8, "python", 500, 0),
        GpuProcess(9, "python", None, 1),
        GpuProcess(os.getppid(), "other", 1, 1),
    )
    facts = replace(FACTS, gpu_processes=processes)
    assert holders(facts, {7}) == {0: WHO}
    assert holders(facts, {7, 8, 9}) == {
        0: "this session's own processes 7, 8 hold 7500 MiB of it",
        1: "this session's own process 9 holds it",
    }
    assert holders(facts, {10}) == {}


def test_what_this_session_holds_is_free_for_others() -> None:
    """In the eyes of others the memory that this session holds is free, and its processes aren't there."""
    processes = (GpuProcess(7, "python", 7000, 0), GpuProcess(8, "python", 500, 0))
    facts = replace(FACTS, gpus=(Gpu(0, memory_free_mib=100), Gpu(1)), gpu_processes=processes)
    seen = without(facts, {7})
    assert [gpu.memory_free_mib for gpu in seen.gpus] == [7100, None]
    assert seen.gpu_processes == processes[1:]
    assert without(facts, {9}) is facts


def test_numbers_of_another_namespace(tmp_path: Path) -> None:
    """Where NVML's numbers mean nothing here, they may be ours only if a process of ours has loaded the driver."""
    facts = replace(FACTS, gpu_processes=(GpuProcess(2**22 + 7, "python", 7000, 0),))
    maps = Path("/proc/self/maps").read_text().splitlines()
    library = next(line.split()[-1] for line in maps if re.search(r"/libm[.-]", line))
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print(flush=True); input()"
    driver = shutil.copy(library, tmp_path / "libcuda.so.1")
    for loaded, gpus in ((library, set()), (driver, {0})):
        with subprocess.Popen([sys.executable, "-c", code, loaded], stdin=-1, stdout=-1) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert set(holders(facts, {process.pid})) == gpus
            process.communicate(b"\n")


def test_a_family_of_processes() -> None:
    """A process and all that descend from it are a family, and others are not."""
    code = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); input(); p.kill()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        grandchild = int(child.stdout.readline())
        assert {child.pid, grandchild} < family(os.getpid())
        assert family(child.pid) == {child.pid, grandchild}
        child.communicate(b"\n")


def answered(*gpus: GpuChecks) -> Answer:
    """Return the answer of a child that TensorFlow listed these GPUs to."""
    return Answer("gpu", listed=len(gpus), driver=Driver(True, code=0, count=len(gpus)), gpus=gpus)


def test_the_verdict_is_inconclusive() -> None:
    """A GPU that fails for want of memory is unusable; held by this session, nothing is known of it."""
    short = GpuChecks(
        0,
        "GPU-0",
        "Tesla T4",
        (CheckResult("device", "failed", message="m", details={"error": OUT_OF_MEMORY}),),
    )
    fine = GpuChecks(1, "GPU-1", "Tesla T4", (CheckResult("device", "passed"),))
    answer = answered(short, fine)
    assert judge(FACTS, answer).verdict == "unusable"
    verdict = judge(FACTS, answer, require=2, held={0: WHO})
    assert (verdict.verdict, verdict.cause) == ("inconclusive", None)
    assert verdict.reason == f"GPU 0: the check device can't tell: {WHO}."
    assert judge(FACTS, answer, require=3, held={0: WHO}).verdict == "absent"
    assert judge(FACTS, answer, held={1: WHO}).verdict == "unusable"
