"""A remembered verdict: what it depends on, and everything that ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.model import (
    BuiltFor,
    Check,
    CheckResult,
    Facts,
    Gpu,
    GpuChecks,
    GpuProcess,
    Library,
    Preflight,
)
from pytest_tfgpu.preflight import Answer
from pytest_tfgpu.preflight.remembered import fingerprint, in_words, recall, state, to_remember

NOW, KEY = 1_000_000.0, "key"
GPU = Gpu(0, "Tesla T4", "GPU-1", "7.5", 8192, 8000, "default")
CHECKS = (Check("matmul", "ours:matmul"),)
SETTINGS = {"device": "gpu", "require": 0}
PASSED = Preflight("ok", gpus=(GpuChecks(0, "GPU-1", "Tesla T4", (CheckResult("matmul", "passed"),)),))


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library as it lies on the disk."""
    path = tmp_path / "libcudnn.so.9"
    path.write_text("9.3.0")
    return path


@pytest.fixture
def facts(library: Path) -> Facts:
    """Facts of a machine with one GPU."""
    return Facts(
        tensorflow="2.21.0",
        driver="555.42",
        cuda="12.5",
        cudnn="9.3.0",
        built_for=BuiltFor("12.5", "9"),
        gpus=(GPU,),
        visible_gpus=(0,),
        libraries=(Library("libcudnn.so.9", str(library), "9.3.0", "ldconfig"),),
    )


@pytest.fixture
def kept(facts: Facts, library: Path) -> dict[str, Any]:
    """A verdict as it was kept: 700 MiB of 8000 were taken."""
    answer = Answer("gpu", gpus=PASSED.gpus, loaded=(str(library),), memory_left_mib=(7300,))
    data = to_remember(PASSED, answer, facts, KEY, NOW)
    assert data is not None
    return dict(json.loads(json.dumps(data)))


def print_of(
    facts: Facts, *, checks: tuple[Check, ...] = CHECKS, environ: dict[str, str] | None = None
) -> str:
    """Return the fingerprint with the usual settings."""
    return fingerprint(facts, checks, SETTINGS, environ or {"PATH": ""})


CHANGES: dict[str, Callable[[Facts], Facts]] = {
    "driver": lambda facts: replace(facts, driver="560.1"),
    "TensorFlow": lambda facts: replace(facts, tensorflow="2.20.0"),
    "location of TensorFlow": lambda facts: replace(facts, tensorflow_path="/elsewhere"),
    "uuid": lambda facts: replace(facts, gpus=(replace(GPU, uuid="GPU-2"),)),
    "compute mode": lambda facts: replace(facts, gpus=(replace(GPU, compute_mode="exclusive-process"),)),
    "another GPU": lambda facts: replace(facts, gpus=(GPU, GPU)),
    "visible GPUs": lambda facts: replace(facts, visible_gpus=()),
    "a library's place": lambda facts: replace(facts, libraries=(Library("libcudnn.so.9", "/other"),)),
    "a missing library": lambda facts: replace(facts, libraries=()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_the_fingerprint(facts: Facts, change: str) -> None:
    """Driver, TensorFlow, GPUs and libraries are part of the fingerprint."""
    assert print_of(CHANGES[change](facts)) != print_of(facts)


def test_what_leaves_the_fingerprint(facts: Facts) -> None:
    """Free memory, processes and variables that don't matter are not part of it: they change all the time."""
    later = replace(
        facts, gpus=(replace(GPU, memory_free_mib=1),), gpu_processes=(GpuProcess(1, "python", 5, 0),)
    )
    assert print_of(later, environ={"PATH": "", "HOME": "/there", "PYTHONHASHSEED": "3"}) == print_of(facts)


@pytest.mark.parametrize(
    "name", ["CUDA_VISIBLE_DEVICES", "TF_CUDNN_USE_AUTOTUNE", "XLA_FLAGS", "LD_LIBRARY_PATH"]
)
def test_variables_change_the_fingerprint(facts: Facts, name: str) -> None:
    """Variables that CUDA, TensorFlow or the loader act on are part of the fingerprint."""
    assert print_of(facts, environ={"PATH": "", name: "1"}) != print_of(facts)


def test_checks_and_settings_change_the_fingerprint(facts: Facts) -> None:
    """Other checks, and other settings, ask for a verdict of their own."""
    assert print_of(facts, checks=(Check("matmul", "theirs:matmul"),)) != print_of(facts)
    assert fingerprint(facts, CHECKS, {**SETTINGS, "require": 1}, {"PATH": ""}) != print_of(facts)


def test_a_changed_library_file_changes_the_fingerprint(facts: Facts, library: Path) -> None:
    """A library that was replaced under its name is another one, by its size and its time."""
    before = print_of(facts)
    library.write_text("9.8.0 or so")
    assert print_of(facts) != before


def test_a_kept_verdict_comes_back(facts: Facts, kept: dict[str, Any]) -> None:
    """Within its time, with everything as it was, the verdict comes back with its age in words and numbers."""
    found = recall(kept, facts, KEY, 600, NOW + 180)
    assert found is not None
    assert (found.verdict, found.age, found.gpus) == ("ok", 180.0, PASSED.gpus)
    assert found.reason == "Remembered: the checks ran 3 minutes ago."


@pytest.mark.parametrize(("key", "seconds"), [(KEY, 601.0), (KEY, -1.0), ("another", 1.0)])
def test_what_is_too_old_or_another_is_none(
    facts: Facts, kept: dict[str, Any], key: str, seconds: float
) -> None:
    """A verdict that is too old, from the future, or of another fingerprint is none."""
    assert recall(kept, facts, key, 600, NOW + seconds) is None


def test_a_loaded_file_that_changed_ends_it(facts: Facts, kept: dict[str, Any], library: Path) -> None:
    """A file that the child had loaded, wherever it came from, ends the verdict when it changes or goes."""
    library.write_text("changed")
    assert recall(kept, facts, KEY, 600, NOW) is None
    library.unlink()
    assert recall(kept, facts, KEY, 600, NOW) is None


@pytest.mark.parametrize(("free", "stands"), [(8000, True), (700, True), (699, False), (None, False)])
def test_free_memory_is_read_anew(facts: Facts, kept: dict[str, Any], free: int | None, stands: bool) -> None:
    """A GPU with less free memory than the checks took, or of which it isn't known, is checked anew."""
    now = replace(facts, gpus=(replace(GPU, memory_free_mib=free),))
    assert (recall(kept, now, KEY, 600, NOW) is not None) == stands


def test_an_exclusive_gpu_in_use_is_checked_anew(facts: Facts, kept: dict[str, Any]) -> None:
    """A GPU that takes one process only, and has one, is checked anew."""
    mode = replace(facts, gpus=(replace(GPU, compute_mode="exclusive-process"),))
    assert recall(kept, mode, KEY, 600, NOW) is not None
    assert recall(kept, replace(mode, gpu_processes=(GpuProcess(1, "python", 9, 0),)), KEY, 600, NOW) is None


def test_memory_that_nobody_measured(facts: Facts, library: Path) -> None:
    """Where it isn't known what the checks took, nearly all that was free must be free again."""
    answer = Answer("gpu", gpus=PASSED.gpus, loaded=(str(library),), memory_left_mib=(-1,))
    data = to_remember(PASSED, answer, facts, KEY, NOW)
    assert recall(data, facts, KEY, 600, NOW) is not None
    less = replace(facts, gpus=(replace(GPU, memory_free_mib=7000),))
    assert recall(data, less, KEY, 600, NOW) is None


@pytest.mark.parametrize(
    "verdict",
    [Preflight("unusable", "Broken."), Preflight("absent", "None."), replace(PASSED, reason="Remembered.")],
)
def test_only_a_fresh_ok_is_kept(facts: Facts, library: Path, verdict: Preflight) -> None:
    """A verdict that isn't `ok`, and one that was itself remembered, are not kept."""
    answer = Answer("gpu", gpus=PASSED.gpus, loaded=(str(library),), memory_left_mib=(7300,))
    assert to_remember(verdict, answer, facts, KEY, NOW) is None


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "nothing": lambda _: None,
    "a list": lambda _: [1],
    "empty": lambda _: {},
    "no time": lambda data: {**data, "time": "yesterday"},
    "endless": lambda data: {**data, "time": float("nan")},
    "no files": lambda data: {**data, "loaded": [1, 2]},
    "files that are none": lambda data: {**data, "loaded": {"\0": [1, 2]}},
    "no preflight": lambda data: {**data, "preflight": {"verdict": "fine"}},
    "a bad verdict": lambda data: {**data, "preflight": {**data["preflight"], "verdict": "unusable"}},
    "no memory": lambda data: {**data, "needed_mib": {"zero": "much"}},
    "another format": lambda data: {**data, "format": 99},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_is_none(facts: Facts, kept: dict[str, Any], damage: str) -> None:
    """Whatever the file holds, a verdict that isn't whole is none, and nothing is raised."""
    assert recall(DAMAGE[damage](kept), facts, KEY, 600, NOW) is None


def test_state_of_files(tmp_path: Path) -> None:
    """Files are told apart by size and time; a missing one is known as missing."""
    path = tmp_path / "file"
    path.write_text("one")
    assert state([str(path), str(tmp_path / "gone")]) == {
        str(path): [3, path.stat().st_mtime_ns],
        str(tmp_path / "gone"): [],
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 seconds"),
        (1, "1 second"),
        (119, "119 seconds"),
        (150, "2 minutes"),
        (9000, "2 hours"),
        (3e5, "3 days"),
    ],
)
def test_ages_in_words(seconds: float, words: str) -> None:
    """An age is told in the largest unit of which there are two."""
    assert in_words(seconds) == words
