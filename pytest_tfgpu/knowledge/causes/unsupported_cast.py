"""Data of a type that can't be cast, mostly strings as labels or features."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="unsupported-cast",
    category="code",
    summary="The data have a type that can't be turned into numbers, such as strings.",
    signatures=(
        Signature("root", ("Cast {string|variant|resource} to {w} is not supported",), weight=0.9),
        Signature("root", ("Cast {w} to {string|variant|resource} is not supported",), weight=0.9),
        Signature("root", ("Cast {w} to {w} is not supported",), weight=0.8),
        Signature("root", ("Invalid dtype: {str|bytes|object|<U|string}{w}",), weight=0.85),
        Signature("root", ("Invalid dtype: {object|str|string}",), weight=0.85),
        Signature(
            "root", ("Failed to convert a NumPy array to a Tensor (Unsupported object type",), weight=0.85
        ),
        Signature("root", ("could not convert string to float",), needs=("passes-through:keras/tensorflow",)),
        Signature("root", ("StringToNumberOp could not correctly convert string",), weight=0.85),
        Signature("root", ("with an unsupported type (<class",), weight=0.8),
        Signature(
            "root",
            ("could not convert string to float",),
            needs=("text:tensorflow",),
            unless=("text:sklearn",),
            weight=0.7,
        ),
        Signature("root", ("Failed to convert object of type <class",), weight=0.7),
        Signature(
            "root", ("Failed to find data adapter that can handle input",), needs=("text:'str'",), weight=0.7
        ),
        Signature("root", ("has DataType string not in list of allowed values",), weight=0.78),
        Signature("root", ("expected to be a {w} tensor but is a string tensor",), weight=0.6),
    ),
    rivals=("dtype-mismatch",),
    help=(
        Help("Turn the labels or features into numbers before they reach the model, e.g. with StringLookup."),
        Help(
            "Check the data's dtype: one text cell makes a whole NumPy array `object` or `str`.", sure=False
        ),
    ),
    examples=(
        Example(
            source='tf.cast(tf.constant(["a"]), tf.float32) with TensorFlow 2.21.0',
            exception="UnimplementedError",
            message="{{function_node __wrapped__Cast_device_/job:localhost/replica:0/task:0/device:CPU:0}} Cast "
            "string to float is not supported [Op:Cast] name: ",
        ),
        Example(
            source='model.fit(np.array([["a", "b"]]), np.ones(1)) with Keras 3.15 on TensorFlow 2.21.0',
            exception="ValueError",
            message="Invalid dtype: str32",
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
    meaning="The model wants numbers and got text, objects or another type that no kernel casts. This has nothing to "
    "do with the device: the class UnimplementedError only says that there is no such cast.",
    appearance='UnimplementedError "Cast string to float is not supported" (all versions); in graphs of 2.8 and later '
    'below "Graph execution error". Keras 3 refuses earlier: ValueError "Invalid dtype: str32". NumPy arrays of mixed '
    'objects: "Failed to convert a NumPy array to a Tensor".',
    distinction="Two number types in one operation are dtype-mismatch. A number type that one device lacks is "
    "dtype-unsupported-on-device, and its text lists kernels.",
    confirmation="Print the dtype of each array that goes into the model.",
    remedy="Map texts to numbers (tf.keras.layers.StringLookup, pandas.factorize), parse numeric columns, and drop "
    "columns that aren't meant as features.",
    references=("https://www.tensorflow.org/api_docs/python/tf/cast",),
)
