"""`tfgpu doctor`: what is installed, found and visible here, and what keeps TensorFlow from a GPU."""

from __future__ import annotations

import argparse
import json
import os
import sys

from pytest_tfgpu.cli._doctor_text import render
from pytest_tfgpu.cli._terminal import Style, columns, is_terminal
from pytest_tfgpu.environment import collect_facts
from pytest_tfgpu.environment.findings import findings, remarks
from pytest_tfgpu.environment.presence import Presence, presence
from pytest_tfgpu.model import Facts, Finding, Preflight
from pytest_tfgpu.records import with_texts
from pytest_tfgpu.redaction import Redactor

SUMMARY = "Show this machine's GPUs, driver, CUDA libraries and TensorFlow, and each fault with its help."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON (schema 1)")
    parser.add_argument("--preflight", action="store_true", help="run TensorFlow on each visible GPU, too")


def run(arguments: argparse.Namespace) -> int:
    """Print facts and findings, without secrets and names of homes; return 0 where TensorFlow can use a GPU, else 1."""
    facts = collect_facts()
    state = presence(facts)
    preflight = _preflight(facts) if arguments.preflight else Preflight("not-asked")
    found = (*(preflight.findings if arguments.preflight else findings(facts)), *remarks(facts))
    status = 0 if is_fit(state, found, preflight) else 1
    hide = Redactor(os.environ).text
    facts, state, preflight = with_texts(facts, hide), with_texts(state, hide), with_texts(preflight, hide)
    found = with_texts(found, hide)
    if arguments.json:
        answer = {
            "schema": 1,
            "facts": facts.to_json(),
            "findings": [{"cause": None, **finding.to_json()} for finding in found],
            "preflight": preflight.to_json(),
        }
        print(json.dumps(answer, indent=2))
    else:
        style = Style.of(sys.stdout)
        print("\n".join(render(facts, state, found, preflight, width=columns(), style=style)))
    return status


def is_fit(state: Presence, found: tuple[Finding, ...], preflight: Preflight) -> bool:
    """Whether TensorFlow can use a GPU here: proven by the preflight, else as far as the facts show."""
    if preflight.verdict != "not-asked":
        return preflight.verdict == "ok"
    return state.status == "present" and not any(finding.severity == "error" for finding in found)


def _preflight(facts: Facts) -> Preflight:
    from pytest_tfgpu import preflight

    if not is_terminal(sys.stderr):
        return preflight.run(facts)
    width = columns()

    def show(text: str) -> None:
        print(f"\r\x1b[K{text[: width - 1]}", end="", file=sys.stderr, flush=True)

    try:
        return preflight.run(facts, progress=show)
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
