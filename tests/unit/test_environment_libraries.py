"""Which files TensorFlow would load, in laid out installations."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_tfgpu.environment import libraries, tensorflow_build
from pytest_tfgpu.environment.elf import read_dynamic
from pytest_tfgpu.environment.tensorflow_build import Build
from pytest_tfgpu.model import BuiltFor, Library
from tests.trees import CPU_BUILD, Site, compile_library, touch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the loader of Linux")

RUNPATH = [
    f"$ORIGIN/../nvidia/{part}/lib" for part in ("cublas", "cudnn", "cufft", "cusparse", "cuda_runtime")
]
WHEELS = {
    "cublas": ("12.5.3.2", ("libcublas.so.12", "libcublasLt.so.12")),
    "cudnn": ("9.3.0.75", ("libcudnn.so.9",)),
    "cufft": ("11.2.3.61", ("libcufft.so.11",)),
    "cusparse": ("12.5.1.3", ("libcusparse.so.12",)),
    "cusolver": ("11.6.3.83", ("libcusolver.so.11",)),
    "cuda_runtime": ("12.5.82", ("libcudart.so.12",)),
}


def install_wheels(site: Site, *without: str) -> None:
    """Install NVIDIA's wheels for CUDA 12 but those of the folders named."""
    for folder, (version, names) in WHEELS.items():
        if folder not in without:
            files = [f"nvidia/{folder}/lib/{name}" for name in names]
            site.install(f"nvidia-{folder.replace('_', '-')}-cu12", version, files)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with TensorFlow 2.21.0, whose RUNPATH leads to NVIDIA's wheels but for cuSOLVER's."""
    site = Site(tmp_path / "site").install_tensorflow()
    compile_library(site.folder / "tensorflow/libtensorflow_framework.so.2", runpath=RUNPATH)
    return site


def find(site: Site, environ: Mapping[str, str] | None = None) -> dict[str, Library]:
    """Return the libraries of an installation on an otherwise empty machine, by name."""
    build = tensorflow_build.collect([str(site.folder)])
    at_once, later = libraries.collect(build, environ or {}, site.folder.parent / "root")
    return {library.name: library for library in (*at_once, *later)}


@pytest.mark.parametrize(
    ("cuda", "cudnn", "some"),
    [
        ("12.5.1", "9.3", {"libcudart.so.12", "libcufft.so.11", "libcusolver.so.11", "libcudnn.so.9"}),
        ("12.3", "8.9", {"libcublasLt.so.12", "libcusparse.so.12", "libcudnn.so.8"}),
        ("11.8", "8", {"libcudart.so.11.0", "libcufft.so.10", "libcurand.so.10", "libcusparse.so.11"}),
        ("13.0", "9", {"libcudart.so.13", "libcufft.so.12", "libcusolver.so.12", "libcudnn.so.9"}),
    ],
)
def test_names_follow_the_build(cuda: str, cudnn: str, some: set[str]) -> None:
    """The names that are looked for are those of the CUDA and the cuDNN that the build states."""
    names = libraries.wanted(Build(built_for=BuiltFor(cuda, cudnn)))
    assert some < set(names)
    assert names[:2] == ("libcuda.so.1", "libnvidia-ml.so.1")
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("build", [Build(), Build(built_for=BuiltFor(None, "9")), Build(is_cuda_build=False)])
def test_only_the_driver_without_a_cuda_build(build: Build) -> None:
    """Where TensorFlow opens no CUDA library, only the driver's are looked for."""
    assert libraries.wanted(build) == ("libcuda.so.1", "libnvidia-ml.so.1")


def test_wheels_are_found_and_named(site: Site) -> None:
    """A library of a wheel is found through the RUNPATH, with the wheel's name and version."""
    install_wheels(site)
    found = find(site)
    cudnn, cudart = found["libcudnn.so.9"], found["libcudart.so.12"]
    assert (cudnn.provider, cudnn.version) == ("nvidia-cudnn-cu12", "9.3.0")
    assert cudnn.path == str(site.folder / "nvidia/cudnn/lib/libcudnn.so.9")
    assert (cudart.provider, cudart.version) == ("nvidia-cuda-runtime-cu12", "12.5.82")
    assert cudart.searched == cudart.near == ()


def test_cusolver_outside_the_runpath(site: Site) -> None:
    """The wheel of cuSOLVER, whose folder the RUNPATH lacks, isn't found, and where it lies is."""
    install_wheels(site)
    library = find(site)["libcusolver.so.11"]
    assert library.path is None
    assert library.near == (str(site.folder / "nvidia/cusolver/lib/libcusolver.so.11"),)
    assert str(site.folder / "nvidia/cublas/lib") in library.searched


def test_cusolver_on_the_variable(site: Site) -> None:
    """With its folder on LD_LIBRARY_PATH the same file is found, and still named by its wheel."""
    install_wheels(site)
    folder = site.folder / "nvidia/cusolver/lib"
    library = find(site, {"LD_LIBRARY_PATH": str(folder)})["libcusolver.so.11"]
    assert (library.path, library.provider) == (str(folder / "libcusolver.so.11"), "nvidia-cusolver-cu12")


def test_real_wheel_lacks_the_folder_of_cusolver() -> None:
    """The real tensorflow 2.21.0 names the folders of cuBLAS and cuDNN in its RUNPATH, and not cuSOLVER's."""
    spec = find_spec("tensorflow")
    if spec is None or spec.origin is None:
        pytest.skip("TensorFlow is not installed")
    folder = Path(spec.origin).parent
    build = tensorflow_build.collect([str(folder.parent)])
    if (build.distribution, build.version) != ("tensorflow", "2.21.0"):
        pytest.skip("of the wheel tensorflow 2.21.0 only")
    runpath = " ".join(read_dynamic(folder / "libtensorflow_framework.so.2").runpath)
    assert "nvidia/cublas/lib" in runpath
    assert "nvidia/cudnn/lib" in runpath
    assert "nvidia/cusolver/lib" not in runpath


def test_stale_library_on_the_variable_wins(site: Site, tmp_path: Path) -> None:
    """An older cuDNN on LD_LIBRARY_PATH is what would be loaded, with the version of its real file."""
    install_wheels(site)
    touch(tmp_path / "stale/libcudnn.so.9.1.0")
    (tmp_path / "stale/libcudnn.so.9").symlink_to("libcudnn.so.9.1.0")
    library = find(site, {"LD_LIBRARY_PATH": str(tmp_path / "stale")})["libcudnn.so.9"]
    assert (library.provider, library.version) == ("LD_LIBRARY_PATH", "9.1.0")


def test_version_along_a_chain_of_links(site: Site, tmp_path: Path) -> None:
    """The most exact version in a chain of links counts, also where the last file bears none."""
    touch(tmp_path / "lib/blob.so")
    (tmp_path / "lib/libcudart.so.12.5.82").symlink_to("blob.so")
    (tmp_path / "lib/libcudart.so.12").symlink_to("libcudart.so.12.5.82")
    assert find(site, {"LD_LIBRARY_PATH": str(tmp_path / "lib")})["libcudart.so.12"].version == "12.5.82"


def test_version_unknown(site: Site, tmp_path: Path) -> None:
    """A library whose names bear no version beyond the major one has none."""
    touch(tmp_path / "lib/libcudnn.so.9")
    assert find(site, {"LD_LIBRARY_PATH": str(tmp_path / "lib")})["libcudnn.so.9"].version is None


def test_links_in_a_circle(site: Site, tmp_path: Path) -> None:
    """Links that lead to one another end the search for a file, not the program."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libcudnn.so.9").symlink_to("libcudnn.so")
    (tmp_path / "lib/libcudnn.so").symlink_to("libcudnn.so.9")
    assert find(site, {"LD_LIBRARY_PATH": str(tmp_path / "lib")})["libcudnn.so.9"].path is None


def test_another_major_version_is_near(site: Site, tmp_path: Path) -> None:
    """Where only cuDNN 8 is there and 9 is wanted, the file of cuDNN 8 is named."""
    touch(tmp_path / "lib/libcudnn.so.8.9.6")
    (tmp_path / "lib/libcudnn.so.8").symlink_to("libcudnn.so.8.9.6")
    library = find(site, {"LD_LIBRARY_PATH": str(tmp_path / "lib")})["libcudnn.so.9"]
    assert library.path is None
    assert library.near == (str(tmp_path / "lib/libcudnn.so.8"),)


def test_link_that_leads_nowhere(site: Site, tmp_path: Path) -> None:
    """A link of the right name that leads nowhere is neither found nor near."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/libcudnn.so.9").symlink_to("libcudnn.so.9.3.0")
    (tmp_path / "lib/libcudnn.so.8").symlink_to("libcudnn.so.8.9.6")
    library = find(site, {"LD_LIBRARY_PATH": str(tmp_path / "lib")})["libcudnn.so.9"]
    assert (library.path, library.near) == (None, ())


@pytest.mark.parametrize("variable", ["CUDA_HOME", "CUDA_PATH"])
def test_toolkit_off_the_search_path_is_near(site: Site, tmp_path: Path, variable: str) -> None:
    """A toolkit that the loader isn't told of is named as the place where a library lies."""
    file = touch(tmp_path / "toolkit/lib64/libcublas.so.12")
    assert find(site, {variable: str(tmp_path / "toolkit")})["libcublas.so.12"].near == (str(file),)


def test_toolkit_under_usr_local_is_near(site: Site) -> None:
    """A toolkit at its usual place is named, too."""
    file = touch(site.folder.parent / "root/usr/local/cuda-12.5/lib64/libcublas.so.12")
    assert find(site)["libcublas.so.12"].near == (str(file),)


def test_two_copies(site: Site, tmp_path: Path) -> None:
    """Of two copies the loader takes the first of its order, and the other is named; a link to the first is none."""
    install_wheels(site)
    (tmp_path / "stale").mkdir()
    first = touch(tmp_path / "stale/libcublas.so.12.1.3.1")
    (tmp_path / "stale/libcublas.so.12").symlink_to(first.name)
    wheel = site.folder / "nvidia/cublas/lib/libcublas.so.12"
    library = find(site, {"LD_LIBRARY_PATH": str(tmp_path / "stale")})["libcublas.so.12"]
    assert (library.version, library.others) == ("12.1.3.1", (str(wheel),))
    (tmp_path / "link").mkdir()
    (tmp_path / "link/libcublas.so.12").symlink_to(wheel)
    assert find(site, {"LD_LIBRARY_PATH": str(tmp_path / "link")})["libcublas.so.12"].others == ()


def test_library_that_needs_another(site: Site) -> None:
    """What a library needs is looked for from the library and from TensorFlow; what is in neither place is lacking."""
    folder = site.folder / "nvidia/cusparse/lib"
    linker = compile_library(site.folder / "aside/libnvJitLink.so.12", soname="libnvJitLink.so.12")
    base = compile_library(site.folder / "nvidia/cublas/lib/libcublasLt.so.12", soname="libcublasLt.so.12")
    library = compile_library(folder / "libcusparse.so.12", needs=(linker, base))
    assert find(site)["libcusparse.so.12"].lacks == ("libnvJitLink.so.12",)
    compile_library(library, needs=(linker, base), runpath=["$ORIGIN/../../../aside"])
    assert find(site)["libcusparse.so.12"].lacks == ()


def test_nvrtc_is_looked_for_as_cudnn_does(site: Site) -> None:
    """NVRTC is opened by cuDNN, so the RUNPATH of cuDNN, of its part that does so, leads to it, not TensorFlow's."""
    install_wheels(site)
    nvrtc = touch(site.folder / "nvidia/cuda_nvrtc/lib/libnvrtc.so.12")
    assert find(site)["libnvrtc.so.12"].path is None
    folder = site.folder / "nvidia/cudnn/lib"
    compile_library(folder / "libcudnn.so.9", runpath=["$ORIGIN/../../cuda_nvrtc/lib"])
    assert Path(find(site)["libnvrtc.so.12"].path or "").resolve() == nvrtc
    compile_library(folder / "libcudnn_graph.so.9", runpath=["$ORIGIN/../../nvrtc/lib"])
    assert find(site)["libnvrtc.so.12"].path is None


def test_versions_that_the_package_asks_for(tmp_path: Path) -> None:
    """The oldest version that TensorFlow's extra allows stands beside each library; of cuDNN its first three parts."""
    requires = [
        "nvidia-cublas-cu12<13.0,>=12.5.3.2; extra == 'and-cuda'",
        "nvidia-cudnn-cu12 (==8.9.7.29) ; extra == 'and-cuda'",
        "nvidia-cuda-runtime-cu12 ==12.3.101 ; extra == 'and-cuda'",
        "nvidia-nccl-cu12<3.0,>=2.27.7; extra == 'and-cuda'",
        "numpy>=1.26",
    ]
    site = Site(tmp_path / "site").install_tensorflow(requires=requires)
    found = {name.partition(".")[0]: library.built_for for name, library in find(site).items()}
    assert found["libcublas"] == found["libcublasLt"] == "12.5.3.2"
    assert (found["libcudnn"], found["libcudart"], found["libnccl"]) == ("8.9.7", "12.3.101", "2.27.7")
    assert found["libcufft"] is None


@pytest.mark.parametrize("folder", ["usr/lib/wsl/lib", "usr/local/nvidia/lib64"])
def test_driver_in_a_folder_of_its_own(site: Site, tmp_path: Path, folder: str) -> None:
    """The driver's library in WSL and older containers is near where the loader isn't told of it, else another copy."""
    own = touch(site.folder.parent / "root" / folder / "libcuda.so.1")
    assert find(site)["libcuda.so.1"].near == (str(own),)
    touch(tmp_path / "lib/libcuda.so.1")
    library = find(site, {"LD_LIBRARY_PATH": str(tmp_path / "lib")})["libcuda.so.1"]
    assert (library.provider, library.others) == ("LD_LIBRARY_PATH", (str(own),))


def test_cpu_build(tmp_path: Path) -> None:
    """For tensorflow-cpu nothing but the driver's libraries is looked for."""
    site = Site(tmp_path / "site").install_tensorflow(name="tensorflow-cpu", build=CPU_BUILD)
    assert list(find(site)) == ["libcuda.so.1", "libnvidia-ml.so.1"]


@pytest.mark.parametrize(
    ("version", "parts", "expected"),
    [("12.5.82", 2, "12.5"), ("9.3.0", 3, "9.3.0"), ("9", 2, None), (None, 2, None)],
)
def test_version_of(version: str | None, parts: int, expected: str | None) -> None:
    """A version is cut to the parts that are asked for, and none is made up."""
    assert libraries.version_of(Library("libx.so.1", version=version), parts) == expected
    assert libraries.version_of(None, parts) is None
