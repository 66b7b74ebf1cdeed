"""Faults of the TensorFlow that is installed."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_tfgpu.environment.wording import build_name, install_cuda_libraries, install_tensorflow
from pytest_tfgpu.model import EvidenceLine, Facts, Finding, Help


def tensorflow_missing(facts: Facts) -> Iterator[Finding]:
    """Find that no TensorFlow is installed for this Python."""
    if facts.tensorflow is None and facts.tensorflow_path is None:
        summary = facts.unknown.get("tensorflow", "TensorFlow is not installed for this Python.")
        yield Finding(summary, help=install_tensorflow(facts))


def packages_mixed(facts: Facts) -> Iterator[Finding]:
    """Find that several distributions installed their files over one another."""
    if "tensorflow_distribution" in facts.unknown:
        yield Finding(facts.unknown["tensorflow_distribution"], "warning", "python-package-conflict")


def cpu_only_build(facts: Facts) -> Iterator[Finding]:
    """Find that the installed TensorFlow has no GPU support."""
    if facts.is_cuda_build is not False or "rocm" in (facts.tensorflow_distribution or ""):
        return
    help_ = install_cuda_libraries(facts)
    if facts.platform == "windows":
        help_ = (Help("Use TensorFlow inside WSL 2: from 2.11 on it has no GPU support on native Windows."),)
    yield Finding(
        f"The installed {build_name(facts)} has no GPU support.",
        cause="cpu-only-build",
        evidence=(EvidenceLine("is_cuda_build is False", "TensorFlow's build_info.py"),),
        help=help_,
    )
