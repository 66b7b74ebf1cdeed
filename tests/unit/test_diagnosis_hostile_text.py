"""No text makes a regular expression of the diagnosis slow."""

from __future__ import annotations

import importlib
import pkgutil
import re
import signal
import sys
import time
from collections.abc import Iterator
from types import FrameType

import pytest

from pytest_tfgpu import diagnosis
from pytest_tfgpu.diagnosis import readings
from pytest_tfgpu.diagnosis.readings.base import Probe

LENGTH = 4000
SECONDS = 2.0
UNITS = (
    *(
        "a",
        "A",
        "1",
        " ",
        "_",
        ".",
        ":",
        "/",
        "[",
        "'",
        "\n",
        "\t",
        "a.",
        "_a",
        "1.",
        "1,",
        " 1",
        "a:1",
        "A: ",
        "a: ",
    ),
    *("/a..", "../", "[[", "{{", "::", "x=", " a", " 12MiB /", "|  1MiB ", "device:", "Killed ", "\n \n"),
)
"""What hostile texts are made of: each, over and over."""


def _expressions() -> dict[str, re.Pattern[str]]:
    """Return all regular expressions of the diagnosis, by the names that they have in their modules."""
    found: dict[str, re.Pattern[str]] = {}

    def collect(name: str, value: object) -> None:
        if isinstance(value, Probe):
            found[name] = value.pattern
        elif isinstance(value, re.Pattern):
            found[name] = value
        elif isinstance(value, (tuple, list)):
            for position, item in enumerate(value):
                collect(f"{name}[{position}]", item)

    for package in (diagnosis, readings):
        for module in pkgutil.iter_modules(package.__path__):
            for name, value in vars(importlib.import_module(f"{package.__name__}.{module.name}")).items():
                collect(f"{module.name}.{name}", value)
    return found


EXPRESSIONS = _expressions()


def hostile(expression: re.Pattern[str]) -> Iterator[str]:
    """Yield texts made of repetitions, and of the expression's own literal words with repetitions after them."""
    bare = re.sub(r"\(\?[:=!<]*|\\[dwsbSDWAZ]|\{[\d,]*\}|[\[\]()|?*+^$\\]", " ", expression.pattern)
    words = [word for word in re.split(r"\s{2,}", bare) if len(word) > 2][:3]
    for unit in UNITS:
        yield unit * (LENGTH // len(unit))
        for word in words:
            yield word + unit * (LENGTH // len(unit))
    for word in words:
        yield (word + " ") * (LENGTH // len(word))


def _too_slow(signum: int, frame: FrameType | None) -> None:
    raise TimeoutError


@pytest.mark.skipif(sys.platform == "win32", reason="there is no timer that interrupts an expression")
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_no_text_makes_an_expression_slow(name: str) -> None:
    """Hostile texts are searched at once, from their start and from every other place."""
    expression = EXPRESSIONS[name]
    before = signal.signal(signal.SIGALRM, _too_slow)
    try:
        for text in hostile(expression):
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            begin = time.process_time()
            expression.match(text)
            list(expression.finditer(text))
            assert time.process_time() - begin < SECONDS, text[:80]
    except TimeoutError:
        pytest.fail(f"{expression.pattern} takes more than {SECONDS} seconds: {text[:80]!r}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_there_are_expressions_to_try() -> None:
    """The expressions of probes, of the log reader and of the texts' structure are among those that are tried."""
    assert {"text._SHAPE", "ci_log._SECTION", "listed._LIST", "process._PATH_ALONE"} <= set(EXPRESSIONS)
