"""The page that shows annotated reports: it says what is printed today."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest

from . import show

BLOCK = re.compile(r"^```text\n(.*?)\n```$", re.S | re.M)


@pytest.fixture(scope="module")
def shown() -> dict[str, tuple[str, str]]:
    """The test and the output that the page shows, by scene."""
    blocks = BLOCK.findall(show.PAGE.read_text("utf-8"))
    return dict(zip(show.SCENES, zip(blocks[::2], blocks[1::2], strict=True), strict=True))


def test_the_page_says_what_is_printed(workshop: Path, shown: dict[str, tuple[str, str]]) -> None:
    """Exception, cause, evidence and help stand on the page as they are printed.

    Where they don't: python -m tests.simulated.show --write. Another TensorFlow than the page's words its errors
    in its own way: then the causes named are the same.
    """
    same = f"Made with TensorFlow {version('tensorflow')} " in show.PAGE.read_text("utf-8")
    for name, printed in show.play(list(show.SCENES)).items():
        test, output = shown[name]
        assert test == show.SCENES[name].test.strip()
        if same:
            assert show.decisive(output) == show.decisive(printed)
        else:
            causes = [re.findall(r"\[([a-z-]+)\]$", text, re.M)[:1] for text in (output, printed)]
            assert causes[0] == causes[1] != []


def test_what_the_page_is_there_for(shown: dict[str, tuple[str, str]]) -> None:
    """The page shows a ResourceExhaustedError by the GPU's allocator and an UnknownError out of Conv2D."""
    memory, convolution = shown["out-of-memory"][1], shown["convolution-fails"][1]
    assert "ResourceExhaustedError" in memory
    assert "by allocator GPU_0_bfc" in memory
    assert "UnknownError" in convolution
    assert "[Op:Conv2D]" in convolution


def test_nothing_of_this_machine_is_on_the_page() -> None:
    """Folders, times and process ids are left out."""
    text = show.PAGE.read_text("utf-8")
    assert not re.search(r"(?<![.\w])/(root|home|tmp|work|usr)/", text)
    assert not re.search(r"\d\d:\d\d:\d+\.\d{4}|\bin \d+\.\d+s\b", text)


def test_an_unknown_scene(capsys: pytest.CaptureFixture[str]) -> None:
    """A scene that isn't there ends the program with 2 and the names of those that are."""
    assert show.main(["nothing"]) == 2
    assert "known: out-of-memory, " in capsys.readouterr().err
