"""CUDA_VISIBLE_DEVICES, read as CUDA reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import text

from pytest_tfgpu.environment.visibility import hides_all, visible_positions
from pytest_tfgpu.model import Gpu

GPUS = (
    Gpu(index=0, uuid="GPU-aaaa1111-0000"),
    Gpu(index=1, uuid="GPU-aaaa2222-0000"),
    Gpu(index=2, uuid="GPU-bbbb3333-0000"),
)
INSTANCES = (
    Gpu(index=0, uuid="MIG-1111-a"),
    Gpu(index=0, uuid="MIG-2222-b"),
    Gpu(index=1, uuid="GPU-cccc"),
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (0, 1, 2)),
        ("0", (0,)),
        ("2,0", (2, 0)),
        ("0,1,2", (0, 1, 2)),
        (" 1 , 2 ", (1, 2)),
        ("+1", (1,)),
        ("", ()),
        ("-1", ()),
        ("-1,0", ()),
        ("0,-1,1", (0,)),
        ("0,7,1", (0,)),
        ("7", ()),
        ("0,0", ()),
        ("1,2,1", ()),
        ("none", ()),
        ("NoDevFiles", ()),
        ("1x,2y", (1, 2)),
        (",0", ()),
        ("0,,1", (0,)),
        ("GPU-aaaa1111-0000", (0,)),
        ("GPU-bbbb", (2,)),
        ("GPU-b,GPU-aaaa1", (2, 0)),
        ("GPU-aaaa", ()),
        ("GPU-b,GPU-aaaa,GPU-aaaa1", (2,)),
        ("GPU-zzzz", ()),
        ("GPU-b,GPU-bbbb", ()),
        ("GPU-b,0", (2,)),
        ("0,GPU-b", (0,)),
        ("gpu-b", ()),
        ("9" * 5000, ()),
        ("0," + "9" * 5000, (0,)),
        ("-" + "9" * 5000, ()),
        ("\u0663", ()),
    ],
)
def test_value(value: str | None, expected: tuple[int, ...]) -> None:
    """Each form of the value leaves the devices that CUDA would enumerate, in its order."""
    assert visible_positions(GPUS, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, (0,)),
        ("MIG-2222-b", (1,)),
        ("MIG-2", (1,)),
        ("MIG-2222-b,MIG-1111-a", (1,)),
        ("0", (0,)),
        ("1", (2,)),
        ("GPU-c", (2,)),
        ("1,0", (2,)),
        ("MIG-9", ()),
    ],
)
def test_instances(value: str | None, expected: tuple[int, ...]) -> None:
    """Of MIG instances one process sees a single one, the first that is named."""
    assert visible_positions(INSTANCES, value) == expected


@pytest.mark.parametrize("value", ["", "-1", "-1,0", "none", ",0", " "])
def test_values_that_hide_all(value: str) -> None:
    """Values that leave nothing are known as such without a list of GPUs."""
    assert hides_all(value)
    assert visible_positions(GPUS, value) == ()


@pytest.mark.parametrize("value", [None, "0", "0,-1", "GPU-", "MIG-1", "7"])
def test_values_that_depend_on_the_machine(value: str | None) -> None:
    """Values that leave a GPU on some machine don't hide all."""
    assert not hides_all(value)


def test_order_of_the_driver_counts_where_numbers_are_unknown() -> None:
    """Devices without an index of their own are numbered as they stand."""
    assert visible_positions((Gpu(name="a"), Gpu(name="b")), "1") == (1,)


@given(text())
def test_any_text(value: str) -> None:
    """Any text whatever gives distinct positions of GPUs that exist."""
    positions = visible_positions(GPUS, value)
    assert len(set(positions)) == len(positions)
    assert set(positions) <= {0, 1, 2}
    assert not (hides_all(value) and positions)


def test_no_gpus() -> None:
    """On a machine without GPUs nothing is visible, whatever the value."""
    assert visible_positions((), "0") == visible_positions((), None) == ()
