"""The installed TensorFlow, described from its files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pytest_tfgpu.environment import tensorflow_build
from pytest_tfgpu.environment.tensorflow_build import read_build_info
from pytest_tfgpu.model import BuiltFor
from tests.trees import CPU_BUILD, CUDA_BUILD, Site, touch

AND_CUDA = ['nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == "and-cuda"']


def test_real_installation() -> None:
    """The TensorFlow of this Python is described as pip lists it, and isn't imported for that."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        expected = version("tensorflow")
    except PackageNotFoundError:
        pytest.skip("tensorflow is not installed")
    imported = "tensorflow" in sys.modules
    build = tensorflow_build.collect(sys.path)
    assert build.version == expected
    assert build.distribution == "tensorflow"
    assert build.folder is not None
    assert (build.folder / "__init__.py").is_file()
    assert build.framework == build.folder / "libtensorflow_framework.so.2"
    assert ("tensorflow" in sys.modules) is imported


def test_cuda_build(tmp_path: Path) -> None:
    """Version, flavour and what it was built for come from the metadata and build_info.py."""
    site = Site(tmp_path).install_tensorflow()
    build = tensorflow_build.collect([str(site.folder)])
    assert (build.version, build.distribution, build.is_cuda_build) == ("2.21.0", "tensorflow", True)
    capabilities = ("sm_60", "sm_70", "sm_80", "sm_89", "compute_90")
    assert build.built_for == BuiltFor("12.5.1", "9", capabilities)
    assert build.unknown is None


@pytest.mark.parametrize(
    ("stated", "requirement", "expected"),
    [
        ("9", 'nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == "and-cuda"', "9.3"),
        ("8", 'nvidia-cudnn-cu12 ==8.9.7.29 ; extra == "and-cuda"', "8.9"),
        ("9", 'nvidia-cudnn-cu12==8.9.7.29; extra == "and-cuda"', "9"),
        ("9", AND_CUDA[0], "9"),
        ("9.3.0", 'nvidia-cudnn-cu12<10.0,>=9.5.0.75; extra == "and-cuda"', "9.3.0"),
    ],
)
def test_cudnn_minor_version(tmp_path: Path, stated: str, requirement: str, expected: str) -> None:
    """The minor version of cuDNN, which build_info.py leaves out, is that of the wheel's own extra."""
    build_info = {**CUDA_BUILD, "cudnn_version": stated}
    site = Site(tmp_path).install_tensorflow(build=build_info, requires=[*AND_CUDA, requirement])
    built_for = tensorflow_build.collect([str(site.folder)]).built_for
    assert built_for is not None
    assert built_for.cudnn == expected


@pytest.mark.parametrize("name", ["tensorflow-cpu", "tf-nightly-cpu", "intel-tensorflow", "tensorflow-macos"])
def test_flavours(tmp_path: Path, name: str) -> None:
    """The distribution that the files belong to is the flavour, and a CPU build has no CUDA to be built for."""
    site = Site(tmp_path).install_tensorflow(name=name, build=CPU_BUILD)
    build = tensorflow_build.collect([str(site.folder)])
    assert (build.distribution, build.is_cuda_build, build.built_for) == (name, False, None)


def test_distribution_without_the_files(tmp_path: Path) -> None:
    """A distribution that only depends on another (as on Windows) doesn't count: the files are the other's."""
    site = Site(tmp_path).install_tensorflow(name="tensorflow-intel", version="2.17.0", build=CPU_BUILD)
    site.install("tensorflow", "2.17.0", ["../../Scripts/toco.exe"])
    build = tensorflow_build.collect([str(site.folder)])
    assert build.owners == ("tensorflow-intel",)


def test_two_flavours_over_one_another(tmp_path: Path) -> None:
    """Two distributions that installed the same files are both named."""
    site = Site(tmp_path).install_tensorflow().install_tensorflow(name="tensorflow-cpu", build=CPU_BUILD)
    assert tensorflow_build.collect([str(site.folder)]).owners == ("tensorflow", "tensorflow-cpu")


def test_similar_names_are_other_packages(tmp_path: Path) -> None:
    """Packages whose names only begin alike are not taken for TensorFlow."""
    site = Site(tmp_path).install_tensorflow()
    site.install("tensorflow-datasets", "4.9.9", ["tensorflow_datasets/__init__.py"])
    site.install("tensorflow-io-gcs-filesystem", "0.37.1", ["tensorflow_io_gcs_filesystem/__init__.py"])
    assert tensorflow_build.collect([str(site.folder)]).owners == ("tensorflow",)


def test_metadata_without_list_of_files(tmp_path: Path) -> None:
    """Where no distribution lists its files, as with some package managers, the plain name counts alone."""
    site = Site(tmp_path).install_tensorflow().install("tensorflow-datasets", "4.9.9")
    for file in site.folder.glob("*.dist-info/RECORD"):
        file.unlink()
    assert tensorflow_build.collect([str(site.folder)]).owners == ("tensorflow",)


def test_without_metadata(tmp_path: Path) -> None:
    """Where only the files are there, the version is unknown, and the reason says so."""
    site = Site(tmp_path).install_tensorflow()
    for file in site.folder.glob("*.dist-info/*"):
        file.unlink()
    for folder in site.folder.glob("*.dist-info"):
        folder.rmdir()
    build = tensorflow_build.collect([str(site.folder)])
    assert (build.version, build.is_cuda_build) == (None, True)
    assert build.unknown == "TensorFlow is installed without the metadata that states its version."


def test_local_folder_named_tensorflow(tmp_path: Path) -> None:
    """A folder `tensorflow` of the user's, first on the path, isn't taken for the installed one."""
    touch(tmp_path / "work/tensorflow/__init__.py", "raise SystemExit")
    site = Site(tmp_path / "site").install_tensorflow()
    build = tensorflow_build.collect([str(tmp_path / "work"), str(site.folder)])
    assert build.folder == site.folder / "tensorflow"


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ((3, 12), "TensorFlow is not installed for this Python."),
        (
            (3, 14),
            "TensorFlow is not installed, and TensorFlow up to 2.21 has no wheel for Python 3.14: "
            "the newest it supports is 3.13.",
        ),
    ],
)
def test_not_installed(tmp_path: Path, python: tuple[int, int], sentence: str) -> None:
    """Without TensorFlow that is the sentence; a Python that it has no wheels for is named."""
    build = tensorflow_build.collect(["", str(tmp_path)], python)
    assert (build.folder, build.unknown) == (None, sentence)


@pytest.mark.parametrize(
    "text", ["", "build_info = make()", "build_info = {", "x = 1", "build_info = [1, 2]"]
)
def test_unreadable_build_info(tmp_path: Path, text: str) -> None:
    """A build_info.py of another shape leaves the build unknown, with the reason, and the version known."""
    site = Site(tmp_path).install_tensorflow()
    touch(site.folder / tensorflow_build.BUILD_INFO, text)
    build = tensorflow_build.collect([str(site.folder)])
    assert (build.version, build.is_cuda_build, build.built_for) == ("2.21.0", None, None)
    assert (build.unknown or "").startswith("TensorFlow's build_info.py can't be read: ")


def test_build_info_is_not_executed() -> None:
    """The file is parsed, never run, and its dictionary may be written in either way."""
    text = "raise SystemExit\nbuild_info = {'is_cuda_build': False}\n"
    assert read_build_info(text) == {"is_cuda_build": False}
    assert read_build_info("import c\nbuild_info = c.D([('a', [1])])") == {"a": [1]}
