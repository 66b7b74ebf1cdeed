"""What a requirement is, what it may ask of a machine, and the values that its arguments take."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from pytest_tfgpu.model import Facts, Gpu, Preflight


class Machine(Protocol):
    """What a requirement may ask. Nothing here imports TensorFlow or starts CUDA in this process."""

    @property
    def device(self) -> str:
        """`gpu` or `cpu`, as `--tfgpu-device` says."""

    @property
    def facts(self) -> Facts:
        """The facts of this machine."""

    def gpus(self) -> tuple[Gpu, ...]:
        """Return the GPUs that TensorFlow could use here; raises NoGpu with the reason where there is none."""

    def withheld(self, count: int, fits: Callable[[Gpu], bool]) -> str:
        """Return what to say where other workers of this session have GPUs that would do; or ""."""

    def checked(self) -> Preflight:
        """Return the verdict of the checks; runs them where nobody has."""

    def checks_of(self, dtypes: tuple[str, ...]) -> tuple[str, ...]:
        """Return the names of the checks that compute in these data types."""


class NoGpu(Exception):
    """No usable GPU: the text says why, in words that follow "found"."""


class Requirement(NamedTuple):
    """A requirement with its arguments, ready to be asked."""

    required: str
    """What must be there, in words: `cuDNN >=9.1`."""
    ask: Callable[[Machine], str | None]
    """Returns None where the machine meets it, else what was found instead."""
    checks: tuple[str, ...] = ()
    """Names of checks that must be known to the preflight."""
    dtypes: tuple[str, ...] = ()
    """Data types that a check must compute in."""
    fits: Callable[[Gpu], bool] | None = None
    """Of a requirement on GPUs: whether one of them is as required."""

    def found(self, machine: Machine) -> str | None:
        """Return what this machine has instead of what is required; None where it meets the requirement."""
        try:
            return self.ask(machine)
        except NoGpu as error:
            return str(error)


_UNITS = {
    "b": 1,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
}


def size_mib(text: object) -> float:
    """Return a size such as `8 GiB` in MiB.

    Raises ValueError where it isn't one.
    """
    match = (
        re.fullmatch(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]+)\s*", text) if isinstance(text, str) else None
    )
    if match is None or match[2].lower() not in _UNITS:
        raise ValueError(f"expected a size like '8 GiB', got {text!r}")
    return float(match[1]) * _UNITS[match[2].lower()] / 2**20


def specifier(text: object, example: str) -> SpecifierSet:
    """Return a version specifier (PEP 440) such as `">=9.1,<10"`.

    Raises ValueError, with an `example`, where it isn't one.
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if isinstance(text, str) and text.strip():
        try:
            return SpecifierSet(text)
        except InvalidSpecifier:
            pass
    raise ValueError(f"expected a version specifier like {example!r}, got {text!r}")


def names_of(names: Iterable[object], what: str) -> tuple[str, ...]:
    """Return the names that a marker was given.

    Raises ValueError, saying `what` they should name, where there is none or one isn't a text.
    """
    given = tuple(names)
    if not given:
        raise ValueError(f"expected at least one {what}")
    for name in given:
        if not isinstance(name, str) or not name:
            raise ValueError(f"expected the name of a {what}, got {name!r}")
    return tuple(str(name) for name in given)


def meets(version: str | None, wanted: SpecifierSet) -> bool:
    """Whether a version is known and among those that are wanted; pre-releases count."""
    from packaging.version import InvalidVersion, Version

    try:
        return version is not None and wanted.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return False
