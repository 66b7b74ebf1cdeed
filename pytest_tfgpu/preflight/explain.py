"""From failed checks to their causes: the one place where the preflight asks for a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pytest_tfgpu.model import CheckResult, Diagnosis, Facts, Finding, GpuChecks


class Explainer:
    """Asks for diagnoses. A defect there costs the diagnosis, not the verdict, and stands in `findings`."""

    def __init__(self, facts: Facts) -> None:
        self.findings: list[Finding] = []
        self._facts = facts

    def diagnose(self, error: dict[str, Any], log: Sequence[str]) -> Diagnosis | None:
        """Return the diagnosis of an exception that the child described; of the log alone if it is empty."""
        try:
            from pytest_tfgpu.diagnosis.engine import diagnose
            from pytest_tfgpu.diagnosis.evidence import from_text

            evidence = from_text(error.get("class", ""), error.get("message", ""), log)
            return diagnose(evidence, self._facts)
        except Exception as failure:
            text = f"A failed check could not be diagnosed ({type(failure).__name__}: {failure})."
            self.findings.append(Finding(text, severity="warning"))
            return None

    def explain(self, gpu: GpuChecks, log: Sequence[str]) -> GpuChecks:
        """Return the results with a diagnosis for each that went wrong, where one is known."""
        return replace(gpu, checks=tuple(self._explain(result, log) for result in gpu.checks))

    def _explain(self, result: CheckResult, log: Sequence[str]) -> CheckResult:
        if result.outcome in ("passed", "not-run"):
            return result
        error = result.details.get("error", {})
        if result.outcome == "failed" and not error:
            return result
        diagnosis = self.diagnose(error, log)
        if diagnosis is None:
            return result
        return replace(result, cause=diagnosis.cause, diagnosis=diagnosis)
