"""The faults that the facts show: one function for each kind, none of which runs anything.

They are asked where something speaks for a GPU; the first error is what keeps TensorFlow from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pytest_tfgpu.environment.faults import build, driver, gpus, libraries
from pytest_tfgpu.model import Facts, Finding

RULES: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    build.tensorflow_missing,
    build.packages_mixed,
    build.cpu_only_build,
    driver.driver_missing,
    driver.driver_shadowed,
    driver.nvml_fails,
    driver.driver_too_old,
    libraries.libraries_unreached,
    libraries.libraries_missing,
    libraries.libraries_broken,
    libraries.cudnn_version,
    libraries.libraries_older,
    libraries.cublas_parts,
    gpus.compute_capability,
    gpus.libraries_too_old,
    gpus.visibility_cut,
    gpus.gpu_taken,
)
"""In the order in which TensorFlow would meet them."""


def faults(facts: Facts) -> Iterator[Finding]:
    """Yield the faults of a machine that has a GPU or the parts of a driver, the deepest first."""
    for rule in RULES:
        yield from rule(facts)
