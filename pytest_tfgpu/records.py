"""Frozen records: dataclasses that become plain JSON and come back from it.

`dataclasses` would generate and compile seven methods for each class. Here the base has them all: that saves 13 ms in
every process that loads the data model.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

if TYPE_CHECKING:
    import inspect

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:
    from typing_extensions import dataclass_transform

T = TypeVar("T")
R = TypeVar("R", bound="Record")


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _encode(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_encode(item) for item in value]
    return value


def _decode(kind: Any, value: Any, path: str) -> Any:
    """Give `value` (plain JSON) as the annotated type `kind`; a ValueError names the `path` that doesn't fit."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        kind = next(argument for argument in arguments if argument is not type(None))
        return _decode(kind, value, path)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(f"{path}: expected one of {', '.join(map(str, arguments))}, got {value!r}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"{path}: expected a list, got {type(value).__name__}")
        return tuple(_decode(arguments[0], item, f"{path}[{index}]") for index, item in enumerate(value))
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ValueError(f"{path}: expected an object, got {type(value).__name__}")
        return {str(key): _decode(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, Record):
        return kind.from_json(value, path)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is not Any and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
        raise ValueError(f"{path}: expected {kind.__name__}, got {type(value).__name__}")
    return value


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of a `Record`."""
    return dataclass(init=False, eq=False, repr=False)(cls)


class _Signature:
    """The signature of a record's constructor, worked out where somebody asks for it."""

    def __get__(self, instance: Record | None, owner: type[Record]) -> inspect.Signature:
        import inspect

        parameters = []
        for name, spec in owner.__dataclass_fields__.items():
            default = spec.default if spec.default is not MISSING else spec.default_factory
            parameter = inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=spec.type)
            parameters.append(parameter if default is MISSING else parameter.replace(default=default))
        return inspect.Signature(parameters)


class Record:
    """Base of the frozen dataclasses: JSON in both directions."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    __signature__: ClassVar[_Signature] = _Signature()

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Take the fields in order or by name. Raises TypeError as any function does."""
        specs = self.__dataclass_fields__
        values = self.__dict__
        values.update(zip(specs, args, strict=False))
        fits = len(args) <= len(specs) and values.keys().isdisjoint(kwargs) and kwargs.keys() <= specs.keys()
        values.update(kwargs)
        for name, spec in specs.items():
            if name not in values:
                if spec.default is not MISSING:
                    values[name] = spec.default
                elif spec.default_factory is not MISSING:
                    values[name] = spec.default_factory()
                else:
                    fits = False
        if not fits:
            self.__signature__.bind(*args, **kwargs)

    def __setattr__(self, name: str, value: object) -> None:
        if name in self.__dict__ or name not in self.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        self.__dict__[name] = value

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash(_values(self))

    def __repr__(self) -> str:
        values = (f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
        return f"{type(self).__qualname__}({', '.join(values)})"

    @classmethod
    def of(cls: type[R], values: dict[str, Any]) -> R:
        """Make the record of values that are known to fit: faster than the constructor, for thousands of them.

        It keeps the dictionary itself. Fields that are left out must have plain defaults.
        """
        made = object.__new__(cls)
        object.__setattr__(made, "__dict__", values)
        return made

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data. Fields that are None are left out, and so are empty optional ones."""
        data = {}
        for spec in fields(self):
            value = getattr(self, spec.name)
            required = spec.default is MISSING and spec.default_factory is MISSING
            if required or spec.metadata.get("always") or not (value is None or value == () or value == {}):
                data[spec.name] = _encode(value)
        return data

    @classmethod
    def from_json(cls: type[R], data: object, path: str = "") -> R:
        """Build the record from JSON data. Unknown keys are ignored.

        Raises ValueError, naming the key, where a value has the wrong type or a required one is missing.
        """
        here = path or cls.__name__.lower()
        if not isinstance(data, Mapping):
            raise ValueError(f"{here}: expected an object, got {type(data).__name__}")
        hints: dict[str, Any] = _hints(cls)  # type: ignore[arg-type,unused-ignore]
        values: dict[str, Any] = {}
        for spec in fields(cls):
            if spec.name in data:
                values[spec.name] = _decode(hints[spec.name], data[spec.name], f"{here}.{spec.name}")
            elif spec.default is MISSING and spec.default_factory is MISSING:
                raise ValueError(f"{here}: {spec.name} is missing")
        return cls(**values)


def _values(record: Record) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in record.__dataclass_fields__)


def with_texts(value: T, change: Callable[[str], str]) -> T:
    """Return a value (a record, a list, a text ...) in which every text is what `change` makes of it.

    What holds no text that changes stays the same object.
    """
    changed: Any = value
    if isinstance(value, str):
        changed = change(value)
    elif isinstance(value, Record):
        found = {}
        for name in value.__dataclass_fields__:
            old = getattr(value, name)
            new = with_texts(old, change)
            if new is not old:
                found[name] = new
        changed = replace(value, **found) if found else value
    elif isinstance(value, (tuple, list)):
        items = [with_texts(item, change) for item in value]
        if any(new is not old for new, old in zip(items, value, strict=True)):
            changed = tuple(items) if isinstance(value, tuple) else items
    elif isinstance(value, dict):
        changed = {with_texts(key, change): with_texts(item, change) for key, item in value.items()}
    return changed  # type: ignore[no-any-return]
