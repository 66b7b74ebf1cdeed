"""What `tfgpu doctor` finds on simulated machines, without TensorFlow."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from .machine import Describe, Gpu, Machine, tensorflow_version

OLD = tensorflow_version() < (2, 17)
"""TensorFlow 2.16, which doesn't ask NVML."""


LACKING = ("libnccl.so.2", "libdevice.10.bc")
"""What a simulated machine has only where the real one has it."""


def findings(doctor: Any) -> list[Any]:
    """Return the findings but for what every simulated machine lacks."""
    return [found for found in doctor["findings"] if not any(name in found["summary"] for name in LACKING)]


def causes(doctor: Any) -> list[str]:
    """Return the causes of the findings."""
    return [finding.get("cause") for finding in findings(doctor)]


def test_healthy_machine(simulated_gpu: Describe) -> None:
    """On a healthy machine nothing is found, and the facts are those of the machine."""
    doctor = simulated_gpu(gpus=2, memory="16 GiB", driver="560.35.05", cuda="12.6").doctor()
    assert findings(doctor) == []
    facts = doctor["facts"]
    assert (facts["driver"], facts["driver_cuda"]) == ("560.35.05", "12.6")
    assert [gpu["name"] for gpu in facts["gpus"]] == ["Tesla T4"] * 2
    assert [gpu["memory_total_mib"] for gpu in facts["gpus"]] == [16384] * 2
    assert [gpu["compute_capability"] for gpu in facts["gpus"]] == ["7.5"] * 2


def test_processes(simulated_gpu: Describe) -> None:
    """Processes that hold memory are facts, by GPU, and memory that is nearly gone is found."""
    doctor = simulated_gpu(gpus=2).holding("8000 MiB", gpu=1, name="jupyter", pid=77).doctor()
    assert doctor["facts"]["gpu_processes"] == [{"pid": 77, "name": "jupyter", "memory_mib": 8000, "gpu": 1}]
    assert causes(doctor) == ["memory-held-by-other-process"]


@pytest.mark.parametrize("library", ["libcublas.so.12", "libcufft.so.11", "libcusparse.so.12"])
def test_missing_library(simulated_gpu: Describe, library: str) -> None:
    """A missing library is found by name."""
    doctor = simulated_gpu().without(library).doctor()
    assert causes(doctor) == ["cuda-library-missing"]
    assert library in doctor["findings"][0]["summary"]


@pytest.mark.parametrize("version", ["8.9.7", "9.0.0"] if tensorflow_version() > (2, 17) else ["8.2.4"])
def test_cudnn_of_another_version(simulated_gpu: Describe, version: str) -> None:
    """A cuDNN that doesn't fit is found with its version, though its name is right."""
    doctor = simulated_gpu(cudnn=version).doctor()
    assert causes(doctor) == ["cudnn-version-mismatch"]
    assert version in doctor["findings"][0]["summary"]


def test_nvml_that_fails(simulated_gpu: Describe) -> None:
    """A version mismatch between kernel driver and library is NVML's to tell; to 2.16, which does without, a remark."""
    (finding,) = findings(simulated_gpu().failing("nvmlInit*", 18).doctor())
    assert finding.get("cause") == (None if OLD else "driver-library-mismatch")
    assert finding["severity"] == ("warning" if OLD else "error")
    assert "differ in version" in finding["evidence"][0]["text"]


def test_nvml_that_hangs(simulated_gpu: Describe) -> None:
    """An NVML that doesn't answer is given up after a while, and told."""
    (finding,) = findings(simulated_gpu().failing("nvmlInit*", "hang").doctor())
    told = [finding["summary"], *(line["text"] for line in finding["evidence"])]
    assert any("NVML did not answer" in text for text in told)


@pytest.mark.parametrize("function", ["nvmlDeviceGetMemoryInfo*", "nvmlDeviceGetName", "nvmlDeviceGetCount*"])
def test_nvml_that_half_works(simulated_gpu: Describe, function: str) -> None:
    """Where one question to NVML fails the doctor still answers with the rest."""
    assert simulated_gpu().failing(function, 999).doctor()["facts"]["driver"] == "555.42.06"


def test_exclusive_gpu_in_use(simulated_gpu: Describe) -> None:
    """A GPU in exclusive mode that is in use is found."""
    assert "gpu-busy" in causes(simulated_gpu(exclusive=True).holding("1 GiB").doctor())


def test_hidden_gpu(simulated_gpu: Describe) -> None:
    """A GPU that CUDA_VISIBLE_DEVICES hides is still a fact, and that it is hidden is found."""
    doctor = simulated_gpu().with_environment(CUDA_VISIBLE_DEVICES="-1").doctor()
    assert len(doctor["facts"]["gpus"]) == 1
    assert doctor["facts"].get("visible_gpus", []) == []
    assert causes(doctor) == ["gpu-not-visible"]


def test_mig(simulated_gpu: Describe) -> None:
    """A GPU that is cut into instances doesn't confuse the doctor."""
    part = Gpu(name="NVIDIA A100-SXM4-40GB MIG 1g.5gb", compute_capability="8.0", memory="5 GiB")
    machine = simulated_gpu(compute_capability="8.0").with_gpu(0, memory="40 GiB", instances=(part, part))
    assert "error" not in [finding["severity"] for finding in findings(machine.doctor())]


def test_speed(simulated_gpu: Describe) -> None:
    """The doctor answers in well under a second."""
    machine = simulated_gpu(gpus=4)
    done = [machine.run([sys.executable, "-m", "pytest_tfgpu", "doctor"]) for _ in range(3)]
    assert min(run.seconds for run in done) < 1, done[0].text


def test_health(simulated_gpu: Describe) -> None:
    """What NVML knows of a GPU's health is a fact, and what ails it is found."""
    machine = simulated_gpu(gpus=7).with_gpu(0, uncorrected_ecc=4).with_gpu(1, remap_failed=True)
    machine = machine.with_gpu(2, remap_pending=True).with_gpu(3, clock_reasons=0x40, temperature=93)
    machine = machine.with_gpu(4, temperature=88).with_gpu(5, licensed=False).with_gpu(6, licensed=True)
    doctor = machine.doctor()
    found = {finding["summary"].partition(" (")[0]: finding for finding in findings(doctor)}
    assert {name: (finding["severity"], finding["cause"]) for name, finding in found.items()} == {
        "GPU 0": ("warning", "gpu-hardware-error"),
        "GPU 1": ("error", "gpu-hardware-error"),
        "GPU 2": ("warning", "gpu-hardware-error"),
        "GPU 3": ("warning", None),
        "GPU 4": ("warning", None),
        "GPU 5": ("warning", "vgpu-unlicensed"),
    }
    health = [gpu["health"] for gpu in doctor["facts"]["gpus"]]
    assert health[0]["ecc_uncorrected"] == 4
    assert (health[3]["slowed"], health[3]["temperature"], health[3]["slowdown_temperature"]) == (
        ["heat"],
        93,
        90,
    )
    assert health[6]["vgpu_license"] == "licensed"
    assert doctor["facts"]["gpus"][1]["pci"] == "0000:02:00.0"


def test_health_that_nvml_does_not_tell(simulated_gpu: Describe) -> None:
    """Where NVML has no answer about the health of a GPU, or never gives one, the rest is still known."""
    silent = simulated_gpu().failing("nvmlDeviceGetTotalEccErrors", 3).failing("nvmlDeviceGetTemperature*", 3)
    (gpu,) = silent.doctor()["facts"]["gpus"]
    assert "ecc_uncorrected" not in gpu["health"]
    hung = simulated_gpu().failing("nvmlDeviceGetRemappedRows", "hang").doctor()
    assert [gpu["name"] for gpu in hung["facts"]["gpus"]] == ["Tesla T4"]
    assert "did not answer" in hung["facts"]["unknown"]["nvml"]


def test_what_was_loaded(simulated_gpu: Describe) -> None:
    """With its preflight the doctor tells which of NVIDIA's libraries TensorFlow loaded, and finds nothing odd in them.

    All simulated libraries are one file, which the loader loads under the first of its names.
    """
    machine = simulated_gpu()
    doctor = machine.doctor("--preflight")
    (library,) = doctor["preflight"]["libraries_loaded"]
    name, version = library["name"], library["version"]
    assert machine.libraries.get("libcuda.so.1") == f"{name}.so.{version}"
    assert library["path"].startswith(str(machine.folder))
    assert findings(doctor) == []


def beside(machine: Machine, folder: str, **files: str) -> Machine:
    """Return the machine with a folder first on the loader's path that holds other files of these libraries."""
    place = machine.folder / folder
    place.mkdir(parents=True)
    names = {name.partition(".")[0]: name for name in machine.libraries}
    for stem, file in files.items():
        (place / file).hardlink_to(machine.workshop / "driver.so")
        (place / names[stem]).symlink_to(file)
    return machine.with_environment(LD_LIBRARY_PATH=f"{place}:{machine.folder / 'lib'}")


def test_older_copies(simulated_gpu: Describe) -> None:
    """Older copies that lie before the machine's own libraries are found as older, and as doubled."""
    machine = beside(
        simulated_gpu(), "stale", libcublas="libcublas.so.12.1.3.1", libcublasLt="libcublasLt.so.12.1.3.1"
    )
    older, doubled = findings(machine.doctor())
    assert (older["cause"], older["severity"]) == ("cuda-version-mismatch", "warning")
    assert "libcublas.so.12 and libcublasLt.so.12 are older" in older["summary"]
    assert older["help"][0]["text"].endswith("/stale off LD_LIBRARY_PATH.")
    assert (doubled["severity"], doubled["summary"]) == (
        "info",
        "libcublas.so.12 and libcublasLt.so.12 are found more than once.",
    )


def test_newer_copies(simulated_gpu: Describe) -> None:
    """Newer copies are only doubled; one of two parts that is newer doesn't fit the other."""
    machine = beside(
        simulated_gpu(), "new", libcublas="libcublas.so.12.9.1.4", libcublasLt="libcublasLt.so.12.9.1.4"
    )
    (doubled,) = findings(machine.doctor())
    assert doubled["severity"] == "info"
    half, _ = findings(beside(simulated_gpu(), "half", libcublas="libcublas.so.12.9.1.4").doctor())
    assert half["cause"] == "cuda-version-mismatch"
    assert "different releases" in half["summary"]


def test_libcuda_that_hides_the_driver(simulated_gpu: Describe) -> None:
    """A stub and a stale copy that lie before the driver's own libcuda are each found for what they are."""
    stub = beside(simulated_gpu(), "cuda/lib64/stubs", libcuda="libcuda.so")
    stale = beside(simulated_gpu(), "stale", libcuda="libcuda.so.550.54.14")
    for machine, words in ((stub, "takes a stub"), (stale, "libcuda 550.54.14")):
        found = findings(machine.doctor())[0]
        assert (found["cause"], found["severity"]) == ("driver-library-mismatch", "error")
        assert words in found["summary"]
