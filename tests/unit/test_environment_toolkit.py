"""ptxas and libdevice: found in XLA's order, with the version of the toolkit that they belong to."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_tfgpu.environment import tensorflow_build, toolkit
from pytest_tfgpu.model import Library
from tests.trees import CPU_BUILD, Site, touch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the toolkit of Linux")

REQUIRES = ("nvidia-cuda-nvcc-cu12<13.0,>=12.5.82; extra == 'and-cuda'",)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with TensorFlow, on an otherwise empty machine."""
    return Site(tmp_path / "prefix/lib/python3.12/site-packages").install_tensorflow(requires=REQUIRES)


def find(site: Site, environ: Mapping[str, str] | None = None) -> dict[str, Library]:
    """Return what is found, by name."""
    build = tensorflow_build.collect([str(site.folder)])
    root = site.folder.parents[3] / "root"
    return {entry.name: entry for entry in toolkit.collect(build, environ or {}, root)}


def lay_out(home: Path) -> Path:
    """Make a toolkit."""
    touch(home / "bin/ptxas")
    touch(home / "nvvm/libdevice/libdevice.10.bc")
    return home


def test_order(site: Site, tmp_path: Path) -> None:
    """The folder in XLA_FLAGS comes first, then PATH for programs, then the usual places."""
    root = tmp_path / "root"
    wheel = lay_out(site.folder / "nvidia/cuda_nvcc")
    assert find(site)["ptxas"].path == str(wheel / "bin/ptxas")
    usual = lay_out(root / "usr/local/cuda")
    assert find(site)["ptxas"].path == str(usual / "bin/ptxas")
    touch(tmp_path / "bin/ptxas")
    environ = {"PATH": f":{tmp_path / 'bin'}"}
    assert find(site, environ)["ptxas"].path == str(tmp_path / "bin/ptxas")
    assert find(site, environ)["libdevice.10.bc"].path == str(usual / "nvvm/libdevice/libdevice.10.bc")
    named = lay_out(tmp_path / "named")
    environ["XLA_FLAGS"] = f"--xla_x=1 --xla_gpu_cuda_data_dir={named}"
    assert find(site, environ)["ptxas"].path == str(named / "bin/ptxas")
    assert find(site, environ)["libdevice.10.bc"].path == str(named / "nvvm/libdevice/libdevice.10.bc")


def test_conda(site: Site) -> None:
    """A toolkit of conda lies in the prefix of the environment."""
    home = lay_out(site.folder.parents[2])
    assert find(site)["ptxas"].path == str(home / "bin/ptxas")


def test_missing(site: Site) -> None:
    """Where there is none, the folders that were looked in are named."""
    found = find(site, {"PATH": "/nowhere"})
    assert [entry.path for entry in found.values()] == [None, None]
    assert found["ptxas"].searched[0] == "/nowhere"
    assert str(site.folder / "nvidia/cuda_nvcc/nvvm/libdevice") in found["libdevice.10.bc"].searched


def test_version_of_a_wheel(site: Site) -> None:
    """A wheel's toolkit has the wheel's version and name, beside what TensorFlow asks for."""
    site.install("nvidia-cuda-nvcc-cu12", "12.9.86", ["nvidia/cuda_nvcc/bin/ptxas"])
    ptxas = find(site)["ptxas"]
    assert (ptxas.version, ptxas.provider, ptxas.built_for) == ("12.9.86", "nvidia-cuda-nvcc-cu12", "12.5.82")


def test_version_of_a_toolkit(site: Site, tmp_path: Path) -> None:
    """A toolkit of the system states its version in a file, else in the name of its folder, else not at all."""
    home = lay_out(tmp_path / "root/usr/local/cuda-12.4")
    (tmp_path / "root/usr/local/cuda").symlink_to("cuda-12.4")
    assert find(site)["ptxas"].version == "12.4"
    touch(home / "version.json", json.dumps({"cuda_nvcc": {"version": "12.4.131"}}))
    assert find(site)["ptxas"].version == "12.4.131"
    touch(home / "version.json", "[]")
    assert find(site)["ptxas"].version == "12.4"
    lay_out(tmp_path / "own")
    assert find(site, {"CUDA_HOME": str(tmp_path / "own")})["ptxas"].version is None


def test_cpu_build(tmp_path: Path) -> None:
    """A build without CUDA compiles nothing for a GPU."""
    site = Site(tmp_path / "site").install_tensorflow(name="tensorflow-cpu", build=CPU_BUILD)
    assert toolkit.collect(tensorflow_build.collect([str(site.folder)]), {}, tmp_path) == ()
