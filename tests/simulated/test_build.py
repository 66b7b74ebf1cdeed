"""How the simulated driver is built, and what happens where it can't be."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from . import build as module
from .build import NoCompiler, build


def test_built_once(workshop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds that start together leave one library, and a later one does nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with ThreadPoolExecutor(2) as pool:
        first, second = (job.result() for job in [pool.submit(build), pool.submit(build)])
    assert first == second
    assert list(first.parent.iterdir()) == [first]
    before = first.stat()
    assert build().stat().st_mtime_ns == before.st_mtime_ns


def test_changed_sources_are_another_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's name follows from what it is made of."""
    sources = tmp_path / "sources"
    sources.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "SOURCES", sources)
    (sources / "one.c").write_text("int one(void) { return 1; }\n")
    first = build()
    (sources / "one.c").write_text("int one(void) { return 2; }\n")
    assert build() != first


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without gcc the reason is a sentence."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoCompiler, match="compiled with gcc, which is not installed"):
        build()


@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_tests_without_a_compiler(ci: str, outcome: str) -> None:
    """Without gcc the tests that need the driver are skipped; where CI is set they fail."""
    root = Path(__file__).parents[2]
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "tests/simulated/test_presence.py",
        "-k",
        "xid",
    ]
    environment = {**os.environ, "PATH": "", "CI": ci}
    done = subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert outcome in done.stdout
    assert "the simulated GPU is compiled with gcc, which is not installed" in done.stdout
