"""What a process has loaded of NVIDIA's libraries, and how that compares with what was expected."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_tfgpu.environment import loaded
from pytest_tfgpu.environment.faults.loaded import as_loaded, differences
from pytest_tfgpu.model import EvidenceLine, Facts, Library, LoadedLibrary
from tests.trees import compile_library

PROPERTY = "int {0}GetProperty(int kind, int *value) {{ *value = (int[]){{{1}}}[kind]; return 0; }}"
CODES = {
    "libcudart.so.12": "int cudaRuntimeGetVersion(int *v) { *v = 12050; return 0; }",
    "libcublas.so.12": PROPERTY.format("cublas", "12, 5, 3"),
    "libcublasLt.so.12": PROPERTY.format("cublasLt", "12, 5, 3"),
    "libcudnn.so.9": PROPERTY.format("cudnn", "9, 3, 0"),
    "libcudnn_ops.so.9.3.0": "int unused;",
    "libnvrtc.so.12": "int nvrtcVersion(int *a, int *b) { *a = 12; *b = 6; return 0; }",
    "libnvJitLink.so.12": "int nvJitLinkVersion(unsigned *a, unsigned *b) { *a = 12; *b = 5; return 0; }",
    "libnccl.so.2": "int ncclGetVersion(int *v) { *v = 22707; return 0; }",
    "libcufft.so.11": "int cufftGetProperty(int kind, int *value) { return 1; }",
    "libcusparse.so.12.5.1": "int unused;",
    "libcurious.so.1": "int unused;",
}
EXPECTED = {
    "libcudart": "12.5",
    "libcublas": "12.5.3",
    "libcublasLt": "12.5.3",
    "libcudnn": "9.3.0",
    "libcudnn_ops": "9.3.0",
    "libnvrtc": "12.6",
    "libnvJitLink": "12.5",
    "libnccl": "2.27.7",
    "libcufft": None,
    "libcusparse": "12.5.1",
    "libcurious": None,
}
CHILD = """
import ctypes, json, sys
for path in sys.argv[1:]:
    ctypes.CDLL(path)
from pytest_tfgpu.environment import loaded
print(json.dumps(loaded.libraries()))
"""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc of Linux")


def load(*paths: Path) -> list[LoadedLibrary]:
    """Return what a process that opened these files says of them."""
    done = subprocess.run([sys.executable, "-c", CHILD, *map(str, paths)], capture_output=True, check=True)
    return [LoadedLibrary.from_json(entry) for entry in json.loads(done.stdout)]


@linux
def test_each_library_tells_its_version(tmp_path: Path) -> None:
    """Each library is asked for its version by its own function; one that has none, or fails, has its file's."""
    paths = [compile_library(tmp_path / name, code=code) for name, code in CODES.items()]
    found = load(*paths)
    assert {entry.name: entry.version for entry in found} == EXPECTED
    assert {entry.path for entry in found} == set(map(str, paths))


@linux
def test_two_files_of_one_library(tmp_path: Path) -> None:
    """A library that is loaded from two places is there twice."""
    old = compile_library(tmp_path / "a/libcublas.so.11", code=PROPERTY.format("cublas", "11, 8, 1"))
    new = compile_library(tmp_path / "b/libcublas.so.12", code=PROPERTY.format("cublas", "12, 5, 3"))
    assert [(entry.path, entry.version) for entry in load(old, new)] == [
        (str(old), "11.8.1"),
        (str(new), "12.5.3"),
    ]


def test_nothing_is_loaded_for_it() -> None:
    """In a process without CUDA there is nothing, and where there is no /proc nothing is known."""
    assert loaded.libraries() == []
    assert loaded.libraries(Path("/nowhere/maps")) == []


def entry(name: str, path: str, version: str | None) -> LoadedLibrary:
    """Return a loaded library."""
    return LoadedLibrary(name, path, version)


CUBLAS = entry("libcublas", "/site/nvidia/cublas/lib/libcublas.so.12", "12.5.3")
FACTS = Facts(libraries=(Library("libcublas.so.12", CUBLAS.path, "12.5.3.2"),))


def test_as_expected() -> None:
    """What was loaded as expected is not spoken of, nor what nobody expected anything of."""
    assert list(differences(FACTS, [CUBLAS, entry("libcupti", "/x/libcupti.so.12", "12.5")])) == []


@pytest.mark.parametrize(
    ("version", "severity", "cause"),
    [("12.1.3", "warning", "cuda-version-mismatch"), ("12.5.3", "info", None)],
)
def test_from_another_place(version: str, severity: str, cause: str | None) -> None:
    """A library from another place is a warning where its version differs, else a remark; both files are quoted."""
    other = replace(CUBLAS, path="/opt/cuda/lib64/libcublas.so.12", version=version)
    (finding,) = differences(FACTS, [other])
    assert (finding.severity, finding.cause) == (severity, cause)
    assert finding.evidence == (
        EvidenceLine(f"/opt/cuda/lib64/libcublas.so.12 ({version})", "loaded"),
        EvidenceLine("/site/nvidia/cublas/lib/libcublas.so.12 (12.5.3.2)", "expected"),
    )


def test_two_majors_in_one_process() -> None:
    """Two versions of a library in one process are a warning with both files."""
    (finding,) = differences(FACTS, [entry("libcublas", "/opt/libcublas.so.11", "11.8.1"), CUBLAS])
    assert finding.summary == "libcublas is loaded twice in one process, in the versions 11.8.1 and 12.5.3."
    assert finding.cause == "cuda-version-mismatch"
    assert len(finding.evidence) == 2


def test_parts_of_cudnn() -> None:
    """Parts of cuDNN from different releases are a warning; parts of one are not."""
    parts = [
        entry("libcudnn", "/a/libcudnn.so.9", "9.3.0"),
        entry("libcudnn_ops", "/b/libcudnn_ops.so.9", "9.1.0"),
    ]
    (finding,) = differences(Facts(), parts)
    assert finding.cause == "cudnn-version-mismatch"
    assert list(differences(Facts(), [parts[0], replace(parts[1], version="9.3.0")])) == []


def test_facts_as_loaded() -> None:
    """What was loaded is better evidence than what was found; where two runtimes are loaded, neither is."""
    facts = Facts(cuda="12.5", cudnn="9.3.0")
    runtime = entry("libcudart", "/a/libcudart.so.12", "12.1")
    assert as_loaded(facts, [runtime], "8.9.7") == Facts(cuda="12.1", cudnn="8.9.7")
    assert as_loaded(facts, []) == facts
    other = entry("libcudart", "/b/libcudart.so.11.0", "11.8")
    assert as_loaded(facts, [runtime, other]).cuda == "12.5"
