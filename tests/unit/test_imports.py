"""What waits for the import of a module."""

from __future__ import annotations

import importlib
import sys

import pytest

from pytest_tfgpu.features.imports import when_imported


class Config:
    """Keeps what is to be cleaned up."""

    def __init__(self) -> None:
        self.cleanups: list[object] = []

    def add_cleanup(self, cleanup: object) -> None:
        """Keep it."""
        self.cleanups.append(cleanup)


class Asked:
    """An importer that notes what it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Find nothing."""
        self.names.append(name)


@pytest.fixture
def importers(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The importers, put back after the test."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    return sys.meta_path


def test_all_that_wait_are_told_once(importers: list[object]) -> None:
    """Each one that waits is told before the import, once, and the importers behind them are asked as ever."""
    config, behind, told = Config(), Asked(), []
    importers.insert(0, behind)
    for number in range(3):
        when_imported(("no_such_module",), lambda number=number: told.append(number), config)  # type: ignore[misc,arg-type]
    for _ in range(2):
        with pytest.raises(ImportError):
            importlib.import_module("no_such_module")
    assert sorted(told) == [0, 1, 2]
    assert behind.names == ["no_such_module"] * 2


def test_what_is_imported_already(importers: list[object]) -> None:
    """Where the module is there already one is told at once, and nothing waits."""
    before, told = list(importers), []
    when_imported(("sys", "no_such_module"), lambda: told.append(True), Config())  # type: ignore[arg-type]
    assert told == [True]
    assert importers == before


def test_nothing_stays_behind(importers: list[object]) -> None:
    """With the configuration goes what waited."""
    config, before = Config(), list(importers)
    when_imported(("no_such_module",), lambda: None, config)  # type: ignore[arg-type]
    assert importers != before
    for cleanup in config.cleanups:
        cleanup()  # type: ignore[operator]
    assert importers == before
