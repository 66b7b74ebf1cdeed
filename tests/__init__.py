"""The tests of pytest-tfgpu."""
