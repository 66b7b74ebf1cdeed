"""Versions of Python packages that don't fit."""

from __future__ import annotations

from pytest_tfgpu.knowledge import packages
from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="python-package-conflict",
    category="environment",
    summary="The installed versions of Python packages (NumPy, protobuf, Keras, TensorFlow) don't fit together.",
    signatures=(
        Signature(
            "root",
            packages.BROKEN,
            weight=0.88,
        ),
        Signature(
            "root",
            packages.NAMES,
            weight=0.8,
        ),
        Signature(
            "root",
            packages.NAMES_ELSEWHERE,
            weight=0.75,
        ),
        Signature("root", ("cannot import name",), also=packages.IMPORTED_FROM, weight=0.7),
        Signature(
            "root",
            packages.MISSING,
            weight=0.75,
        ),
        Signature(
            "root",
            ("module '{tensorflow|keras}{w}' has no attribute", "module 'tensorflow' has no attribute"),
            weight=0.6,
        ),
        Signature(
            "root",
            ("Cannot convert a symbolic {|tf.}Tensor",),
            needs=("called-by-framework:numpy", "tensorflow:<2.9"),
            weight=0.9,
        ),
        Signature("follows", ("Cannot convert a symbolic Tensor ({}) to a numpy array",), weight=0.5),
        Signature("confirms", ("Cannot convert a symbolic Tensor",), needs=("tensorflow:<2.5",), weight=0.6),
        Signature(
            "root",
            ("{site-packages|dist-packages|tensorflow|keras}{w} undefined symbol: _Z{w}",),
            needs=("text:tensorflow",),
            weight=0.7,
        ),
        Signature(
            "root",
            ("libmetal_plugin{w}", "tensorflow-plugins"),
            also=("Symbol not found", "undefined symbol", ".dll not found"),
            weight=0.75,
        ),
        Signature(
            "root",
            packages.INSTALL,
            weight=0.85,
        ),
        Signature(
            "root",
            ("Only instances of {} can be added to a Sequential model",),
            also=("tensorflow_hub", "tf_keras"),
            weight=0.8,
        ),
        Signature("root", ("'str' object has no attribute 'decode'",), also=("hdf5", "h5py"), weight=0.8),
        Signature("follows", ("DLL load failed",), also=("native TensorFlow runtime",), weight=0.4),
        Signature("root", packages.GONE_FROM_PYTHON, needs=("text:tensorflow",), weight=0.7),
        Signature(
            "root",
            packages.RESOLVER,
            also=("{tensorflow|keras|tf-nightly}", "tensorflow-{gpu|cpu}"),
            weight=0.85,
        ),
        Signature("root", packages.OTHER_KERAS, where="message", weight=0.6),
        Signature("root", ("{msvcp140|msvcp140_1|vcruntime140|vcruntime140_1}.dll",), weight=0.7),
        Signature(
            "root",
            ("DLL load failed while importing",),
            also=("initialization routine failed",),
            needs=("text:tensorflow",),
            weight=0.65,
        ),
        Signature("follows", ("DLL load failed while importing _pywrap_tensorflow",), weight=0.45),
        Signature(
            "root",
            (
                "wrong architecture",
                "incompatible architecture",
                "Library not loaded: @rpath/libtensorflow{w}",
            ),
            needs=("text:tensorflow",),
            weight=0.7,
        ),
    ),
    rivals=("tensorflow-defect", "cuda-library-missing"),
    help=(
        Help("Install the versions that this TensorFlow asks for: pip check names what doesn't fit."),
        Help("For NumPy 2 use TensorFlow 2.18 or newer, else numpy<2.", needs=("text:NumPy 2",)),
        Help(
            "For Keras 2 beside Keras 3 install tf_keras and set TF_USE_LEGACY_KERAS=1.",
            needs=("text:Keras 3",),
        ),
    ),
    examples=(
        Example(
            source="https://numpy.org/doc/stable/user/troubleshooting-importerror.html",
            exception="ImportError",
            message="A module that was compiled using NumPy 1.x cannot be run in NumPy 2.0.0 as it may crash. To "
            "support both 1.x and 2.x versions of NumPy, modules must be compiled with NumPy 2.0.",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="np.sin(x) in call() of a Keras layer, Keras 3.15 on TensorFlow 2.21.0",
            exception="NotImplementedError",
            message="Exception encountered when calling L2.call().\n\n\x1b[1mCannot convert a symbolic tf.Tensor "
            "(data:0) to a numpy array. This error may indicate that you're trying to pass a Tensor to a NumPy call, "
            "which is not supported.\x1b[0m\n\nArguments received by L2.call():\n  • x=tf.Tensor(shape=(None, 3), "
            "dtype=float32)",
            cause="numpy-in-graph",
        ),
    ),
    meaning="TensorFlow, Keras, NumPy and protobuf are released apart and depend on each other's versions. "
    "Something was "
    "upgraded alone.",
    appearance='TypeError "Descriptors cannot be created directly" (protobuf 4 with TensorFlow 2.8 and older), '
    '"A module that was compiled using NumPy 1.x cannot be run in NumPy 2", "cannot import name ... from keras...", '
    '"module ... has no attribute ...", mostly at import.',
    distinction="Frames of libraries raise it, before any of the test's own code runs. The same NumPy text out of your "
    "own layer is numpy-in-graph.",
    confirmation="pip check; python -c 'import tensorflow' alone.",
    remedy="Make a fresh environment with pinned versions, or install what pip check names.",
    references=("https://www.tensorflow.org/install/pip", "https://keras.io/getting_started/"),
)
