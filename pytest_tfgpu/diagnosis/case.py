"""One failure made ready for the engine: texts cleared of noise and searchable, with the way back to their lines."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate

from pytest_tfgpu.diagnosis import text
from pytest_tfgpu.diagnosis.evidence import Evidence
from pytest_tfgpu.knowledge import noise, patterns
from pytest_tfgpu.model import EvidenceLine, Facts

_QUOTE_LIMIT = 400


class Case:
    """Evidence and facts, and what is derived from them once and used many times."""

    def __init__(self, evidence: Evidence, facts: Facts | None = None) -> None:
        self.evidence = evidence
        self.facts = facts or Facts()
        self.advice: list[EvidenceLine] = []
        """TensorFlow's own guesses, which are not used."""
        self.probed: dict[object, re.Match[str] | None] = {}
        """What probes found already."""
        self._log_lines: tuple[EvidenceLine, ...] = ()

    @cached_property
    def raw(self) -> str:
        """Message and log as they were printed."""
        return (
            f"{self.evidence.message}\n{self.evidence.printed.source}"
            if self.evidence.log
            else self.evidence.message
        )

    @cached_property
    def message(self) -> patterns.Text:
        """The texts of the exceptions, without graph attributes and advice."""
        return self._without_advice(
            text.without_graph(self.evidence.message), self.told, self.evidence.raised
        )

    @cached_property
    def told(self) -> str:
        """Where the message comes from, as a reader would call it: texts without a class needn't have been raised."""
        return "exception" if any(link.type for link in self.evidence.chain) else "message"

    @cached_property
    def lower(self) -> str:
        """Message and log in lower case."""
        evidence = self.evidence
        return f"{evidence.raised.lower}\n{evidence.printed.lower}" if evidence.log else evidence.raised.lower

    @cached_property
    def raw_words(self) -> frozenset[bytes]:
        """The words of message and log as they were printed."""
        return self.evidence.raised.words | self.evidence.printed.words

    @cached_property
    def letters(self) -> bytes:
        """Those words as one text, much shorter than what was printed."""
        return b" ".join(self.raw_words)

    @cached_property
    def log(self) -> patterns.Text:
        """The log lines that aren't harmless, without graph attributes and advice."""
        lines = self.evidence.log
        whole = self.evidence.printed
        if patterns.possible(noise.HARMLESS, whole.words):
            starts = _starts(lines)
            dropped = {
                bisect_right(starts, start) - 1 for start, _ in patterns.find_all(noise.HARMLESS, whole)
            }
            if dropped:
                lines = tuple(line for position, line in enumerate(lines) if position not in dropped)
                whole = patterns.Text("\n".join(line.text for line in lines))
        self._log_lines = lines
        return self._without_advice(text.without_graph(whole.source), "log", whole)

    @cached_property
    def words(self) -> frozenset[bytes]:
        """The words of message and log."""
        return self.message.words | self.log.words

    @cached_property
    def classes(self) -> frozenset[str]:
        """Names of the exceptions in the chain, and with modules."""
        chain = self.evidence.chain
        return frozenset(link.name for link in chain) | frozenset(link.type for link in chain)

    @cached_property
    def statuses(self) -> frozenset[str]:
        """Status codes in the chain."""
        return frozenset(link.status for link in self.evidence.chain if link.status)

    @cached_property
    def readings(self) -> dict[str, object]:
        """Answers to readings that were asked for already."""
        return {}

    def quote_raw(self, position: int) -> EvidenceLine:
        """Return the line in which a position of `raw` lies, with its origin and number."""
        offset = position - len(self.evidence.message) - 1
        if offset < 0:
            return EvidenceLine(_line_around(self.evidence.message, position, position), self.told)
        starts = self._raw_starts
        index = max(bisect_right(starts, offset) - 1, 0)
        line = self.evidence.log[index]
        inside = offset - starts[index]
        return EvidenceLine(_line_around(line.text, inside, inside), line.origin, line.line)

    @cached_property
    def _raw_starts(self) -> list[int]:
        return _starts(self.evidence.log)

    @cached_property
    def _log_starts(self) -> list[int]:
        return _starts(self._log_lines)

    def quote_message(self, start: int, end: int) -> EvidenceLine:
        """Return the line of the exceptions' texts in which a match lies."""
        return EvidenceLine(_line_around(self.evidence.message, start, end), self.told)

    def quote_log(self, start: int, end: int) -> EvidenceLine:
        """Return the log line in which a match begins, with its origin and number."""
        index = max(bisect_right(self._log_starts, start) - 1, 0)
        line, offset = self._log_lines[index], start - self._log_starts[index]
        return EvidenceLine(_line_around(line.text, offset, offset), line.origin, line.line)

    def _without_advice(self, body: str, origin: str, known: patterns.Text) -> patterns.Text:
        """Return the text with advice blanked; `known` is it before graph attributes were."""
        searchable = known if known.source == body else patterns.Text(body)
        if not patterns.possible(noise.ADVICE, searchable.words):
            return searchable
        spans = list(patterns.find_all(noise.ADVICE, searchable))
        for start, end in spans:
            self.advice.append(EvidenceLine(body[start:end], origin))
            body = body[:start] + " " * (end - start) + body[end:]
        return patterns.Text(body) if spans else searchable


def _starts(lines: tuple[EvidenceLine, ...]) -> list[int]:
    """Return where each line begins in the text of all of them."""
    lengths = accumulate((len(line.text) + 1 for line in lines), initial=0)
    return list(lengths)[:-1]


def _line_around(body: str, start: int, end: int) -> str:
    """Return the line (or lines) from `start` to `end`, stripped; cut to a length that can be read."""
    first = body.rfind("\n", 0, start) + 1
    last = body.find("\n", end)
    line = body[first : last if last >= 0 else len(body)].strip()
    if len(line) <= _QUOTE_LIMIT:
        return line
    begin = max(0, min(start - first - _QUOTE_LIMIT // 4, len(line) - _QUOTE_LIMIT))
    cut = line[begin : begin + _QUOTE_LIMIT].strip()
    return ("..." if begin else "") + cut + ("..." if begin + _QUOTE_LIMIT < len(line) else "")
