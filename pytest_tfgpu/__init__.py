"""pytest-tfgpu: preflight, gates, explained failures and summaries for TensorFlow test suites on GPUs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_tfgpu._version import __version__

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis import diagnose
    from pytest_tfgpu.environment import collect_facts
    from pytest_tfgpu.knowledge.schema import Cause
    from pytest_tfgpu.model import Check, CheckResult, Diagnosis, Facts, Finding, Gpu, Preflight, Report
    from pytest_tfgpu.reporters import Reporter

_HOMES = {
    "Cause": "knowledge.schema",
    "Check": "model",
    "CheckResult": "model",
    "Diagnosis": "model",
    "Facts": "model",
    "Finding": "model",
    "Gpu": "model",
    "Preflight": "model",
    "Report": "model",
    "Reporter": "reporters",
    "collect_facts": "environment",
    "diagnose": "diagnosis",
}
"""Public names and the module that each is imported from when it is first used: starting pytest stays cheap."""

__all__ = [
    "Cause",
    "Check",
    "CheckResult",
    "Diagnosis",
    "Facts",
    "Finding",
    "Gpu",
    "Preflight",
    "Report",
    "Reporter",
    "__version__",
    "collect_facts",
    "diagnose",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
