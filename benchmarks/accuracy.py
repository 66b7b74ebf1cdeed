"""How often is the diagnosis right? Measured on labelled failures from public threads.

    python benchmarks/accuracy.py [CASES.jsonl] [--json] [--show N]
    python benchmarks/accuracy.py --write

Each line is one failure: {"id", "exception", "message", "log", "facts", "cause", "also"}; `also` holds labels that a
fair reader accepts, too, and the cause `not-gpu` stands for failures that only look like the GPU's. The failures in
tests/knowledge/threads.jsonl, the default, keep under `blind` what was answered before anybody had looked at them.
`--write` writes docs/reference/accuracy.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_tfgpu._version import __version__
from pytest_tfgpu.diagnosis import engine, evidence
from pytest_tfgpu.model import Facts

Case = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
THREADS = ROOT / "tests" / "knowledge" / "threads.jsonl"
PAGE = ROOT / "docs" / "reference" / "accuracy.md"
NOT_GPU = "not-gpu"
SHORT = 200
"""Characters of message and log: a post of fewer holds a line or two."""


@dataclass(frozen=True)
class Answer:
    """The causes that were named, best first, the category of the first, and how sure it was said to be."""

    named: tuple[str, ...]
    category: str | None = None
    confidence: str | None = None

    def is_right(self, case: Case) -> bool:
        """Whether the first cause is right; on a look-alike: whether no cause of the GPU's is named."""
        if case["cause"] == NOT_GPU:
            return not self.named or self.category == NOT_GPU
        return self.named[:1] != () and self.named[0] in accepted(case)


def accepted(case: Case) -> set[str]:
    """Return the labels that count as right."""
    return {case["cause"], *case.get("also", ())}


def built_with() -> Path:
    """Return where the failures lie with which the catalogue was built; they are no part of the project."""
    return ROOT.parent / "shared" / "corpus" / "cases.jsonl"


def read(path: Path) -> list[Case]:
    """Return the cases of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def judge(case: Case) -> Answer:
    """Return what the diagnosis says today, without seeing the label."""
    seen = evidence.from_text(case.get("exception", ""), case.get("message", ""), case.get("log", ()))
    ranked = engine.ranking(seen, Facts.from_json(case.get("facts", {})))
    if not ranked:
        return Answer(())
    causes = [candidate.cause for candidate in ranked]
    return Answer(tuple(cause.id for cause in causes), causes[0].category, engine.confidence(ranked))


def blind(case: Case) -> Answer:
    """Return what the diagnosis said before anybody had looked at the case."""
    said = case["blind"]
    return Answer(tuple(said["named"]), said["category"], said["confidence"])


def measure(cases: Iterable[Case], show: int = 0, answer: Callable[[Case], Answer] = judge) -> dict[str, Any]:
    """Return the figures; print the first `show` cases that went wrong."""
    count = dict.fromkeys(("cases", "gpu", "top1", "top3", "missed", "overconfident", "silent"), 0)
    begin = time.perf_counter()
    for case in cases:
        given = answer(case)
        right = given.is_right(case)
        count["cases"] += 1
        if case["cause"] == NOT_GPU:
            count["silent"] += right
        else:
            count["gpu"] += 1
            count["top1"] += right
            count["top3"] += not accepted(case).isdisjoint(given.named[:3])
            count["missed"] += not given.named
            count["overconfident"] += not right and given.confidence == "confirmed"
        if not right and show > 0:
            show -= 1
            print(f"{case['id']}: labelled {case['cause']}, named {list(given.named[:3]) or 'nothing'}")
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


INTRODUCTION = """\
# How often the diagnosis is right

<!-- Made by `python benchmarks/accuracy.py --write`. -->

Measured {date}: pytest-tfgpu {version}, Python {python}, on real failures from public threads of
{first} to {last}. Each is labelled with what resolved it, or with what a reader concludes from the whole thread.
The diagnosis saw exception, log lines and facts, as far as they were posted, and nothing else.

Of {count} failures it was recorded what the diagnosis said before anybody had looked at them. They came in {rounds}
rounds; after each the catalogue learned from it, and met the next, which nobody had seen. Before the third it was also
gone through for what TensorFlow, Keras, CUDA, the loader and package managers can print at all. These figures,
**blind**, are those to expect of failures to come. They differ in how much the posts hold: of those of fewer than
{short} characters the cause named first was right blind in {of_short}, of the longer ones in {of_long}, the first two
rounds left out. No thread was taken twice: they differ, too, in how many of the common failures were still to be had.
Afterwards the catalogue learned from all of them: the other figures show that nothing was forgotten, and no more.

| failures | of a GPU | first cause right | of first three | unnamed | look-alikes left alone | wrong, "confirmed" |
| --- | --- | --- | --- | --- | --- | --- |
"""
RIGHT = """
## What counts as right

The cause named first is the label, or another one that a fair reader of the same evidence accepts; many posts hold too
little for a single answer. A look-alike only looks like a failure of the GPU: it is left alone if nothing is named, or
a cause of the category `not-gpu`. The failures that the project carries stand, with labels and sources, in
`tests/knowledge/threads.jsonl`; a test fails when fewer of them are right. Those with which the catalogue was built
aren't part of it.

## By cause

Of the failures that were met blind, by their label:

| cause | failures | first cause right, blind | first cause right, today |
| --- | --- | --- | --- |
"""
WRONG = """
## Where it is known to fail

- Posts that hold a symptom alone: "No algorithm worked!", or a failed start of cuDNN, without free memory, versions or
  processes. Then several causes are named, `possible`; with the facts that the plugin gathers itself more is decided.
- What prints nothing: a program that stands still while kernels are compiled, a loss that turns into NaN because a GPU
  gives zeros for an index out of range.
- Defects of one version of TensorFlow or Keras, where the text is that of an ordinary mistake.
- Backends other than CUDA: ROCm, DirectML and Metal are known by their commonest texts only.

Wrong today:

"""


def page(cases: list[Case], others: list[Case] | None = None) -> str:
    """Return the page that publishes the figures; `others` are the failures with which the catalogue was built."""
    rounds = sorted({case["round"] for case in cases})
    lines = [
        _row(f"round {number}, blind", [case for case in cases if case["round"] == number], blind)
        for number in rounds
    ]
    lines.append(_row("all rounds, today", cases, judge))
    if others is not None:
        lines.append(_row("those with which the catalogue was built", others, judge))
    date = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"
    years = sorted(case["year"] for case in cases)
    later = [case for case in cases if case["round"] > 2 and case["cause"] != NOT_GPU]
    head = INTRODUCTION.format(
        short=SHORT,
        of_short=_share([case for case in later if _is_short(case)]),
        of_long=_share([case for case in later if not _is_short(case)]),
        first=years[0],
        last=years[-1],
        date=date,
        version=__version__,
        python=platform.python_version(),
        count=len(cases),
        rounds=len(rounds),
    )
    wrong = [_wrong(case, given) for case in cases if not (given := judge(case)).is_right(case)]
    return (
        head
        + "\n".join(lines)
        + "\n"
        + RIGHT
        + "\n".join(by_cause(cases))
        + "\n"
        + WRONG
        + "\n".join(wrong)
        + "\n"
    )


def _is_short(case: Case) -> bool:
    return len(case["message"]) + sum(map(len, case["log"])) < SHORT


def _share(cases: list[Case]) -> str:
    return f"{sum(blind(case).is_right(case) for case in cases)} of {len(cases)}"


def by_cause(cases: list[Case]) -> list[str]:
    """Return a row for each label."""
    groups = defaultdict(list)
    for case in cases:
        groups[case["cause"]].append(case)
    return [
        f"| {_label(cause)} | {len(group)} | {sum(blind(case).is_right(case) for case in group)} "
        f"| {sum(judge(case).is_right(case) for case in group)} |"
        for cause, group in sorted(groups.items())
    ]


def _label(cause: str) -> str:
    return "look-alikes" if cause == NOT_GPU else f"[{cause}](causes/{cause}.md)"


def _row(name: str, cases: list[Case], answer: Callable[[Case], Answer]) -> str:
    figures = measure(cases, answer=answer)
    others = figures["cases"] - figures["gpu_cases"]
    return (
        f"| {name} | {figures['gpu_cases']} | {figures['top1']:.1%} | {figures['top3']:.1%} | {figures['missed']} "
        f"| {others - figures['false_alarms']} of {others} | {figures['overconfident']} |"
    )


def _wrong(case: Case, given: Answer) -> str:
    named = ", ".join(given.named[:3]) or "nothing"
    return f"- [{case['id']}]({case['source']}), {case['cause']}: named {named}"


def main() -> None:
    """Print the figures with version and date, or write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="?", type=Path, default=THREADS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--show", type=int, default=10, help="how many wrong answers to print")
    parser.add_argument("--write", action="store_true", help="write the page of the documentation")
    arguments = parser.parse_args()
    if arguments.write:
        others = read(built_with()) if built_with().exists() else None
        PAGE.write_text(page(read(THREADS), others), encoding="utf-8")
        return
    figures = measure(read(arguments.cases), 0 if arguments.json else arguments.show)
    if arguments.json:
        print(json.dumps(figures))
        return
    print(f"pytest-tfgpu {__version__}, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}")
    for name, figure in figures.items():
        print(f"{name:>22}  {figure}")


if __name__ == "__main__":
    main()
