"""GPU memory of each test (`--tfgpu-memory`): what TensorFlow's allocator held at most, and what a test left behind."""

from __future__ import annotations

import sys
from collections.abc import Generator
from functools import cached_property
from typing import Any

import pytest

from pytest_tfgpu.session import Session, attach, payload

_MIB = 2**20


class Memory:
    """Reads TensorFlow's own figures, where a test has initialised the GPUs; it never does so itself."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._before: dict[str, int] = {}
        self.rows: list[dict[str, Any]] = []
        """What the reports of this session carried, in the process that writes the reports."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        with self._session.guard("reading the GPU memory"):
            self._before = {}
            for name in _gpus():
                self._before[name] = _read(name)["current"]
                _config().reset_memory_stats(name)
        return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[Any]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when == "teardown":
            with self._session.guard("reading the GPU memory"):
                rows = list(filter(None, map(self._row, enumerate(_gpus()))))
                if rows:
                    attach(report, memory=rows)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.rows += [{"nodeid": report.nodeid, **row} for row in payload(report).get("memory", ())]

    def _row(self, gpu: tuple[int, str]) -> dict[str, Any] | None:
        """Return the figures of a GPU during the test, in MiB; None where it held nothing."""
        position, name = gpu
        now, before = _read(name), self._before.get(name, 0)
        if now["peak"] <= before and now["current"] == before:
            return None
        peak, left = (round(figure / _MIB, 3) for figure in (now["peak"], now["current"] - before))
        return {"peak_mib": peak, "left_mib": left, "gpu": self._indices.get(position, position)}

    @cached_property
    def _indices(self) -> dict[int, int]:
        """The machine's index of each GPU that this process sees."""
        visible = enumerate(self._session.facts.visible)
        return {position: gpu.index for position, gpu in visible if gpu.index is not None}


def _gpus() -> list[str]:
    """Return the names of the GPUs that TensorFlow has initialised in this process."""
    if "tensorflow" not in sys.modules:
        return []
    context = sys.modules.get("tensorflow.python.eager.context")
    found = None if context is None else context.context_safe()
    if found is None or not getattr(found, "_initialized", False):
        return []
    return [device.name.removeprefix("/device:") for device in found.list_logical_devices("GPU")]


def _config() -> Any:
    return sys.modules["tensorflow"].config.experimental


def _read(name: str) -> dict[str, int]:
    """Return what TensorFlow's allocator says of a GPU: bytes in use now, and at most since the last reset."""
    found: dict[str, int] = _config().get_memory_info(name)
    return found
