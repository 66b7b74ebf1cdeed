"""What fails outside of a test's call: in a fixture's setup, in its teardown, at the import of a module."""

from __future__ import annotations

SETUP = """
import pytest
import tensorflow as tf

@pytest.fixture
def broken():
    tf.reshape(tf.zeros([4]), [3])

@pytest.fixture
def breaking():
    yield
    tf.gather(tf.constant([1]), [5])

def test_setup(broken):
    pass
"""
"""Begins a module: its first test fails in `broken`, and those that use `breaking` fail after they ran."""

TEARDOWN = """
def test_teardown(breaking):
    pass
"""

MODULE = "import tensorflow as tf\n\ntf.matmul(tf.zeros([2, 2], tf.float32), tf.zeros([2, 2], tf.float64))\n"
"""A module that can't be imported."""
