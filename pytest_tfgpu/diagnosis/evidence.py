"""What is known of one failure: the exception, where it came from, and the log lines around it."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from pytest_tfgpu.diagnosis import chain, text
from pytest_tfgpu.diagnosis.chain import is_relevant
from pytest_tfgpu.knowledge.patterns import Text
from pytest_tfgpu.model import EvidenceLine
from pytest_tfgpu.records import Record

__all__ = ["Evidence", "Frame", "Raised", "from_exception", "from_text", "is_relevant"]


@dataclass(frozen=True)
class Raised(Record):
    """One exception of the chain."""

    type: str
    """Qualified class name, such as `tensorflow.python.framework.errors_impl.UnknownError`."""
    message: str = ""
    status: str | None = None
    """TensorFlow's status code, such as `UNKNOWN`."""

    @property
    def name(self) -> str:
        """The class name without its module."""
        return self.type.rpartition(".")[2]


@dataclass(frozen=True)
class Frame(Record):
    """One frame of the traceback."""

    module: str
    function: str = ""
    file: str = ""
    line: int = 0


@dataclass(frozen=True)
class Evidence(Record):
    """Everything that speaks about one failure, as plain data."""

    chain: tuple[Raised, ...] = ()
    """The exception itself first, then what it was raised from and the members of groups."""
    log: tuple[EvidenceLine, ...] = ()
    """Log lines, oldest first, each with its origin."""
    frames: tuple[Frame, ...] = ()
    """Outermost first."""
    earlier: tuple[str, ...] = ()
    """Causes of earlier failures in the same process, oldest first."""

    @property
    def exception(self) -> str:
        """Qualified class name of the exception, or an empty string."""
        return self.chain[0].type if self.chain else ""

    @property
    def status(self) -> str | None:
        """The first status code of the chain."""
        return next((link.status for link in self.chain if link.status), None)

    @cached_property
    def message(self) -> str:
        """The texts of the chain, one after the other, each once."""
        return "\n".join(dict.fromkeys(link.message for link in self.chain if link.message))

    @cached_property
    def raised(self) -> Text:
        """The message, searchable."""
        return Text(self.message)

    @cached_property
    def printed(self) -> Text:
        """The log, searchable."""
        return Text("\n".join(line.text for line in self.log))

    @cached_property
    def structure(self) -> text.Structure:
        """What the message says of the operation; where it says nothing, what the log says."""
        found = text.structure(self.raised)
        if not self.log or None not in (found.allocator, found.op, found.device):
            return found
        printed = text.structure(self.printed)
        return text.Structure(
            op=found.op or printed.op,
            node=found.node or printed.node,
            device=found.device or printed.device,
            allocator=found.allocator or printed.allocator,
            shape=found.shape or printed.shape,
            dtype=found.dtype if found.shape else printed.dtype,
        )

    @property
    def op(self) -> str | None:
        """Operation, such as `Conv2D`."""
        return self.structure.op

    @property
    def node(self) -> str | None:
        """The operation's name in its graph."""
        return self.structure.node

    @property
    def device(self) -> str | None:
        """Device of the operation, such as `/device:GPU:0`."""
        return self.structure.device

    @property
    def allocator(self) -> str | None:
        """Allocator that had no memory left, such as `GPU_0_bfc` or `mklcpu`."""
        return self.structure.allocator

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor that found no memory."""
        return self.structure.shape

    @property
    def dtype(self) -> str | None:
        """Type of that tensor."""
        return self.structure.dtype


def from_exception(
    exception: BaseException, *, log: Iterable[str | EvidenceLine] = (), earlier: Iterable[str] = ()
) -> Evidence:
    """Gather evidence from a raised exception.

    Follows `__cause__`, `__context__` (unless suppressed) and the members of exception groups. `log` holds
    lines that
    were printed around the failure; `earlier` the causes of earlier failures in this process. Never raises
    on account
    of what the exceptions do.
    """
    raised, frames, room = [], [], text.MESSAGE_LIMIT
    for link in chain.links(exception):
        message = text.clean(chain.text_of(link), max(room, 2048))
        room -= len(message)
        name = chain.class_of(link)
        raised.append(Raised(type=name, message=message, status=text.status_of(name, message)))
        frames += [
            Frame(module=module, function=function, file=file, line=line)
            for module, line, function, file in chain.frames(link.__traceback__)
        ]
        if isinstance(link, IndexError) and (line := chain.line_that_takes_a_gpu(link)):
            log = itertools.chain(log, [EvidenceLine(line, "traceback")])
    return Evidence(chain=tuple(raised), frames=tuple(frames[:400]), log=_lines(log), earlier=tuple(earlier))


def from_text(
    exception: str = "",
    message: str = "",
    log: Iterable[str | EvidenceLine] = (),
    *,
    earlier: Iterable[str] = (),
) -> Evidence:
    """Gather evidence from texts: the name of the exception's class, its message, and log lines. All may be empty.

    A message that holds lines of a log and no class of an exception is a part of that log; with a class of Python's
    own, those lines are.
    """
    cleaned = text.clean(message)
    name = text.clean(exception, 1024).strip() or text.class_in(cleaned)
    if not name and _holds_log_lines(cleaned):
        return Evidence(log=_lines((*cleaned.split("\n"), *log)), earlier=tuple(earlier))
    if name in text.PYTHONS_OWN:
        told = cleaned.split("\n")
        log = itertools.chain([line for line in told if text.LOG_LINE.match(line)], log)
        cleaned = "\n".join(line for line in told if not text.LOG_LINE.match(line))
    cleaned = text.unwrapped(cleaned, name)
    link = Raised(type=name, message=cleaned, status=text.status_of(name, cleaned))
    lines = _lines(log)
    raised = (link,) if name or cleaned.strip() else _raised_in(lines)
    return Evidence(chain=raised, log=lines, earlier=tuple(earlier))


def _raised_in(lines: tuple[EvidenceLine, ...]) -> tuple[Raised, ...]:
    """Return the last error of TensorFlow's that a log shows, or the one of Python's own with which it ends."""
    for line in reversed(lines):
        name = text.class_in(line.text) if "Error: " in line.text else ""
        if name.rpartition(".")[2] in text.STATUSES or (line is lines[-1] and name in text.PYTHONS_OWN):
            return (Raised(type=name, message=line.text, status=text.status_of(name, line.text)),)
    return ()


def _holds_log_lines(message: str) -> bool:
    return any(line[:1] > " " and text.LOG_LINE.match(line) for line in message.split("\n"))


def _lines(log: Iterable[str | EvidenceLine]) -> tuple[EvidenceLine, ...]:
    """Return cleaned lines; of a long log the first and the last ones."""
    entries = enumerate(log, start=1)
    half = text.LOG_LIMIT // 2
    kept = (*itertools.islice(entries, half), *deque(entries, maxlen=half))
    return tuple(_line(number, entry) for number, entry in kept)


def _line(number: int, entry: str | EvidenceLine) -> EvidenceLine:
    if isinstance(entry, EvidenceLine):
        body = _clean(entry.text)
        return entry if body == entry.text else replace(entry, text=body)
    return EvidenceLine.of({"text": _clean(str(entry)), "origin": "log", "line": number})


def _clean(line: str) -> str:
    return text.clean(line, text.LINE_LIMIT).rstrip("\n")
