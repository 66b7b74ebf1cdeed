"""From failed checks to their causes: the one place where the preflight asks for a diagnosis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

from pytest_tfgpu.model import CheckResult, Diagnosis, EvidenceLine, Facts, Finding, GpuChecks
from pytest_tfgpu.preflight.data import Device

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.evidence import Evidence

ENDED = "ended"
"""Key in the details of a result: what ended the child during that check."""


_ABOUT_GPUS = ("environment", "hardware")
"""Where the CPU is checked, the child sees no GPU: what TensorFlow prints of that explains no crash and no hang."""


class Explainer:
    """Asks for diagnoses. A defect there costs the diagnosis, not the verdict, and stands in `findings`."""

    def __init__(self, facts: Facts, device: Device) -> None:
        self.findings: list[Finding] = []
        self._facts = replace(facts, memory_growth=True) if device == "gpu" else facts
        self._device = device

    def diagnose(
        self, error: Mapping[str, Any], log: Sequence[str], earlier: Sequence[str] = ()
    ) -> Diagnosis | None:
        """Return the diagnosis of an exception that the child described; of the log alone if it is empty.

        `earlier` are the causes of what failed before in the same child.
        """
        try:
            from pytest_tfgpu.diagnosis.engine import diagnose

            diagnosis = diagnose(_evidence(error, log, earlier), self._facts)
        except Exception as failure:
            text = f"A failed check could not be diagnosed ({type(failure).__name__}: {failure})."
            self.findings.append(Finding(text, severity="warning"))
            return None
        if self._device == "cpu" and not error and diagnosis and diagnosis.category in _ABOUT_GPUS:
            return None
        return diagnosis

    def explain(self, gpu: GpuChecks, log: Sequence[str]) -> GpuChecks:
        """Return the results with a diagnosis for each that went wrong, where one is known."""
        checks: list[CheckResult] = []
        for result in gpu.checks:
            earlier = [check.cause for check in checks if check.cause is not None]
            checks.append(self._explain(result, log, earlier))
        return replace(gpu, checks=tuple(checks))

    def _explain(self, result: CheckResult, log: Sequence[str], earlier: Sequence[str]) -> CheckResult:
        if result.outcome in ("passed", "not-run"):
            return result
        error = result.details.get("error", {})
        if result.outcome == "failed" and not error and ENDED not in result.details:
            return result
        diagnosis = self.diagnose(error, log, earlier)
        if diagnosis is None:
            return result
        return replace(result, cause=diagnosis.cause, diagnosis=diagnosis)


def _evidence(error: Mapping[str, Any], log: Sequence[str], earlier: Sequence[str]) -> Evidence:
    """Return as evidence what `worker.describe` noted of an exception, and the lines that the child printed."""
    from pytest_tfgpu.diagnosis.evidence import Frame, from_text

    lines = [EvidenceLine(line, "standard error") for line in log]
    evidence = from_text(error.get("class", ""), error.get("message", ""), lines, earlier=earlier)
    reasons = (from_text(link["class"], link["message"]).chain for link in error.get("chain", ()))
    frames = (name.partition(":") for name in error.get("frames", ()))
    return replace(
        evidence,
        chain=(*evidence.chain, *chain.from_iterable(reasons)),
        frames=tuple(Frame(module, function) for module, _, function in frames),
    )
