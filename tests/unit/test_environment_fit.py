"""What was found against what TensorFlow was built for: older, doubled, broken and shadowed libraries, known pairs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_tfgpu.environment import known_pairs
from pytest_tfgpu.environment.driver import MODULE
from pytest_tfgpu.environment.findings import findings, remarks
from pytest_tfgpu.environment.presence import presence
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Gpu, GpuProcess, Library
from tests.unit.test_environment_findings import HEALTHY, LIBCUDA, SITE, T4, only

CUBLAS = Library(
    "libcublas.so.12",
    path=f"{SITE}/nvidia/cublas/lib/libcublas.so.12",
    version="12.5.3.2",
    provider="nvidia-cublas-cu12",
    built_for="12.5.3.2",
)
CUBLAS_LT = replace(CUBLAS, name="libcublasLt.so.12", path=f"{SITE}/nvidia/cublas/lib/libcublasLt.so.12")
PTXAS = Library("ptxas", path="/usr/local/cuda/bin/ptxas", version="12.5.82", built_for="12.5.82")
LIBDEVICE = Library("libdevice.10.bc", path="/usr/local/cuda/nvvm/libdevice/libdevice.10.bc")
NCCL = Library("libnccl.so.2", searched=("/lib64",))
WSL = "/usr/lib/wsl/lib/libcuda.so.1"


def with_libraries(*libraries: Library, **facts: Any) -> Facts:
    """Return the facts of a healthy machine with these libraries besides libcuda."""
    return replace(HEALTHY, libraries=(LIBCUDA, *libraries), **facts)


def with_libcuda(**changes: Any) -> Facts:
    """Return the facts of a healthy machine with another libcuda."""
    return replace(HEALTHY, libraries=(replace(LIBCUDA, **changes),))


def test_libraries_as_built_for() -> None:
    """Libraries of the version that TensorFlow asks for, and of newer ones, are not spoken of."""
    assert findings(with_libraries(CUBLAS, CUBLAS_LT)) == ()
    newer = {"version": "12.9.1.4"}
    assert findings(with_libraries(replace(CUBLAS, **newer), replace(CUBLAS_LT, **newer))) == ()


def test_older_library() -> None:
    """An older minor version is a warning that states both; what the path hides is quoted, with what to take off."""
    stale = replace(
        CUBLAS, path="/opt/cuda-12.1/lib64/libcublas.so.12", version="12.1.3.1", provider="LD_LIBRARY_PATH"
    )
    stale = replace(stale, others=(CUBLAS.path or "",))
    older = findings(with_libraries(stale))[0]
    assert (older.severity, older.cause) == ("warning", "cuda-version-mismatch")
    assert older.evidence == (
        EvidenceLine("libcublas.so.12 12.1.3.1, built for 12.5.3.2", "/opt/cuda-12.1/lib64/libcublas.so.12"),
        EvidenceLine(CUBLAS.path or "", "passed over"),
    )
    assert [help_.text for help_ in older.help] == ["Take /opt/cuda-12.1/lib64 off LD_LIBRARY_PATH."]


def test_older_tool() -> None:
    """NVRTC, NCCL and ptxas are measured against the build like the libraries that are opened at once."""
    facts = replace(HEALTHY, on_demand=(replace(PTXAS, version="12.1.105"), LIBDEVICE))
    finding = only(facts)
    assert "ptxas is older here" in finding.summary


def test_cublas_of_two_releases() -> None:
    """A cuBLAS over the base library of another release is a warning with both files."""
    base = replace(CUBLAS_LT, path="/opt/lib/libcublasLt.so.12", version="12.6.4.1")
    finding = only(with_libraries(CUBLAS, base))
    assert finding.cause == "cuda-version-mismatch"
    assert (
        finding.summary == "libcublas 12.5.3.2 and libcublasLt 12.6.4.1 come from different releases of CUDA."
    )


@pytest.mark.parametrize(
    ("name", "cause"),
    [("libcusparse.so.12", "cuda-library-missing"), ("libcudnn.so.9", "cudnn-missing")],
)
def test_library_that_lacks_another(name: str, cause: str) -> None:
    """A library that is there and lacks another can't be loaded: an error that names both."""
    broken = Library(name, path=f"/lib64/{name}", lacks=("libnvJitLink.so.12",))
    finding = only(with_libraries(broken))
    assert (finding.severity, finding.cause) == ("error", cause)
    assert name in finding.summary
    assert "libnvJitLink.so.12" in finding.summary
    assert presence(with_libraries(broken)).status == "unusable"


# ----------------------------------------------------------------------------------------------- the driver


def test_libcuda_of_another_driver() -> None:
    """A libcuda that isn't the running driver's is an error with both versions."""
    finding = only(
        with_libcuda(version="535.183.01", path="/opt/stale/libcuda.so.1", others=("/lib64/libcuda.so.1",))
    )
    assert (finding.severity, finding.cause) == ("error", "driver-library-mismatch")
    texts = [line.text for line in finding.evidence]
    assert texts == ["libcuda 535.183.01", "kernel driver 555.42.06", "/lib64/libcuda.so.1"]


@pytest.mark.parametrize(
    ("version", "gpu", "words"),
    [
        ("535.183.01", "Tesla T4", "is older than the driver"),
        ("575.57.08", "NVIDIA GeForce RTX 4090", "doesn't work on a NVIDIA GeForce RTX 4090"),
        ("575.57.08", "NVIDIA A100-SXM4-40GB", None),
    ],
)
def test_compat_package(version: str, gpu: str, words: str | None) -> None:
    """A compat libcuda serves newer CUDA on data-center cards; on others, or where it is older, it is an error."""
    path = "/usr/local/cuda-12.9/compat/libcuda.so.1"
    facts = replace(with_libcuda(version=version, path=path), gpus=(replace(T4, name=gpu),))
    assert [words in finding.summary for finding in findings(facts) if words] == [True] * bool(words)
    assert all(finding.cause == "driver-library-mismatch" for finding in findings(facts))


@pytest.mark.parametrize("version", ["1.1", None])
def test_libcuda_without_a_version(version: str | None) -> None:
    """A libcuda whose file name states no driver version, as in WSL, is taken as it is."""
    assert findings(with_libcuda(version=version, path=WSL)) == ()


def test_linux_driver_inside_wsl() -> None:
    """A Linux driver's libcuda before WSL's own is an error, and the help is to remove it."""
    facts = replace(with_libcuda(version="535.1.1", others=(WSL,)), platform="wsl")
    finding = only(facts)
    assert finding.cause == "driver-library-mismatch"
    assert EvidenceLine(WSL, "passed over") in finding.evidence


def test_driver_of_wsl_off_the_path() -> None:
    """WSL's libcuda that the loader isn't told of is found, with the line to type."""
    lost = Library("libcuda.so.1", searched=("/lib64",), near=(WSL,))
    finding = only(replace(HEALTHY, libraries=(lost,), platform="wsl"))
    assert finding.cause == "driver-missing"
    assert finding.help[0].text.startswith("export LD_LIBRARY_PATH=/usr/lib/wsl/lib")


@pytest.mark.parametrize("libraries", [(), (LIBCUDA,), (Library("libcuda.so.1"),)])
def test_container_without_the_gpu(libraries: tuple[Library, ...]) -> None:
    """A container that was not given its machine's GPU has none, whatever libraries it holds."""
    facts = replace(
        HEALTHY,
        platform="docker",
        libraries=libraries,
        device_files=(MODULE, "/sys/bus/pci/devices/0000:3b:00.0"),
        unknown={"nvml": "NVML's library (libnvidia-ml.so.1) is not found."},
        nvml_error=12,
    )
    here = presence(facts)
    assert (here.status, here.cause) == ("absent", "driver-missing")
    finding = only(facts)
    assert "container was started without the NVIDIA GPU" in finding.summary
    assert "--gpus all" in finding.help[0].text
    assert presence(replace(facts, device_files=(MODULE, "/dev/nvidia0"))).status != "absent"


def test_container_with_half_a_driver() -> None:
    """Where NVML answers in a container and libcuda is missing, it was given the utilities only."""
    finding = only(replace(HEALTHY, platform="docker", libraries=(Library("libcuda.so.1"),)))
    assert [help_.text for help_ in finding.help] == [
        "Give it the driver's libraries: NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    ]


def test_memory_that_others_hold() -> None:
    """A tenth of the memory in others' hands is worth a remark with pid, name and MiB; less is not."""
    holder = GpuProcess(pid=77, name="jupyter", memory_mib=4000, gpu=0)
    finding = only(replace(HEALTHY, gpu_processes=(holder,)))
    assert finding.severity == "info"
    assert finding.evidence == (EvidenceLine("process 77 (jupyter): 4000 MiB", "NVML"),)
    assert findings(replace(HEALTHY, gpu_processes=(replace(holder, memory_mib=300),))) == ()


# ----------------------------------------------------------------------------------------------- known pairs


@pytest.mark.parametrize(
    ("version", "at_least"),
    [
        ((9,), (384, 81)),
        ((10, 1, 243), (418, 39)),
        ((11, 0, 221), (450, 36, 6)),
        ((11, 2), (450, 80, 2)),
        ((12, 5, 1), (525, 60, 13)),
        ((13, 0), (580, 65, 6)),
    ],
)
def test_drivers_that_cuda_needs(version: tuple[int, ...], at_least: tuple[int, ...]) -> None:
    """Each version of CUDA has the oldest driver that runs it."""
    row = known_pairs.needed("driver", "cuda", version)
    assert row is not None
    assert row.at_least == at_least


def test_rows_name_their_source() -> None:
    """Every row says where it is written, and when that was read."""
    for row in (*known_pairs.NEEDS, *known_pairs.REFUSED):
        assert row.source.url.startswith("https://")
        assert row.source.read >= "2025-01"


def test_versions_are_written_as_nvidia_does() -> None:
    """Drivers have two digits in their parts, releases don't."""
    assert known_pairs.text((525, 60, 13)) == "525.60.13"
    assert known_pairs.text((450, 80, 2)) == "450.80.02"
    assert known_pairs.text((12, 8)) == "12.8"


@pytest.mark.parametrize(
    ("cuda", "cudnn", "expected"),
    [
        ("12.5", "9.3.0", ["CUDA 12.5"]),
        ("12.3", "8.9.7", ["CUDA 12.3", "cuDNN 8.9.7"]),
        ("12.8", "9.7.1", []),
    ],
)
def test_gpu_newer_than_the_libraries(cuda: str, cudnn: str, expected: list[str]) -> None:
    """A GPU that the CUDA or the cuDNN found here doesn't know is a warning with the version that does."""
    blackwell = replace(T4, name="NVIDIA GeForce RTX 5090", compute_capability="12.0")
    facts = replace(HEALTHY, gpus=(blackwell,), cuda=cuda, cudnn=cudnn, built_for=None)
    assert [finding.summary.split(" doesn't")[0] for finding in findings(facts)] == expected
    assert all(finding.cause == "unsupported-compute-capability" for finding in findings(facts))


# --------------------------------------------------------------------------------------------------- remarks


def test_nothing_to_remark() -> None:
    """With its tools in place there is nothing to remark, and without a GPU nothing is."""
    assert remarks(replace(HEALTHY, on_demand=(PTXAS, LIBDEVICE))) == ()
    assert remarks(Facts(on_demand=(Library("ptxas"), NCCL))) == ()


def remark(*on_demand: Library, gpus: tuple[Gpu, ...] = (T4,), **facts: Any) -> Finding:
    """Return the one remark on a machine with these tools."""
    (finding,) = remarks(replace(HEALTHY, on_demand=on_demand, gpus=gpus, visible_gpus=None, **facts))
    return finding


def test_no_tools_for_xla() -> None:
    """Missing tools of XLA are a warning that names them and the folders."""
    finding = remark(PTXAS, Library("libdevice.10.bc", searched=("/usr/local/cuda/nvvm/libdevice",)))
    assert finding.cause == "cuda-toolkit-not-found"
    assert "no libdevice.10.bc" in finding.summary
    assert "/usr/local/cuda/nvvm/libdevice" in finding.evidence[0].text


@pytest.mark.parametrize("version", ["11.2.152", "12.3.103"])
def test_ptxas_that_xla_refuses(version: str) -> None:
    """A ptxas that XLA passes over is a warning with the place where that is written."""
    finding = remark(replace(PTXAS, version=version), LIBDEVICE)
    assert finding.cause == "cuda-toolkit-not-found"
    assert "subprocess_compilation.cc" in finding.evidence[1].text


def test_ptxas_newer_than_the_driver() -> None:
    """A ptxas of a CUDA that the driver is too old for makes programs that it can't run."""
    finding = remark(replace(PTXAS, version="13.0.88"), LIBDEVICE)
    assert finding.cause == "cuda-version-mismatch"
    assert finding.evidence[1].text == "needs driver 580.65.06 or newer"


def test_nccl_matters_to_several_gpus() -> None:
    """Without NCCL one GPU works by itself; several can't work together."""
    assert remarks(replace(HEALTHY, on_demand=(NCCL,))) == ()
    finding = remark(NCCL, gpus=(T4, replace(T4, index=1, uuid="GPU-2")))
    assert "libnccl.so.2" in finding.summary
    assert finding.severity == "warning"


def test_doubled_library() -> None:
    """A library that lies twice on the loader's path is a remark that says which file is taken."""
    twice = replace(CUBLAS, others=("/lib64/libcublas.so.12",))
    (finding,) = remarks(with_libraries(twice))
    assert finding.severity == "info"
    assert finding.evidence == (
        EvidenceLine(CUBLAS.path or "", "libcublas.so.12 taken"),
        EvidenceLine("/lib64/libcublas.so.12", "libcublas.so.12 passed over"),
    )


def test_facts_survive_json() -> None:
    """Facts with what was found against what was built for come back from JSON as they were."""
    facts = with_libraries(replace(CUBLAS, others=("/a",), lacks=("b",)), on_demand=(PTXAS, NCCL))
    assert Facts.from_json(facts.to_json()) == facts
