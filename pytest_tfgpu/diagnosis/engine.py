"""Weighs all causes on all evidence. Pure: the same evidence, facts and catalogue give the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_tfgpu.diagnosis.case import Case
from pytest_tfgpu.diagnosis.readings import read
from pytest_tfgpu.diagnosis.text import PYTHONS_OWN
from pytest_tfgpu.knowledge import patterns
from pytest_tfgpu.model import Confidence, Diagnosis, EvidenceLine, Facts, Help

if TYPE_CHECKING:
    from pytest_tfgpu.diagnosis.evidence import Evidence
    from pytest_tfgpu.knowledge.catalog import Catalog, Entry, Keyed
    from pytest_tfgpu.knowledge.schema import Cause, Role, Signature

FLOOR = 0.2
"""Causes that score less aren't mentioned."""
_CERTAIN = 0.7
"""A root or a confirmation must be this strong to speak of `confirmed`."""
_PRINTED_ONLY = 0.5
"""What is left of a fault of the code that the log alone shows, where an exception says something else."""
_CLOSE = 0.9
"""A rival that reaches this part of the best score leaves the matter open."""
_WORTH = 0.5
"""A rival that doesn't reach this part of the best score isn't worth a reader's time."""
_RANKED = 3
"""Causes that a ranking names, where the first isn't confirmed."""
_QUOTES = 4
_ALTERNATIVES = 4
_ORDINARY = ("AssertionError", "Failed", "Skipped", "XFailed", "KeyboardInterrupt", "SystemExit")


@dataclass(frozen=True)
class Match:
    """A signature that fits, and what shows it."""

    signature: Signature
    quotes: tuple[EvidenceLine, ...]
    only_in_log: bool = False
    """Whether its text stands in the log and in no exception."""

    @property
    def role(self) -> Role:
        """The signature's role."""
        return self.signature.role


@dataclass(frozen=True)
class Candidate:
    """A cause with its score between 0 and 1 and the signatures that fit."""

    cause: Cause
    score: float
    matches: tuple[Match, ...]

    @property
    def has_root(self) -> bool:
        """Whether the cause itself shows, not only what follows from it."""
        return any(match.role == "root" for match in self.matches)

    @property
    def is_borne_out(self) -> bool:
        """Whether a strong root and a strong confirmation agree."""
        strong = {match.role for match in self.matches if match.signature.strength >= _CERTAIN}
        return {"root", "confirms"} <= strong


def rank(evidence: Evidence, facts: Facts | None = None, catalog: Catalog | None = None) -> list[Candidate]:
    """Return all causes that fit, likeliest first; an empty list where nothing is known or nothing is to be said."""
    return _rank(Case(evidence, facts), _default(catalog))


def diagnose(
    evidence: Evidence, facts: Facts | None = None, catalog: Catalog | None = None
) -> Diagnosis | None:
    """Return why it failed, or None: silence beats a wrong word."""
    case = Case(evidence, facts)
    candidates = considered(_rank(case, _default(catalog)))
    if not candidates:
        return None
    best, *rest = candidates
    certainty = confidence(candidates)
    return Diagnosis(
        cause=best.cause.id,
        category=best.cause.category,
        confidence=certainty,
        summary=best.cause.summary,
        evidence=_quotes(best),
        note=_note(case, best.cause),
        help=_help(case, best.cause, certainty),
        alternatives=tuple(other.cause.id for other in rest[:_ALTERNATIVES]),
    )


def considered(candidates: list[Candidate]) -> list[Candidate]:
    """Return those of ranked candidates that a fair reader would consider: the first, and what comes near it."""
    return [candidate for candidate in candidates if candidate.score >= _WORTH * candidates[0].score]


def ranking(
    evidence: Evidence, facts: Facts | None = None, catalog: Catalog | None = None
) -> list[Candidate]:
    """Return what a fair reader would consider, likeliest first.

    Where the first isn't confirmed, it is followed by what it is often taken for and nothing here excludes, until
    there are three.
    """
    case, known = Case(evidence, facts), _default(catalog)
    candidates = considered(_rank(case, known))
    if not 0 < len(candidates) < _RANKED or confidence(candidates) == "confirmed":
        return candidates
    named = {candidate.cause.id for candidate in candidates}
    entries = {entry.cause.id: entry for entry in known.entries if entry.cause.id not in named}
    rivals = [entries[name] for name in candidates[0].cause.rivals if name in entries]
    left = [Candidate(entry.cause, 0.0, ()) for entry in rivals if not _is_excluded(case, entry)]
    return [*candidates, *left[: _RANKED - len(candidates)]]


def _is_excluded(case: Case, entry: Entry) -> bool:
    return any(
        match.role == "excludes" and match.signature.strength >= _CERTAIN
        for match in _matches(case, entry.speaking)
    )


def confidence(candidates: list[Candidate]) -> Confidence:
    """Return how sure the first of ranked candidates is."""
    best, rivals = candidates[0], candidates[1:2]
    if not best.has_root:
        return "possible"
    if any(rival.has_root and rival.score >= _CLOSE * best.score for rival in rivals):
        return "possible"
    return "confirmed" if best.is_borne_out else "likely"


def _default(catalog: Catalog | None) -> Catalog:
    if catalog is None:
        from pytest_tfgpu.knowledge.catalog import load

        return load()
    return catalog


def _rank(case: Case, catalog: Catalog) -> list[Candidate]:
    if _is_ordinary(case):
        return []
    words = case.words
    weighed = (
        _weigh(case, entry)
        for entry in catalog.entries
        if entry.may_fit(words) or any(_fits_structure(case, signature) for signature in entry.wordless)
    )
    found = [candidate for candidate in weighed if candidate and candidate.score >= FLOOR]
    found.sort(key=lambda candidate: (-candidate.score, candidate.cause.id))
    if found and found[0].cause.category == "not-gpu":
        return [candidate for candidate in found if candidate.cause.category == "not-gpu"]
    return [candidate for candidate in found if candidate.cause.category != "not-gpu" or candidate.has_root]


def _is_ordinary(case: Case) -> bool:
    """Whether the failure is the test's own verdict, with no error of TensorFlow anywhere in its chain."""
    chain = case.evidence.chain
    return bool(chain) and chain[0].name in _ORDINARY and not any(link.status for link in chain)


def _is_unrelated(case: Case) -> bool:
    """Whether the exception is Python's own, of a kind that the GPU never raises: then the log doesn't explain it.

    It does where a GPU was taken from a list that is too short.
    """
    chain = case.evidence.chain
    return bool(chain) and all(link.name in PYTHONS_OWN for link in chain) and not read(case, "gpus-too-few")


def _weigh(case: Case, entry: Entry) -> Candidate | None:
    matches = _matches(case, entry.showing)
    only_in_log = bool(matches) and all(match.only_in_log for match in matches)
    if not matches or (only_in_log and _is_unrelated(case)):
        return None
    matches += _matches(case, entry.speaking)
    signs = sorted((m.signature.strength for m in matches if m.role in ("root", "follows")), reverse=True)
    score = signs[0]
    for strength in signs[1:]:
        score += (1 - score) * 0.3 * strength
    for match in matches:
        if match.role == "confirms":
            score += (1 - score) * match.signature.strength
    for match in matches:
        if match.role == "excludes":
            score *= 1 - match.signature.strength
    if only_in_log and case.evidence.message and entry.cause.category in ("code", "operation"):
        score *= _PRINTED_ONLY
    return Candidate(entry.cause, score, tuple(matches))


def _matches(case: Case, signatures: tuple[Keyed, ...]) -> list[Match]:
    """Return those that fit. Most are turned down by a look at the words of the texts."""
    words = case.words
    return [
        match
        for signature, wanted in signatures
        if not (wanted and wanted.isdisjoint(words)) and (match := _match(case, signature))
    ]


def _match(case: Case, signature: Signature) -> Match | None:
    """Return the signature with its quotes where all that it states holds."""
    if not _fits_structure(case, signature):
        return None
    quotes: list[EvidenceLine] = []
    for templates in filter(None, (signature.text, signature.also)):
        quote = _find(case, templates, signature.where)
        if quote is None:
            return None
        quotes.append(quote)
    only_in_log = bool(quotes) and all(quote.origin != case.told for quote in quotes)
    for name in signature.needs:
        reading = read(case, name)
        if reading is None:
            return None
        if reading.quote:
            quotes.append(reading.quote)
    if any(read(case, name) for name in signature.unless):
        return None
    return Match(signature, tuple(quotes), only_in_log)


def _fits_structure(case: Case, signature: Signature) -> bool:
    evidence = case.evidence
    if signature.exceptions and not case.classes.intersection(signature.exceptions):
        return False
    if signature.status and not case.statuses.intersection(signature.status):
        return False
    if signature.device and signature.device not in (evidence.device or ""):
        return False
    if signature.ops:
        op = evidence.op or ""
        return any(op == name or (name.endswith("*") and op.startswith(name[:-1])) for name in signature.ops)
    return True


def _find(case: Case, templates: tuple[str, ...], where: str) -> EvidenceLine | None:
    if where != "log" and (span := patterns.find(templates, case.message)):
        return case.quote_message(*span)
    if where != "message" and case.evidence.log and (span := patterns.find(templates, case.log)):
        return case.quote_log(*span)
    return None


def _quotes(candidate: Candidate) -> tuple[EvidenceLine, ...]:
    """Return the strongest quotes, each once."""
    order = sorted(
        (match for match in candidate.matches if match.role != "excludes"),
        key=lambda match: -match.signature.strength,
    )
    quotes = [quote for match in order for quote in match.quotes]
    return tuple(
        {quote.text: quote for quote in reversed(quotes)}[text]
        for text in dict.fromkeys(q.text for q in quotes)
    )[:_QUOTES]


def _note(case: Case, cause: Cause) -> str | None:
    """Return the sentences that the cause asks for, and what was left aside."""
    sentences = [
        reading.sentence for name in cause.notes if (reading := read(case, name)) and reading.sentence
    ]
    guesses = list(
        dict.fromkeys(
            line.text for line in case.advice if "probably" in line.text or "may be due" in line.text
        )
    )
    if guesses:
        sentences.append("TensorFlow prints its guess at the reason whatever the reason is; it was not used.")
    return " ".join(dict.fromkeys(sentences)) or None


def _help(case: Case, cause: Cause, certainty: Confidence) -> tuple[Help, ...]:
    """Return the advice that the facts allow; where the cause is only possible, none of it is sure."""
    return tuple(
        Help(help.text, help.sure and certainty != "possible")
        for help in cause.help
        if all(read(case, name) for name in help.needs) and not any(read(case, name) for name in help.unless)
    )
