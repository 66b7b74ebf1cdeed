"""Tells when a module is first looked for: what only matters with TensorFlow costs a suite without it nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection

import pytest


def when_imported(names: Collection[str], tell: Callable[[], None], config: pytest.Config) -> None:
    """Call `tell` once: now, where one of the modules is there, else before one of them is imported.

    Until `config` ends something stands among the importers and finds nothing itself.
    """
    if any(name in sys.modules for name in names):
        tell()
        return
    watch = _Watch(names, tell)
    sys.meta_path.insert(0, watch)
    config.add_cleanup(watch.leave)


class _Watch:
    """Stands among the importers, and tells when one of the modules is first looked for.

    It doesn't leave then: the importer after it would be passed over.
    """

    def __init__(self, names: Collection[str], tell: Callable[[], None]) -> None:
        self._names = frozenset(names)
        self._tell = tell

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name in self._names:
            self._names = frozenset()
            self._tell()

    def leave(self) -> None:
        """Go away; nothing happens where it is gone."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
