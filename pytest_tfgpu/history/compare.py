"""What changed between two sessions: the machine, the checks, the causes, the tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_tfgpu.model import CheckResult, Facts, Gpu, Preflight, Report, TestResult
from pytest_tfgpu.reporters.groups import Group, cause_groups

SLOWER = 2.0
"""A check that takes this many times as long as before is newly slow ..."""
SLOWER_SECONDS = 0.5
"""... where it takes at least this much longer, too."""

_BAD = ("failed", "error")


@dataclass(frozen=True)
class Change:
    """Something that is not as it was; None: it wasn't there, or isn't any more."""

    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Comparison:
    """What changed from one report to another."""

    machine: tuple[Change, ...]
    """The facts that differ."""
    checks: tuple[Change, ...]
    """The verdict and the outcomes of checks that differ."""
    slower: tuple[Change, ...]
    """The checks that are newly slow, in seconds."""
    new_causes: tuple[Group, ...]
    gone_causes: tuple[Group, ...]
    failing: tuple[TestResult, ...]
    """Tests that fail, and did not before or were not there."""
    mended: tuple[str, ...]
    """Tests that failed, and pass."""
    skipped: tuple[str, ...]
    """Tests that lack a requirement, and did run before."""
    vanished: tuple[str, ...]
    """Tests that are not there any more."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not any(getattr(self, name) for name in self.__dataclass_fields__)


def compare(before: Report, after: Report) -> Comparison:
    """Return what changed from the session `before` to the session `after`."""
    old_causes, new_causes = cause_groups(before), cause_groups(after)
    old_ids, new_ids = ({group.cause for group in groups} for groups in (old_causes, new_causes))
    old, new = ({test.nodeid: test for test in report.tests} for report in (before, after))
    lacked = {skip.nodeid for skip in before.skips}
    lacking = dict.fromkeys(skip.nodeid for skip in after.skips)
    return Comparison(
        machine=tuple(_machine(before.facts, after.facts)),
        checks=tuple(_checks(before.preflight, after.preflight)),
        slower=tuple(_slower(before.preflight, after.preflight)),
        new_causes=tuple(group for group in new_causes if group.cause not in old_ids),
        gone_causes=tuple(group for group in old_causes if group.cause not in new_ids),
        failing=tuple(t for t in new.values() if _is_bad(t) and not _is_bad(old.get(t.nodeid))),
        mended=tuple(
            n for n, test in old.items() if _is_bad(test) and n in new and new[n].outcome == "passed"
        ),
        skipped=tuple(n for n in lacking if n in old and n not in lacked and old[n].outcome != "skipped"),
        vanished=tuple(nodeid for nodeid in old if nodeid not in new),
    )


def _is_bad(test: TestResult | None) -> bool:
    return test is not None and test.outcome in _BAD


def _machine(before: Facts, after: Facts) -> Iterator[Change]:
    old, new = _facts(before), _facts(after)
    for what in {**old, **new}:
        if old.get(what) != new.get(what):
            yield Change(what, old.get(what), new.get(what))
    uuids = _uuids(before), _uuids(after)
    if old.get("GPUs") == new.get("GPUs") and all(uuids) and uuids[0] != uuids[1]:
        yield Change("GPUs", old.get("GPUs"), f"{new.get('GPUs')}, others of the same kind")


def _facts(facts: Facts) -> dict[str, str | None]:
    """Return what of the machine is compared, by its name for a reader."""
    built = facts.built_for
    found: dict[str, str | None] = {
        "TensorFlow": facts.tensorflow,
        "distribution": facts.tensorflow_distribution,
        "built for CUDA": built.cuda if built else None,
        "built for cuDNN": built.cudnn if built else None,
        "Python": facts.python,
        "platform": facts.platform,
        "driver": facts.driver,
        "CUDA of the driver": facts.driver_cuda,
        "CUDA": facts.cuda,
        "cuDNN": facts.cudnn,
        "GPUs": ", ".join(map(_named, facts.gpus)) or None,
        "visible GPUs": None if facts.visible_gpus is None else str(len(facts.visible_gpus)),
    }
    for library in (*facts.libraries, *facts.on_demand):
        origin = f" from {library.provider}" if library.provider else ""
        shown = (library.version or "version unknown") + origin
        found[library.name] = "not found" if library.path is None else shown
    return found | {name: value or "(empty)" for name, value in facts.environment.items()}


def _named(gpu: Gpu) -> str:
    memory = f" ({gpu.memory_total_mib} MiB)" if gpu.memory_total_mib is not None else ""
    return (gpu.name or "unnamed GPU") + memory


def _uuids(facts: Facts) -> list[str]:
    return sorted(gpu.uuid for gpu in facts.gpus if gpu.uuid)


def _checks(before: Preflight, after: Preflight) -> Iterator[Change]:
    if before.verdict != after.verdict:
        yield Change("verdict", _said(before), _said(after))
    old, new = _results(before), _results(after)
    for name in old:
        if name in new and old[name].outcome != new[name].outcome:
            yield Change(name, old[name].outcome, new[name].outcome)


def _said(preflight: Preflight) -> str:
    verdict = preflight.verdict.replace("-", " ")
    return f"{verdict}: {preflight.reason}" if preflight.reason else verdict


def _slower(before: Preflight, after: Preflight) -> Iterator[Change]:
    new = _results(after)
    for name, check in _results(before).items():
        other = new.get(name)
        if other is None or check.seconds is None or other.seconds is None or other.outcome != "passed":
            continue
        if other.seconds >= max(SLOWER * check.seconds, check.seconds + SLOWER_SECONDS):
            yield Change(name, f"{check.seconds:.2f}", f"{other.seconds:.2f}")


def _results(preflight: Preflight) -> dict[str, CheckResult]:
    """Return the checks by name and device."""
    return {
        check.name if gpu.index is None else f"{check.name} on GPU {gpu.index}": check
        for gpu in preflight.gpus
        for check in gpu.checks
    }
