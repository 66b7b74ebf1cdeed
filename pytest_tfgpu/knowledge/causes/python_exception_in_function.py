"""A Python exception inside tf.py_function, tf.numpy_function or a generator."""

from __future__ import annotations

from pytest_tfgpu.knowledge.schema import Cause, Example, Help, LookAlike, Signature

CAUSE = Cause(
    id="python-exception-in-function",
    category="not-gpu",
    summary="Python code inside tf.py_function, tf.numpy_function or a data generator raised an exception.",
    signatures=(
        Signature("root", needs=("python-inside",), weight=0.86),
        Signature(
            "root", status=("UNKNOWN", "INVALID_ARGUMENT"), ops=("EagerPyFunc", "PyFunc", "PyFuncStateless")
        ),
        Signature(
            "root",
            (
                "{ZeroDivisionError|KeyError|IndexError|AttributeError|FileNotFoundError|OSError|StopIteration}: ",
            ),
            where="message",
            status=("UNKNOWN",),
            weight=0.92,
        ),
        Signature(
            "root",
            ("{TypeError|ValueError|AssertionError|NameError|RuntimeError|UnicodeDecodeError|Exception}: ",),
            where="message",
            status=("UNKNOWN",),
            weight=0.9,
        ),
        Signature("root", ("`generator` yielded an element",), weight=0.88),
        Signature("excludes", ("CUDA_ERROR_", "CUDNN_STATUS_"), where="message"),
        Signature("excludes", ("Unable to allocate {#}",), weight=0.9),
        Signature("excludes", ("MemoryError",), weight=0.9),
    ),
    help=(Help("Read the Python traceback inside the message: its last line is the real error."),),
    examples=(
        Example(
            source="tf.py_function(lambda: 1 / 0, [], tf.float32) with TensorFlow 2.21.0",
            exception="UnknownError",
            message="{{function_node __wrapped__EagerPyFunc_Tin_0_Tout_1_device_/job:localhost/replica:0/task:0/"
            "device:CPU:0}} ZeroDivisionError: division by zero\nTraceback (most recent call last):\n\n  File "
            '"site-packages/tensorflow/python/ops/script_ops.py", line 267, in __call__\n    return func(device, '
            "token, args)\n\nZeroDivisionError: division by zero\n\n [Op:EagerPyFunc] name: ",
        ),
    ),
    lookalikes=(
        LookAlike(
            source="https://github.com/fizyr/keras-retinanet/issues/1452",
            exception="tensorflow.python.framework.errors_impl.UnknownError",
            message="Failed to get convolution algorithm. This is probably because cuDNN failed to initialize, so "
            "try looking to see if a warning log message was printed above. [[node retinanet/conv1/Conv2D (defined "
            "at keras_retinanet/bin/train.py:551) ]] [Op:__inference_train_function_13978]",
            log=(
                "E tensorflow/stream_executor/cuda/cuda_dnn.cc:328] Could not create cudnn handle: "
                "CUDNN_STATUS_ALLOC_FAILED",
            ),
            cause="memory-preallocated",
        ),
    ),
    meaning="TensorFlow ran Python code on the host as part of a graph or a data pipeline, and that code raised. "
    "TensorFlow hands it on as one of its own classes; the GPU has no part in it.",
    appearance="UnknownError with the Python exception's name and its traceback as text, all of 2.x. ValueError and "
    "TypeError come as InvalidArgumentError, MemoryError as ResourceExhaustedError, StopIteration as OutOfRangeError, "
    "NotImplementedError as UnimplementedError.",
    distinction='UnknownError is also what cuDNN\'s errors come as: those name "CUDNN_STATUS_..." or "convolution '
    'algorithm" and hold no Python traceback.',
    confirmation="Call the Python function directly with the same input.",
    remedy="Correct the function; the frames of the inner traceback name file and line.",
    references=("https://www.tensorflow.org/api_docs/python/tf/py_function",),
)
