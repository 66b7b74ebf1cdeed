"""What a session makes of an answer: who holds the memory is asked, and the checks run again where they may pass."""

from __future__ import annotations

from pytest_tfgpu.features.verdict import conclude
from pytest_tfgpu.model import CheckResult, Facts, Gpu, GpuChecks
from pytest_tfgpu.preflight import Answer
from pytest_tfgpu.preflight.data import Driver
from pytest_tfgpu.session import Session
from pytest_tfgpu.settings import Settings

ERROR = {
    "class": "tensorflow.python.framework.errors_impl.ResourceExhaustedError",
    "message": "OOM when allocating tensor with shape[1024,1024] and type float on "
    "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc [Op:AddV2]",
    "chain": [],
}
FAILED = CheckResult("memory", "failed", message="OOM", details={"error": ERROR})
PASSED = CheckResult("memory", "passed")


def answer(check: CheckResult) -> Answer:
    """Return the answer of a child that ran one check on one GPU."""
    gpus = (GpuChecks(0, "GPU-0", "Tesla T4", (check,)),)
    return Answer("gpu", listed=1, driver=Driver(True, code=0, count=1), gpus=gpus)


def session() -> Session:
    """Return a session on a machine with one GPU, as its facts were at the start."""
    made = Session(Settings(preflight=True, preflight_overlap=True), {})
    made.collect_facts = lambda: Facts(
        driver="555.42", gpus=(Gpu(0, "Tesla T4", "GPU-0"),), visible_gpus=(0,)
    )
    return made


def test_checks_that_ran_short_of_memory_run_again() -> None:
    """Where nobody of this session holds the memory any more, the checks run once more, and that verdict stands."""
    asked = []

    def again() -> Answer:
        asked.append(True)
        return answer(PASSED)

    assert conclude(session(), answer(FAILED), again=again).verdict == "ok"
    assert asked == [True]


def test_they_run_again_only_once() -> None:
    """A GPU that is short of memory the second time, too, is unusable."""
    asked = []

    def again() -> Answer:
        asked.append(True)
        return answer(FAILED)

    verdict = conclude(session(), answer(FAILED), again=again)
    assert (verdict.verdict, asked) == ("unusable", [True])


def test_checks_that_waited_do_not_run_again() -> None:
    """Checks that had the machine to themselves are judged as they came out."""
    assert conclude(session(), answer(FAILED)).verdict == "unusable"
    assert conclude(session(), answer(PASSED)).verdict == "ok"


def test_a_fault_of_another_kind_does_not_run_again() -> None:
    """What has nothing to do with memory is judged at once."""
    wrong = CheckResult(
        "memory", "failed", message="memory of the device does not keep what was written to it"
    )
    assert conclude(session(), answer(wrong), again=lambda: answer(PASSED)).verdict == "unusable"
