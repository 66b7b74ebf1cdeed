"""A small suite as a project might have it: some tests pass, some need a GPU, some fail on purpose."""

import numpy as np
import pytest
import tensorflow as tf


def test_convolution_keeps_the_mean():
    image = tf.random.uniform((1, 32, 32, 1))
    box = tf.fill((3, 3, 1, 1), 1 / 9)
    blurred = tf.nn.conv2d(image, box, strides=1, padding="VALID")
    assert abs(float(tf.reduce_mean(blurred)) - float(tf.reduce_mean(image))) < 0.05


@pytest.mark.requires_dtype("float16")
def test_half_precision_adds_up():
    ones = tf.ones(100, tf.float16)
    assert float(tf.reduce_sum(ones)) == 100


@pytest.mark.requires_check("conv2d", "gather")
def test_lookup():
    table = tf.constant([[1.0], [2.0], [3.0]])
    assert tf.gather(table, [2, 0]).numpy().ravel().tolist() == [3.0, 1.0]


@pytest.mark.requires_gpu(memory="8 GiB", compute_capability=">=7.0")
def test_large_batch_on_the_gpu():
    with tf.device("/GPU:0"):
        assert tf.zeros((1024, 1024, 256)).shape[0] == 1024


@pytest.mark.requires_cudnn(">=9.1")
def test_fused_attention(gpu_device):
    with gpu_device:
        assert tf.ones(1).device.endswith("GPU:0")


# The tests below fail on purpose: each shows what the plugin says of a failure.


def test_embedding_of_an_unknown_word():
    table = tf.constant([[0.1], [0.2], [0.3]])
    tf.gather(table, [1, 3])


def test_filter_of_another_type():
    image = tf.constant(np.ones((1, 8, 8, 1)))
    tf.nn.conv2d(image, tf.ones((3, 3, 1, 1)), strides=1, padding="SAME")


def test_weights_of_another_type():
    tf.linalg.matmul(tf.ones((2, 2)), tf.ones((2, 2), tf.float64))


def test_labels_that_are_words():
    tf.cast(tf.constant(["cat", "dog"]), tf.float32)


def test_preprocessing_in_python():
    def brightness(pixel: tf.Tensor) -> float:
        return 1 / int(pixel)

    tf.py_function(brightness, [tf.constant(0)], tf.float32)


def test_ordinary_failure():
    assert float(tf.reduce_sum(tf.ones(3))) == 4
