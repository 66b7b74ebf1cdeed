"""Figures of memory, gathered from what TensorFlow printed and from the facts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings.base import Probe, bounded, size

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

MIB = 1 << 20

_S = r"(\d[\d.,]{0,24} ?[KMGTPEkmgtpe]?i?B?)"
FREE_NOW = Probe(rf"Memory usage: {_S}(?: bytes)? free, {_S}(?: bytes)? total", "memory usage:")
FREE_ASYNC = Probe(rf"Free memory/Total memory: {_S}/{_S}", "free memory/total")
FREE_START = Probe(rf"totalMemory: {_S} freeMemory: {_S}", "totalmemory:")
_FREE_START_OLD = Probe(rf"Total memory: {_S}\s{{1,4}}Free memory: {_S}", "total memory:")
CREATED = Probe(
    r"Created (?:TensorFlow )?device [^\n]{0,120}? with (\d{1,9}) MB memory",
    "created device",
    "created tensorflow device",
)
SMI = Probe(r"\|\s{1,8}(\d{1,7})MiB ?/ {0,6}(\d{1,7})MiB \|", "mib /", "mib/")
LIMIT = Probe(rf"\bLimit: {{1,40}}{_S}", "limit:")
_MEMORY_LIMIT = Probe(rf"memory_limit_: {_S}", "memory_limit_")
IN_USE = Probe(rf"\bInUse: {{1,40}}{_S}", "inuse:")
SUM_IN_USE = Probe(rf"Sum Total of in-use chunks: {_S}", "sum total of in-use")
_REQUEST = Probe(
    rf"trying to allocate {_S}|while trying to allocate (\d{{1,20}}) bytes|allocating (\d{{1,20}}) bytes",
    "to allocate",
    "allocating",
)
REGION = Probe(
    rf"(?:Total bytes in pool|Total size in pool|total_region_allocated_bytes_): {_S}",
    "in pool:",
    "total_region",
)
FREE_CHUNK = Probe(rf"Free {{1,4}}at [0-9a-fx]{{1,20}} of size {_S}", "free ")
_DEVICE_MEMORY = Probe(rf"deviceMemorySize: {_S}", "devicememorysize")


_BYTES = {
    **dict.fromkeys(("float", "float32", "int32", "uint32", "qint32"), 4),
    **dict.fromkeys(("double", "float64", "int64", "uint64", "complex64"), 8),
    **dict.fromkeys(("half", "float16", "bfloat16", "int16", "uint16"), 2),
    **dict.fromkeys(("bool", "int8", "uint8"), 1),
    **dict.fromkeys(("complex128",), 16),
}


@dataclass
class Memory:
    """Figures in bytes; None: unknown."""

    total: int | None = None
    free_now: int | None = None
    """Free on the GPU when it failed."""
    free_printed: bool = False
    """Whether `free_now` was printed at the failure; facts may be older than that."""
    free_start: int | None = None
    """Free on the GPU, or granted to TensorFlow, at the start."""
    limit: int | None = None
    in_use: int | None = None
    request: int | None = None
    free_chunks: list[int] = field(default_factory=list)


def _pair(probe: Probe, case: Case) -> tuple[int | None, int | None]:
    found = probe.search(case)
    return (size(found[1]), size(found[2])) if found else (None, None)


def one(probe: Probe, case: Case) -> int | None:
    """Return the first size that a probe finds, in bytes."""
    found = probe.search(case)
    return size(next(group for group in found.groups() if group)) if found else None


def figures(case: Case) -> Memory:
    """Return the figures of memory that the case holds, gathered once."""
    known = case.readings.get("*memory")
    if not isinstance(known, Memory):
        known = case.readings["*memory"] = _gather(case)
    return known


def _gather(case: Case) -> Memory:
    memory = Memory()
    gpus = case.facts.visible or case.facts.gpus
    if gpus:
        memory.total = _mib(gpus[0].memory_total_mib)
        memory.free_now = _mib(gpus[0].memory_free_mib)
    total, free = _pair(FREE_START, case)
    if total is None:
        total, free = _pair(_FREE_START_OLD, case)
    memory.total, memory.free_start = memory.total or total, free
    if (
        memory.free_now is not None
        and free is not None
        and abs(memory.free_now - free) < 0.05 * (total or free)
    ):
        memory.free_now = None
    free, total = _pair(FREE_NOW, case)
    if total is None:
        free, total = _pair(FREE_ASYNC, case)
    if free is not None:
        memory.free_now, memory.total, memory.free_printed = free, memory.total or total, True
    row = SMI.search(case)
    if row and memory.total is None:
        memory.total = int(row[2]) * MIB
    if row and memory.free_now is None:
        memory.free_now = (int(row[2]) - int(row[1])) * MIB
    memory.total = memory.total or one(_DEVICE_MEMORY, case)
    created = CREATED.search(case)
    if created:
        memory.free_start = int(created[1]) * MIB
    memory.limit = one(LIMIT, case) or one(_MEMORY_LIMIT, case)
    memory.in_use = one(IN_USE, case)
    if memory.in_use is None:
        memory.in_use = one(SUM_IN_USE, case)
    memory.request = one(_REQUEST, case) or tensor_bytes(case)
    memory.free_chunks = [size(found[1]) or 0 for found in FREE_CHUNK.finditer(case)]
    return memory


def tensor_bytes(case: Case) -> int | None:
    """Return the bytes of the tensor that found no memory, from its shape and type; None: unknown."""
    shape = case.evidence.shape
    if not shape:
        return None
    return math.prod(shape) * _BYTES.get(case.evidence.dtype or "float", 4)


def _mib(value: int | None) -> int | None:
    return None if value is None else bounded(value * MIB)
