"""The suite of the gallery: tests that fail of twelve causes, two that lack something, and two that pass."""

from __future__ import annotations

FILES = {
    "test_model.py": """
import numpy as np
import pytest
import tensorflow as tf


@pytest.mark.parametrize("filters", [8, 16, 32])
def test_convolution(filters):
    tf.nn.conv2d(tf.ones([1, 8, 8, 3]), tf.ones([3, 3, 3, filters]), 1, "SAME")


def test_weights_of_another_type():
    tf.matmul(tf.ones([2, 2], tf.float32), tf.ones([2, 2], tf.float64))


def test_dense_of_another_size():
    tf.matmul(tf.ones([2, 3]), tf.ones([4, 2]))


def test_numpy_in_the_graph():
    @tf.function
    def scaled(values):
        return np.log(values) * 2

    scaled(tf.ones([3]))


def test_large_batch():
    tf.zeros([100_000, 100_000])


def test_small_batch():
    assert tf.reduce_sum(tf.ones([4])).numpy() == 4
""",
    "test_data.py": """
import pytest
import tensorflow as tf


@pytest.mark.parametrize("column", ["age", "city"])
def test_labels_that_are_text(column):
    tf.cast(tf.constant([column]), tf.float32)


def test_word_outside_the_vocabulary():
    with tf.device("/CPU:0"):
        tf.nn.embedding_lookup(tf.ones([10, 4]), [12])


def test_missing_file():
    tf.io.read_file("data/train.tfrecord")


def test_generator_that_fails():
    def rows():
        yield 1
        raise ValueError("row 2 has no label")

    list(tf.data.Dataset.from_generator(rows, output_signature=tf.TensorSpec([], tf.int32)))


@pytest.mark.requires_gpu(4)
def test_sharded_input():
    pass
""",
    "test_devices.py": """
import pytest
import tensorflow as tf


@pytest.fixture
def memory_growth():
    tf.config.experimental.set_memory_growth(tf.config.list_physical_devices("GPU")[0], True)


def test_growing_memory(memory_growth):
    pass


def test_fourth_gpu():
    tf.config.set_soft_device_placement(False)
    with tf.device("/GPU:3"):
        tf.ones([2])


def test_compiled_text():
    @tf.function(jit_compile=True)
    def lengths(words):
        return tf.strings.length(words)

    lengths(tf.constant(["a"]))


@pytest.mark.requires_cudnn(">=99")
def test_newest_kernels():
    pass


def test_names():
    assert tf.config.list_logical_devices("GPU")
""",
}
