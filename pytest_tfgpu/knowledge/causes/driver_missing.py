"""No NVIDIA driver is reachable."""

from __future__ import annotations

from pytest_tfgpu.knowledge import machine, statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="driver-missing",
    category="environment",
    summary="No NVIDIA driver can be reached from this process.",
    signatures=(
        Signature(
            "root",
            (
                "cuInit: {UNKNOWN ERROR (303)|UNKNOWN ERROR (-1)|UNKNOWN ERROR (34)|UNKNOWN ERROR (100)}",
                *texts.STUB,
                "Could not {load dynamic|dlopen} library {'|}{libcuda.so|nvcuda.dll}",
                "was unable to find libcuda.so DSO",
                "CUDA_ERROR_SHARED_OBJECT_INIT_FAILED",
                "couldn't communicate with the NVIDIA driver",
                "no NVIDIA driver on your system",
            ),
            needs=("gpu-wanted",),
            weight=0.85,
        ),
        Signature(
            "root",
            (
                "could not select device driver",
                "nvidia-container-cli: initialization error",
                "could not load NVML library: libnvidia-ml",
                "{Unknown|unknown or invalid} runtime {|specified |name: }nvidia",
            ),
            weight=0.75,
        ),
        Signature("root", ("Found no NVIDIA driver on your system",), weight=0.85),
        Signature(
            "root",
            ("libcuda.so.1: cannot open shared object file", "Could not find 'nvcuda.dll'"),
            needs=("gpu-wanted",),
            weight=0.88,
        ),
        Signature(
            "root",
            ("kernel driver does not appear to be running on this host",),
            needs=("gpu-wanted",),
            unless=("platform:wsl/windows",),
            weight=0.8,
        ),
        Signature(
            "root",
            ("/dev/nvidia0 does not exist", "no NVIDIA GPU device is present"),
            needs=("gpu-wanted",),
            weight=0.72,
        ),
        Signature("follows", ("CUDA_ERROR_NO_DEVICE",), needs=("gpu-wanted",), weight=0.3),
        Signature("follows", texts.NO_DEVICE_MAPPED, where="message", weight=0.3),
        Signature("follows", ("failed call to cuInit",), needs=("gpu-wanted",), weight=0.25),
        Signature(
            "follows", ("Could not find cuda drivers on your machine",), needs=("gpu-wanted",), weight=0.3
        ),
        Signature("root", ("Couldn't open CUDA library libcuda{w}",), needs=("gpu-wanted",), weight=0.85),
        Signature("follows", ("CUDA Version: ERR!",), weight=0.5),
        Signature(
            "excludes",
            (*texts.STUB, "UNKNOWN ERROR (34)", "UNKNOWN ERROR (-1)"),
            needs=("kernel-driver-runs",),
            weight=0.5,
        ),
        Signature("excludes", needs=("cpu-build",), weight=0.5),
        Signature("excludes", needs=("driver-halves-differ",), weight=0.6),
        Signature("excludes", needs=("driver-halves-agree",), weight=0.5),
        Signature("excludes", ("{cudart64|cublas64|libcudart|libcublas}{w} not found",), weight=0.3),
        *statuses.signs("driver-missing"),
        Signature(
            "root",
            machine.DRIVER_ABSENT,
            needs=("gpu-wanted",),
            weight=0.75,
        ),
        Signature(
            "follows",
            ("nvidia-container-cli: {detection|device|ldcache|mount|requirement} error",),
            weight=0.5,
        ),
        Signature(
            "follows", ("No NVIDIA GPU detected", "No NVIDIA {driver|drivers} {detected|found}"), weight=0.5
        ),
    ),
    rivals=("gpu-not-visible", "driver-library-mismatch"),
    help=(
        Help(
            "Start the container with access to the GPU (docker run --gpus all).", needs=("platform:docker",)
        ),
        Help("Install the NVIDIA driver for Windows; WSL brings none of its own.", needs=("platform:wsl",)),
        Help("Choose a runtime with a GPU.", needs=("platform:colab",)),
        Help("Install the NVIDIA driver, and restart.", sure=False, unless=("platform:docker/wsl/colab",)),
        Help("Take the toolkit's stubs folder off LD_LIBRARY_PATH.", needs=("text:stub",)),
    ),
    examples=(
        Example(
            source="https://github.com/haotianteng/Chiron/issues/99",
            log=(
                "2019-11-13 15:03:24.658577: W tensorflow/stream_executor/platform/default/dso_loader.cc:55] Could not "
                "load dynamic library 'libcuda.so.1'; dlerror: libcuda.so.1: cannot open shared object file: No such "
                "file or directory",
                "2019-11-13 15:03:24.658655: E tensorflow/stream_executor/cuda/cuda_driver.cc:318] failed call to "
                "cuInit: UNKNOWN ERROR (303)",
            ),
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.ones(2) + tf.ones(3) with TensorFlow 2.21.0 on a machine that is meant to have no GPU",
            exception="InvalidArgumentError",
            message="{{function_node __wrapped__AddV2_device_/job:localhost/replica:0/task:0/device:CPU:0}} "
            "Incompatible shapes: [2] vs. [3] [Op:AddV2] name: ",
            log=(
                "E0000 00:00:1795252088.739406    5639 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA "
                "error: Failed call to cuInit: UNKNOWN ERROR (303)",
            ),
            cause="shape-mismatch",
        ),
    ),
    meaning="TensorFlow could not open the driver's library (libcuda.so.1, nvcuda.dll), or it is there and no kernel "
    "driver answers: none is installed, or a container was started without it.",
    appearance='"failed call to cuInit: UNKNOWN ERROR (303)" (from 2.18 with "INTERNAL: CUDA error:" before it); -1 '
    "and "
    '34 for a stub; "kernel driver does not appear to be running on this host" and "no NVIDIA GPU device is present: '
    '/dev/nvidia0 does not exist" (to about 2.12). Afterwards TensorFlow runs on the CPU.',
    distinction="On a machine that is meant to have no GPU the same lines are harmless. A driver that answers and "
    "fails "
    'is driver-unhealthy; two versions of it, driver-library-mismatch. "Could not find cuda drivers on your machine" '
    "is about libcudart (cuda-library-missing). Under WSL /proc/driver/nvidia/version never exists.",
    confirmation="Run nvidia-smi in the same container or shell; `tfgpu doctor` looks for the files.",
    remedy="Install the driver (on WSL: in Windows), or give the container access to it (NVIDIA Container Toolkit, "
    "--gpus all; in Kubernetes a GPU resource). Don't put the toolkit's stubs on the search path.",
    references=(
        "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/",
        "https://docs.nvidia.com/cuda/wsl-user-guide/",
    ),
)
