"""Tests of the catalogue, and failures that TensorFlow really produces."""
