"""Which GPUs CUDA_VISIBLE_DEVICES leaves, as the CUDA driver reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_tfgpu.model import Gpu

_NUMBER = r"\s*([+-]?[0-9]+)"
_LONG_MAX = 2**63 - 1


def hides_all(value: str | None) -> bool:
    """Whether `value` leaves no GPU on any machine: empty, or an invalid or negative first entry."""
    if value is None:
        return False
    first = value.split(",")[0].strip()
    return not _is_uuid(first) and _number(first) < 0


def visible_positions(gpus: Sequence[Gpu], value: str | None) -> tuple[int, ...]:
    """Return the positions in `gpus` that a process with CUDA_VISIBLE_DEVICES=`value` sees, in CUDA's order.

    Entries are ordinals, or beginnings of a `GPU-` or `MIG-` uuid that fit one device; the first entry says
    which kind the list is of. Reading stops at the first entry that names no device, and a device named twice
    leaves none (CUDA C++ Programming Guide, "CUDA Environment Variables"). `None` is the variable not set. Of
    MIG instances a process sees one (MIG User Guide, "CUDA Device Enumeration").
    """
    return _one_instance(gpus, listed_positions(gpus, value))


def listed_positions(gpus: Sequence[Gpu], value: str | None) -> tuple[int, ...]:
    """Return the positions in `gpus` that `value` lists, in its order, entry by entry; all where it is None.

    These are what processes can be given one by one: of MIG instances, a process that is given several sees one.
    """
    if value is None:
        return tuple(range(len(gpus)))
    positions: list[int] = []
    tokens = [token.strip() for token in value.split(",")]
    by_uuid = _is_uuid(tokens[0])
    for token in tokens:
        position = _by_uuid(gpus, token) if by_uuid else _by_ordinal(gpus, _number(token))
        if position is None:
            break
        if position in positions:
            return ()
        positions.append(position)
    return tuple(positions)


def _is_uuid(token: str) -> bool:
    return token.startswith(("GPU-", "MIG-"))


def _number(token: str) -> int:
    """Read a number as C's strtol does: as far as it goes, clamped; -1 where none begins."""
    match = re.match(_NUMBER, token)
    if match is None:
        return -1
    if len(match[1]) > 18:
        return -1 if match[1].startswith("-") else _LONG_MAX
    return int(match[1])


def _by_ordinal(gpus: Sequence[Gpu], number: int) -> int | None:
    for position, gpu in enumerate(gpus):
        if (position if gpu.index is None else gpu.index) == number:
            return position
    return None


def _by_uuid(gpus: Sequence[Gpu], token: str) -> int | None:
    if not _is_uuid(token):
        return None
    fitting = [position for position, gpu in enumerate(gpus) if (gpu.uuid or "").startswith(token)]
    return fitting[0] if len(fitting) == 1 else None


def _one_instance(gpus: Sequence[Gpu], positions: tuple[int, ...]) -> tuple[int, ...]:
    instances = [position for position in positions if (gpus[position].uuid or "").startswith("MIG-")]
    if not instances:
        return positions
    if positions[0] in instances:
        return positions[:1]
    return tuple(position for position in positions if position not in instances)
