"""Readings of the lists of kernels that TensorFlow prints when it has none for an operation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import NO, Function, Probe, Reading

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

_NONE = Probe(r"<no registered kernels>", "no registered kernels")
_ROW = Probe(r"device='([A-Z_]{3,20})'(?:; label='[^'\n]{0,40}')?([^\n]{0,300})", "device=")
_TYPES = re.compile(r"(\w{1,20}) in \[([^\]\n]{0,300})\]")
_DEVICES = Probe(r"Registered devices: \[([^\]\n]{0,200})\]", "registered devices")
_DEPTHS = Probe(
    r"input depth of (\d{1,6}) does not match the filter input depth of (\d{1,6})|"
    r"[Cc]omputed input depth (\d{1,6}) doesn't match filter input depth (\d{1,6})|"
    r"divisible by filter depth: (\d{1,6}) vs (\d{1,6})",
    "input depth",
)
_ASKED = Probe(r"\b(\w{1,20})=(DT_[A-Z0-9]{2,12})\b", "dt_")
_WANTED_DEVICE = Probe(
    r"no supported kernel for (\w{3,12}) devices|OpKernel for '?(\w{3,12})'? devices|"
    r"device specification '[^'\n]{0,80}?(GPU|CPU):\d",
    "opkernel",
    "no supported kernel",
    "device specification",
    flags=re.IGNORECASE,
)


@dataclass
class Kernels:
    """Registered kernels: device -> attribute -> types; attributes that were asked for; the device wanted."""

    none: bool
    rows: dict[str, dict[str, set[str]]]
    asked: dict[str, str]
    wanted: str | None


def listed(case: Case) -> Kernels | None:
    """Return the list of kernels that the case holds, or None."""
    known = case.readings.get("*kernels")
    if known is None:
        known = case.readings["*kernels"] = _gather(case)
    return known if isinstance(known, Kernels) and (known.none or known.rows) else None


def _gather(case: Case) -> Kernels:
    rows: dict[str, dict[str, set[str]]] = {}
    for row in _ROW.finditer(case):
        device, rest = row.groups()
        types = rows.setdefault(device, {})
        for attribute, names in _TYPES.findall(rest):
            types.setdefault(attribute, set()).update(name.strip() for name in names.split(","))
    wanted = _WANTED_DEVICE.search(case)
    device = next((group for group in wanted.groups() if group), None) if wanted else _placed_on(case)
    return Kernels(
        none=bool(_NONE.search(case)),
        rows=rows,
        asked={found[1]: found[2] for found in _ASKED.finditer(case)},
        wanted=device.upper() if device else None,
    )


def _placed_on(case: Case) -> str | None:
    """Return the type of the device on which the operation was to run."""
    return case.evidence.device.split(":")[1] if case.evidence.device else None


def _no_kernels(case: Case, _: str) -> Reading | None:
    """Whether the build has no kernel at all for the operation."""
    kernels = listed(case)
    return (
        Reading("This build has no kernel for the operation.", _NONE.quote(case))
        if kernels and kernels.none
        else NO
    )


def _only(case: Case, argument: str) -> Reading | None:
    """Whether Kernels exist for devices of one type only (`CPU`, `GPU`)."""
    kernels = listed(case)
    real = {device for device in kernels.rows if not device.startswith("XLA")} if kernels else set()
    if real != {argument}:
        return NO
    return Reading(f"The operation has kernels for the {argument} only.", _ROW.quote(case))


def _lacks_type(case: Case, _: str) -> Reading | None:
    """Whether there are kernels for the device, for other data types."""
    kernels = listed(case)
    if not kernels or not kernels.rows:
        return NO
    for attribute, asked in kernels.asked.items():
        offered = [types[attribute] for device, types in _rows_in_use(kernels).items() if attribute in types]
        wanted = kernels.rows.get(kernels.wanted or "", {}).get(attribute)
        pool = wanted if wanted is not None else set().union(*offered)
        if offered and asked not in pool:
            return Reading(f"No kernel takes {asked[3:].lower()}.", _ROW.quote(case))
    return NO


def _rows_in_use(kernels: Kernels) -> dict[str, dict[str, set[str]]]:
    """Return the rows of devices that run operations one by one; XLA's only where there are no others."""
    return {
        device: types for device, types in kernels.rows.items() if not device.startswith("XLA")
    } or kernels.rows


def _every_device(case: Case, _: str) -> Reading | None:
    """Whether there are kernels, by data types, for the device wanted or for all devices that TensorFlow has."""
    kernels = listed(case)
    if not kernels or not kernels.rows:
        return NO
    typed = {device for device, types in kernels.rows.items() if types}
    devices = _DEVICES.search(case)
    present = {name.strip() for name in devices[1].split(",")} if devices else set()
    present = {name for name in present if not name.startswith("XLA")}
    wanted = {kernels.wanted} if kernels.wanted else present
    return Reading("", _ROW.quote(case)) if wanted and wanted <= typed else NO


def _typed_for_device(case: Case, argument: str) -> Reading | None:
    """Whether Kernels for the device in the argument are listed with their data types."""
    kernels = listed(case)
    if not kernels or not any(device.endswith(argument) and types for device, types in kernels.rows.items()):
        return NO
    return Reading("", _ROW.quote(case))


def _layout(case: Case, _: str) -> Reading | None:
    """Whether the layout of the data is what the device lacks."""
    return Reading() if re.search(r"\bN(?:D)?HWC\b", case.evidence.message) else NO


def _depths(case: Case) -> tuple[int, int] | None:
    """Return the depth of a convolution's input and that of its filter, where both are printed."""
    found = _DEPTHS.search(case)
    if not found:
        return None
    first, second = [int(group) for group in found.groups() if group]
    return (first, second) if second else None


def _depths_fit(case: Case, _: str) -> Reading | None:
    """Whether the input's depth is a multiple of the filter's: a real grouped convolution."""
    depths = _depths(case)
    if not depths or depths[0] % depths[1]:
        return NO
    return Reading(
        f"The input's depth {depths[0]} is a multiple of the filter's {depths[1]}: {depths[0] // depths[1]} groups."
    )


def _depths_unfit(case: Case, _: str) -> Reading | None:
    """Whether the input's depth is no multiple of the filter's: no grouping can fit."""
    depths = _depths(case)
    if not depths or not depths[0] % depths[1]:
        return NO
    return Reading(f"The input's depth {depths[0]} is no multiple of the filter's {depths[1]}.")


READINGS: dict[str, Function] = {
    "no-kernels": _no_kernels,
    "kernels-only-for": _only,
    "kernels-lack-type": _lacks_type,
    "kernels-for-every-device": _every_device,
    "kernels-typed-for": _typed_for_device,
    "layout-unsupported": _layout,
    "depths-fit-for-groups": _depths_fit,
    "depths-unfit-for-groups": _depths_unfit,
}
