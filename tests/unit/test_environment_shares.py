"""Who gets which GPU, for one to twelve GPUs, alike and unlike, whole and in instances."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from pytest_tfgpu.environment.shares import Place, assign, places, room
from pytest_tfgpu.environment.visibility import visible_positions
from pytest_tfgpu.model import Facts, Gpu


def gpus(number: int, free: int = 8000) -> tuple[Gpu, ...]:
    """Return so many GPUs alike."""
    return tuple(
        Gpu(index=n, name="Tesla T4", uuid=f"GPU-{n:04x}", memory_free_mib=free) for n in range(number)
    )


MIXED = (
    Gpu(index=0, name="Tesla T4", uuid="GPU-0000"),
    Gpu(index=1, name="NVIDIA A100", uuid="GPU-0001"),
)
INSTANCES = (
    Gpu(index=0, name="NVIDIA A100 MIG 1g.5gb", uuid="MIG-aaaa"),
    Gpu(index=0, name="NVIDIA A100 MIG 1g.5gb", uuid="MIG-bbbb"),
    Gpu(index=1, name="NVIDIA A100", uuid="GPU-0001"),
)


def facts(here: tuple[Gpu, ...], value: str | None = None, order: str | None = None) -> Facts:
    """Return the facts of a process with this CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER."""
    variables = {"CUDA_VISIBLE_DEVICES": value, "CUDA_DEVICE_ORDER": order}
    return Facts(
        gpus=here,
        visible_gpus=visible_positions(here, value),
        environment={name: given for name, given in variables.items() if given is not None},
    )


@pytest.mark.parametrize(
    ("here", "value", "order", "tokens"),
    [
        (gpus(1), None, None, ["0"]),
        (gpus(4), None, None, ["0", "1", "2", "3"]),
        (gpus(12), None, None, [str(n) for n in range(12)]),
        (gpus(4), "1", None, ["1"]),
        (gpus(4), " 2 , 0", None, ["2", "0"]),
        (gpus(4), "GPU-0003,GPU-0001", None, ["GPU-0003", "GPU-0001"]),
        (gpus(4), "1,7,2", None, ["1"]),
        (gpus(4), "7", None, []),
        (gpus(4), "", None, []),
        (gpus(4), "-1", None, []),
        (gpus(4), "1,1", None, []),
        ((), None, None, []),
        (MIXED, None, None, ["GPU-0000", "GPU-0001"]),
        (MIXED, None, "PCI_BUS_ID", ["0", "1"]),
        (MIXED, "1,0", None, ["1", "0"]),
        (INSTANCES, None, None, ["MIG-aaaa", "MIG-bbbb", "GPU-0001"]),
        (INSTANCES, "MIG-b,MIG-a", None, ["MIG-b", "MIG-a"]),
        (INSTANCES, "GPU-0001", None, ["GPU-0001"]),
    ],
)
def test_what_can_be_given_away(
    here: tuple[Gpu, ...], value: str | None, order: str | None, tokens: list[str]
) -> None:
    """The words are the outer list's own, else indices, else uuids where an index could mean another GPU."""
    assert [place.token for place in places(facts(here, value, order))] == tokens


def test_words_stand_for_their_gpus() -> None:
    """A word of the outer list and the GPU beside it are the same one."""
    found = places(facts(gpus(4), "GPU-0002,GPU-0000"))
    assert [(place.token, place.gpu.index) for place in found] == [("GPU-0002", 2), ("GPU-0000", 0)]


def test_hidden_by_facts_of_others() -> None:
    """Where the facts say that no GPU is visible there is none to give, whatever their environment says."""
    assert places(replace(facts(gpus(2)), visible_gpus=())) == ()


@pytest.mark.parametrize(
    ("number", "workers", "each", "expected"),
    [
        (1, 1, 1, ["0"]),
        (1, 3, 1, ["0", "0", "0"]),
        (4, 2, 1, ["0", "1"]),
        (4, 6, 1, ["0", "1", "2", "3", "0", "1"]),
        (4, 2, 2, ["0,1", "2,3"]),
        (3, 2, 2, ["0,1", "0,1"]),
        (2, 2, 4, ["0,1", "0,1"]),
        (12, 12, 1, [str(n) for n in range(12)]),
        (0, 4, 1, []),
        (4, 0, 1, []),
    ],
)
def test_assignment(number: int, workers: int, each: int, expected: list[str]) -> None:
    """Workers get GPUs in turn; what is too little for another worker stays unused."""
    shares = assign(places(facts(gpus(number))), workers, each)
    assert [share.tokens for share in shares] == expected


@given(integers(1, 13), integers(1, 40), integers(1, 5))
def test_assignment_is_even(number: int, workers: int, each: int) -> None:
    """Each worker gets the GPUs asked for, or all; no group of them has two workers more than another."""
    shares = assign(places(facts(gpus(number))), workers, each)
    assert {len(share.places) for share in shares} == {min(number, each)}
    having: dict[str, int] = {}
    for share in shares:
        having[share.tokens] = having.get(share.tokens, 0) + 1
    assert all(having[share.tokens] == share.workers for share in shares)
    assert max(having.values()) - min(having.values()) <= 1
    taken = [token for tokens in having for token in tokens.split(",")]
    assert len(taken) == len(set(taken))


def test_memory_of_a_shared_gpu() -> None:
    """Workers that share a GPU share its free memory; one that has it alone has no limit, and unknown stays unknown."""
    three = assign(places(facts(gpus(2, free=9000))), 3)
    assert [share.memory_mib() for share in three] == [{"GPU-0000": 4500}, {}, {"GPU-0000": 4500}]
    unknown = (Gpu(index=0),)
    assert [share.memory_mib() for share in assign(places(facts(unknown)), 2)] == [{}, {}]


@pytest.mark.parametrize(
    ("number", "free", "each", "per_gpu", "expected"),
    [
        (1, 3000, 1, None, 1),
        (1, 16000, 1, None, 3),
        (4, 16000, 1, None, 12),
        (4, 16000, 1, 1, 4),
        (4, 16000, 2, None, 6),
        (4, 16000, 2, 3, 6),
        (3, 16000, 2, 1, 1),
        (2, 16000, 4, 1, 1),
        (0, 16000, 1, 2, 0),
    ],
)
def test_room(number: int, free: int, each: int, per_gpu: int | None, expected: int) -> None:
    """There is room for as many workers as were asked for on each GPU, else for one per 4 GiB of free memory."""
    assert room(places(facts(gpus(number, free))), each, per_gpu) == expected


def test_names() -> None:
    """A reader knows a GPU by its index and an instance by its uuid; a lock knows both by their uuid."""
    whole, part, bare = (Place("0", gpu) for gpu in (MIXED[1], INSTANCES[1], Gpu(index=3)))
    assert [place.name for place in (whole, part, bare)] == ["GPU 1", "MIG-bbbb", "GPU 3"]
    assert [place.key for place in (whole, part, bare)] == ["GPU-0001", "MIG-bbbb", "index-3"]
