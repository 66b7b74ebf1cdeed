"""The facts as a whole: of this machine, and of machines with simulated GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

import pytest

from pytest_tfgpu.environment import collect_facts, tensorflow_build
from pytest_tfgpu.environment.findings import findings
from pytest_tfgpu.environment.presence import presence
from pytest_tfgpu.model import Facts
from tests.simulated.conftest import simulated_gpu, workshop  # noqa: F401
from tests.simulated.machine import Describe, Gpu, Machine, tensorflow_version

OLD = tensorflow_version() < (2, 17)
"""TensorFlow 2.16, which doesn't ask NVML."""


def of(machine: Machine, **options: Any) -> Facts:
    """Return the facts that this process collects in the environment of a simulated machine."""
    return collect_facts(machine.environment, **options)


def test_this_machine() -> None:
    """The facts of this machine are plain JSON, come back the same, and name this Python."""
    facts = collect_facts()
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
    assert facts.python == ".".join(map(str, sys.version_info[:3]))
    assert facts.platform


def test_nothing_heavy_is_imported() -> None:
    """Collecting and judging the facts imports neither TensorFlow, NumPy, pynvml nor pytest."""
    code = (
        "import sys\n"
        "from pytest_tfgpu.environment import collect_facts\n"
        "from pytest_tfgpu.environment.findings import findings\n"
        "from pytest_tfgpu.environment.presence import presence\n"
        "facts = collect_facts(); presence(facts); findings(facts)\n"
        "print(sorted({'tensorflow', 'keras', 'numpy', 'pynvml', 'pytest', 'pluggy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_environment_that_is_given_counts() -> None:
    """The facts are those of the environment that is given, not of this process's own."""
    facts = collect_facts({"CUDA_VISIBLE_DEVICES": "-1", "GITLAB_CI": "true", "SECRET": "x"})
    assert facts.environment == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert (facts.ci, facts.visible_gpus) == ("gitlab", ())


def test_collector_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in one collector is a fact that is unknown, and the others are collected."""

    def defective(search_path: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(tensorflow_build, "collect", defective)
    facts = collect_facts()
    assert facts.unknown["tensorflow"] == "It could not be read (RuntimeError: a defect)."
    assert facts.platform


def test_hidden_gpus_survive_json() -> None:
    """That no GPU is visible is told from not knowing it, in JSON too."""
    hidden, unknown = Facts(visible_gpus=()), Facts(visible_gpus=None)
    assert Facts.from_json(json.loads(json.dumps(hidden.to_json()))) == hidden
    assert Facts.from_json(json.loads(json.dumps(unknown.to_json()))) == unknown


def test_simulated_machine(simulated_gpu: Describe) -> None:  # noqa: F811
    """The real pynvml gives driver, GPUs, memory and processes of the simulated machine."""
    machine = simulated_gpu(gpus=2, name="NVIDIA L4", compute_capability="8.9", memory="8 GiB")
    facts = of(machine.holding("3 GiB", gpu=1, name="python", pid=4242))
    assert (facts.driver, facts.driver_cuda) == ("555.42.06", "12.5")
    assert [(gpu.index, gpu.name, gpu.compute_capability) for gpu in facts.gpus] == [
        (0, "NVIDIA L4", "8.9"),
        (1, "NVIDIA L4", "8.9"),
    ]
    assert [gpu.memory_total_mib for gpu in facts.gpus] == [8192, 8192]
    assert [gpu.memory_free_mib for gpu in facts.gpus] == [8192, 5120]
    assert [gpu.compute_mode for gpu in facts.gpus] == ["default", "default"]
    (process,) = facts.gpu_processes
    assert (process.pid, process.name, process.memory_mib, process.gpu) == (4242, "python", 3072, 1)
    assert facts.visible_gpus == (0, 1)
    assert facts.unknown == {}


def test_healthy_machine_has_no_findings(simulated_gpu: Describe) -> None:  # noqa: F811
    """On a healthy machine all libraries are found, in versions that fit, and nothing is wrong."""
    facts = of(simulated_gpu())
    assert [library.name for library in facts.libraries if library.path is None] == []
    assert facts.cuda == "12.5"
    assert facts.cudnn
    assert findings(facts) == ()
    assert presence(facts).status == "present"


@pytest.mark.parametrize(
    ("value", "visible"),
    [("1", (1,)), ("1,0", (1, 0)), ("", ()), ("-1", ()), ("0,9", (0,)), ("GPU-00000001", (1,))],
)
def test_visible_devices(simulated_gpu: Describe, value: str, visible: tuple[int, ...]) -> None:  # noqa: F811
    """CUDA_VISIBLE_DEVICES leaves what the simulated CUDA leaves, while NVML shows all."""
    facts = of(simulated_gpu(gpus=2).with_environment(CUDA_VISIBLE_DEVICES=value))
    assert len(facts.gpus) == 2
    assert facts.visible_gpus == visible
    assert presence(facts).status == ("present" if visible else "absent")


def test_unlike_gpus(simulated_gpu: Describe) -> None:  # noqa: F811
    """Among GPUs of different models CUDA's order isn't NVML's for sure, unless the variable says so."""
    machine = simulated_gpu(gpus=2).with_gpu(1, name="NVIDIA H100")
    assert "visible_gpus" in of(machine).unknown
    assert of(machine.with_environment(CUDA_DEVICE_ORDER="PCI_BUS_ID")).unknown == {}


def test_instances(simulated_gpu: Describe) -> None:  # noqa: F811
    """Instances of a GPU take its place, and of several a process sees one."""
    part = Gpu(name="NVIDIA A100-SXM4-40GB MIG 1g.5gb", memory="4 GiB")
    facts = of(simulated_gpu(name="NVIDIA A100", instances=(part, part)))
    assert [gpu.name for gpu in facts.gpus] == [part.name, part.name]
    assert all((gpu.uuid or "").startswith("MIG-") for gpu in facts.gpus)
    assert facts.visible_gpus == (0,)


@pytest.mark.parametrize(
    ("library", "cause"),
    [
        ("libcublas.so.12", "cuda-library-missing"),
        ("libcusolver.so.11", "cuda-library-missing"),
        ("libcuda.so.1", "driver-missing"),
    ],
)
def test_missing_library(simulated_gpu: Describe, library: str, cause: str) -> None:  # noqa: F811
    """A library that is missing is named, and makes the GPU unusable."""
    facts = of(simulated_gpu().without(library))
    found = [finding for finding in findings(facts) if library in finding.summary]
    assert [finding.cause for finding in found] == [cause]
    assert presence(facts).status == "unusable"


@pytest.mark.parametrize(("code", "status"), [(9, "unclear"), (18, "unusable"), (999, "unclear")])
def test_nvml_refuses(simulated_gpu: Describe, code: int, status: str) -> None:  # noqa: F811
    """An NVML that refuses is data: its code, a sentence, and what follows from it; TensorFlow 2.16 does without."""
    facts = of(simulated_gpu().failing("nvmlInit*", code))
    assert facts.nvml_error == code
    assert facts.gpus == ()
    assert "nvml" in facts.unknown
    assert presence(facts).status == ("present" if status == "unusable" and OLD else status)


def test_nvml_missing(simulated_gpu: Describe) -> None:  # noqa: F811
    """An NVML that is missing beside a driver's library is named as what is missing."""
    facts = of(simulated_gpu().without("libnvidia-ml.so.1"))
    assert facts.nvml_error == 12
    (finding,) = findings(facts)
    assert "libnvidia-ml.so.1" in (finding.evidence[0].text if OLD else finding.summary)


def test_nvml_hangs(simulated_gpu: Describe) -> None:  # noqa: F811
    """An NVML that hangs is cut off at the time limit."""
    began = time.monotonic()
    facts = of(simulated_gpu().failing("nvmlInit*", "hang"), nvml_timeout=0.5)
    assert time.monotonic() - began < 2
    assert facts.unknown["nvml"] == "NVML did not answer within 0.5 s."


def test_nvml_hangs_late(simulated_gpu: Describe) -> None:  # noqa: F811
    """What NVML answered before it hung is among the facts."""
    machine = simulated_gpu().failing("nvmlDeviceGetComputeRunning*", "hang")
    facts = of(machine, nvml_timeout=0.7)
    assert [gpu.name for gpu in facts.gpus] == ["Tesla T4"]
    assert facts.unknown["nvml"] == "NVML did not answer within 0.7 s."
    assert presence(facts).status == "present"


def test_one_unsupported_question(simulated_gpu: Describe) -> None:  # noqa: F811
    """A question that NVML can't answer leaves that fact out, and no other."""
    facts = of(simulated_gpu().failing("nvmlDeviceGetMemoryInfo*", 3))
    (gpu,) = facts.gpus
    assert (gpu.name, gpu.memory_total_mib) == ("Tesla T4", None)
    assert facts.unknown == {}


def test_environment_without_path(simulated_gpu: Describe) -> None:  # noqa: F811
    """NVML is found through the given environment alone: this process's own has no part in it."""
    machine = simulated_gpu()
    names = ("LD_LIBRARY_PATH", "SIMULATED_GPU")
    facts = collect_facts({name: machine.environment[name] for name in names})
    assert facts.driver == "555.42.06"
    assert os.environ.get("SIMULATED_GPU") is None
