"""What ails a GPU: the findings from its facts, and the driver's error reports in the kernel's log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.environment import driver, xid
from pytest_tfgpu.environment.faults.health import ailments
from pytest_tfgpu.environment.findings import findings
from pytest_tfgpu.environment.nvml import Answer
from pytest_tfgpu.environment.presence import presence
from pytest_tfgpu.model import EvidenceLine, Facts, Gpu, Health
from tests.trees import touch
from tests.unit.test_environment_findings import HEALTHY, T4, only

BROKEN = "gpu-hardware-error"
KERNEL_LOG = """\
6,1,100,-;Linux version 6.8.0
3,2,200,-;NVRM: Xid (PCI:0000:3b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
 SUBSYSTEM=pci
3,3,300,-;NVRM: Xid (PCI:0000:3B:00): 48, pid=77, An uncorrectable double bit error (DBE) has been detected
3,4,400,-;NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus.
3,5,500,-;NVRM: Xid (PCI:0001:af:00.0): 13, pid=78, Graphics SM Warp Exception
"""


def unwell(**ailment: Any) -> Facts:
    """Return the facts of a healthy machine but for one GPU."""
    return replace(HEALTHY, gpus=(replace(T4, health=Health(**ailment)),))


@pytest.mark.parametrize(
    ("ailment", "severity", "cause", "words", "header"),
    [
        ({"ecc_uncorrected": 1}, "warning", BROKEN, "had 1 uncorrectable memory error", "memory errors"),
        ({"remap_pending": True}, "warning", BROKEN, "only when it is reset", "memory errors"),
        ({"remap_failed": True}, "error", BROKEN, "could not replace a row", "memory errors"),
        ({"xids": (13, 48)}, "warning", BROKEN, "errors of the hardware", "hardware errors"),
        ({"xids": (79,)}, "error", BROKEN, "errors of the hardware", "hardware errors"),
        ({"slowed": ("heat",), "temperature": 91}, "warning", None, "heat. It is at 91 °C.", "slowed down"),
        ({"temperature": 85, "slowdown_temperature": 90}, "warning", None, "slows down at 90 °C", "hot"),
        ({"vgpu_license": "unlicensed"}, "warning", "vgpu-unlicensed", "without a licence", "no licence"),
    ],
)  # fmt: skip
def test_each_ailment_is_found(
    ailment: dict[str, Any], severity: str, cause: str | None, words: str, header: str
) -> None:
    """Each ailment is one finding that names the GPU, and a word for the header; the GPU stays usable."""
    facts = unwell(**ailment)
    finding = only(facts)
    assert (finding.severity, finding.cause) == (severity, cause)
    assert "GPU 0 (Tesla T4)" in finding.summary
    assert words in finding.summary
    assert ailments(facts) == (f"GPU 0: {header}",)
    assert presence(facts).status == "present"


@pytest.mark.parametrize(
    "ailment",
    [
        {"ecc_uncorrected": 0, "remap_pending": False, "remap_failed": False},
        {"xids": (13, 31, 43)},
        {"temperature": 84, "slowdown_temperature": 90},
        {"temperature": 84},
        {"temperature": 84, "slowdown_temperature": 0},
        {"vgpu_license": "licensed"},
    ],
)
def test_what_is_no_ailment(ailment: dict[str, Any]) -> None:
    """Counters at zero, errors of programs, common temperatures and a licensed virtual GPU are not spoken of."""
    assert findings(unwell(**ailment)) == ()
    assert ailments(unwell(**ailment)) == ()


def test_only_visible_gpus_count() -> None:
    """What ails a GPU that CUDA_VISIBLE_DEVICES hides is not this process's concern."""
    sick = replace(T4, index=1, uuid="GPU-2", health=Health(ecc_uncorrected=3))
    assert findings(replace(HEALTHY, gpus=(T4, sick), visible_gpus=(0,))) == ()
    (finding,) = findings(replace(HEALTHY, gpus=(T4, sick), visible_gpus=(0, 1)))
    assert "GPU 1" in finding.summary


def test_instances_of_one_gpu_ail_once() -> None:
    """What ails a GPU that is cut into instances is said once."""
    parts = tuple(replace(T4, uuid=f"MIG-{part}", health=Health(ecc_uncorrected=3)) for part in "ab")
    assert len(findings(replace(HEALTHY, gpus=parts, visible_gpus=(0, 1)))) == 1


def test_a_gpu_out_of_reach() -> None:
    """A GPU that NVML can't reach is a warning beside those that work, and a lost one is a fault of the hardware."""
    lost = {"gpus[1]": "NVML can't reach GPU 1: GPU is lost."}
    facts = replace(HEALTHY, gpus=(T4, Gpu(index=1)), visible_gpus=(0, 1), unknown=lost)
    finding = findings(facts)[-1]
    assert (finding.summary, finding.severity, finding.cause) == (
        lost["gpus[1]"],
        "warning",
        "gpu-hardware-error",
    )


def test_reports_in_the_kernel_log(tmp_path: Path) -> None:
    """Xids are read per place on the bus, each number once, whether or not the place names a function."""
    touch(tmp_path / xid.LOG, KERNEL_LOG)
    assert xid.reports(tmp_path) == {"0000:3b:00": (79, 48), "0001:af:00": (13,)}


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    """Without the log, or the right to read it, nothing is known, and nothing is said."""
    assert xid.reports(tmp_path) == {}
    (tmp_path / xid.LOG).mkdir(parents=True)
    assert xid.reports(tmp_path) == {}


def test_health_joins_nvml_and_the_log(tmp_path: Path) -> None:
    """A GPU's health is NVML's by index and the log's by place on the bus; a GPU of which neither speaks has none."""
    touch(tmp_path / xid.LOG, KERNEL_LOG)
    data = {
        "driver": "555.42.06",
        "gpus": [{"index": 0, "pci": "0000:3b:00.0"}, {"index": 1, "pci": "0000:5e:00.0"}, {"index": 2}],
        "health": {"0": {"ecc_uncorrected": 2}, "1": None},
    }
    found = driver.collect(Answer(data), tmp_path).gpus
    assert found[0].health == Health(ecc_uncorrected=2, xids=(79, 48))
    assert [gpu.health for gpu in found[1:]] == [None, None]


def test_evidence_of_reports() -> None:
    """Each report is quoted with its number and what it means; those of programs are left out."""
    assert only(unwell(xids=(13, 79))).evidence == (
        EvidenceLine("Xid 79: the GPU has fallen off the bus", "kernel log"),
    )
