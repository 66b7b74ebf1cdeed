"""Tensors of different types in one operation."""

from __future__ import annotations

from pytest_tfgpu.knowledge import arguments
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="dtype-mismatch",
    category="code",
    summary="Tensors of different data types meet in one operation.",
    signatures=(
        Signature("root", ("was expected to be a {w} tensor but is a {w} tensor",), weight=0.9),
        Signature("root", ("that {does not|don't} match type {w} of argument",), weight=0.9),
        Signature("root", ("has type {w} that does not match expected type of {w}",), weight=0.85),
        Signature("root", ("have types {} that don't all match",), weight=0.85),
        Signature("root", ("Tensor conversion requested dtype {w} for Tensor with dtype",), weight=0.85),
        Signature("root", ("Expected {w} passed to parameter {} of op",), weight=0.75),
        Signature("root", ("expected to be a tensor of type {w} but got",), weight=0.8),
        Signature("root", ("Incompatible type conversion requested to type",), weight=0.8),
        Signature("root", ("Trying to {read|assign} variable with wrong dtype",), weight=0.85),
        Signature("root", ("Data type mismatch", "Type mismatch between"), weight=0.6),
        Signature("root", ("cannot compute {w} as input",), also=("tensor but is a",), weight=0.8),
        Signature("root", ("has DataType {w} not in list of allowed values",), weight=0.72),
        Signature("root", ("Expected {w}, {|but }got {} of type '{w}' instead",), weight=0.75),
        Signature("root", ("not in the list of allowed values",), where="message", weight=0.65),
        Signature("excludes", needs=("kernels-lack-type",), weight=0.7),
        Signature("root", arguments.TYPES_UNFIT, where="message", weight=0.65),
    ),
    rivals=("unsupported-cast", "dtype-unsupported-on-device"),
    help=(
        Help("Cast one side: NumPy makes float64 and int64 where TensorFlow's default is float32."),
        Help(
            "Under mixed precision, create constants and variables in the layer's compute_dtype.", sure=False
        ),
    ),
    examples=(
        Example(
            source="tf.nn.conv2d of a float64 input with a float32 filter, TensorFlow 2.21.0",
            exception="InvalidArgumentError",
            message="cannot compute Conv2D as input #1(zero-based) was expected to be a double tensor but is a float "
            "tensor [Op:Conv2D] name: ",
        ),
    ),
    lookalikes=(
        LookAlike(
            source='tf.cast(tf.constant(["a"]), tf.float32) with TensorFlow 2.21.0',
            exception="UnimplementedError",
            message="{{function_node __wrapped__Cast_device_/job:localhost/replica:0/task:0/device:CPU:0}} Cast "
            "string to float is not supported [Op:Cast] name: ",
            cause="unsupported-cast",
        ),
    ),
    meaning="TensorFlow converts no tensor by itself: both sides of an operation need the same type. NumPy arrays "
    "come as float64 or int64, TensorFlow's variables as float32, mixed precision adds float16.",
    appearance='InvalidArgumentError "cannot compute X as input #1(zero-based) was expected to be a double tensor but '
    'is a float tensor" (eager, all of 2.x); TypeError "... that does not match type ..." and ValueError "Tensor '
    'conversion requested dtype ..." (graphs).',
    distinction="A text that lists registered kernels says that the device has none for this type: "
    "dtype-unsupported-on-device. Strings that should be numbers are unsupported-cast.",
    confirmation="Print .dtype of both tensors in front of the operation.",
    remedy="tf.cast one of them, or create the array in the right type (np.float32). tf.keras.backend.set_floatx "
    "changes Keras's default.",
    references=("https://www.tensorflow.org/guide/tensor#more_on_dtypes",),
)
