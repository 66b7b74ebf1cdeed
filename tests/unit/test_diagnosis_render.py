"""The section that explains a failure, word for word, for each combination of its optional parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_tfgpu.diagnosis.render import render
from pytest_tfgpu.model import Diagnosis, EvidenceLine, Help

BARE = Diagnosis("gpu-busy", "environment", "likely", "The GPU accepts no further process.")
QUOTE = EvidenceLine("all CUDA-capable devices are busy", "exception")
LOGGED = EvidenceLine("E cuda_driver.cc:1] failed", "standard error", 12)
SURE = Help("Wait for the other process.")
UNSURE = Help("Choose another GPU.", sure=False)


def test_the_least_is_cause_and_where_to_read_more() -> None:
    """A diagnosis without optional parts is two lines and a gap."""
    assert render(BARE) == [
        "Likely cause: The GPU accepts no further process. [gpu-busy]",
        "",
        "More: tfgpu explain gpu-busy",
    ]


def test_all_parts_in_their_order() -> None:
    """Cause, evidence with origin and line, note, help, what is worth a try, alternatives, more."""
    full = replace(
        BARE,
        evidence=(QUOTE, LOGGED),
        note="The GPU is in exclusive compute mode.",
        help=(SURE, UNSURE),
        alternatives=("vgpu-unlicensed", "memory-held-by-other-process"),
    )
    assert render(full) == [
        "Likely cause: The GPU accepts no further process. [gpu-busy]",
        "",
        "exception:",
        "  all CUDA-capable devices are busy",
        "",
        "standard error, line 12:",
        "  E cuda_driver.cc:1] failed",
        "",
        "Note: The GPU is in exclusive compute mode.",
        "",
        "Help: Wait for the other process.",
        "Worth a try: Choose another GPU.",
        "",
        "Also possible: vgpu-unlicensed, memory-held-by-other-process",
        "",
        "More: tfgpu explain gpu-busy",
    ]


@pytest.mark.parametrize(
    ("confidence", "words"),
    [("confirmed", "Cause"), ("likely", "Likely cause"), ("possible", "Possible cause")],
)
def test_confidence_is_said_in_words(confidence: str, words: str) -> None:
    """How sure the diagnosis is begins the first line."""
    first = render(replace(BARE, confidence=confidence))[0]  # type: ignore[arg-type]
    assert first == f"{words}: The GPU accepts no further process. [gpu-busy]"


def test_what_is_not_the_gpus_is_said_so() -> None:
    """A failure that only wears a GPU-looking class is declared innocent of it."""
    assert render(replace(BARE, category="not-gpu"))[1] == "This is not a failure of the GPU."


@pytest.mark.parametrize(
    ("part", "lines"),
    [
        ({"evidence": (QUOTE,)}, ["exception:", "  all CUDA-capable devices are busy"]),
        ({"evidence": (EvidenceLine("text"),)}, ["seen:", "  text"]),
        ({"note": "A note."}, ["Note: A note."]),
        ({"help": (SURE,)}, ["Help: Wait for the other process."]),
        ({"help": (UNSURE,)}, ["Worth a try: Choose another GPU."]),
        ({"alternatives": ("gpu-fault",)}, ["Also possible: gpu-fault"]),
    ],
)
def test_each_part_stands_alone(part: dict[str, object], lines: list[str]) -> None:
    """Any part may be there without the others."""
    assert render(replace(BARE, **part), explain=False) == [  # type: ignore[arg-type]
        "Likely cause: The GPU accepts no further process. [gpu-busy]",
        "",
        *lines,
    ]


def test_where_nothing_explains_causes_nothing_points_there() -> None:
    """The last line is left out where the command doesn't know the cause."""
    assert render(BARE, explain=False) == ["Likely cause: The GPU accepts no further process. [gpu-busy]"]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    """Long texts are wrapped between words, and continued with an indent."""
    long = "word " * 60
    full = replace(
        BARE, evidence=(EvidenceLine(long, "log"),), note=long, help=(Help(long),), alternatives=("a-b",) * 40
    )
    lines = render(full, width=width)
    assert max(map(len, lines)) <= width
    assert "  word word" in "\n".join(lines)


def test_a_long_quote_is_cut() -> None:
    """Of a quote that goes on and on the first four lines are shown."""
    full = replace(BARE, evidence=(EvidenceLine("\n".join(f"line {n}" for n in range(9)), "log"),))
    assert render(full, explain=False)[-4:] == ["  line 0", "  line 1", "  line 2", "  line 3 ..."]


def test_a_path_is_never_broken() -> None:
    """One long word may be wider than the terminal: it stays whole, to be copied."""
    path = "/usr/lib/" + "x" * 120
    assert f"  {path}" in render(replace(BARE, evidence=(EvidenceLine(path, "log"),)))
