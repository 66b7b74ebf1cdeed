"""Readings of the CUDA libraries that the facts name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Function, Reading
from pytest_tfgpu.model import EvidenceLine

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case


def _library_missing(case: Case, argument: str) -> Reading | None:
    """Whether a library whose name begins with the argument was found nowhere."""
    for library in case.facts.libraries:
        if library.name.startswith(argument) and library.path is None:
            where = f" (looked in {', '.join(library.searched[:4])})" if library.searched else ""
            return Reading(
                f"{library.name} was found nowhere.",
                EvidenceLine(f"{library.name} not found{where}", "facts"),
            )
    return NO


def _library_found(case: Case, argument: str) -> Reading | None:
    """Whether a library whose name begins with the argument was found."""
    found = any(library.name.startswith(argument) and library.path for library in case.facts.libraries)
    return Reading() if found else NO


READINGS: dict[str, Function] = {
    "library-missing": _library_missing,
    "library-found": _library_found,
}
