"""The JSON Schema of the JSON report, made from the records; `docs/generate.py` writes it."""

from __future__ import annotations

import inspect
import json
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields
from typing import Any, Literal

from pytest_tfgpu.model import Report
from pytest_tfgpu.records import Record

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}

Texts = Callable[[type], Mapping[str, str]]
"""Gives the texts under the fields of a record."""


def render(texts: Texts) -> str:
    """Return the schema (JSON Schema, draft 2020-12) as text.

    Unknown keys are allowed: within a schema of the report keys are only added.
    """
    found: dict[str, Any] = {}
    _add(Report, texts, found)
    report = found.pop(Report.__name__)
    report["properties"]["schema"] = {"const": 1}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "JSON report of pytest-tfgpu, schema 1",
        **report,
        "$defs": found,
    }
    return json.dumps(whole, indent=2) + "\n"


def _add(cls: type[Record], texts: Texts, found: dict[str, Any]) -> None:
    """Add a record to `found`, and those that it holds."""
    if cls.__name__ in found:
        return
    found[cls.__name__] = schema = {"description": _line(inspect.getdoc(cls)), "type": "object"}
    hints = typing.get_type_hints(cls)
    told = texts(cls)
    properties = {}
    for field in fields(cls):  # type: ignore[arg-type]
        described = {"description": _line(told[field.name])} if told.get(field.name) else {}
        properties[field.name] = {**described, **_kind(hints[field.name], texts, found)}
    schema["properties"] = properties
    schema["required"] = [field.name for field in fields(cls) if is_required(field)]  # type: ignore[arg-type]


def is_required(field: Field[Any]) -> bool:
    """Whether the key always stands in the report."""
    no_default = field.default is MISSING and field.default_factory is MISSING
    return no_default or bool(field.metadata.get("always"))


def _kind(hint: Any, texts: Texts, found: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return {"anyOf": [_kind(inner, texts, found), {"type": "null"}]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _kind(arguments[0], texts, found)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _kind(arguments[1], texts, found)}
    if isinstance(hint, type) and issubclass(hint, Record):
        _add(hint, texts, found)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return {} if hint is Any else {"type": PLAIN[hint]}


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
