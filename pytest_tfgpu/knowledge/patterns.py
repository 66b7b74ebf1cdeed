"""The small language in which causes quote the texts that TensorFlow prints.

A template is the text itself; case and the amount of white space don't matter. In braces:

- `{}` up to 240 characters of the same line, `{~}` up to 800 that may cross lines,
- `{#}` a number or a version (`8.9.4`, `1,024`), `{w}` one name, path or type without white space and quotes,
- `{one|other}` one of several texts; an empty one is allowed.

`{{` and `}}` stand for the braces themselves. A template matches whole words only: `locator` isn't in
`allocator`.

Matching is linear in the text: each gap is taken as short as possible and never widened again. A template
whose words
aren't all in the text costs a look-up in a set.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import cache, cached_property

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_WORD = re.compile(r"[a-z]+")
_SEPARATORS = bytes(code if chr(code) in "\nabcdefghijklmnopqrstuvwxyz" else 32 for code in range(256))
_HOLES = {
    "": (r"[^\n]", "240"),
    "~": (r"[\s\S]", "800"),
}
_TYPED = {"#": r"\d{1,20}(?:[.,]\d{1,20}){0,8}", "w": r"\.?[\w/:$<>+-]{1,80}(?:\.[\w/:$<>+-]{1,80}){0,8}"}
_LIMIT_OF_VARIANTS = 32
_COMMON = frozenset(
    b"allocate available cannot cc could create cuda device devices driver error executor failed found function gpu "
    b"handle in internal invalid is keras kernel launch library memory node not operation runtime status stream "
    b"support supported tensor tensorflow this to unable unknown version was with".split()
)
"""Words that stand in many logs and say little of what else is in them."""


class PatternError(ValueError):
    """A template that can't be understood."""


class Text:
    """A text made ready for searching."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.known: dict[Pattern, tuple[int, int] | None] = {}
        """Where patterns that several causes share were found already."""
        self.lower = text.lower()
        if len(self.lower) != len(text):
            self.lower = "".join(letter.lower() if letter.isascii() else letter for letter in text)

    @cached_property
    def words(self) -> frozenset[bytes]:
        """All runs of letters in the text, in lower case. Of lines that differ in numbers alone only one is split."""
        lines = set(self.lower.encode("ascii", "replace").translate(_SEPARATORS).split(b"\n"))
        return frozenset(b" ".join(lines).split())


class Pattern:
    """One template without alternatives, ready to be searched for."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self.words = frozenset(word.encode() for word in _words(tokens))
        first = tokens[0]
        if first[0] != "text" or not first[1].strip():
            raise PatternError("a template begins with text")
        pieces = first[1].lower().split()
        self._lead = max(range(len(pieces)), key=lambda position: len(pieces[position]))
        self._anchor = pieces[self._lead]
        self._pieces = pieces

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        return re.compile(_expression(self._tokens))

    @cached_property
    def _before(self) -> re.Pattern[str]:
        return re.compile(r"\s{1,8}".join(map(re.escape, self._pieces[: self._lead])) + r"\s{1,8}\Z")

    @property
    def key(self) -> bytes:
        """A word that any match holds, long and uncommon where there is one; empty where there is none."""
        return max(self.words, key=lambda word: (word not in _COMMON, len(word), word), default=b"")

    def find(self, text: Text, start: int = 0) -> tuple[int, int] | None:
        """Return start and end of the first occurrence from `start` on, or None."""
        if not self.words <= text.words:
            return None
        lower, anchor = text.lower, self._anchor
        position = lower.find(anchor, start)
        while position >= 0:
            begin = self._begin(lower, position, start)
            if begin is not None:
                found = self._regex.match(lower, begin)
                if found:
                    return found.span()
            position = lower.find(anchor, position + 1)
        return None

    def _begin(self, lower: str, position: int, start: int) -> int | None:
        """Return where a match begins whose longest first word is at `position`; None where none can."""
        if self._lead:
            if not (position and lower[position - 1].isspace()):
                return None
            window = max(start, position - 8 * self._lead - sum(map(len, self._pieces[: self._lead])))
            found = self._before.search(lower, window, position)
            if not found:
                return None
            position = found.start()
        if position and lower[position].isalnum() and lower[position - 1].isalnum():
            return None
        return position


@cache
def compile_template(template: str) -> tuple[Pattern, ...]:
    """Return the patterns of a template, one for each combination of its alternatives.

    Raises PatternError where the template can't be understood.
    """
    try:
        return tuple(Pattern(_merged(tokens)) for tokens in _variants(template))
    except PatternError as error:
        raise PatternError(f"template {template!r}: {error}") from None


@cache
def keys(templates: tuple[str, ...]) -> frozenset[bytes]:
    """Return words of which a text holds at least one if one of the templates is in it; empty: any text may."""
    found = frozenset(_positions(templates))
    return frozenset() if b"" in found else found


def possible(templates: tuple[str, ...], words: frozenset[bytes]) -> bool:
    """Whether one of the templates may be in a text that holds these words; quick."""
    wanted = keys(templates)
    return not wanted or not wanted.isdisjoint(words)


def find_all(templates: Iterable[str], text: Text) -> Iterator[tuple[int, int]]:
    """Yield start and end of every place where one of the templates fits, template by template."""
    for template in templates:
        for pattern in compile_template(template):
            span = pattern.find(text)
            while span:
                yield span
                span = pattern.find(text, span[1])


def find(templates: tuple[str, ...], text: Text) -> tuple[int, int] | None:
    """Return start and end of the first place where the first of the templates that are in `text` fits, or None."""
    wanted, positions = keys(templates), _positions(templates)
    hits = text.words & wanted if wanted else positions
    for position in sorted({position for word in hits for position in positions[word]}):
        spans = [span for pattern in compile_template(templates[position]) if (span := _find(pattern, text))]
        if spans:
            return min(spans)
    return None


def _find(pattern: Pattern, text: Text) -> tuple[int, int] | None:
    if pattern not in text.known:
        text.known[pattern] = pattern.find(text)
    return text.known[pattern]


@cache
def _positions(templates: tuple[str, ...]) -> dict[bytes, list[int]]:
    """Return the keys of the templates' patterns, each with the positions of the templates that have it."""
    found: dict[bytes, list[int]] = {}
    for position, template in enumerate(templates):
        for pattern in compile_template(template):
            found.setdefault(pattern.key, []).append(position)
    return found


def _variants(template: str) -> Iterator[list[tuple[str, str]]]:
    choices: list[list[tuple[str, str]]] = []
    done = 0
    for found in _TOKEN.finditer(template):
        choices.append([("text", template[done : found.start()])])
        done = found.end()
        inner = found[1]
        if inner is None:
            choices.append([("text", found[0][0])])
        elif inner in _HOLES or inner in _TYPED:
            choices.append([("hole", inner)])
        elif "|" in inner:
            choices.append([("text", part) for part in inner.split("|")])
        else:
            raise PatternError(f"unknown placeholder {{{inner}}}")
    choices.append([("text", template[done:])])
    combinations = list(itertools.islice(itertools.product(*choices), _LIMIT_OF_VARIANTS + 1))
    if len(combinations) > _LIMIT_OF_VARIANTS:
        raise PatternError(f"more than {_LIMIT_OF_VARIANTS} combinations of alternatives")
    yield from ([token for token in combination if token != ("text", "")] for combination in combinations)


def _merged(tokens: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join neighbouring texts; gaps at the end say nothing and are dropped."""
    merged: list[tuple[str, str]] = []
    for kind, value in tokens:
        if kind == "text" and merged and merged[-1][0] == "text":
            merged[-1] = ("text", merged[-1][1] + value)
        else:
            merged.append((kind, value))
    while merged and merged[-1][0] == "hole" and merged[-1][1] in _HOLES:
        merged.pop()
    if not merged:
        raise PatternError("it holds no text")
    return merged


def _words(tokens: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the runs of letters that any match holds whole."""
    for position, (kind, value) in enumerate(tokens):
        if kind != "text":
            continue
        lower = value.lower()
        for found in _WORD.finditer(lower):
            open_left = found.start() == 0 and position > 0
            open_right = found.end() == len(lower) and position < len(tokens) - 1
            if not open_left and not open_right:
                yield found[0]


def _expression(tokens: list[tuple[str, str]]) -> str:
    """Return the regular expression: every gap with the text after it in a group that is never entered twice."""
    parts, number = [], 0
    for position, (kind, value) in enumerate(tokens):
        if kind == "text":
            if position and tokens[position - 1][1] in _HOLES and tokens[position - 1][0] == "hole":
                continue
            parts.append(_literal(value))
        elif value in _TYPED:
            number += 1
            parts.append(f"(?=(?P<g{number}>{_TYPED[value]}))(?P=g{number})")
        else:
            number += 1
            char, limit = _HOLES[value]
            after = tokens[position + 1]
            following = _literal(after[1]) if after[0] == "text" else ""
            parts.append(f"(?=(?P<g{number}>{char}{{0,{limit}}}?{following}))(?P=g{number})")
    last = tokens[-1]
    guard = "(?![a-z0-9])" if last[0] == "text" and last[1][-1].isalnum() else ""
    return "".join(parts) + guard


def _literal(value: str) -> str:
    lower = value.lower()
    pieces = [re.escape(piece) for piece in lower.split()]
    body = r"\s{1,8}".join(pieces)
    if lower[:1].isspace():
        body = r"\s{1,8}" + body
    if lower[-1:].isspace() and pieces:
        body += r"\s{1,8}"
    return body
