"""The causes that are known: the built-in ones, found by themselves in `causes/`, and those that others bring."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property
from typing import get_args

from pytest_tfgpu.knowledge import patterns
from pytest_tfgpu.knowledge.schema import WEIGHTS, Cause, Signature
from pytest_tfgpu.model import Category

BUILT_IN = "pytest-tfgpu"

_ID = re.compile(r"[a-z][a-z0-9]{0,39}(?:-[a-z0-9]{1,40}){0,7}")


Keyed = tuple[Signature, frozenset[bytes]]
"""A signature with words of which any text that it fits holds one; none: any text may fit."""


class Entry:
    """A cause, the signatures that show it, and those that speak for or against it."""

    def __init__(self, cause: Cause) -> None:
        self.cause = cause
        self.showing = _keyed(cause, shows=True)
        self.speaking = _keyed(cause, shows=False)
        self._wanted = frozenset().union(*(keys for _, keys in self.showing))
        self.wordless = tuple(signature for signature, keys in self.showing if not keys)
        """Those that no word shows: they ask for classes, statuses, operations or readings."""

    def may_fit(self, words: frozenset[bytes]) -> bool:
        """Whether a text of the cause may be in texts that hold these words; quick."""
        return not self._wanted.isdisjoint(words)


class CatalogError(ValueError):
    """A cause that can't be taken into the catalogue; the text names who brought it."""


class Catalog:
    """Causes by id, each with the name of who provides it."""

    def __init__(self, causes: Iterable[tuple[str, Cause]] = ()) -> None:
        """Take (provider, cause) pairs. Raises CatalogError for a faulty cause or an id that is there already."""
        self._causes: dict[str, Cause] = {}
        self._providers: dict[str, str] = {}
        for provider, cause in causes:
            self._add(provider, cause)

    def __iter__(self) -> Iterator[Cause]:
        return iter(self._causes.values())

    def __len__(self) -> int:
        return len(self._causes)

    def __contains__(self, identifier: object) -> bool:
        return identifier in self._causes

    def get(self, identifier: str) -> Cause | None:
        """Return the cause of this id, or None."""
        return self._causes.get(identifier)

    def provider(self, identifier: str) -> str:
        """Return who provides the cause of this id. Raises KeyError where there is none."""
        return self._providers[identifier]

    def extended(self, extra: Iterable[tuple[str, Iterable[Cause]]]) -> Catalog:
        """Return a catalogue with the causes of further providers. Raises CatalogError, naming the provider."""
        pairs = [(self._providers[cause.id], cause) for cause in self]
        for provider, causes in extra:
            try:
                pairs += [(provider, cause) for cause in causes]
            except TypeError:
                raise CatalogError(f"{provider}: expected a sequence of causes") from None
        return Catalog(pairs)

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Each cause made ready for the engine."""
        return tuple(Entry(cause) for cause in self)

    def _add(self, provider: str, cause: Cause) -> None:
        fault = _fault(cause, templates=provider != BUILT_IN)
        if fault:
            raise CatalogError(f"{provider}: {fault}")
        other = self._providers.get(cause.id)
        if other is not None:
            raise CatalogError(f"cause {cause.id!r} is provided twice, by {other} and by {provider}")
        self._causes[cause.id] = cause
        self._providers[cause.id] = provider


def _keyed(cause: Cause, *, shows: bool) -> tuple[Keyed, ...]:
    return tuple(
        (signature, patterns.keys(signature.text) if signature.text else frozenset())
        for signature in cause.signatures
        if (signature.role in ("root", "follows")) is shows
    )


@cache
def load() -> Catalog:
    """Return the built-in catalogue, read at the first call. Raises CatalogError where a file in it is faulty."""
    return Catalog((BUILT_IN, cause) for cause in builtin_causes())


@cache
def builtin_causes() -> tuple[Cause, ...]:
    """Return the causes in `pytest_tfgpu/knowledge/causes`, one per file, in the order of the files' names."""
    package = importlib.import_module("pytest_tfgpu.knowledge.causes")
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return tuple(importlib.import_module(f"{package.__name__}.{name}").CAUSE for name in names)


def template_faults(cause: Cause) -> Iterator[str]:
    """Yield what is wrong with the templates of a cause. The built-in ones are checked by the tests alone."""
    for template in (t for signature in cause.signatures for t in (*signature.text, *signature.also)):
        try:
            patterns.compile_template(template)
        except patterns.PatternError as error:
            yield str(error)


def _fault(cause: object, *, templates: bool) -> str | None:
    """Return what is wrong with a cause, or None."""
    if not isinstance(cause, Cause):
        return f"expected a Cause, got {type(cause).__name__}"
    if not isinstance(cause.id, str) or not _ID.fullmatch(cause.id):
        return f"cause id {cause.id!r} isn't lower-case words joined by hyphens"
    if cause.category not in get_args(Category):
        return f"cause {cause.id}: category {cause.category!r} isn't one of {', '.join(get_args(Category))}"
    if not isinstance(cause.summary, str) or not cause.summary.strip():
        return f"cause {cause.id}: the summary is missing"
    faults = list(_signature_faults(cause))
    if not faults and templates:
        faults = list(template_faults(cause))
    return f"cause {cause.id}: {faults[0]}" if faults else None


def _signature_faults(cause: Cause) -> Iterator[str]:
    for signature in cause.signatures:
        if signature.role not in WEIGHTS:
            yield f"role {signature.role!r} isn't one of {', '.join(WEIGHTS)}"
        elif not 0 < signature.strength <= 1:
            yield f"weight {signature.weight!r} isn't above 0 and at most 1"
        if isinstance(signature.text, str) or isinstance(signature.also, str):
            yield "text and also are tuples of templates, not strings"
