"""Requirements and fixtures on machines with GPUs."""

from __future__ import annotations

from .machine import Describe

GATED = {
    "test_it.py": """
import pytest

@pytest.mark.requires_gpu()
def test_one():
    pass

@pytest.mark.requires_gpu(2)
def test_two():
    pass

@pytest.mark.requires_gpu(memory="16 GiB")
def test_memory():
    pass

@pytest.mark.requires_gpu(compute_capability=">=8.0")
def test_capability():
    pass

@pytest.mark.requires_driver(">=550")
@pytest.mark.requires_cuda(">=12.3")
@pytest.mark.requires_cudnn(">=8")
def test_versions():
    pass

@pytest.mark.requires_cudnn(">=99")
def test_newer_cudnn():
    pass

@pytest.mark.requires_driver(">=999")
def test_newer_driver():
    pass
"""
}


def test_requirements_on_one_gpu(simulated_gpu: Describe) -> None:
    """Without a preflight, requirements are answered from NVML and the libraries' files."""
    machine = simulated_gpu(gpus=1, name="Tesla T4", compute_capability="7.5", memory="15 GiB")
    result = machine.run_pytest("-rs", files=GATED)
    assert result.outcomes == {"passed": 2, "skipped": 5}, result.text
    found = {skip["nodeid"].partition("::")[2]: skip["found"] for skip in result.report["skips"]}
    assert found["test_two"] == "1 GPU (Tesla T4, compute capability 7.5)"
    assert found["test_memory"] == "1 GPU (Tesla T4, compute capability 7.5, 15360 MiB)"
    assert found["test_newer_driver"] == "555.42.06"
    assert found["test_newer_cudnn"].startswith(machine.cudnn_version)
    assert "libcudnn.so." in found["test_newer_cudnn"]


def test_requirements_on_two_gpus(simulated_gpu: Describe) -> None:
    """GPUs that together meet a requirement let the test run, with xdist too."""
    machine = simulated_gpu(gpus=2, compute_capability="8.0", memory="40 GiB")
    for mode in ((), ("-n", "2")):
        result = machine.run_pytest(*mode, files=GATED)
        assert result.outcomes == {"passed": 5, "skipped": 2}, result.text


def test_a_gpu_that_tensorflow_cannot_use_is_none(simulated_gpu: Describe) -> None:
    """A GPU whose libraries are missing doesn't meet a requirement, and the reason names what is missing."""
    machine = simulated_gpu(gpus=1).without("libcublas.so.12")
    result = machine.run_pytest(files=GATED)
    assert result.outcomes == {"skipped": 7}
    (skip,) = (skip for skip in result.report["skips"] if skip["nodeid"].endswith("test_one"))
    assert skip["found"].startswith("no GPU that TensorFlow can use: ")
    assert "libcublas.so.12" in skip["found"]


def test_what_a_broken_gpu_does_to_gated_tests(simulated_gpu: Describe) -> None:
    """After a failed preflight `skip` skips the tests that need a GPU, `warn` lets them run, `abort` ends with 70."""
    machine = simulated_gpu(gpus=1).failing("cudnnCreate", 1)
    files = {"test_it.py": "import pytest\n\ndef test_free():\n    pass\n\n"
             "@pytest.mark.requires_gpu()\ndef test_gated():\n    pass\n"}  # fmt: skip
    expected = {"skip": {"passed": 1, "skipped": 1}, "warn": {"passed": 2}}
    for action, outcomes in expected.items():
        result = machine.run_pytest("--tfgpu-preflight", f"--tfgpu-on-broken={action}", files=files)
        assert result.exit_status == 0, result.text
        assert result.outcomes == outcomes, result.text
        assert result.report["preflight"]["verdict"] == "unusable"
    ended = machine.run_pytest("--tfgpu-preflight", files=files)
    assert ended.exit_status == 70, ended.text
    assert ended.outcomes == {}


def test_gpu_device_and_gpu_smoke(simulated_gpu: Describe) -> None:
    """`gpu_device` puts operations on the GPU, `gpu_smoke` runs checks there, in a process of its own."""
    files = {
        "test_it.py": "def test_device(gpu_device):\n    import tensorflow as tf\n    with gpu_device:\n"
        "        assert tf.zeros(3).device.endswith('GPU:0')\n\n"
        "def test_smoke(gpu_smoke):\n    (result,) = gpu_smoke('matmul')\n    assert result.outcome == 'passed'\n"
    }
    result = simulated_gpu(gpus=1).run_pytest(files=files)
    assert result.outcomes == {"passed": 2}, result.text


def test_checks_on_demand(simulated_gpu: Describe) -> None:
    """A requirement that only the checks can answer runs them on the GPU; what fails there skips the test."""
    files = {
        "test_it.py": "import pytest\n\n@pytest.mark.requires_check('matmul')\ndef test_matmul():\n    pass\n\n"
        "@pytest.mark.requires_check('conv2d')\ndef test_convolution():\n    raise AssertionError('must not run')\n"
    }
    machine = simulated_gpu(gpus=1).failing("cudnnCreate", 1)
    result = machine.run_pytest("--tfgpu-on-broken=warn", files=files)
    assert result.outcomes == {"passed": 1, "skipped": 1}, result.text


def test_unlike_gpus(simulated_gpu: Describe) -> None:
    """`gpu_device` is the first GPU that is as the test requires, and `gpu_memory` counts on the same one."""
    files = {
        "test_it.py": """
import pytest
import tensorflow as tf

@pytest.mark.parametrize("number", [
    pytest.param(0, marks=pytest.mark.requires_gpu),
    pytest.param(1, marks=pytest.mark.requires_gpu(compute_capability=">=8.0")),
    pytest.param(2, marks=pytest.mark.requires_gpu(compute_capability=">=8.0", memory="30 GiB")),
])
def test_device(number, gpu_device, gpu_memory):
    with gpu_device:
        kept = tf.zeros(1 << 20)
    assert kept.device.endswith(f"GPU:{number}")
    assert gpu_memory.peak >= 4 << 20
"""
    }
    machine = simulated_gpu(gpus=3).with_gpu(1, name="NVIDIA L4", compute_capability="8.9")
    machine = machine.with_gpu(2, name="NVIDIA A100-PCIE-40GB", compute_capability="8.0", memory="40 GiB")
    result = machine.run_pytest(files=files)
    assert result.outcomes == {"passed": 3}, result.text


def test_a_broken_gpu_beside_a_good_one(simulated_gpu: Describe) -> None:
    """After a preflight in which one of three GPUs failed, a test gets the first good one that is as it requires."""
    files = {
        "test_it.py": """
import pytest
import tensorflow as tf

@pytest.mark.parametrize("name", [
    pytest.param("Tesla T4", marks=pytest.mark.requires_gpu),
    pytest.param("NVIDIA L4", marks=pytest.mark.requires_gpu(compute_capability=">=8.0")),
])
def test_device(name, gpu_device, gpu_memory):
    with gpu_device:
        number = int(tf.zeros(3).device.rpartition(":")[2])
    device = tf.config.list_physical_devices("GPU")[number]
    assert tf.config.experimental.get_device_details(device)["device_name"] == name
"""
    }
    machine = simulated_gpu(gpus=3).with_gpu(0, memory="512 MiB").holding("500 MiB", gpu=0)
    machine = machine.with_gpu(2, name="NVIDIA L4", compute_capability="8.9")
    result = machine.run_pytest("--tfgpu-preflight", "--tfgpu-on-broken=skip", files=files)
    outcomes = [[check["outcome"] for check in gpu["checks"]] for gpu in result.report["preflight"]["gpus"]]
    assert [set(gpu) == {"passed"} for gpu in outcomes] == [False, True, True], result.text
    assert result.outcomes == {"passed": 2}, result.text


def test_cudnn_whose_file_has_no_version(simulated_gpu: Describe) -> None:
    """Where cuDNN's file doesn't tell its version, the cuDNN that the checks load is asked."""
    machine = simulated_gpu()
    (name,) = (name for name in machine.libraries if name.startswith("libcudnn"))
    machine = machine.without(name)
    (machine.folder / "plain").mkdir()
    (machine.folder / "plain" / name).write_bytes((machine.workshop / "driver.so").read_bytes())
    path = f"{machine.folder / 'lib'}:{machine.folder / 'plain'}"
    files = {
        "test_it.py": "import pytest\n\n@pytest.mark.requires_cudnn('>=8')\ndef test_met():\n    pass\n\n"
        "@pytest.mark.requires_cudnn('>=99')\ndef test_unmet():\n    pass\n\n"
        "@pytest.mark.requires_cudnn\ndef test_any():\n    pass\n"
    }
    result = machine.with_environment(LD_LIBRARY_PATH=path).run_pytest("--tfgpu-checks=device", files=files)
    assert result.outcomes == {"passed": 2, "skipped": 1}, result.text
    assert result.report["skips"][0]["found"].startswith(machine.cudnn_version), result.report["skips"]
