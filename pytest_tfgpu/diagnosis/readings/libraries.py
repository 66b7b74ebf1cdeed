"""Readings of the driver and the CUDA libraries: what is there, and how TensorFlow lost its GPU."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Function, Probe, Reading
from pytest_tfgpu.model import EvidenceLine

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case


_KERNEL_VERSION = Probe(r"kernel reported version is: \d", "kernel reported version is:")
_GPU_LOST = Probe(
    r"Could not (?:load dynamic|dlopen) library '(?:lib)?cu(?!da\.so|pti)|Cannot dlopen some GPU libraries|"
    r"cuInit: [^\n]{0,60}CUDA_ERROR_(?!NO_DEVICE)|does not match DSO version",
    "could not load dynamic library",
    "could not dlopen library",
    "cannot dlopen some gpu",
    "cuinit:",
    "does not match dso",
)
_ERROR_LINE = re.compile(
    r"(?:\b[EF] |^[EF]\d{4} [^\n]{0,80}? )(?:[\w./\\-]{0,200}[/\\])?(\w{2,40}\.cc):\d{1,6}\]", re.MULTILINE
)
"""A line of TensorFlow's log that tells of an error, with the source file that it comes from."""
_CODES = (
    re.compile(r"cuda(?: driver| runtime)? ?(?:error|status)\W{0,4}(?:code )?(\d{1,3})(?![\w.])"),
    re.compile(r"curesult\W{0,4}(\d{1,3})(?![\w.])"),
    re.compile(r"code=(\d{1,3})\(cuda"),
    re.compile(r"error code:? (\d{1,3})(?![\w.])"),
)
_NAMED_BEFORE = re.compile(r"cu(?:da)?[a-z]|launch|kernel")
"""What must stand before a number in its line where only `error code` is said."""


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


def _kernel_driver_runs(case: Case, _: str) -> Reading | None:
    """Whether NVIDIA's driver answers in the kernel: its version or its device files are known."""
    known = case.facts.driver or case.facts.device_files or _KERNEL_VERSION.search(case)
    return Reading("NVIDIA's kernel driver runs.") if known else NO


def gpu_lost(case: Case, _: str) -> Reading | None:
    """Whether the log tells how TensorFlow lost a GPU that was meant to be there."""
    if _GPU_LOST.search(case):
        return Reading("TensorFlow lost the GPU at the start.", _GPU_LOST.quote(case))
    meant = case.facts.gpus or case.facts.driver or case.facts.device_files
    return Reading() if meant and "failed call to cuinit" in case.lower else NO


def _logged_by(case: Case, argument: str) -> Reading | None:
    """Whether TensorFlow logged an error from one of the source files in the argument (`cuda_dnn.cc/cuda_blas.cc`)."""
    known = case.readings.get("*logged")
    if not isinstance(known, frozenset):
        texts = (case.log.source, case.message.source)
        known = frozenset(
            found[1] for body in texts if ".cc:" in body for found in _ERROR_LINE.finditer(body)
        )
        case.readings["*logged"] = known
    return NO if known.isdisjoint(argument.split("/")) else Reading()


def _cuda_code(case: Case, argument: str) -> Reading | None:
    """Whether CUDA's status is given by one of the numbers in the argument (`700/719`) alone."""
    known = case.readings.get("*codes")
    if not isinstance(known, dict):
        known = case.readings["*codes"] = dict(_codes(case.lower))
    position = next((known[code] for code in argument.split("/") if code in known), None)
    return NO if position is None else Reading("", case.quote_raw(position))


def _codes(lower: str) -> Iterator[tuple[str, int]]:
    """Yield the numbers of CUDA's statuses with their places."""
    *plain, vague = _CODES
    for pattern in plain:
        yield from ((found[1], found.start()) for found in pattern.finditer(lower))
    for found in vague.finditer(lower):
        line = lower.rfind("\n", 0, found.start()) + 1
        if _NAMED_BEFORE.search(lower, max(line, found.start() - 200), found.start()):
            yield found[1], found.start()


READINGS: dict[str, Function] = {
    "library-missing": _library_missing,
    "library-found": _library_found,
    "kernel-driver-runs": _kernel_driver_runs,
    "gpu-lost": gpu_lost,
    "cuda-code": _cuda_code,
    "logged-by": _logged_by,
}
