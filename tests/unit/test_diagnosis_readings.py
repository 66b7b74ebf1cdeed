"""Readings: what numbers, versions and lists say."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_tfgpu.diagnosis.case import Case
from pytest_tfgpu.diagnosis.evidence import Evidence, Frame, from_text
from pytest_tfgpu.diagnosis.readings import names, read
from pytest_tfgpu.diagnosis.readings.base import human, size, version
from pytest_tfgpu.model import BuiltFor, Facts, Gpu, GpuProcess, Library

T4 = Gpu(0, "Tesla T4", compute_capability="7.5", memory_total_mib=15360, memory_free_mib=15000)
SILENT = Gpu(0, "Tesla T4", compute_capability="7.5", memory_total_mib=15360)


def holds(name: str, message: str = "", *log: str, **facts: Any) -> bool:
    """Whether a reading holds for texts and facts."""
    return read(Case(from_text("InternalError", message, log), Facts(**facts)), name) is not None


def sentence(name: str, message: str = "", *log: str, **facts: Any) -> str:
    """Return the sentence of a reading that holds."""
    reading = read(Case(from_text("InternalError", message, log), Facts(**facts)), name)
    assert reading is not None
    return reading.sentence


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7510566400", 7510566400),
        ("4.44GiB", 4767413698),
        ("2560 MB", 2684354560),
        ("1,024", 1024),
        ("x", None),
    ],
)
def test_sizes_are_read_in_every_notation(text: str, count: int | None) -> None:
    """Plain bytes of older versions and the human units of newer ones."""
    assert size(text) == count


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (1023, "1023 bytes"), (1 << 20, "1.0 MiB"), (5 << 40, "5120.0 GiB")]
)
def test_sizes_are_written_for_people(count: int, text: str) -> None:
    """The largest unit is GiB."""
    assert human(count) == text


@pytest.mark.parametrize(
    ("text", "parts"), [("8.1.0.77", (8, 1, 0, 77)), ("v12.5", (12, 5)), ("none", ()), (None, ())]
)
def test_versions_are_numbers(text: str | None, parts: tuple[int, ...]) -> None:
    """A version compares by its numbers."""
    assert version(text) == parts


HOLD = [
    ("gpu-memory-low", "", ["Memory usage: 1048576 bytes free, 15843721216 bytes total."], {}),
    ("gpu-memory-low", "", ["|   0  Tesla T4  | 15000MiB / 15109MiB |"], {}),
    ("gpu-memory-free", "", ["Memory usage: 12.00GiB free, 14.76GiB total."], {}),
    ("gpu-memory-taken-at-start", "", ["totalMemory: 15.90GiB freeMemory: 3.12GiB"], {}),
    ("gpu-memory-taken-at-start", "", ["Created device x with 900 MB memory:  -> y"], {"gpus": (SILENT,)}),
    (
        "gpu-memory-taken-at-start",
        "",
        ["Created device x with 900 MB memory:  -> y"],
        {"gpus": (T4,), "gpu_processes": (GpuProcess(1, "python", 14000),)},
    ),
    ("gpu-memory-free-at-start", "", ["totalMemory: 11.17GiB freeMemory: 11.10GiB"], {}),
    (
        "host-took-the-same",
        "OOM when allocating tensor with shape[18432,3072]",
        ["W allocator.cc:101] Allocation of 226492416 exceeds 10% of system memory."],
        {},
    ),
    ("killed", "", ["./train.sh:  60: 11880 killed              python3 train.py"], {}),
    ("killed", "", ["13117/51576 [======>.......................] - ETA: 10:02:38 - loss: 3.7015Killed"], {}),
    (
        "hidden-by-variable",
        "",
        [],
        {"environment": {"CUDA_VISIBLE_DEVICES": "97"}, "gpus": (T4,), "visible_gpus": ()},
    ),
    ("gpu-memory-preallocated", "", ["Created device x with 14000 MB memory:  -> y"], {"gpus": (T4,)}),
    ("request-beyond-limit", "trying to allocate 40.00GiB", ["Limit:     15000000000"], {}),
    ("cudnn-unfit", "", [], {"cudnn": "9.1.0", "built_for": BuiltFor(cudnn="9.3.0")}),
    ("cudnn-unfit", "", [], {"cudnn": "8.9.7", "built_for": BuiltFor(cudnn="9.3.0")}),
    ("cudnn-fits", "", [], {"cudnn": "9.10.2", "built_for": BuiltFor(cudnn="9.3.0")}),
    ("gpu-newer-than-cuda", "", [], {"gpus": (Gpu(0, "NVIDIA GeForce RTX 5090"),), "tensorflow": "2.16.2"}),
    ("gpu-newer-than-cuda", "cublas64_10.dll", [], {"gpus": (Gpu(0, "NVIDIA GeForce RTX 3090"),)}),
    ("gpu-newer-than-cuda", "cublas64_11.dll, cudart64_101.dll", [], {"gpus": (Gpu(0, "NVIDIA A100"),)}),
    (
        "gpu-newer-than-cuda",
        "",
        ["pciBusID: 0 name: GeForce RTX 3080 computeCapability: 8.6"],
        {"cuda": "10.1"},
    ),
    (
        "gpu-older-than-build",
        "",
        [],
        {
            "gpus": (Gpu(0, "K80", compute_capability="3.7"),),
            "built_for": BuiltFor(compute_capabilities=("sm_60", "compute_90")),
        },
    ),
    ("driver-too-old-for-cuda", "", [], {"driver": "450.51", "tensorflow": "2.18.0"}),
    ("driver-fits-cuda", "", [], {"driver": "555.42.06", "cuda": "12.5"}),
    (
        "driver-halves-differ",
        "",
        ["libcuda reported version is: 384.111.0", "kernel reported version is: 384.90.0"],
        {},
    ),
    ("driver-halves-agree", "", ["kernel version seems to match DSO: 352.63"], {}),
    ("cuda-unlike-build", "", [], {"cuda": "9.1", "tensorflow": "1.5.0"}),
    ("tensorflow:<2.11", "", [], {"tensorflow": "2.10.1"}),
    ("tensorflow:>=2.11", "", [], {"tensorflow": "2.11.0"}),
    ("windows-without-cuda", "", [], {"platform": "windows", "tensorflow": "2.12.0"}),
    ("no-gpu-listed", "available devices are [ /job:localhost/replica:0/task:0/device:CPU:0 ]", [], {}),
    ("gpu-listed", "available devices are [ /job:localhost/replica:0/task:0/device:GPU:0 ]", [], {}),
    ("only-xla-gpu-listed", "Registered devices: [CPU, XLA_CPU, XLA_GPU]", [], {}),
    ("hidden-by-variable", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "-1"}}),
    ("hidden-by-variable", "", ['env: CUDA_VISIBLE_DEVICES="-1"'], {}),
    ("hidden-by-variable", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "0, 0"}}),
    ("hidden-by-variable", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "-1,0"}}),
    ("hidden-by-variable", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "NoDevFiles"}}),
    ("cpu-build", "", [], {"is_cuda_build": False}),
    ("cpu-build", "", [], {"tensorflow_distribution": "tensorflow-cpu"}),
    ("exclusive-mode", "", [], {"gpus": (Gpu(0, compute_mode="Exclusive_Process"),)}),
    ("virtual-gpu", "", ["name: GRID T4-4Q computeCapability: 7.5"], {}),
    ("divided-by-mig", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "MIG-1-2-3"}}),
    ("library-missing:libcu", "", [], {"libraries": (Library("libcusolver.so.11"),)}),
    ("other-processes", "", [], {"gpu_processes": (GpuProcess(name="another process"),)}),
    ("no-other-processes", "", [], {"gpus": (T4,)}),
    ("kernels-lack-type", "attrs: [T=DT_HALF]\n  device='GPU'; T in [DT_FLOAT]", [], {}),
    (
        "kernels-lack-type",
        "  device='GPU'; T in [DT_FLOAT]\n  device='CPU'; T in [DT_HALF]\n"
        '[[Node: x = BatchMatMul[T=DT_HALF, _device="/device:GPU:0"](a, b)]]',
        [],
        {},
    ),
    ("kernels-only-for:GPU", "  device='GPU'; T in [DT_FLOAT]", [], {}),
    ("no-kernels", "Registered kernels:\n  <no registered kernels>", [], {}),
    ("many-graphs", "x\n\t [[Node: sub_2518 = Sub[T=DT_FLOAT](x, y)]]", [], {}),
    ("other-framework", "jaxlib.xla_extension.XlaRuntimeError: x", [], {}),
    ("memory-growth", "", [], {"environment": {"TF_FORCE_GPU_ALLOW_GROWTH": "true"}}),
    (
        "variable:TF_GPU_ALLOCATOR=cuda_malloc_async",
        "",
        [],
        {"environment": {"TF_GPU_ALLOCATOR": "cuda_malloc_async"}},
    ),
    ("platform:wsl/linux", "", [], {"platform": "wsl"}),
    ("memory-shared-with-host", "", [], {"platform": "jetson"}),
    ("host-allocator", "OOM when allocating tensor with shape[9] on /device:CPU:0 by allocator cpu", [], {}),
    (
        "allocated-on-cpu",
        'OOM when allocating tensor [[Node: a = Assign[_device="/device:CPU:0"](b)]]',
        [],
        {},
    ),
    ("fault-printed", "", ["CUDA_ERROR_ILLEGAL_ADDRESS"], {}),
    ("killed", "Killed", [], {}),
    ("killed", "", ["/usr/bin/entry.sh: line 7:   812 Killed                  python train.py"], {}),
    ("chunks-pile-up", "", ["I bfc_allocator.cc:696] 2492 Chunks of size 802816 totalling 1.86GiB"], {}),
    ("no-gpu-listed", "", ["GPU is NOT AVAILABLE"], {}),
    ("message", "No DNN in stream executor.", [], {}),
    ("message:30 minutes", "No DNN in stream executor.", ["which could take 30 minutes or longer"], {}),
    ("other-framework", "CUDA kernel errors might be asynchronously reported", [], {}),
    ("no-gpu-listed", "", [">>> tf.config.list_physical_devices('GPU')", "[]"], {}),
    ("no-gpu-listed", "", ["Is GPU available? []"], {}),
    ("no-gpu-listed", "", ["GPU support: False"], {}),
    ("no-gpu-listed", "", ['name: "/device:CPU:0"', 'device_type: "CPU"'], {}),
    ("cuda-code:700/719", "CUDA error: 719", [], {}),
    ("cuda-code:35", 'code=35(cudaErrorInsufficientDriver) "cudaGetDeviceCount"', [], {}),
    (
        "logged-by:cuda_dnn.cc",
        "",
        ["2020-01-01 10:00:00.1: E tensorflow/x/cuda/cuda_dnn.cc:329] new text"],
        {},
    ),
    ("logged-by:cuda_blas.cc/cuda_dnn.cc", "", ["E0000 00:00:1.2  3 cuda_dnn.cc:522] new text"], {}),
    ("cudnn-unfit", "", [], {"cudnn": "8.0.5", "tensorflow": "2.9.1"}),
    ("cudnn-fits", "", [], {"cudnn": "8.9.7", "tensorflow": "2.15.0"}),
    ("other-framework", "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED", [], {}),
    ("driver-fits-cuda", "", [], {"driver": "450.57", "cuda": "11.0"}),
]

FAIL = [
    ("gpu-memory-low", "", [], {"gpus": (T4,)}),
    ("gpu-memory-free", "", [], {"gpus": (T4,)}),
    ("gpu-memory-free", "", ["totalMemory: 15.00GiB freeMemory: 14.65GiB"], {"gpus": (T4,)}),
    ("gpu-memory-taken-at-start", "", ["Created device x with 14000 MB memory:  -> y"], {"gpus": (T4,)}),
    ("gpu-memory-taken-at-start", "", ["Created device x with 900 MB memory:  -> y"], {"gpus": (T4,)}),
    ("gpu-memory-free-at-start", "", ["totalMemory: 11.17GiB freeMemory: 9.10GiB"], {}),
    (
        "host-took-the-same",
        "OOM when allocating tensor with shape[18432,3072]",
        ["W allocator.cc:101] Allocation of 226492999 exceeds 10% of system memory."],
        {},
    ),
    (
        "host-took-the-same",
        "OOM when allocating tensor with shape[18432,3072] and type float on /device:GPU:0 by allocator GPU_0_bfc",
        ["W allocator.cc:101] Allocation of 226492416 exceeds 10% of system memory."],
        {},
    ),
    ("killed", "", ["the job was killed"], {}),
    ("gpus-too-few", "", ["    tf.config.experimental.set_memory_growth(gpus[0], True)"], {}),
    ("fault-printed", "", ["Unexpected Event status: 1", "query event: CUDA_ERROR_DEINITIALIZED"], {}),
    ("hidden-by-variable", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "1"}, "gpus": (T4,)}),
    ("gpu-memory-preallocated", "", ["Created device x with 14000 MB memory"], {"memory_growth": True}),
    ("cudnn-unfit", "", [], {"cudnn": "9.10.2", "built_for": BuiltFor(cudnn="9.3.0")}),
    (
        "allocated-on-cpu",
        'OOM when allocating tensor [[Node: a = Assign[_device="/device:GPU:0"](b)]]',
        [],
        {},
    ),
    (
        "allocated-on-cpu",
        'OOM when allocating tensor [[Node: a = _Recv[_device="/device:CPU:0"](b)]]',
        [],
        {},
    ),
    ("allocated-on-cpu", "OOM when allocating tensor on /device:CPU:0 by allocator cpu", [], {}),
    ("cudnn-unfit", "", [], {"cudnn": "9.10.2"}),
    ("gpu-newer-than-cuda", "", [], {"gpus": (Gpu(0, "NVIDIA GeForce RTX 3090"),), "tensorflow": "2.16.2"}),
    ("gpu-newer-than-cuda", "cudart64_12.dll", [], {"gpus": (Gpu(0, "NVIDIA GeForce RTX 3090"),)}),
    ("driver-too-old-for-cuda", "", [], {"driver": "525.85.12", "tensorflow": "2.18.0"}),
    ("driver-too-old-for-cuda", "", [], {"tensorflow": "2.18.0"}),
    ("driver-too-old-for-cuda", "", [], {"driver": "440", "cuda": "10.2"}),
    ("driver-known-bad", "", [], {"driver": "396"}),
    ("cudnn-unfit", "", [], {"cudnn": "7", "tensorflow": "2.3.0"}),
    ("cudnn-fits", "", [], {"cudnn": "7", "tensorflow": "2.3.0"}),
    ("tensorflow:<2.11", "", [], {"tensorflow": "2"}),
    ("driver-halves-differ", "", ["libcuda reported version is: 384.111.0"], {}),
    ("cuda-unlike-build", "", [], {"cuda": "11.8", "tensorflow": "2.10.0"}),
    ("tensorflow:<2.11", "", [], {"tensorflow": "2.11.0"}),
    ("tensorflow:<2.11", "", [], {}),
    ("tensorflow:nonsense", "", [], {"tensorflow": "2.11.0"}),
    ("no-gpu-listed", "", [], {}),
    ("no-gpu-listed", "Registered devices: [CPU, GPU]", [], {}),
    ("hidden-by-variable", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "0,1"}}),
    ("hidden-by-variable", "", [], {"environment": {"CUDA_VISIBLE_DEVICES": "GPU-1a2b"}}),
    ("virtual-gpu", "", [], {"gpus": (T4,)}),
    ("other-processes", "", [], {"gpus": (T4,), "gpu_processes": (GpuProcess(1, "Xorg", 40),)}),
    ("kernels-lack-type", "attrs: [T=DT_HALF]\n  device='GPU'; T in [DT_HALF]", [], {}),
    ("other-framework", "a test of the torch and the jacket", [], {}),
    ("many-graphs", "x\n\t [[Node: conv_2 = Conv2D[T=DT_FLOAT](x, loss/mul/_8119)]]", [], {}),
    ("killed", "Killed by the user's own hand", [], {}),
    ("message", "", ["No DNN in stream executor."], {}),
    ("message:30 minutes", "which could take 30 minutes or longer", [], {}),
    ("killed", "", ["The process was Killed"], {}),
    ("chunks-pile-up", "", ["I bfc_allocator.cc:696] 4000 Chunks of size 256 totalling 1000.0KiB"], {}),
    ("gpu-memory-low", "", [], {"gpus": (Gpu(0, memory_total_mib=10**400, memory_free_mib=0),)}),
    ("no-gpu-listed", "", [">>> tf.config.list_physical_devices('GPU')", "[PhysicalDevice(name='x')]"], {}),
    ("unknown-name", "", [], {}),
    ("no-gpu-listed", "", ["Using GPU: 0", "use_gpu: False"], {}),
    ("no-gpu-listed", "", ['device_type: "CPU"', 'device_type: "GPU"'], {}),
    ("cuda-code:2", "make: *** [all] Error 2, no CUDA error", [], {}),
    ("cuda-code:700", "CUDA error: 70", [], {}),
    ("logged-by:cuda_dnn.cc", "", ["I tensorflow/x/cuda/cuda_dnn.cc:379] Loaded cuDNN version 8100"], {}),
    ("logged-by:cuda_dnn.cc", "", ["E cuda_dnn.cc:1] Unable to register cuDNN factory: already there"], {}),
]


@pytest.mark.parametrize(("name", "message", "log", "facts"), HOLD)
def test_a_reading_holds(name: str, message: str, log: list[str], facts: dict[str, Any]) -> None:
    """What the texts or the facts show is read."""
    assert holds(name, message, *log, **facts)


@pytest.mark.parametrize(("name", "message", "log", "facts"), FAIL)
def test_a_reading_does_not_hold(name: str, message: str, log: list[str], facts: dict[str, Any]) -> None:
    """What doesn't show, or shows the contrary, isn't read."""
    assert not holds(name, message, *log, **facts)


def test_sentences_hold_the_figures() -> None:
    """A reader sees the numbers that were compared."""
    assert sentence("cudnn-unfit", cudnn="9.1.0", built_for=BuiltFor(cudnn="9.3.0")) == (
        "cuDNN 9.1.0 is loaded, TensorFlow was compiled with 9.3.0."
    )
    assert sentence("gpu-newer-than-cuda", gpus=(Gpu(0, "RTX 5090"),), cuda="12.5") == (
        "Compute capability 12.0 needs CUDA 12.8 or newer; CUDA 12.5 is in use."
    )
    assert sentence("gpu-memory-low", "", "Memory usage: 1048576 bytes free, 15843721216 bytes total.") == (
        "Only 1.0 MiB of 14.8 GiB GPU memory were free."
    )


def test_old_cudnn_numbers_are_unpacked() -> None:
    """7301 is 7.3.1."""
    log = "Loaded runtime CuDNN library: 7301 (compatibility version 7300) but source was compiled with 7003"
    assert sentence("cudnn-unfit", "", log) == "cuDNN 7.3.1 is loaded, TensorFlow was compiled with 7.0.3."


def test_who_called_numpy_is_read_from_the_frames() -> None:
    """NumPy called by TensorFlow's own code is told from NumPy called by the test."""
    ours = (
        Frame("tests.test_model"),
        Frame("keras.src.layers"),
        Frame("model"),
        Frame("numpy.core.a"),
        Frame("numpy.b"),
    )
    theirs = (
        Frame("tests.test_model"),
        Frame("tensorflow.python.ops"),
        Frame("numpy.core.a"),
        Frame("numpy.b"),
    )
    assert not read(Case(Evidence(frames=ours)), "called-by-framework:numpy")
    assert read(Case(Evidence(frames=theirs)), "called-by-framework:numpy")
    assert not read(Case(Evidence(frames=theirs)), "called-by-framework:scipy")
    assert read(Case(Evidence(frames=ours)), "passes-through:keras")


def test_every_reading_is_held_or_asked_for_somewhere() -> None:
    """No reading is dead: a cause or another part of the project asks for each."""
    from pytest_tfgpu.knowledge.catalog import builtin_causes

    asked: set[str] = set()
    for cause in builtin_causes():
        lists = [(*s.needs, *s.unless) for s in cause.signatures] + [
            (*h.needs, *h.unless) for h in cause.help
        ]
        asked |= {name.partition(":")[0] for names_ in (*lists, cause.notes) for name in names_}
    assert names() - asked == set()


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("    with tf.device(gpus[0].name):", "0"),
        ("    tf.config.experimental.set_memory_growth(physical_devices[0], True)", "0"),
        ("    tf.config.set_visible_devices([GPUS[rank]], 'GPU')", "rank"),
        ("    gpu = tf.config.list_physical_devices('GPU')[1]", "1"),
        ("    x = rows[0]", None),
        ("    tf.device(names[0])", None),
    ],
)
def test_a_gpu_beyond_the_list(line: str, number: str | None) -> None:
    """An IndexError of a line that takes a GPU from TensorFlow's list says that the list is too short, or empty."""
    case = Case(from_text("IndexError", "list index out of range", [line]), Facts())
    found = read(case, "gpus-too-few")
    assert (found is not None) == (number is not None)
    assert (read(case, "no-gpu-listed") is not None) == (number == "0")
    assert found is None or number == "0" or f"[{number}]" in found.sentence


def test_the_last_frame_of_python_code_inside() -> None:
    """Of a Python traceback inside a message the last frame that isn't TensorFlow's or Keras' own is quoted."""
    message = (
        "ZeroDivisionError: division by zero\nTraceback (most recent call last):\n\n"
        '  File "/env/site-packages/tensorflow/python/ops/script_ops.py", line 267, in __call__\n'
        "    return func(device, token, args)\n\n"
        '  File "/home/me/test_layers.py", line 62, in brightness\n    return 1 / int(pixel)\n\n'
        '  File "/env/site-packages/keras/src/ops/numpy.py", line 7, in divide\n    return a / b\n'
    )
    reading = read(Case(from_text("UnknownError", message), Facts()), "python-inside")
    assert reading is not None
    assert reading.quote is not None
    assert reading.quote.text.strip() == 'File "/home/me/test_layers.py", line 62, in brightness'
    assert (
        read(Case(from_text("UnknownError", message.replace("script_ops", "ops")), Facts()), "python-inside")
        is None
    )
