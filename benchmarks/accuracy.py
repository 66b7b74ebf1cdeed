"""How often is the diagnosis right? Measured on labelled failures from public threads.

    python benchmarks/accuracy.py [CASES.jsonl] [--json] [--show N]

Each line is one failure: {"id", "exception", "message", "log", "facts", "cause", "also"}; `also` holds labels that a
fair reader accepts, too, and the cause `not-gpu` stands for failures that only look like the GPU's.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pytest_tfgpu._version import __version__
from pytest_tfgpu.diagnosis import engine, evidence
from pytest_tfgpu.model import Facts

Case = dict[str, Any]


def default_cases() -> Path:
    """Return where the labelled failures lie, beside the checkout."""
    return Path(__file__).resolve().parents[2] / "shared" / "corpus" / "cases.jsonl"


def read(path: Path) -> list[Case]:
    """Return the cases of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def judge(case: Case) -> list[engine.Candidate]:
    """Return the causes that would be named, best first, without seeing the label."""
    seen = evidence.from_text(case.get("exception", ""), case.get("message", ""), case.get("log", ()))
    return engine.considered(engine.rank(seen, Facts.from_json(case.get("facts", {}))))


def measure(cases: Iterable[Case], show: int = 0) -> dict[str, Any]:
    """Return the figures; print the first `show` cases that went wrong."""
    count = dict.fromkeys(("cases", "gpu", "top1", "top3", "missed", "overconfident", "silent"), 0)
    begin = time.perf_counter()
    for case in cases:
        ranked = judge(case)
        named = [candidate.cause.id for candidate in ranked]
        count["cases"] += 1
        if case["cause"] == "not-gpu":
            right = all(candidate.cause.category == "not-gpu" for candidate in ranked)
            count["silent"] += right
        else:
            accepted = {case["cause"], *case.get("also", ())}
            right = bool(named) and named[0] in accepted
            count["gpu"] += 1
            count["top1"] += right
            count["top3"] += any(name in accepted for name in named[:3])
            count["missed"] += not named
            count["overconfident"] += bool(named) and not right and engine.confidence(ranked) == "confirmed"
        if not right and show > 0:
            show -= 1
            print(f"{case['id']}: labelled {case['cause']}, named {named[:3] or 'nothing'}")
    seconds = time.perf_counter() - begin
    gpu, others = max(count["gpu"], 1), count["cases"] - count["gpu"]
    return {
        "cases": count["cases"],
        "gpu_cases": count["gpu"],
        "top1": round(count["top1"] / gpu, 3),
        "top3": round(count["top3"] / gpu, 3),
        "silent_on_lookalikes": round(count["silent"] / max(others, 1), 3),
        "false_alarms": others - count["silent"],
        "missed": count["missed"],
        "overconfident": count["overconfident"],
        "milliseconds_per_case": round(1000 * seconds / max(count["cases"], 1), 2),
    }


def main() -> None:
    """Print the figures with version and date."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="?", type=Path, default=default_cases())
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--show", type=int, default=10, help="how many wrong answers to print")
    arguments = parser.parse_args()
    figures = measure(read(arguments.cases), 0 if arguments.json else arguments.show)
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"pytest-tfgpu {__version__}, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}")
    for name, figure in figures.items():
        print(f"{name:>22}  {figure}")


if __name__ == "__main__":
    main()
