"""Finds the failures in a log: pytest's reports, also as JUnit XML, Python tracebacks, and TensorFlow's own lines.

Works line by line and keeps a bounded number of lines, so that time grows with the log and memory doesn't.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html import unescape

from pytest_tfgpu.diagnosis.text import LOG_LINE, class_in, clean
from pytest_tfgpu.model import EvidenceLine

CONTEXT_LINES = 200
"""TensorFlow's log lines that are kept for the failures after them."""
MESSAGE_LINES = 400

_CI_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z ")
_SECTION = re.compile(r"_{3,200} (?:ERROR (?:at \w{1,12} of|collecting) )?(\S.{0,400}?) _{3,200}$")
_CAPTURED = re.compile(r"-{3,200} Captured (stdout|stderr|log) (\w{1,12}) -{3,200}$")
_RULER = re.compile(r"={3,200}(?: .{1,300} ={3,200})?$")
_LOCATION = re.compile(r"\S.{0,300}?:\d{1,7}: ([A-Za-z_][\w.]{0,120})$")
_RAISED = re.compile(r"(?:[A-Za-z_]\w{0,80}\.){0,12}[A-Za-z_]\w{1,80}(?:: |$)")
_ONE_LINE = re.compile(r"\S.{0,300}?:\d{1,7}: ((?:[A-Za-z_]\w{0,80}\.){0,12}\w{1,80}Error): (.*)$")
_TESTCASE = re.compile(
    r'<testcase classname="([^"]{0,400})" name="([^"]{0,400})"[^>]{0,400}><(?:failure|error) '
)
_KILLED = re.compile(r"(?:[^\n:]{0,200}: line \d{1,6}: {1,8}\d{1,8} )?Killed(?: {2}|$)")
_ABORTS = ("Fatal Python error: ", "Aborted", "terminate called after")


@dataclass
class Failure:
    """One failure in a log."""

    line: int
    """Where it begins, from 1."""
    name: str = ""
    """The test, as pytest's heading names it."""
    exception: str = ""
    message: list[str] = field(default_factory=list)
    log: list[EvidenceLine] = field(default_factory=list)


def failures(lines: Iterable[str]) -> Iterator[Failure]:
    """Yield the failures of a log, in its order; one made of the log lines alone where there is no other."""
    reader = _Reader()
    for number, line in enumerate(lines, start=1):
        found = reader.feed(number, line)
        if found is not None:
            yield found
    yield from reader.end()


class _Reader:
    """The state between two lines."""

    def __init__(self) -> None:
        self._context: deque[EvidenceLine] = deque(maxlen=CONTEXT_LINES)
        self._seen: set[str] = set()
        self._section: Failure | None = None
        self._trace: Failure | None = None
        self._in_message = False
        self._is_xml = False
        self._native = False
        """Whether a section shows Python's own traceback (`--tb=native`)."""
        self._blank = 0
        self._count = 0

    def feed(self, number: int, raw: str) -> Failure | None:
        """Take the next line; return the failure that it ends, if any."""
        line = raw.rstrip("\r\n")
        if "\x1b" in line:
            line = clean(line, 1 << 16)
        if line[:2] == "20":
            stamp = _CI_TIME.match(line)
            line = line[stamp.end() :] if stamp else line
        first = line[:1]
        if first == "_" and (heading := _SECTION.match(line)):
            done = self._finish()
            self._section = Failure(number, heading[1].strip(), log=list(self._context))
            return done
        if first == "=" and _RULER.match(line):
            return self._finish()
        if "<testcase " in line and (opened := _TESTCASE.search(line)):
            done = self._finish()
            self._section = Failure(
                number, f"{unescape(opened[1])}::{unescape(opened[2])}", log=list(self._context)
            )
            self._is_xml = True
            return done
        if first in "IWEF2N" and first and LOG_LINE.match(line):
            return self._take_log(number, line)
        if self._section is not None:
            self._take_section(line)
            return None
        return self._take_plain(number, line)

    def end(self) -> Iterator[Failure]:
        """Yield what is left at the end of the log."""
        done = self._finish()
        if done is not None:
            yield done
        if not self._count and self._context:
            yield Failure(self._context[0].line or 1, log=list(self._context))

    def _take_log(self, number: int, line: str) -> Failure | None:
        entry = EvidenceLine(line[:2048], "log", number)
        if self._section is not None:
            if len(self._section.log) < 2 * CONTEXT_LINES:
                self._section.log.append(entry)
            return None
        done = self._finish() if self._trace is not None and self._in_message else None
        key = line[line.find("]") :][:300]
        if key not in self._seen:
            if len(self._seen) > 10 * CONTEXT_LINES:
                self._seen.clear()
            self._seen.add(key)
            self._context.append(entry)
        return done

    def _take_section(self, line: str) -> None:
        failure = self._section
        if failure is None or len(failure.message) > MESSAGE_LINES:
            return
        if line[:4] == "E   " or line == "E":
            text = unescape(line[4:]) if self._is_xml else line[4:]
            raised = class_in(text)
            if raised:
                failure.exception = raised
            elif not failure.exception and text.lstrip().startswith("assert "):
                failure.exception = "AssertionError"
            failure.message.append(text)
        elif line.startswith("Traceback (most recent call last)"):
            self._native = True
        elif self._native and line[:1].strip() and (failure.message or _RAISED.match(line)):
            failure.exception = failure.exception or line.partition(":")[0].strip()
            failure.message.append(line)
        elif not failure.exception and (place := _LOCATION.match(line)):
            failure.exception = place[1]

    def _take_plain(self, number: int, line: str) -> Failure | None:
        if line.startswith("Traceback (most recent call last)"):
            done = self._finish() if self._in_message else None
            self._trace = self._trace or Failure(number, log=list(self._context))
            self._in_message = False
            return done
        if self._trace is None and "Error: " in line and (told := _ONE_LINE.match(line)):
            self._count += 1
            return Failure(number, "", told[1], [told[2]], list(self._context))
        if self._trace is None:
            if (line.startswith(_ABORTS) and self._context) or ("Killed" in line and _KILLED.match(line)):
                self._count += 1
                return Failure(number, message=[line], log=list(self._context))
            return None
        if not self._in_message:
            if line[:1] not in (" ", "\t", "") and _RAISED.match(line):
                self._trace.exception = line.partition(":")[0].strip()
                self._trace.message.append(line)
                self._in_message, self._blank = True, 0
            return None
        self._blank = self._blank + 1 if not line.strip() else 0
        if self._blank > 1 or len(self._trace.message) > MESSAGE_LINES:
            return self._finish()
        self._trace.message.append(line)
        return None

    def _finish(self) -> Failure | None:
        """Return the failure that was being read, if it holds anything."""
        failure = self._section or self._trace
        self._section = self._trace = None
        self._in_message = self._native = False
        if failure is None or not (failure.message or failure.exception):
            return None
        self._count += 1
        return failure
