"""Take out of a session's output what differs each time: times, process ids, folders, and facts of this machine."""

from __future__ import annotations

import re
from dataclasses import replace

from pytest_tfgpu.model import CheckResult, Facts, Preflight, Report
from pytest_tfgpu.records import with_texts

BEGAN = 1_795_251_600.0
STARTED = "2026-11-21T09:00:00+00:00"
_TEXTS = (
    (r"\b([IWEF]\d{4}) [\d:.]+ +\d+ ", r"\1 00:00:00.000000 1 "),
    (r"/tmp/[\w-]+/[0-9a-f]{16}(?=/lib)", "/opt/simulated"),
    (r"~?(?:/[\w.-]+)*/site-packages/", ".../site-packages/"),
    (r"/tmp/[\w./-]+/(?=run-|report|junit)(?:run-\w+/)?", ""),
    (r"0x[0-9a-f]{8,}", "0x7f0000000000"),
    (r"/tmp/__autograph_generated_file\w+", "__autograph_generated_file"),
)


def text(value: str) -> str:
    """Return a text without what differs each time."""
    for pattern, shown in _TEXTS:
        value = re.sub(pattern, shown, value)
    return value


def output(printed: str) -> str:
    """Return what pytest printed, with fixed times."""
    printed = re.sub(r"\b\d+\.\d\d s\b", "0.02 s", text(printed))
    printed = re.sub(r"\d\.\de-\d\d(?= / \d)", "1.0e-07", printed)
    return re.sub(r"in \d+\.\d\ds( \([\d:]+\))?", "in 12.00s", printed)


def junit(written: str) -> str:
    """Return a JUnit file with fixed times."""
    written = re.sub(r' hostname="[^"]*"', ' hostname="ci"', text(written))
    written = re.sub(r'timestamp="[^"]*"', f'timestamp="{STARTED}"', written)
    return re.sub(r"(?<= in )\d+\.\d\d s", "2.50 s", re.sub(r'\btime="[\d.]+"', 'time="0.100"', written))


def report(found: Report) -> Report:
    """Return a report with fixed times, and of the facts those that hold wherever it is made."""
    tests, clock = [], BEGAN
    for number, test in enumerate(found.tests):
        seconds = 0.05 + number * 7 % 12 / 20
        ran = test.seconds is not None
        tests.append(replace(test, started=round(clock, 3), seconds=round(seconds, 3)) if ran else test)
        clock += seconds + 0.05
    settled = replace(
        found,
        started=STARTED,
        seconds=round(clock - BEGAN + 3.1, 3),
        facts=_facts(found.facts),
        preflight=_preflight(found.preflight),
        tests=tuple(tests),
    )
    return with_texts(settled, text)


def _facts(facts: Facts) -> Facts:
    names = (
        "tensorflow",
        "tensorflow_distribution",
        "is_cuda_build",
        "driver",
        "driver_cuda",
        "cuda",
        "cudnn",
    )
    kept = {name: getattr(facts, name) for name in names}
    gpus = tuple(replace(gpu, memory_free_mib=gpu.memory_total_mib) for gpu in facts.gpus)
    built_for = facts.built_for
    return Facts(**kept, platform="linux", built_for=built_for, gpus=gpus, visible_gpus=facts.visible_gpus)


def _preflight(preflight: Preflight) -> Preflight:
    gpus = tuple(
        replace(gpu, checks=tuple(_check(number, check) for number, check in enumerate(gpu.checks)))
        for gpu in preflight.gpus
    )
    return replace(preflight, seconds=2.5, gpus=gpus, stderr=())


def _check(number: int, check: CheckResult) -> CheckResult:
    error = check.max_error and 1e-7
    return replace(check, seconds=0.02 + 0.03 * (number * 3 % 5), max_error=error, details={})
