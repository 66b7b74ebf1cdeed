"""Folds what the children report into results by device, whatever happens to a child on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_tfgpu.model import CheckResult, Gpu, GpuChecks, LoadedLibrary, Outcome
from pytest_tfgpu.preflight.data import Driver, Problem, ProblemKind, Request
from pytest_tfgpu.preflight.explain import ENDED
from pytest_tfgpu.preflight.process import Child
from pytest_tfgpu.preflight.wording import device_label, error_sentence, how_it_ended, python_stack

PHASES = {
    "started": "starting",
    "asking-driver": "asking the driver",
    "importing": "importing TensorFlow",
    "initialising": "starting the devices",
}


@dataclass
class Slot:
    """One device on its way through the checks."""

    identity: Gpu
    results: list[CheckResult] = field(default_factory=list)
    log: tuple[str, ...] = ()
    memory_left_mib: int = -1
    done: bool = False


class Ledger:
    """What is known so far. Devices are counted as the first child sees them."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.slots: list[Slot] = []
        self.problem: Problem | None = None
        self.driver: Driver | None = None
        self.listed: int | None = None
        self.values: dict[str, Any] = {}
        self.phase = "starting"
        self.complete = False
        self.separate = False
        """Whether each remaining device is to have a child of its own."""
        self.together = True
        """Whether a child checks its devices at the same time: one after the other it is known which took it down."""
        self.loaded: set[str] = set()
        self._split = False
        self._current: dict[int, str] = {}
        """The check that has begun on a device, by the child's number of it."""
        self._assigned: Sequence[int] | None = None

    def begin(self, assigned: Sequence[int] | None) -> None:
        """Note that a child starts, and which devices it sees; None: all."""
        self._assigned, self._current = assigned, {}
        self.complete = self._split = False
        self.phase = "starting"
        for position in assigned or ():
            self.slots[position].results.clear()

    def take(self, event: dict[str, Any]) -> None:
        """Take in one report of the running child."""
        name = event["event"]
        self.phase = PHASES.get(name, self.phase)
        handler = getattr(self, "_on_" + name.replace("-", "_"), None)
        if handler is not None:
            handler(event)

    def remaining(self) -> list[int]:
        """Return the devices that no child has finished with."""
        return [position for position, slot in enumerate(self.slots) if not slot.done]

    def gpus(self) -> tuple[GpuChecks, ...]:
        """Return the results so far; a check that never began is `not-run`."""
        return tuple(self._checks(slot) for slot in self.slots)

    def logs(self) -> tuple[tuple[str, ...], ...]:
        """Return the log of each device's child, in the order of `gpus`."""
        return tuple(slot.log for slot in self.slots)

    def _checks(self, slot: Slot) -> GpuChecks:
        known = {result.name for result in slot.results}
        missing = [
            CheckResult(check.name, "not-run") for check in self.request.checks if check.name not in known
        ]
        identity = slot.identity
        return GpuChecks(identity.index, identity.uuid, identity.name, (*slot.results, *missing))

    def _slot(self, position: int) -> Slot:
        assert self._assigned is not None
        return self.slots[self._assigned[position]]

    # ------------------------------------------------------------------------------------------- reports

    def _on_started(self, event: dict[str, Any]) -> None:
        self.values["python"] = event["python"]

    def _on_driver(self, event: dict[str, Any]) -> None:
        if self._assigned is None:
            self.driver = Driver.from_json(event["driver"])

    def _on_imported(self, event: dict[str, Any]) -> None:
        self.values |= {"tensorflow": event["version"], "tensorflow_path": event["path"]}

    def _on_missing(self, event: dict[str, Any]) -> None:
        self._fail("no-tensorflow", "TensorFlow is not installed for this Python")

    def _on_not_tensorflow(self, event: dict[str, Any]) -> None:
        self._fail("not-tensorflow", f"`import tensorflow` finds {event['path']}, which is not TensorFlow")

    def _on_import_failed(self, event: dict[str, Any]) -> None:
        error = event["error"]
        self._fail("import-failed", f"TensorFlow cannot be imported: {error_sentence(error)}", error=error)

    def _on_listed(self, event: dict[str, Any]) -> None:
        if self._assigned is not None:
            return
        count = event["count"] if self.request.device == "gpu" else min(event["count"], 1)
        self.listed = event["count"] if self.request.device == "gpu" else None
        self.slots = [Slot(self._identify(position)) for position in range(count)]
        self._assigned = range(count)

    def _on_separate(self, event: dict[str, Any]) -> None:
        self.separate = self._split = True

    def _on_check(self, event: dict[str, Any]) -> None:
        slot = self._slot(event["position"])
        self._current[event["position"]] = event["name"]
        self.phase = f"{device_label(slot.identity.index, self.request.device)}: {event['name']}"

    def _on_result(self, event: dict[str, Any]) -> None:
        result = CheckResult.from_json(event["result"])
        if result.outcome == "failed" and result.message is None:
            result = replace(result, message=error_sentence(result.details.get("error", {})))
        self._slot(event["position"]).results.append(result)
        self._current.pop(event["position"], None)

    def _on_device_done(self, event: dict[str, Any]) -> None:
        slot = self._slot(event["position"])
        slot.done, slot.memory_left_mib = True, event.get("memory_left_mib", -1)
        self.values["cudnn_loaded"] = event.get("cudnn") or self.values.get("cudnn_loaded")
        loaded = tuple(LoadedLibrary.from_json(entry) for entry in event.get("libraries", ()))
        self.values["libraries_loaded"] = loaded or self.values.get("libraries_loaded", ())

    def _on_done(self, event: dict[str, Any]) -> None:
        self.complete = True
        self.values["peak_memory_kib"] = event.get("peak_memory_kib")
        self.loaded.update(event.get("loaded", ()))

    def _on_failed(self, event: dict[str, Any]) -> None:
        error = event["error"]
        self._fail("no-answer", f"the checks could not be run: {error_sentence(error)}", error=error)

    def _fail(self, kind: ProblemKind, sentence: str, **more: Any) -> None:
        self.problem, self.complete = Problem(kind, sentence, **more), True

    def _identify(self, position: int) -> Gpu:
        """Say which GPU of the facts TensorFlow's number `position` is: by uuid, else by place."""
        if self.request.device == "cpu":
            return Gpu(name="CPU")
        known, devices = self.request.gpus, self.driver.devices if self.driver else ()
        told = devices[position] if position < len(devices) else None
        if told is not None and told.uuid:
            for gpu in known:
                if gpu.uuid and gpu.uuid.lower().endswith(told.uuid):
                    return gpu
            return Gpu(index=position, uuid=f"GPU-{told.uuid}", name=told.name)
        unknown = Gpu(index=position, name=told.name if told else None)
        return known[position] if position < len(known) else unknown

    # ------------------------------------------------------------------------------------- a child's end

    def end(self, child: Child) -> None:
        """Put the untimely end of a child to the check that had begun, or to the device, or to all."""
        assigned = [self.slots[position] for position in self._assigned or ()]
        unfinished = [slot for slot in assigned if not slot.done]
        if self._split:
            return
        for slot in assigned:
            slot.log = tuple(child.log())
        if child.end == "stopped":
            self.problem = Problem("stopped", "the checks were stopped")
        elif not self.complete:
            self._put_down(child, unfinished)
        else:
            for slot in unfinished:
                sentence = "TensorFlow does not list the device where it alone is visible"
                self._give_up(slot, "failed", sentence)

    def _put_down(self, child: Child, unfinished: list[Slot]) -> None:
        kind, outcome, sentence = how_it_ended(child)
        stack = python_stack(child.stderr.lines())
        details = {ENDED: kind, **({"stack": stack} if stack else {})}
        if self._current and self.together and len(unfinished) > 1:
            self.together = False
        elif self._current:
            ((position, name),) = self._current.items()
            self._give_up(self._slot(position), outcome, sentence, details, name)
        elif len(unfinished) > 1:
            self.separate = self._split = True
        elif unfinished:
            self._give_up(unfinished[0], outcome, sentence + self._while_doing(), details)
        elif not self.slots:
            sentence = f"the preflight's process {sentence}{self._while_doing()}"
            self.problem = Problem(kind, sentence, stack=tuple(stack))

    def _while_doing(self) -> str:
        """Say what the child was at, where it had not begun with a check."""
        known = self.phase in PHASES.values() and self.phase != PHASES["started"]
        return f" while {self.phase}" if known else ""

    def _give_up(
        self,
        slot: Slot,
        outcome: Outcome,
        sentence: str,
        details: dict[str, Any] | None = None,
        name: str = "",
    ) -> None:
        """End a device's checks with a result for the check `name`, by default the first that has none."""
        known = {result.name for result in slot.results}
        missing = [check.name for check in self.request.checks if check.name not in known]
        if name or missing:
            result = CheckResult(name or missing[0], outcome, message=sentence, details=details or {})
            slot.results.append(result)
        slot.done = True
