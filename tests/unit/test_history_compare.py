"""What changed between two sessions."""

from __future__ import annotations

from dataclasses import replace

from pytest_tfgpu.cli.compare import as_data, lines
from pytest_tfgpu.history.compare import Change, compare
from pytest_tfgpu.model import (
    CheckResult,
    EvidenceLine,
    Facts,
    Gpu,
    GpuChecks,
    Library,
    Preflight,
    Report,
    Skip,
    TestDiagnosis,
    TestResult,
)

FACTS = Facts(
    tensorflow="2.20.0",
    driver="555.42.06",
    cudnn="9.3.0",
    gpus=(Gpu(0, "Tesla T4", "GPU-1", memory_total_mib=15360),),
    libraries=(Library("libcudnn.so.9", "/x/libcudnn.so.9", "9.3.0"),),
    environment={"TF_XLA_FLAGS": ""},
)


def checked(seconds: float, outcome: str = "passed", verdict: str = "ok") -> Preflight:
    """Return a preflight with one check of this duration on GPU 0."""
    checks = (CheckResult("conv2d", outcome, seconds),)  # type: ignore[arg-type]
    return Preflight(verdict, gpus=(GpuChecks(0, "GPU-1", "Tesla T4", checks),))  # type: ignore[arg-type]


def report(**more: object) -> Report:
    """Return a report of a good session, but for the fields given."""
    tests = tuple(TestResult(f"t.py::{name}", "passed") for name in "abcd")
    good = Report("0.1", "2026-11-20T09:00:00+00:00", 5.0, True, 0, FACTS, checked(1.0), {"passed": 4}, tests)
    return replace(good, **more)  # type: ignore[arg-type]


def diagnosed(nodeid: str, cause: str) -> TestDiagnosis:
    """Return a diagnosis of a test."""
    quote = (EvidenceLine("x"),)
    return TestDiagnosis(cause, "memory", "likely", "GPU 0 ran out of memory.", quote, nodeid=nodeid)


CHANGED = report(
    facts=replace(
        FACTS,
        tensorflow="2.21.0",
        driver=None,
        gpus=(Gpu(0, "A100", "GPU-9"),),
        libraries=(Library("libcudnn.so.9"),),
        environment={"TF_XLA_FLAGS": "--x"},
    ),
    preflight=replace(checked(0.2, "failed", "unusable"), reason="It failed."),
    outcomes={"failed": 1, "passed": 1, "skipped": 1},
    tests=(
        TestResult("t.py::a", "failed", cause="out-of-memory"),
        TestResult("t.py::b", "skipped"),
        TestResult("t.py::c", "passed"),
        TestResult("t.py::e", "error"),
    ),
    diagnoses=(diagnosed("t.py::a", "out-of-memory"),),
    skips=(Skip("t.py::b", "requires_gpu", "1 GPU", "no GPU"),),
)


def test_nothing_changed() -> None:
    """Two sessions that differ in nothing that counts, such as free memory, are said to be the same."""
    freer = replace(FACTS, gpus=(replace(FACTS.gpus[0], memory_free_mib=5),), python=None)
    found = compare(report(), report(facts=freer, seconds=9.0))
    assert found.is_empty
    assert list(lines(found, 80)) == ["", "Nothing changed."]


def test_the_machine() -> None:
    """What differs of the machine is named with before and after, also what went and what came."""
    assert compare(report(), CHANGED).machine == (
        Change("TensorFlow", "2.20.0", "2.21.0"),
        Change("driver", "555.42.06", None),
        Change("GPUs", "Tesla T4 (15360 MiB)", "A100"),
        Change("libcudnn.so.9", "9.3.0", "not found"),
        Change("TF_XLA_FLAGS", "(empty)", "--x"),
    )


def test_what_is_taken_on_demand() -> None:
    """A tool that only some operations need is compared, too."""
    ptxas = Library("ptxas", path="/usr/local/cuda/bin/ptxas", version="12.5.82")
    (change,) = compare(report(), report(facts=replace(FACTS, on_demand=(ptxas,)))).machine
    assert change == Change("ptxas", None, "12.5.82")


def test_a_library_from_elsewhere() -> None:
    """A library of the same version that comes from another place is a change."""
    library = replace(FACTS.libraries[0], provider="LD_LIBRARY_PATH")
    (change,) = compare(report(), report(facts=replace(FACTS, libraries=(library,)))).machine
    assert (change.before, change.after) == ("9.3.0", "9.3.0 from LD_LIBRARY_PATH")


def test_other_gpus_of_the_same_kind() -> None:
    """GPUs of the same name with other serial numbers are another machine."""
    other = replace(FACTS, gpus=(replace(FACTS.gpus[0], uuid="GPU-2"),))
    (change,) = compare(report(), report(facts=other)).machine
    assert change.after == "Tesla T4 (15360 MiB), others of the same kind"


def test_the_checks() -> None:
    """A verdict or check that ends otherwise is a change; a check that fails isn't slow."""
    found = compare(report(), CHANGED)
    assert found.checks == (
        Change("verdict", "ok", "unusable: It failed."),
        Change("conv2d on GPU 0", "passed", "failed"),
    )
    assert found.slower == ()


def test_newly_slow_checks() -> None:
    """A check is newly slow where it takes twice as long and half a second more."""
    assert compare(report(), report(preflight=checked(2.0))).slower == (
        Change("conv2d on GPU 0", "1.00", "2.00"),
    )
    assert compare(report(), report(preflight=checked(1.9))).is_empty
    assert compare(report(preflight=checked(0.1)), report(preflight=checked(0.5))).is_empty


def test_the_causes() -> None:
    """Causes that came and causes that went are told apart from those that stay."""
    found = compare(report(diagnoses=(diagnosed("t.py::c", "gpu-busy"),)), CHANGED)
    assert [group.cause for group in found.new_causes] == ["out-of-memory"]
    assert [group.cause for group in found.gone_causes] == ["gpu-busy"]
    assert compare(CHANGED, CHANGED).new_causes == ()


def test_the_tests() -> None:
    """Tests are told by what became of them; one that only lacks a requirement doesn't fail."""
    found = compare(report(), CHANGED)
    assert [test.nodeid for test in found.failing] == ["t.py::a", "t.py::e"]
    assert found.skipped == ("t.py::b",)
    assert found.vanished == ("t.py::d",)
    assert compare(CHANGED, report()).mended == ("t.py::a",)


def test_the_text() -> None:
    """The lines for a person, word by word."""
    assert list(lines(compare(report(), CHANGED), 70)) == [
        "",
        "machine",
        "  TensorFlow     2.20.0 -> 2.21.0",
        "  driver         555.42.06 -> none",
        "  GPUs           Tesla T4 (15360 MiB) -> A100",
        "  libcudnn.so.9  9.3.0 -> not found",
        "  TF_XLA_FLAGS   (empty) -> --x",
        "",
        "preflight",
        "  verdict          ok -> unusable: It failed.",
        "  conv2d on GPU 0  passed -> failed",
        "",
        "new causes",
        "  out-of-memory: 1 test. GPU 0 ran out of memory.",
        "",
        "2 tests newly failing",
        "  t.py::a [out-of-memory]",
        "  t.py::e",
        "",
        "1 test newly lacking a requirement",
        "  t.py::b",
        "",
        "1 test no longer there",
        "  t.py::d",
    ]


def test_as_json() -> None:
    """As JSON, each kind of change has its key, also where there is none."""
    data = as_data(compare(report(), CHANGED))
    assert list(data) == [
        "machine", "checks", "slower", "new_causes", "gone_causes", "failing", "mended", "skipped", "vanished",
    ]  # fmt: skip
    assert data["new_causes"] == [{"id": "out-of-memory", "count": 1, "nodeids": ["t.py::a"]}]
    assert data["mended"] == []
