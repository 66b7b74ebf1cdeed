"""A simulated NVIDIA machine under the real TensorFlow, and the tests that run on it."""
