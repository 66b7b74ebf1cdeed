"""Readings of memory: what was free, what was asked for, what the allocator's dump says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.readings import figures as printed
from pytest_tfgpu.diagnosis.readings.base import NO, Function, Probe, Reading, human, size
from pytest_tfgpu.diagnosis.readings.figures import MIB, Memory, figures, tensor_bytes
from pytest_tfgpu.model import EvidenceLine

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.case import Case

HOST_ALLOCATORS = ("cpu", "mklcpu", "host_bfc", "cpu_bfc")
_REFUSED = Probe(
    r"STATUS_ALLOC_FAILED|the resource allocation failed|CUDA_ERROR_OUT_OF_MEMORY",
    "alloc_failed",
    "allocation failed",
    "out_of_memory",
)
_CHUNKS = Probe(r"\b(\d{1,7}) Chunks of size (\d{1,15}) totalling", "chunks of size")
_WARNED = Probe(r"Allocation of (\d{1,18}) exceeds \d", "allocation of")
_PILE = 1000
_ALLOCATION = Probe(
    r"OOM when|out of memory|[Uu]nable to allocate|MemoryError|failed to alloc",
    "oom",
    "memory",
    "alloc",
    flags=re.IGNORECASE,
)


def _free_low(case: Case, _: str) -> Reading | None:
    """Whether next to no GPU memory is free."""
    memory = figures(case)
    if (
        memory.free_now is None
        or memory.total is None
        or memory.free_now > max(0.06 * memory.total, 350 * MIB)
    ):
        return NO
    return Reading(
        f"Only {human(memory.free_now)} of {human(memory.total)} GPU memory were free.",
        _free_quote(case, memory),
    )


def _free_much(case: Case, _: str) -> Reading | None:
    """Whether much GPU memory was free when it failed, by a figure that was printed then."""
    memory = figures(case)
    if (
        not memory.free_printed
        or memory.free_now is None
        or memory.total is None
        or memory.free_now < max(0.15 * memory.total, 1024 * MIB)
    ):
        return NO
    return Reading(
        f"{human(memory.free_now)} of {human(memory.total)} GPU memory were free.", _free_quote(case, memory)
    )


_ROOM = 768 * MIB
"""What a CUDA library takes at most to start."""


def _room(case: Case, _: str) -> Reading | None:
    """Whether enough GPU memory for a CUDA library to start in was free when it failed, by a figure printed then."""
    memory = figures(case)
    if not memory.free_printed or memory.free_now is None or memory.free_now < _ROOM:
        return NO
    return Reading(f"{human(memory.free_now)} of GPU memory were free.", _free_quote(case, memory))


def _free_quote(case: Case, memory: Memory) -> EvidenceLine:
    quote = printed.FREE_NOW.quote(case) or printed.FREE_ASYNC.quote(case) or printed.SMI.quote(case)
    return quote or EvidenceLine(f"{human(memory.free_now or 0)} free of {human(memory.total or 0)}", "facts")


_OWN_SHARE = 1024 * MIB
"""What a CUDA context and TensorFlow's reserve for the system take of a GPU at most, before TensorFlow's own share."""


def _started_short(case: Case, _: str) -> Reading | None:
    """Whether much of the GPU's memory was taken before TensorFlow asked for any."""
    memory = figures(case)
    start = memory.free_start
    if start is None and memory.limit and "host" not in (case.evidence.allocator or ""):
        start = memory.limit if _on_gpu(case) else None
    if start is None or memory.total is None or start > 0.7 * memory.total:
        return NO
    if memory.total - start < _OWN_SHARE or _limited(case, start):
        return NO
    sentence = f"TensorFlow was given {human(start)} of the GPU's {human(memory.total)} when it started."
    return Reading(
        sentence, printed.FREE_START.quote(case) or printed.CREATED.quote(case) or printed.LIMIT.quote(case)
    )


def _started_free(case: Case, _: str) -> Reading | None:
    """Whether next to nobody held memory of the GPU when TensorFlow started, by what it printed then."""
    found = printed.FREE_START.search(case)
    total, free = (size(found[1]), size(found[2])) if found else (None, None)
    if not total or not free or free < 0.93 * total:
        return NO
    sentence = f"{human(free)} of the GPU's {human(total)} were free when TensorFlow started."
    return Reading(sentence, printed.FREE_START.quote(case))


def _limited(case: Case, share: int) -> bool:
    """Whether TensorFlow was given so little because it was told to: nobody else holds memory of the GPU.

    What is taken of it, by the facts, is then no more than this process may hold itself.
    """
    gpus = case.facts.visible or case.facts.gpus
    if case.facts.gpu_processes or not gpus or printed.FREE_START.search(case):
        return False
    total, free = gpus[0].memory_total_mib, gpus[0].memory_free_mib
    return total is not None and free is not None and (total - free) * MIB <= share + _OWN_SHARE


def _started_full(case: Case, _: str) -> Reading | None:
    """Whether TensorFlow took nearly all of the GPU's memory at the start."""
    memory = figures(case)
    if case.facts.memory_growth or memory.free_start is None:
        return NO
    quote = printed.CREATED.quote(case)
    if not quote or (memory.total is not None and memory.free_start < 0.7 * memory.total):
        return NO
    return Reading(f"TensorFlow took {human(memory.free_start)} of GPU memory when it started.", quote)


def _on_gpu(case: Case) -> bool:
    allocator = case.evidence.allocator or ""
    return allocator.upper().startswith("GPU_") and not allocator.endswith("host_bfc")


def _host(case: Case, _: str) -> Reading | None:
    """Whether the allocator that had nothing left serves host memory."""
    allocator = case.evidence.allocator or ""
    if not allocator.endswith(HOST_ALLOCATORS):
        return NO
    return Reading(f"Allocator {allocator} serves the host's memory, not the GPU's.")


def _host_took_the_same(case: Case, _: str) -> Reading | None:
    """Whether the host's allocator warned of tensors just as large as the one that found no memory."""
    asked = tensor_bytes(case)
    if not asked or _on_gpu(case) or "GPU" in (case.evidence.device or ""):
        return NO
    same = next((found for found in _WARNED.finditer(case) if int(found[1]) == asked), None)
    if same is None:
        return NO
    return Reading(f"Tensors of {human(asked)} lay in the host's memory.", case.quote_raw(same.start()))


def _on_cpu(case: Case, _: str) -> Reading | None:
    """Whether no allocator is named and the operation ran on the CPU: to fetch (`_Recv`) isn't to run there."""
    seen = case.evidence
    if seen.allocator or "CPU" not in (seen.device or "") or (seen.op or "_").startswith("_"):
        return NO
    return Reading("The operation ran on the CPU: its memory is the host's.")


def _gpu(case: Case, _: str) -> Reading | None:
    """Whether the allocator that had nothing left serves GPU memory."""
    return Reading() if _on_gpu(case) else NO


def _fragmented(case: Case, _: str) -> Reading | None:
    """Whether enough is free in total, in pieces that are each too small."""
    memory = figures(case)
    request, chunks = memory.request, memory.free_chunks
    if not request:
        return NO
    if len(chunks) > 1 and sum(chunks) >= request > max(chunks):
        sizes = f"{human(sum(chunks))} were free in {len(chunks)} pieces, the largest {human(max(chunks))}"
        return Reading(f"{sizes}; {human(request)} were asked for.", printed.FREE_CHUNK.quote(case))
    limit, used = memory.limit, memory.in_use
    if (
        limit
        and used is not None
        and limit - used >= 2 * request
        and limit - used > 0.25 * limit
        and _pool_full(case, limit)
    ):
        return Reading(
            f"{human(limit - used)} of the allocator's {human(limit)} weren't in use; {human(request)} were asked for.",
            printed.IN_USE.quote(case) or printed.SUM_IN_USE.quote(case),
        )
    return NO


def _pool_full(case: Case, limit: int) -> bool:
    """Whether the allocator had already taken all that it may from the driver."""
    region = printed.one(printed.REGION, case)
    return region is not None and region >= 0.95 * limit


def _full(case: Case, _: str) -> Reading | None:
    """Whether what was in use and what was asked for go beyond the allocator's limit."""
    memory = figures(case)
    if not memory.limit or memory.in_use is None:
        return NO
    if memory.in_use + (memory.request or 0) < 0.9 * memory.limit:
        return NO
    sentence = f"{human(memory.in_use)} of the allocator's {human(memory.limit)} were in use"
    asked = f"; {human(memory.request)} more were asked for." if memory.request else "."
    return Reading(sentence + asked, printed.IN_USE.quote(case) or printed.SUM_IN_USE.quote(case))


def _chunks_pile_up(case: Case, _: str) -> Reading | None:
    """Whether the allocator holds very many chunks of one size: something is kept in each step."""
    for found in _CHUNKS.finditer(case):
        count, each = int(found[1]), int(found[2])
        if count >= _PILE and each >= MIB // 16:
            return Reading(
                f"{count} chunks of {human(each)} each were in use.", case.quote_raw(found.start())
            )
    return NO


def _too_big(case: Case, _: str) -> Reading | None:
    """Whether one tensor alone is larger than the memory."""
    memory = figures(case)
    ceiling = memory.limit or memory.total
    if not memory.request or not ceiling or memory.request <= ceiling:
        return NO
    return Reading(f"{human(memory.request)} were asked for at once; there are {human(ceiling)}.")


def _whole_array(case: Case, _: str) -> Reading | None:
    """Whether a whole array was being copied to the GPU as one constant."""
    if case.evidence.op == "_EagerConst" or "_EagerConst" in case.raw:
        return Reading("A whole array was being copied to the GPU.")
    return NO


def _tensor(case: Case, _: str) -> Reading | None:
    """Whether the size of the tensor is known."""
    count = tensor_bytes(case)
    if not count:
        return NO
    shape = ", ".join(map(str, case.evidence.shape))
    return Reading(f"The tensor alone, shape [{shape}], takes {human(count)}.")


def _allocation(case: Case, _: str) -> Reading | None:
    """Whether the text speaks of an allocation of memory."""
    return Reading() if _ALLOCATION.pattern.search(case.evidence.message) else NO


def _refused(case: Case, _: str) -> Reading | None:
    """Whether a CUDA library says itself that it was refused memory."""
    return Reading() if _REFUSED.search(case) else NO


def _small(case: Case, _: str) -> Reading | None:
    """Whether what was asked for is a small part of the GPU's memory."""
    memory = figures(case)
    ceiling = memory.total or memory.limit
    if not memory.request or not ceiling or memory.request > 0.005 * ceiling:
        return NO
    return Reading(f"Only {human(memory.request)} were asked for, of {human(ceiling)}.")


def _shm(case: Case, _: str) -> Reading | None:
    """Whether shared memory (/dev/shm) is what is full."""
    return Reading() if "/dev/shm" in case.raw or "shared memory" in case.raw else NO


READINGS: dict[str, Function] = {
    "gpu-memory-low": _free_low,
    "gpu-memory-free": _free_much,
    "room-for-a-library": _room,
    "gpu-memory-taken-at-start": _started_short,
    "gpu-memory-free-at-start": _started_free,
    "gpu-memory-preallocated": _started_full,
    "host-allocator": _host,
    "allocated-on-cpu": _on_cpu,
    "host-took-the-same": _host_took_the_same,
    "gpu-allocator": _gpu,
    "memory-in-pieces": _fragmented,
    "allocator-full": _full,
    "chunks-pile-up": _chunks_pile_up,
    "request-beyond-limit": _too_big,
    "tensor-size": _tensor,
    "whole-array": _whole_array,
    "allocation": _allocation,
    "allocation-refused": _refused,
    "small-request": _small,
    "shared-memory": _shm,
}
