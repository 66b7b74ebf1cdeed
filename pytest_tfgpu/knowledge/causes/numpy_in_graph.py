"""NumPy or Python code called on a symbolic tensor."""

from __future__ import annotations

from pytest_tfgpu.knowledge import arguments
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="numpy-in-graph",
    category="code",
    summary="NumPy or plain Python code was called on a symbolic tensor, which has no value yet.",
    signatures=(
        Signature("root", ("Cannot convert a symbolic {|tf.}Tensor ({}) to a numpy array",), weight=0.85),
        Signature("root", ("pass a {Tensor|symbolic value} to a NumPy call",), weight=0.85),
        Signature("root", ("Cannot convert a symbolic Keras input/output to a numpy array",), weight=0.85),
        Signature(
            "root", ("KerasTensor {cannot|can't} be used as input to a TensorFlow function",), weight=0.85
        ),
        Signature("root", ("A KerasTensor {cannot|is symbolic}",), weight=0.85),
        Signature(
            "root", ("using a {|symbolic }`{|tf.}Tensor` as a Python `bool` is not allowed",), weight=0.8
        ),
        Signature("root", ("Iterating over a symbolic {w} is not allowed",), weight=0.8),
        Signature("root", ("Tensor' object has no attribute 'numpy'",), weight=0.85),
        Signature("root", ("len is not well defined for a symbolic Tensor",), weight=0.8),
        Signature(
            "root", ("setting an array element with a sequence",), needs=("passes-through:keras",), weight=0.4
        ),
        Signature("root", ("Iterating over a symbolic",), weight=0.8),
        Signature("root", ("You are passing KerasTensor(",), weight=0.85),
        Signature(
            "root",
            ("'{Tensor|KerasTensor|SymbolicTensor}' object does not support item assignment",),
            weight=0.65,
        ),
        Signature("root", ("{SymbolicTensor|KerasTensor}' object has no attribute",), weight=0.75),
        Signature("root", arguments.SYMBOLIC, where="message", weight=0.7),
        Signature("root", arguments.LEAKED, where="message", weight=0.5),
    ),
    rivals=("python-package-conflict",),
    help=(
        Help(
            "Use TensorFlow's own function (tf.math..., keras.ops...) in place of NumPy's inside layers and functions."
        ),
        Help("Where it has to be NumPy, wrap it in tf.numpy_function or tf.py_function.", sure=False),
        Help(
            "With TensorFlow 2.4 or older and NumPy 1.20 or newer the same text comes from TensorFlow itself: use "
            "NumPy 1.19.",
            sure=False,
            needs=("tensorflow:<2.5",),
        ),
    ),
    examples=(
        Example(
            source="np.sin(x) in call() of a Keras layer, Keras 3.15 on TensorFlow 2.21.0",
            exception="NotImplementedError",
            message="Exception encountered when calling L2.call().\n\n\x1b[1mCannot convert a symbolic tf.Tensor "
            "(data:0) to a numpy array. This error may indicate that you're trying to pass a Tensor to a NumPy call, "
            "which is not supported.\x1b[0m\n\nArguments received by L2.call():\n  • x=tf.Tensor(shape=(None, 3), "
            "dtype=float32)",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="import of TensorFlow 2.16 with NumPy 2.0",
            exception="ImportError",
            message="A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.0 as it may crash. To "
            "support both 1.x and 2.x versions of NumPy, modules must be compiled with NumPy 2.0.",
            cause="python-package-conflict",
        ),
    ),
    meaning="Inside tf.function, and while a Keras model is built, tensors are symbols without values. NumPy and "
    "Python's own len, bool and iteration ask for values and fail.",
    appearance='NotImplementedError "Cannot convert a symbolic tf.Tensor (x:0) to a numpy array" (from 2.9 or so '
    '"tf.Tensor", before "Tensor"), in Keras 3 below "Exception encountered when calling ...". In graphs also '
    '"Using a symbolic `tf.Tensor` as a Python `bool` is not allowed".',
    distinction="The frames tell whose code called NumPy. Where only TensorFlow's or another library's frames are "
    "there, versions don't fit: python-package-conflict (TensorFlow 2.4 and older with NumPy 1.20 and newer).",
    confirmation="Look in the traceback for the last line of your own code: it holds the np. call.",
    remedy="Replace NumPy's functions by TensorFlow's or keras.ops. Do preparation in NumPy before the function is "
    "called.",
    references=("https://www.tensorflow.org/guide/function#autograph_transformations",),
)
