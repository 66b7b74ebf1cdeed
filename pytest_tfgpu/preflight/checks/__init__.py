"""The built-in checks, one module each, found by themselves.

A module holds `CHECK`, the function `run(context)` that it names, and `ORDER`: its place among those that run
by default, or None where it runs only if it is asked for by name.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from pytest_tfgpu.model import Check


def builtin_checks() -> tuple[Check, ...]:
    """Return all built-in checks: those that run by default first, in their order, then the others by name.

    Imports neither TensorFlow nor NumPy.
    """
    return tuple(check for _, check in _ordered())


def default_checks() -> tuple[Check, ...]:
    """Return the built-in checks that run where none are named, in their order."""
    return tuple(check for order, check in _ordered() if order is not None)


def _ordered() -> list[tuple[int | None, Check]]:
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    pairs: list[tuple[int | None, Check]] = [(module.ORDER, module.CHECK) for module in modules]
    return sorted(pairs, key=lambda pair: (pair[0] is None, pair[0] or 0, pair[1].name))
