"""Whether a GPU is there and can be used, as pynvml and TensorFlow see it."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from .machine import Describe, Gpu, Machine, tensorflow_version

NVML_FACTS = """
import json, pynvml as n
n.nvmlInit()
gpus = [n.nvmlDeviceGetHandleByIndex(i) for i in range(n.nvmlDeviceGetCount())]
print(json.dumps({
    "driver": n.nvmlSystemGetDriverVersion(),
    "cuda": n.nvmlSystemGetCudaDriverVersion(),
    "gpus": [[n.nvmlDeviceGetName(g), n.nvmlDeviceGetUUID(g), n.nvmlDeviceGetCudaComputeCapability(g)]
             for g in gpus],
    "memory": [[n.nvmlDeviceGetMemoryInfo(g).total, n.nvmlDeviceGetMemoryInfo(g).free] for g in gpus],
    "users": [[[p.pid, p.usedGpuMemory, n.nvmlSystemGetProcessName(p.pid)]
               for p in n.nvmlDeviceGetComputeRunningProcesses(g)] for g in gpus],
    "ecc": [n.nvmlDeviceGetTotalEccErrors(g, n.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, n.NVML_VOLATILE_ECC)
            for g in gpus],
    "mode": [n.nvmlDeviceGetComputeMode(g) for g in gpus],
}))
"""
OLD = tensorflow_version() < (2, 17)
"""TensorFlow 2.16 doesn't ask NVML, and says other things or nothing."""
LIST_GPUS = "import tensorflow as tf; print('GPUs', len(tf.config.list_physical_devices('GPU')))"


def nvml(machine: Machine) -> Any:
    """Return what pynvml says of the machine."""
    done = machine.run_python(NVML_FACTS)
    assert done.exit_status == 0, done.text
    return json.loads(done.stdout)


def complaints(stderr: str) -> list[str]:
    """Return the warnings and errors of TensorFlow's log that are about GPUs."""
    lines = [line for line in stderr.splitlines() if re.match(r"(20\S+ \S+: )?[EWF][0 ]", line)]
    return [line for line in lines if not re.search("Unable to register|TF-TRT", line)]


def test_nvml_describes_the_machine(simulated_gpu: Describe) -> None:
    """The real pynvml reads driver, GPUs, memory, processes, ECC and compute mode from the simulated NVML."""
    machine = simulated_gpu(gpus=2, memory="8 GiB", exclusive=True, uncorrected_ecc=3).holding("3 GiB", gpu=1)
    facts = nvml(machine)
    assert facts["driver"] == "555.42.06"
    assert facts["cuda"] == 12050
    assert [gpu[0] for gpu in facts["gpus"]] == ["Tesla T4"] * 2
    assert [gpu[2] for gpu in facts["gpus"]] == [[7, 5]] * 2
    assert len({gpu[1] for gpu in facts["gpus"]}) == 2
    assert facts["memory"] == [[8 * 2**30, 8 * 2**30], [8 * 2**30, 5 * 2**30]]
    assert facts["users"] == [[], [[os.getpid(), 3 * 2**30, "python"]]]
    assert facts["ecc"] == [3, 3]
    assert facts["mode"] == [3, 3]


@pytest.mark.parametrize("code", [9, 18, 999])
def test_nvml_that_fails(simulated_gpu: Describe, code: int) -> None:
    """A code that nvmlInit returns reaches Python as that code."""
    done = simulated_gpu().failing("nvmlInit*", code).run_python("import pynvml\npynvml.nvmlInit()")
    assert done.exit_status == 1
    assert "NVMLError" in done.stderr


def test_nvml_that_hangs(simulated_gpu: Describe) -> None:
    """A call can be made to hang, and the time limit ends the program."""
    done = (
        simulated_gpu().failing("nvmlInit*", "hang").run_python("import pynvml\npynvml.nvmlInit()", seconds=2)
    )
    assert done.ended == "time"


def test_xid_is_an_event(simulated_gpu: Describe) -> None:
    """A GPU with an Xid gives it to whoever waits for events."""
    code = """
import pynvml as n
n.nvmlInit(); events = n.nvmlEventSetCreate()
n.nvmlDeviceRegisterEvents(n.nvmlDeviceGetHandleByIndex(0), n.nvmlEventTypeXidCriticalError, events)
print(n.nvmlEventSetWait_v2(events, 10).eventData)
"""
    assert simulated_gpu(xid=79).run_python(code).stdout == "79\n"


def test_tensorflow_lists_the_gpus(simulated_gpu: Describe) -> None:
    """The real TensorFlow finds each of four GPUs, and says nothing of errors."""
    done = simulated_gpu(gpus=4).run_python(LIST_GPUS)
    assert done.stdout == "GPUs 4\n"
    assert not complaints(done.stderr)


ABSENT = [
    ("libcuda.so.1", None if OLD else "Failed call to cuInit: UNKNOWN ERROR (303)"),
    ("libnvidia-ml.so.1", None),
    ("libcudart.so.12", "Could not find cuda drivers on your machine"),
    ("libcublas.so.12", "Cannot dlopen some GPU libraries"),
    ("libcublasLt.so.12", "Cannot dlopen some GPU libraries"),
    ("libcufft.so.11", "Cannot dlopen some GPU libraries"),
    ("libcusolver.so.11", "Cannot dlopen some GPU libraries"),
    ("libcusparse.so.12", "Cannot dlopen some GPU libraries"),
]


@pytest.mark.parametrize(("library", "line"), ABSENT)
def test_missing_library(simulated_gpu: Describe, library: str, line: str | None) -> None:
    """Without one of its libraries TensorFlow loses the GPU and never names the file."""
    done = simulated_gpu().without(library).run_python(LIST_GPUS)
    if OLD and library == "libnvidia-ml.so.1":
        assert done.stdout == "GPUs 1\n"
        return
    assert done.stdout == "GPUs 0\n"
    assert library not in done.stderr
    assert line in done.stderr if line else not complaints(done.stderr)


@pytest.mark.parametrize("code", [9, 18])
def test_nvml_failure_silences_tensorflow(simulated_gpu: Describe, code: int) -> None:
    """Where nvmlInit fails, TensorFlow has no GPU and prints no reason; 2.16 doesn't need NVML."""
    done = simulated_gpu().failing("nvmlInit*", code).run_python(LIST_GPUS)
    assert done.stdout == ("GPUs 1\n" if OLD else "GPUs 0\n")
    assert not complaints(done.stderr)


INIT_CODES = {
    34: "CUDA_ERROR_STUB_LIBRARY",
    46: "CUDA_ERROR_DEVICE_UNAVAILABLE",
    100: "CUDA_ERROR_NO_DEVICE",
    101: "CUDA_ERROR_INVALID_DEVICE",
    802: "CUDA_ERROR_SYSTEM_NOT_READY",
    803: "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
    804: "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
    999: "CUDA_ERROR_UNKNOWN",
}


@pytest.mark.parametrize(("code", "name"), INIT_CODES.items())
def test_cuinit_that_fails(simulated_gpu: Describe, code: int, name: str) -> None:
    """A code that cuInit returns stands by name in TensorFlow's log, and there is no GPU."""
    done = simulated_gpu().failing("cuInit", code).run_python(LIST_GPUS)
    assert done.stdout == "GPUs 0\n"
    wording = "INTERNAL: CUDA error: Failed call to cuInit: " if not OLD else ""
    assert f"failed call to cuInit: {wording}{name}" in done.stderr


VISIBLE = [
    (None, [0, 1, 2]),
    ("2,0", [2, 0]),
    ("0,7,1", [0]),
    ("-1", []),
    ("", []),
    ("1,1", []),
    ("GPU-00000002,0", [2, 0]),
    ("GPU-0000000", []),
    ("0,-1,1", [0]),
    ("x", []),
]
ORDER = """
import ctypes, json
cuda = ctypes.CDLL("libcuda.so.1")
count = ctypes.c_int()
if cuda.cuInit(0) == 0:
    cuda.cuDeviceGetCount(ctypes.byref(count))
uuids = []
for i in range(count.value):
    uuid = (ctypes.c_ubyte * 16)()
    assert cuda.cuDeviceGetUuid_v2(uuid, i) == 0
    uuids.append(int.from_bytes(bytes(uuid[:4]), "big"))
print(json.dumps(uuids))
"""


@pytest.mark.parametrize(("value", "expected"), VISIBLE)
def test_cuda_visible_devices(simulated_gpu: Describe, value: str | None, expected: list[int]) -> None:
    """CUDA_VISIBLE_DEVICES chooses and orders GPUs, up to the first entry that isn't there."""
    machine = simulated_gpu(gpus=3)
    if value is not None:
        machine = machine.with_environment(CUDA_VISIBLE_DEVICES=value)
    done = machine.run_python(ORDER)
    assert json.loads(done.stdout) == expected, done.stderr


def test_nvml_ignores_cuda_visible_devices(simulated_gpu: Describe) -> None:
    """NVML shows all GPUs, whatever CUDA_VISIBLE_DEVICES says."""
    assert len(nvml(simulated_gpu(gpus=3).with_environment(CUDA_VISIBLE_DEVICES="1"))["gpus"]) == 3


def test_mig_instances(simulated_gpu: Describe) -> None:
    """CUDA shows one instance of a cut GPU, the first or the one named; NVML shows them all."""
    slices = tuple(
        Gpu(name="NVIDIA A100-SXM4-40GB MIG 1g.5gb", compute_capability="8.0", memory="5 GiB") for _ in "ab"
    )
    machine = simulated_gpu().with_gpu(0, name="NVIDIA A100-SXM4-40GB", memory="40 GiB", instances=slices)
    code = """
import pynvml as n
n.nvmlInit(); gpu = n.nvmlDeviceGetHandleByIndex(0)
print(n.nvmlDeviceGetCount(), n.nvmlDeviceGetMigMode(gpu)[0])
print(n.nvmlDeviceGetUUID(n.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 1)))
"""
    assert machine.run_python(code).stdout.splitlines()[0] == "1 1"
    second = machine.run_python(code).stdout.splitlines()[1]
    assert second.startswith("MIG-00000001-")
    assert json.loads(machine.run_python(ORDER).stdout) == [0]
    assert json.loads(machine.with_environment(CUDA_VISIBLE_DEVICES=second).run_python(ORDER).stdout) == [1]


def test_tensorflow_on_a_mig_instance(simulated_gpu: Describe) -> None:
    """TensorFlow sees an instance as a GPU of its own name and size."""
    part = Gpu(name="NVIDIA A100-SXM4-40GB MIG 1g.5gb", compute_capability="8.0", memory="5 GiB")
    machine = simulated_gpu().with_gpu(
        0, name="NVIDIA A100-SXM4-40GB", memory="40 GiB", instances=(part, part)
    )
    done = machine.run_python("import tensorflow as tf\nprint((tf.constant([1.0]) + 1.0).numpy())")
    assert done.stdout == "[2.]\n"
    assert "name: NVIDIA A100-SXM4-40GB MIG 1g.5gb" in done.stderr
    assert done.stderr.count("Created device") == 1
