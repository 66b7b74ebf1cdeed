"""The state of a session, in one place: what is known, what was judged, what went wrong in the plugin itself."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_tfgpu.settings import Settings

if TYPE_CHECKING:
    from pytest_tfgpu.model import Facts, Preflight

ABSENT = 69
"""Exit status: GPUs were required, and there are none or too few (EX_UNAVAILABLE of sysexits.h)."""

UNUSABLE = 70
"""Exit status: a GPU is there, and TensorFlow can't use it (EX_SOFTWARE of sysexits.h)."""

ENDED = (ABSENT, UNUSABLE)
"""The exit statuses with which a preflight ends a session."""

_STALE = 5.0
"""Seconds after which free memory and processes are asked for again."""


class Session:
    """Everything that a session of pytest-tfgpu remembers. One per pytest process."""

    def __init__(self, settings: Settings, sources: Mapping[str, str]) -> None:
        self.settings = settings
        self.sources = sources
        """Field of a setting -> where its value comes from, for those that were given."""
        self.worker: str | None = None
        """Name of the xdist worker (`gw0`), None elsewhere."""
        self.shared: Path | None = None
        """A folder that the processes of this session share on this host; None until one is needed."""
        self.host: str | None = None
        """By which the xdist workers of another host know one another; None on that of the user's process."""
        self.shared_out: tuple[str, ...] = ()
        """The GPUs (`environment.shares.key`) that the workers on this host have together; (): not shared out."""
        self.gpus_of_workers: dict[str, int] = {}
        """Name of a worker -> index of its GPU, where it was given one."""
        self.collect_facts: Callable[[], Facts] | None = None
        """Gives the facts; None: those of `pytest_tfgpu.environment`."""
        self.read_verdict: Callable[[], Preflight | None] | None = None
        """Gives the verdict of a preflight that another process of this session ran."""
        self.problems: list[str] = []
        """What went wrong beside the tests, in the plugin or in hooks of others: one line each."""
        self._facts: Facts | None = None
        self._renewed: tuple[float, Facts | None] = (-math.inf, None)
        """When the facts were renewed (`time.monotonic`), and what they were then."""
        self._preflight: Preflight | None = None

    @property
    def facts(self) -> Facts:
        """What is true on this machine; collected when first asked for."""
        if self._facts is None:
            from pytest_tfgpu.environment import collect_facts

            collect = self.collect_facts or collect_facts
            self._facts = collect()
        return self._facts

    @facts.setter
    def facts(self, facts: Facts) -> None:
        self._facts = facts
        self._renewed = (-math.inf, None)

    def facts_now(self) -> Facts:
        """Return the facts with what changes of the GPUs as it is now: free memory, processes, health.

        That is asked for at most every five seconds, and no more where it couldn't be had.
        """
        known, now = self._facts is not None, time.monotonic()
        facts = self.facts
        if not known:
            self._renewed = (now, facts)
        elif facts.gpus and now - self._renewed[0] > _STALE:
            from pytest_tfgpu.environment import renewed

            found = renewed(facts)
            self._renewed = (math.inf, facts) if found is None else (now, found)
        return self._renewed[1] or facts

    @property
    def preflight(self) -> Preflight:
        """The verdict of the preflight; `not-asked` where there was none so far."""
        if self._preflight is None and self.read_verdict is not None:
            self._preflight = self.read_verdict()
        if self._preflight is None:
            from pytest_tfgpu.model import Preflight

            return Preflight("not-asked", device=self.settings.device)
        return self._preflight

    @preflight.setter
    def preflight(self, preflight: Preflight) -> None:
        self._preflight = preflight

    @contextmanager
    def guard(self, feature: str) -> Iterator[None]:
        """Turn a defect of ours inside the block into one line of the report."""
        try:
            yield
        except Exception as error:
            self.problem(feature, error)

    def problem(self, feature: str, error: BaseException) -> None:
        """Note a defect of the plugin itself, once each."""
        text = " ".join(str(error).split())[:300]
        self.note(
            f"{feature} failed: {type(error).__name__}: {text} (no test result was changed; please report this "
            "with the output of 'tfgpu doctor')"
        )

    def note(self, line: str) -> None:
        """Note something that went wrong beside the tests, once."""
        line = " ".join(line.split())[:500]
        if line not in self.problems:
            self.problems.append(line)


KEY = pytest.StashKey[Session]()


def get(config: pytest.Config) -> Session:
    """Return the session of this pytest process."""
    return config.stash[KEY]


def payload(report: Any) -> dict[str, Any]:
    """Return the plain data that a report of pytest carries for us, from a worker too; {} where there is none."""
    data = getattr(report, "tfgpu", None)
    return data if isinstance(data, dict) else {}


def diagnosis_of(report: Any) -> dict[str, Any] | None:
    """Return the plain data of the diagnosis of a report that failed; None where there is none."""
    return payload(report).get("diagnosis") if report.outcome == "failed" else None


def attach(report: Any, **data: Any) -> None:
    """Put plain data on a report of pytest; it crosses xdist."""
    report.tfgpu = {**payload(report), **data}
