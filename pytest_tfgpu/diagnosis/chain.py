"""Walks an exception and what it was raised from, without trusting any of it."""

from __future__ import annotations

import linecache
import re
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from pytest_tfgpu.diagnosis import text
from pytest_tfgpu.frameworks import is_framework

LINK_LIMIT = 50
FRAME_LIMIT = 300


def links(exception: BaseException) -> Iterator[BaseException]:
    """Yield `exception`, then what it was raised from and, for groups, their members; each once, 50 at most."""
    waiting = [exception]
    seen: set[int] = set()
    while waiting and len(seen) < LINK_LIMIT:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting.extend(_members(current))
        if current.__cause__ is not None:
            waiting.append(current.__cause__)
        elif current.__context__ is not None and not current.__suppress_context__:
            waiting.append(current.__context__)


def _members(exception: BaseException) -> list[BaseException]:
    """Return the members of an exception group, also of the `exceptiongroup` package's on Python 3.10."""
    if not type(exception).__name__.endswith("ExceptionGroup"):
        return []
    members = getattr(exception, "exceptions", ())
    if not isinstance(members, (tuple, list)):
        return []
    return [member for member in members if isinstance(member, BaseException)]


def text_of(exception: BaseException) -> str:
    """Return the exception's text; an empty string where `__str__` raises."""
    try:
        return str(exception)
    except Exception:
        return ""


def class_of(exception: BaseException) -> str:
    """Return the qualified class name; builtins without their module."""
    kind = type(exception)
    module = kind.__module__
    return kind.__qualname__ if module in ("builtins", None) else f"{module}.{kind.__qualname__}"


def frames(traceback: TracebackType | None) -> Iterator[tuple[str, int, str, str]]:
    """Yield (module, line, function, file) from the outermost frame inwards, `FRAME_LIMIT` at most."""
    count = 0
    while traceback is not None and count < FRAME_LIMIT:
        code = traceback.tb_frame.f_code
        module = traceback.tb_frame.f_globals.get("__name__")
        yield str(module or ""), traceback.tb_lineno or 0, code.co_name, code.co_filename
        traceback = traceback.tb_next
        count += 1


def is_framework_error(exception: BaseException) -> bool:
    """Whether the exception's class, or one that it derives from, is TensorFlow's or Keras's own."""
    return any(is_framework(str(getattr(kind, "__module__", ""))) for kind in type(exception).__mro__)


def is_relevant(exception: BaseException) -> bool:
    """Whether a diagnosis may have something to say, judged without the catalogue.

    True for an exception of TensorFlow or Keras anywhere in the chain, for any other one whose frames pass through
    them, for an ImportError about TensorFlow, and for an IndexError of a line that takes a GPU from TensorFlow's list.
    An AssertionError is the test's own verdict, whatever stood on the stack.
    """
    try:
        return any(_concerns_tensorflow(link) for link in links(exception))
    except Exception:
        return False


def _concerns_tensorflow(link: BaseException) -> bool:
    if is_framework_error(link):
        return True
    if isinstance(link, ImportError) and _is_about_tensorflow(link):
        return True
    if isinstance(link, IndexError) and line_that_takes_a_gpu(link):
        return True
    if isinstance(link, (AssertionError, KeyboardInterrupt, SystemExit)) or _is_outcome(link):
        return False
    return any(is_framework(module) for module, *_ in frames(link.__traceback__))


def line_that_takes_a_gpu(error: IndexError) -> str:
    """Return the line of the program that raised, where it takes one of TensorFlow's GPUs; else an empty string."""
    *_, (_, number, _, file) = [("", 0, "", ""), *frames(error.__traceback__)]
    line = linecache.getline(file, number).strip()
    return line if re.search(text.TAKES_A_GPU, line, re.IGNORECASE) else ""


def _is_about_tensorflow(error: ImportError) -> bool:
    name: Any = error.name
    named = isinstance(name, str) and is_framework(name)
    return named or "tensorflow" in text_of(error)[:4096].lower()


def _is_outcome(exception: BaseException) -> bool:
    """Whether pytest itself raised it: `pytest.fail`, `pytest.skip`, `pytest.exit`."""
    return any(kind.__module__ == "_pytest.outcomes" for kind in type(exception).__mro__)
