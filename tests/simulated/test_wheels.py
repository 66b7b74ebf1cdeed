"""TensorFlow beside NVIDIA's wheels: the libraries lie in `site-packages/nvidia`, only the driver's elsewhere."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from .machine import Describe, Machine, built_for, tensorflow_version

pytestmark = pytest.mark.skipif(tensorflow_version() < (2, 17), reason="about the wheel of TensorFlow 2.21")
FOLDERS = {
    "libcudart": "cuda_runtime",
    "libcublas.": "cublas",
    "libcublasLt": "cublas",
    "libcufft": "cufft",
    "libcusolver": "cusolver",
    "libcusparse": "cusparse",
    "libcudnn": "cudnn",
}


@pytest.fixture(scope="module")
def site(workshop: Path) -> Path:
    """Return a folder for PYTHONPATH that holds TensorFlow and, beside it, the libraries as NVIDIA's wheels do.

    TensorFlow finds them relative to its own place; so its tree is made anew, of links to its files.
    """
    spec = importlib.util.find_spec("tensorflow")
    assert spec is not None
    assert spec.origin is not None
    site = workshop / "site-packages"
    site.mkdir()
    installed = Path(spec.origin).parent
    linked = subprocess.run(["cp", "-al", installed, site], capture_output=True, check=False)
    if linked.returncode != 0:
        subprocess.run(["rm", "-rf", site / "tensorflow"], check=True)
        subprocess.run(["cp", "-as", installed, site], check=True)
    for metadata in installed.parent.glob("tensorflow-*.dist-info"):
        (site / metadata.name).symlink_to(metadata)
    for name, full_name in Machine(workshop).libraries.items():
        folders = [folder for start, folder in FOLDERS.items() if name.startswith(start)]
        for folder in folders:
            lib = site / "nvidia" / folder / "lib"
            lib.mkdir(parents=True, exist_ok=True)
            (lib / name).hardlink_to(workshop / "driver.so")
            assert full_name.startswith(name.partition(".so")[0])
    return site


@pytest.fixture
def machine(simulated_gpu: Describe, site: Path) -> Machine:
    """Return a healthy machine that has only the driver's libraries, and the site on its path."""
    machine = simulated_gpu()
    toolkit = [name for name in machine.libraries if not name.startswith(("libcuda.", "libnvidia-ml"))]
    return machine.without(*toolkit).with_environment(PYTHONPATH=str(site))


LIST_GPUS = """
import tensorflow as tf
print(tf.__file__)
print('GPUs', len(tf.config.list_physical_devices('GPU')))
"""


def test_tensorflow_loses_the_gpu(machine: Machine, site: Path) -> None:
    """TensorFlow 2.21.0 doesn't look where NVIDIA's wheel puts libcusolver, and loses every GPU."""
    done = machine.run_python(LIST_GPUS)
    assert done.stdout == f"{site}/tensorflow/__init__.py\nGPUs 0\n"
    assert "Cannot dlopen some GPU libraries" in done.stderr


def test_line_to_type(machine: Machine, site: Path) -> None:
    """With that folder on LD_LIBRARY_PATH the GPU appears."""
    path = f"{machine.folder / 'lib'}:{site}/nvidia/cusolver/lib"
    assert "GPUs 1" in machine.with_environment(LD_LIBRARY_PATH=path).run_python(LIST_GPUS).stdout


def test_doctor_says_the_line_to_type(machine: Machine, site: Path) -> None:
    """The doctor names libcusolver, and the folder to put on LD_LIBRARY_PATH."""
    (finding,) = (found for found in machine.doctor()["findings"] if found["severity"] == "error")
    assert finding["cause"] == "cuda-library-missing"
    assert "libcusolver.so.11" in finding["summary"]
    assert any(f"LD_LIBRARY_PATH={site}/nvidia/cusolver/lib" in advice["text"] for advice in finding["help"])


def test_preflight_says_the_line_to_type(machine: Machine, site: Path) -> None:
    """The preflight ends the session with the same."""
    result = machine.run_pytest("--tfgpu-preflight", "--tfgpu-require=1")
    assert result.exit_status == 70
    preflight = result.report["preflight"]
    assert preflight["cause"] == "cuda-library-missing"
    assert "libcusolver.so.11" in preflight["reason"]
    assert f"{site}/nvidia/cusolver/lib" in result.stdout.replace("\n", "")


def test_versions_of_the_wheels(machine: Machine) -> None:
    """The doctor finds the other libraries where the wheels put them."""
    libraries = {
        library["name"]: library.get("path", "") for library in machine.doctor()["facts"]["libraries"]
    }
    cudnn = f"libcudnn.so.{built_for()[1].split('.')[0]}"
    assert libraries["libcublas.so.12"].endswith("nvidia/cublas/lib/libcublas.so.12")
    assert libraries[cudnn].endswith(f"nvidia/cudnn/lib/{cudnn}")
