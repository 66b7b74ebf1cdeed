"""Who gets which GPU: from what this process sees to what each worker of a session sees. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pytest_tfgpu.environment import visibility
from pytest_tfgpu.model import Facts, Gpu

WORKER_GPU_MIB = 4096
"""Free memory of a GPU that a worker is planned with, where nobody says how many workers share it."""

WORKER_HOST_MIB = 2048
"""Free memory of the host that a worker is planned with: TensorFlow with CUDA's libraries takes most of it."""


def key(gpu: Gpu) -> str:
    """Return what tells a GPU apart on this machine: its uuid, where it has one."""
    return gpu.uuid or f"index-{gpu.index}"


def name(gpu: Gpu) -> str:
    """Return a GPU as a reader knows it: `GPU 0`, or a MIG instance by its uuid."""
    uuid = gpu.uuid or ""
    return uuid if uuid.startswith("MIG-") else f"GPU {gpu.index}"


class Place(NamedTuple):
    """A GPU that can be given to a worker, and the word for it in CUDA_VISIBLE_DEVICES."""

    token: str
    gpu: Gpu

    @property
    def key(self) -> str:
        """What tells the GPU apart on this machine."""
        return key(self.gpu)

    @property
    def name(self) -> str:
        """The GPU as a reader knows it."""
        return name(self.gpu)


class Share(NamedTuple):
    """The GPUs of one worker."""

    places: tuple[Place, ...]
    workers: int
    """How many workers have these GPUs, this one included."""

    @property
    def tokens(self) -> str:
        """The value of CUDA_VISIBLE_DEVICES."""
        return ",".join(place.token for place in self.places)

    def memory_mib(self) -> dict[str, int]:
        """Return the memory that each of these workers may take, by the GPU's key; {} where it has them alone."""
        if self.workers == 1:
            return {}
        free = {place.key: place.gpu.memory_free_mib for place in self.places}
        return {key: mib // self.workers for key, mib in free.items() if mib is not None}


def places(facts: Facts) -> tuple[Place, ...]:
    """Return the GPUs that this process may give away, in its own order.

    The words are those of its own CUDA_VISIBLE_DEVICES. Where that isn't set they are indices, and uuids where an
    index could mean another GPU: unlike GPUs, which CUDA numbers by speed unless CUDA_DEVICE_ORDER says otherwise,
    and MIG instances, of which a process sees one but each worker can have its own.
    """
    if not facts.gpus or facts.visible_gpus == ():
        return ()
    value = facts.environment.get("CUDA_VISIBLE_DEVICES")
    if value is not None:
        tokens = [token.strip() for token in value.split(",")]
        positions = visibility.listed_positions(facts.gpus, value)
        return tuple(Place(tokens[n], facts.gpus[position]) for n, position in enumerate(positions))
    seen = facts.visible
    instances = any((gpu.uuid or "").startswith("MIG-") for gpu in seen)
    gpus = facts.gpus if instances else seen
    by_speed = facts.environment.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID"
    unlike = len({gpu.name for gpu in facts.gpus}) > 1 and by_speed
    if (instances or unlike) and all(gpu.uuid for gpu in gpus):
        return tuple(Place(str(gpu.uuid), gpu) for gpu in gpus)
    return tuple(Place(str(n if gpu.index is None else gpu.index), gpu) for n, gpu in enumerate(gpus))


def assign(places: Sequence[Place], workers: int, per_worker: int = 1) -> tuple[Share, ...]:
    """Return the share of each of `workers` workers, `per_worker` GPUs each (all, where there are fewer).

    More workers than there are GPUs for share them in turn. GPUs that are too few for another worker stay unused.
    """
    groups = _groups(places, per_worker)
    sizes = [len(range(number, workers, len(groups))) for number in range(len(groups))]
    numbers = [worker % len(groups) for worker in range(workers)] if groups else []
    return tuple(Share(groups[number], sizes[number]) for number in numbers)


def room(places: Sequence[Place], per_worker: int = 1, per_gpu: int | None = None) -> int:
    """Return how many workers these GPUs have room for: `per_gpu` on each, else by free memory, one at least."""
    return sum(per_gpu or _by_memory(group) for group in _groups(places, per_worker))


def _by_memory(group: Sequence[Place]) -> int:
    free = [place.gpu.memory_free_mib or 0 for place in group]
    return max(1, min(free) // WORKER_GPU_MIB)


def _groups(places: Sequence[Place], per_worker: int) -> list[tuple[Place, ...]]:
    size = min(per_worker, len(places))
    if size < 1:
        return []
    return [tuple(places[first : first + size]) for first in range(0, len(places) - size + 1, size)]
