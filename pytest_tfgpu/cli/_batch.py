"""`tfgpu diagnose --batch`: one failure per line as JSON in, one answer per line out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from pytest_tfgpu.diagnosis import engine, evidence
from pytest_tfgpu.knowledge.catalog import Catalog
from pytest_tfgpu.model import Facts

_NAMED = 5


def answers(lines: Iterable[bytes], facts: Facts, catalog: Catalog) -> Iterator[dict[str, Any]]:
    """Yield an answer for each line that isn't empty; a line that can't be read gets one with `line` and `error`.

    Each has the line's `id`, None where there is none.
    `facts` are used where a line brings none of its own.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        identifier: str | int | None = None
        try:
            case = json.loads(line)
            if not isinstance(case, dict):
                raise ValueError(f"expected an object, got {type(case).__name__}")
            given = case.get("id")
            identifier = given if isinstance(given, (str, int)) else None
            yield {"id": identifier, "causes": _causes(case, facts, catalog)}
        except (ValueError, RecursionError) as error:
            yield {"id": identifier, "line": number, "error": str(error) or type(error).__name__}
        except Exception as error:
            yield {"id": identifier, "line": number, "error": f"a defect of pytest-tfgpu: {error!r}"}


def _causes(case: dict[str, Any], facts: Facts, catalog: Catalog) -> list[dict[str, Any]]:
    own = case.get("facts")
    seen = evidence.from_text(_text(case, "exception"), _text(case, "message"), _log(case))
    ranked = engine.ranking(seen, facts if own is None else Facts.from_json(own), catalog)
    return [_named(ranked, position) for position in range(min(len(ranked), _NAMED))]


def _named(ranked: list[engine.Candidate], position: int) -> dict[str, Any]:
    candidate = ranked[position]
    return {
        "id": candidate.cause.id,
        "category": candidate.cause.category,
        "confidence": engine.confidence(ranked) if position == 0 else "possible",
        "score": round(candidate.score, 3),
        "summary": candidate.cause.summary,
    }


def _text(case: dict[str, Any], key: str) -> str:
    value = case.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{key}: expected a text, got {type(value).__name__}")
    return value


def _log(case: dict[str, Any]) -> list[str]:
    value = case.get("log")
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        raise ValueError("log: expected a list of texts")
    return value
