"""Checks for the preflight. Its child imports this module; pytest itself never does."""

import numpy as np


def attention(context):
    tf = context.tf
    query, key, value = context.rng.standard_normal((3, 8, 16)).astype(np.float32)
    with tf.device(context.device):
        scores = tf.linalg.matmul(query, key, transpose_b=True) / 4.0
        weights = tf.exp(scores - tf.reduce_max(scores, axis=1, keepdims=True))
        weights /= tf.reduce_sum(weights, axis=1, keepdims=True)
        result = tf.linalg.matmul(weights, value)
    scores = query.astype(np.float64) @ key.astype(np.float64).T / 4
    weights = np.exp(scores - scores.max(1, keepdims=True))
    weights /= weights.sum(1, keepdims=True)
    context.compare("attention", result, weights @ value, "float32", tolerance=1e-4)


def two_devices(context):
    tf = context.tf
    others = [device.name for device in tf.config.list_logical_devices("GPU")]
    if len(others) < 2:
        context.does_not_apply("It needs two GPUs.")
    source = context.rng.standard_normal(1024)
    with tf.device(context.device):
        here = tf.constant(source)
    for other in others:
        with tf.device(other):
            there = tf.identity(here)
        with tf.device(context.device):
            back = tf.identity(there)
        context.compare(f"by way of {other}", back, source, "float64", tolerance=0.0)
