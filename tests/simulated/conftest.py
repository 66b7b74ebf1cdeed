"""Fixtures that give tests a machine with simulated GPUs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .build import NoCompiler, build
from .forks import Forks
from .machine import Describe, Gpu, Machine

GPU_FIELDS = set(Gpu.__dataclass_fields__)


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which this process builds its machines."""
    try:
        library = build()
    except NoCompiler as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("machines")
    shutil.copy(library, folder / "driver.so")
    return folder


@pytest.fixture
def simulated_gpu(workshop: Path, request: pytest.FixtureRequest) -> Describe:
    """Describe a machine: `simulated_gpu(gpus=2, compute_capability="7.5", memory="8 GiB")`.

    What describes a GPU holds for each of them; see `Machine` and `Gpu` for the rest.
    """

    def describe(gpus: int = 1, **settings: Any) -> Machine:
        gpu = Gpu(**{name: settings.pop(name) for name in GPU_FIELDS & set(settings)})
        return Machine(workshop, gpus=(gpu,) * gpus, name=request.node.nodeid, **settings)

    return describe


@pytest.fixture(scope="session")
def forks(workshop: Path) -> Iterator[Forks]:
    """Keep a process that has TensorFlow imported: `forks.run(machine, code)` runs code in a fork of it."""
    with Forks(Machine(workshop, name="forks")) as process:
        yield process
