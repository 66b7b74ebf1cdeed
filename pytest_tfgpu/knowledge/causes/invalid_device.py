"""An explicit device that doesn't exist, or an op pinned where it can't run."""

from __future__ import annotations

from pytest_tfgpu.knowledge import texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="invalid-device",
    category="code",
    summary="The program names a device that this process doesn't have, or where the operation can't run.",
    signatures=(
        Signature("root", ("explicitly assigned to {} but available devices are",), weight=0.72),
        Signature("root", ("Could not satisfy device specification",), weight=0.75),
        Signature("root", ("Could not satisfy explicit device specification",), weight=0.6),
        Signature("root", ("unknown device.",), weight=0.75),
        Signature(
            "root", ("Unable to find any devices for spec", "No matching devices found for"), weight=0.75
        ),
        Signature("root", ("listed an invalid {GPU|Device|device} id",), weight=0.8),
        Signature("root", ("required incompatible device",), weight=0.8),
        Signature("root", ("Not enough GPUs to create virtual devices",), weight=0.8),
        Signature(
            "root", ("Failed parsing device name", "is encountered while parsing the device spec"), weight=0.8
        ),
        Signature("root", ("Cannot set memory growth on non-GPU",), weight=0.8),
        Signature("root", ("Tensors on conflicting devices",), weight=0.8),
        Signature("root", texts.NOT_COLOCATED, weight=0.6),
        Signature("root", ("Invalid device ordinal value", "invalid device ordinal"), weight=0.65),
        Signature("follows", needs=("gpus-too-few",), weight=0.55),
        Signature("follows", ("no supported kernel for {w} devices is available",), weight=0.4),
        Signature("root", ("the following devices to be available: {} this machine only has",), weight=0.7),
        Signature("excludes", ("no supported kernel for {w} devices is available",), weight=0.4),
        Signature("excludes", needs=("kernels-lack-type",), weight=0.4),
        Signature("excludes", needs=("cpu-build",), weight=0.4),
        Signature("excludes", needs=("hidden-by-variable",), weight=0.4),
        Signature(
            "root",
            (
                "Malformed device specification",
                "Unknown attribute{} device",
                "Some of the devices are not available",
                "device {CUDA|GPU}:{#} not found",
                "{device|devices} {} {is|are} not available{} only",
                "Unrecognized device",
                "PhysicalDevice must be one obtained from calling",
                "Requested more GPUs per node than available",
                "Mismatched number of GPUs",
                "incompatible assigned devices",
                "is not a valid {device|GPU}",
                "Not enough {GPUs|devices}",
            ),
            where="message",
            weight=0.65,
        ),
        Signature("excludes", texts.COLOCATED, unless=("no-gpu-listed",), weight=0.5),
        Signature("excludes", texts.INVALID_AT_START, weight=0.8),
    ),
    rivals=("gpu-not-visible", "op-unsupported-on-device"),
    notes=("no-gpu-listed", "gpus-too-few", "gpu-listed"),
    help=(
        Help(
            "Use a device that exists: tf.config.list_logical_devices() lists them; the fixture gpu_device gives one."
        ),
        Help(
            "If there should be a GPU, `tfgpu doctor` says why TensorFlow has none.", needs=("no-gpu-listed",)
        ),
        Help(
            "Allow soft placement (tf.config.set_soft_device_placement(True)) where the device is only a wish.",
            sure=False,
        ),
    ),
    examples=(
        Example(
            source='tf.device("/GPU:7") with soft placement off, TensorFlow 2.21.0 on a CPU',
            exception="InvalidArgumentError",
            message="Could not satisfy device specification '/job:localhost/replica:0/task:0/device:GPU:7'. "
            "enable_soft_placement=0. Supported device types [CPU]. All available devices "
            "[/job:localhost/replica:0/task:0/device:CPU:0].",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.raw_ops.CudnnRNN(...) with TensorFlow 2.21.0 on a CPU",
            exception="NotFoundError",
            message="Could not find device for node: {{node CudnnRNN}} = CudnnRNN[T=DT_FLOAT]\nAll kernels registered "
            "for op CudnnRNN:\n  device='GPU'; T in [DT_FLOAT]\n [Op:CudnnRNN]",
            cause="op-unsupported-on-device",
        ),
        LookAlike(
            source="https://github.com/google/prettytensor/issues/1",
            exception="InvalidArgumentError",
            message="Cannot assign a device to node 'Adagrad/update_baby_names/embedding_lookup/params/"
            "SparseApplyAdagrad': Could not satisfy explicit device specification '' because the node was colocated "
            "with a group of nodes that required incompatible device '/job:localhost/replica:0/task:0/GPU:0'",
            cause="op-unsupported-on-device",
        ),
    ),
    meaning="The program (or a saved graph) pins an operation to a device by name, and this process has no such "
    "device: an index too high, a GPU where only a CPU is, a name with a typing error, or a device on which this "
    "operation can't run.",
    appearance='InvalidArgumentError "Could not satisfy device specification ..." (eager), "Cannot assign a device '
    'for operation ... explicitly assigned to /device:GPU:0 but available devices are [...]" (graphs, all versions), '
    '"Unable to find any devices for spec" (functions with soft placement off).',
    distinction="The list of devices in the text decides: a list with GPUs means a wrong index. A list without any, "
    "on a machine with a GPU, means that TensorFlow lost it; then what the log says of that (driver-missing, "
    'cuda-library-missing, gpu-not-visible, cpu-only-build) is the cause. "No supported kernel" is '
    "op-unsupported-on-device or dtype-unsupported-on-device. \"Explicit device specification ''\" names no device: "
    "an operation has to run beside what lies on a device for which it has no kernel, op-unsupported-on-device. "
    "With soft placement on, the default, TensorFlow takes another device and says nothing.",
    confirmation="Print tf.config.list_logical_devices() in the failing process.",
    remedy="Take the device from the list or from a fixture instead of writing its name down; load graphs without "
    "devices (clear_devices); keep soft placement on where the device doesn't matter.",
    references=("https://www.tensorflow.org/guide/gpu#manual_device_placement",),
)
