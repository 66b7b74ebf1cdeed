"""pytest-tfgpu: preflight, gates, explained failures and summaries for TensorFlow test suites on GPUs."""

from __future__ import annotations

from pytest_tfgpu._version import __version__

__all__ = ["__version__"]
