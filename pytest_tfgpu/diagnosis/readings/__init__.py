"""Readings: yes-or-no statements about a failure that take more than a text, such as numbers, versions or lists.

Causes refer to them by name. `name:argument` asks with an argument (`tensorflow:<2.11`). Each answer that
holds may
carry a sentence and the line that shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Reading

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

__all__ = ["NO", "Reading", "names", "read"]


def read(case: Case, name: str) -> Reading | None:
    """Return the reading of this name where it holds for `case`, else None. An unknown name never holds."""
    known = case.readings
    if name not in known:
        base, _, argument = name.partition(":")
        function = _registry().get(base)
        known[name] = function(case, argument) if function else None
    answer = known[name]
    return answer if isinstance(answer, Reading) else None


def names() -> frozenset[str]:
    """Return the names of all readings, without arguments."""
    return frozenset(_registry())


@cache
def _registry() -> dict[str, Callable[[Case, str], Reading | None]]:
    from pytest_tfgpu.diagnosis.readings import devices, kernels, libraries, listed, memory, process, versions

    functions: dict[str, Callable[[Case, str], Reading | None]] = {}
    for module in (devices, kernels, libraries, listed, memory, process, versions):
        functions.update(module.READINGS)
    return functions
