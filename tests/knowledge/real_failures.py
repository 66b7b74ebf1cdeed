"""Fails in many ways with the real TensorFlow on the CPU, and prints what pytest-tfgpu makes of each, as JSON.

Run as a program: `python real_failures.py`.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

from pytest_tfgpu.diagnosis.engine import diagnose
from pytest_tfgpu.diagnosis.evidence import from_exception, is_relevant

Failure = Callable[[], object]
FAILURES: dict[str, Failure] = {}


def failure(function: Failure) -> Failure:
    """Add a function to those that are run."""
    FAILURES[function.__name__] = function
    return function


@failure
def host_memory() -> object:
    return tf.zeros([10**6, 10**6])


@failure
def cast_of_string() -> object:
    return tf.cast(tf.constant(["a"]), tf.float32)


@failure
def double_with_float_filter() -> object:
    return tf.nn.conv2d(tf.ones((1, 4, 4, 1), tf.float64), tf.ones((2, 2, 1, 1)), 1, "SAME")


@failure
def gather_out_of_range() -> object:
    return tf.gather(tf.constant([1, 2, 3]), [5])


@failure
def label_out_of_range() -> object:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=[7], logits=tf.ones((1, 3)))


@failure
def device_that_is_not_there() -> object:
    tf.config.set_soft_device_placement(False)
    try:
        with tf.device("/GPU:7"):
            return tf.constant(1) + 1
    finally:
        tf.config.set_soft_device_placement(True)


class _Sine(keras.layers.Layer):
    def call(self, x: object) -> object:
        return np.sin(x)  # type: ignore[call-overload]


@failure
def numpy_in_layer() -> object:
    return _Sine()(keras.Input((3,)))


@failure
def numpy_in_function() -> object:
    return tf.function(lambda x: np.sum(np.asarray(x)))(tf.ones(3))


@failure
def keras_model_fed_strings() -> object:
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model.fit(np.array([["a", "b"]]), np.ones(1), verbose=0)


@failure
def python_error_in_function() -> object:
    return tf.py_function(lambda: 1 / 0, [], tf.float32)


@failure
def python_error_in_dataset() -> object:
    def generate() -> object:
        yield 1
        raise KeyError("lost")

    return list(tf.data.Dataset.from_generator(generate, output_types=tf.int32))


@failure
def matmul_of_wrong_shapes() -> object:
    return tf.matmul(tf.ones((2, 3)), tf.ones((2, 3)))


@failure
def convolution_of_wrong_depth() -> object:
    return tf.nn.conv2d(tf.ones((1, 4, 4, 3)), tf.ones((2, 2, 2, 1)), 1, "SAME")


@failure
def addition_of_wrong_shapes() -> object:
    return tf.ones(2) + tf.ones(3)


@failure
def keras_layer_of_wrong_shape() -> object:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    return model(tf.ones((2, 3)))


@failure
def cudnn_rnn_on_cpu() -> object:
    one = tf.ones((1, 1, 1))
    return tf.raw_ops.CudnnRNN(input=one, input_h=one, input_c=one, params=tf.ones(10))


@failure
def full_disk() -> object:
    return tf.io.write_file("/dev/full", "x" * 100_000)


@failure
def unknown_file_system() -> object:
    return tf.io.read_file("s3://bucket/key")


@failure
def file_that_is_not_there() -> object:
    return tf.io.read_file("/nonexistent/file")


@failure
def no_file_descriptors_left() -> object:
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    handles = []
    with tempfile.NamedTemporaryFile() as file:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, limit[1]))
        try:
            while True:
                handles.append(open(os.devnull))  # noqa: PTH123, SIM115
        except OSError:
            return tf.io.read_file(file.name)
        finally:
            for handle in handles:
                handle.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)


@failure
def string_in_xla() -> object:
    return tf.function(lambda x: tf.strings.as_string(x), jit_compile=True)(tf.constant(1))


@failure
def configured_too_late() -> object:
    cpu = tf.config.list_physical_devices("CPU")[0]
    return tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@failure
def variable_before_its_initializer() -> object:
    with tf.Graph().as_default():
        variable = tf.compat.v1.get_variable("v", initializer=1.0, use_resource=False)
        with tf.compat.v1.Session() as session:
            return session.run(variable)


@failure
def values_that_differ() -> object:
    return np.testing.assert_allclose(tf.ones(2), tf.zeros(2))


@failure
def values_that_differ_in_test_case() -> object:
    return tf.test.TestCase().assertAllClose(tf.ones(2), tf.zeros(2))


@failure
def assertion_that_mentions_cuda() -> object:
    raise AssertionError("CUDA_ERROR_OUT_OF_MEMORY: out of memory")


@failure
def key_error_in_callback() -> object:
    class Broken(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            raise KeyError(epoch)

    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    return model.fit(np.ones((1, 2)), np.ones(1), verbose=0, callbacks=[Broken()])


@failure
def raised_from_a_tensorflow_error() -> object:
    try:
        addition_of_wrong_shapes()
    except tf.errors.InvalidArgumentError as error:
        raise RuntimeError("the model can't be built") from error
    return None


@failure
def raised_while_handling_a_tensorflow_error() -> object:
    try:
        return gather_out_of_range()
    except tf.errors.InvalidArgumentError:
        return {}["missing"]


@failure
def in_an_exception_group() -> object:
    errors = []
    for function in (matmul_of_wrong_shapes, cast_of_string):
        try:
            function()
        except Exception as error:
            errors.append(error)
    try:
        group = ExceptionGroup
    except NameError:
        from exceptiongroup import ExceptionGroup as group
    raise group("two at once", [ValueError("nothing to see"), *errors[:1]])


def main() -> None:
    """Print one JSON object: name -> what was made of it."""
    results = {}
    for name, function in FAILURES.items():
        try:
            function()
        except Exception as error:
            evidence = from_exception(error)
            diagnosis = diagnose(evidence) if is_relevant(error) else None
            results[name] = {
                "relevant": is_relevant(error),
                "evidence": evidence.to_json() | asdict(evidence.structure),
                "diagnosis": diagnosis.to_json() if diagnosis else None,
            }
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
