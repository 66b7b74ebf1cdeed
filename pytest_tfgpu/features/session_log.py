"""What TensorFlow prints to standard error, kept for the session: a decisive line may come tests before the failure."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_tfgpu.features.imports import when_imported
from pytest_tfgpu.session import Session

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.past import Past
    from pytest_tfgpu.features.tee import Tee
    from pytest_tfgpu.model import EvidenceLine

_LINES = 400


class SessionLog:
    """Hears what each phase of each test printed, from the time when TensorFlow is imported.

    Where pytest captures file descriptor 2 it is in the reports. Else (`-s`, `--capture=sys`) a copy is taken, unless
    standard error is a terminal.
    """

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._session = session
        self._tee: Tee | None = None
        self._usual: os.stat_result | None = None
        """What file descriptor 2 is while no test has diverted it, where a copy is to be taken of it."""
        self._past: Past | None = None
        self._test = ""
        self._printed: list[tuple[str, str]] = []
        """Of the test at hand: where something was printed, and what."""
        self._has_heard_preflight = False
        self._is_first = True
        capture = config.getoption("capture", "no")
        self._is_told_twice = capture == "tee-sys"
        """Whether what Python code prints is in the reports and goes to standard error, too."""
        self.is_deaf = capture != "fd" and not _can_be_copied()
        """Whether what is printed past Python can't be heard."""
        self.copies = capture != "fd" and not self.is_deaf and _runs_tests(config)
        """Whether a copy is taken once TensorFlow is imported; else reports without sections hold nothing to hear."""
        if self.copies:
            self._usual = os.fstat(2)
            config.add_cleanup(self._stop)
            when_imported(("tensorflow",), self._start, config)

    def _start(self) -> None:
        """Take a copy from now on; later, where a test reads standard error itself just now (`capfd`)."""
        with self._session.guard("copying standard error"):
            if self._usual is None or not os.path.samestat(os.fstat(2), self._usual):
                return
            from pytest_tfgpu.features.tee import Tee

            self._usual = None
            try:
                self._tee = Tee()
            except (OSError, AttributeError):
                self.is_deaf = True

    def _stop(self) -> None:
        self._usual = None
        if self._tee is not None:
            self._tee.close()

    def hear(self, report: pytest.TestReport) -> None:
        """Take in what was printed during a phase of a test."""
        if report.when == "setup" or report.nodeid != self._test:
            self._turn_to(report.nodeid)
        is_known = bool(self._printed)
        for name, text in self._captured(report):
            phase = name.rpartition(" ")[2]
            if phase == report.when or not is_known:
                self._note(f"during {report.nodeid}, {phase}", text)
        self._note_copy(f"during {report.nodeid}, {report.when}")

    def hear_collected(self, report: pytest.CollectReport, was_loaded: bool) -> None:
        """Take in what was printed while tests were collected; `was_loaded`: TensorFlow was imported before."""
        self._turn_to(report.nodeid)
        place = f"while collecting {report.nodeid}"
        if report.nodeid in ("", "."):
            place = "before the first test"
        elif was_loaded and self._is_first:
            place = f"before or while collecting {report.nodeid}"
        for _, text in self._captured(report):
            self._note(place, text)
        self._note_copy(place)
        if self._printed:
            self._is_first = False

    def own_lines(self) -> list[EvidenceLine]:
        """Return what the test at hand printed so far; of many lines the first and the last."""
        from pytest_tfgpu.diagnosis.past import lines_of
        from pytest_tfgpu.model import EvidenceLine

        lines = [line for _, text in self._printed for line in lines_of(text)]
        if len(lines) > _LINES:
            lines[_LINES // 2 : -_LINES // 2] = []
        return [EvidenceLine(line, "standard error") for line in lines]

    def past_lines(self) -> Iterator[EvidenceLine]:
        """Yield what was printed before the test at hand, and in the preflight, each line with its place."""
        from pytest_tfgpu.diagnosis.past import Past

        if not self._has_heard_preflight and self._session.preflight.verdict != "not-asked":
            self._has_heard_preflight = True
            self._past = self._past or Past()
            self._past.add("\n".join(self._session.preflight.stderr), "in the preflight")
        if self._past is not None:
            yield from self._past.lines()

    def _turn_to(self, test: str) -> None:
        """Let what the test so far printed be the past of those that follow."""
        if self._printed:
            from pytest_tfgpu.diagnosis.past import Past

            self._past = self._past or Past()
            for place, text in self._printed:
                self._past.add(text, place)
            self._printed = []
        self._test = test

    def _note(self, place: str, text: str) -> None:
        if text:
            from pytest_tfgpu.diagnosis.past import shortened

            self._printed.append((place, shortened(text)))

    def _captured(self, report: pytest.TestReport | pytest.CollectReport) -> Iterator[tuple[str, str]]:
        """Yield title and text of what pytest captured of standard error, unless the copy holds it, too."""
        if self._tee is None or not self._is_told_twice:
            for name, text in report.sections:
                if name.startswith("Captured stderr"):
                    yield name, text

    def _note_copy(self, place: str) -> None:
        if self._usual is not None and "tensorflow" in sys.modules:
            self._start()
        data = None if self._tee is None else self._tee.read()
        if self._tee is None or not data:
            return
        text = data.decode("utf-8", "replace")
        if self._tee.holds_stdout:
            from pytest_tfgpu.diagnosis.past import lines_of, logged

            text = "\n".join(told[0] for line in lines_of(text) if (told := logged(line)) is not None)
        self._note(place, text)


def _can_be_copied() -> bool:
    """Whether standard error can lead through a process: on Linux, where it is no terminal."""
    try:
        return sys.platform == "linux" and not os.isatty(2) and os.fstat(2) is not None
    except OSError:
        return False


def _runs_tests(config: pytest.Config) -> bool:
    """Whether tests run in this process; the xdist controller runs none."""
    return hasattr(config, "workerinput") or config.getoption("dist", "no") == "no"
