"""Tests that run where the team's own check passes and the machine's own fact allows it."""

import pytest


@pytest.mark.requires_check("attention")
def test_attention_keeps_the_shape():
    import tensorflow as tf

    layer = tf.keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)
    tokens = tf.ones((1, 5, 8))
    assert layer(tokens, tokens).shape == (1, 5, 8)


def test_the_node_is_known(tfgpu):
    assert tfgpu.facts.driver == "555.42.06"


@pytest.mark.requires_check("two-devices")
def test_pipeline_over_two_gpus():
    import tensorflow as tf

    assert len(tf.config.list_logical_devices("GPU")) >= 2
