"""The values of settings as they are written: each function gives the value of a text, or raises ValueError."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def flag(text: str) -> bool:
    """Return whether `yes` (or `on`, `1`, `true` ...) was said."""
    value = text.strip().lower()
    if value in ("1", "true", "yes", "on", "y", "t"):
        return True
    if value in ("0", "false", "no", "off", "n", "f"):
        return False
    raise ValueError


def seconds(text: str) -> float:
    """Return a time span in seconds, above 0."""
    value = float(text)
    if not 0 < value < 1e7:
        raise ValueError
    return value


def seconds_or_none(text: str) -> float:
    """Return a time span in seconds; 0 means none."""
    return 0.0 if float(text) == 0 else seconds(text)


def count_or_all(text: str) -> int | str:
    """Return a number, 0 or more, or `all`."""
    if text.strip().lower() == "all":
        return "all"
    if not text.strip().isascii() or int(text) < 0:
        raise ValueError
    return int(text)


def count(text: str) -> int:
    """Return a number, 1 or more."""
    if not text.strip().isascii() or int(text) < 1:
        raise ValueError
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Return names that stand there separated by commas, each once."""
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise ValueError
    return found


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """Return what takes one of these words and no other."""

    def parse(text: str) -> str:
        if text.strip() not in words:
            raise ValueError
        return text.strip()

    return parse


def report(text: str) -> str:
    """Return `FORMAT:PATH` (or `none`) if it is one."""
    from pytest_tfgpu.reporters import parse_target

    parse_target(text.strip())
    return text.strip()
