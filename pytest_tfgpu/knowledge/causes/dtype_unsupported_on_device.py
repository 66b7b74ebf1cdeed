"""No kernel for this data type on this device."""

from __future__ import annotations

from pytest_tfgpu.knowledge import statuses, texts
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="dtype-unsupported-on-device",
    category="operation",
    summary="TensorFlow has kernels for this operation on this device, but not for this data type.",
    signatures=(
        Signature("root", texts.NO_KERNEL, needs=("kernels-lack-type",), weight=0.88),
        Signature("root", ("device='{GPU|CPU}'; {w} in [DT_",), needs=("kernels-lack-type",), weight=0.8),
        Signature("root", texts.NO_KERNEL, needs=("kernels-for-every-device",), weight=0.78),
        Signature("root", texts.NO_KERNEL, also=("attributes didn't match",), weight=0.75),
        Signature(
            "root", ("no supported kernel for {w} devices",), needs=("kernels-typed-for:GPU",), weight=0.78
        ),
        Signature(
            "root", ("Could not find valid device for node",), needs=("kernels-typed-for:GPU",), weight=0.72
        ),
        Signature(
            "root",
            (
                "is only supported with cuDNN on Ampere GPUs",
                "does not support datatype DT_{w}",
                "GPU copy from non-DMA",
                "Can't copy Tensor with type",
                "expected data types compatible with NCCL",
                "tensor not supported on GPU",
                "for integer types",
                "not supported for {half|float16|bfloat16|double|float64|int8|int32|int64|complex64}",
            ),
            weight=0.8,
        ),
        Signature(
            "follows",
            texts.NO_KERNEL,
            needs=("kernels-typed-for:GPU",),
            unless=("kernels-only-for:GPU",),
            weight=0.5,
        ),
        Signature(
            "root", ("Unsupported {type|data type|dtype}:",), needs=("computing-operation",), weight=0.6
        ),
        Signature("excludes", ("Detected unsupported operations",)),
        Signature("excludes", ("Cast {w} to {w} is not supported",)),
        *statuses.signs("dtype-unsupported-on-device"),
    ),
    rivals=("op-unsupported-on-device", "tensorflow-defect"),
    notes=("kernels-lack-type",),
    help=(
        Help("Cast the tensor to a type in the list of kernels, mostly float32."),
        Help(
            "Keep this operation in float32 under mixed precision (dtype='float32' for the layer).",
            sure=False,
        ),
    ),
    examples=(
        Example(
            source="tf.linalg.cholesky of float16 with TensorFlow 2.21.0 on a CPU",
            exception="NotFoundError",
            message="Could not find device for node: {{node Cholesky}} = Cholesky[T=DT_HALF]\nAll kernels registered "
            "for op Cholesky:\n  device='XLA_CPU_JIT'; T in [DT_FLOAT, DT_DOUBLE, DT_COMPLEX64, DT_COMPLEX128, "
            "DT_HALF]\n  device='GPU'; T in [DT_DOUBLE]\n  device='GPU'; T in [DT_FLOAT]\n  device='CPU'; T in "
            "[DT_DOUBLE]\n  device='CPU'; T in [DT_FLOAT]\n [Op:Cholesky] name: ",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="tf.ones(2) + tf.ones(2, tf.float64) with TensorFlow 2.21.0",
            exception="InvalidArgumentError",
            message="cannot compute AddV2 as input #1(zero-based) was expected to be a float tensor but is a double "
            "tensor [Op:AddV2] name: ",
            cause="dtype-mismatch",
        ),
    ),
    meaning="Kernels are registered per device and data type. For the type that came, this device (or every device) "
    "has none.",
    appearance='"No OpKernel was registered to support Op ..." (graphs), "No registered ... OpKernel for GPU devices '
    'compatible with node ... (OpKernel was found, but attributes didn\'t match)", "Could not find device for node" '
    "(eager), each with a list \"device='GPU'; T in [DT_FLOAT, ...]\" that lacks the type.",
    distinction="A list without the device is op-unsupported-on-device. Two types in one operation are dtype-mismatch. "
    "A cast from text is unsupported-cast.",
    confirmation="The same call with float32 works.",
    remedy="Cast, or place the operation on a device that has the type.",
    references=("https://www.tensorflow.org/guide/mixed_precision",),
)
