"""Where a marker stands in the source, as its author wrote it: marks themselves carry no line."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest


@cache
def _tree(path: Path) -> tuple[str, ast.Module] | None:
    try:
        source = path.read_text("utf-8")
        return source, ast.parse(source)
    except (OSError, ValueError, SyntaxError):
        return None


def _owner(module: ast.Module, names: list[str]) -> ast.AST | None:
    """Return the definition of the class or function with this qualified name; the last one wins, as in Python."""
    owner: ast.AST = module
    for name in names:
        body = getattr(owner, "body", [])
        found = [
            node
            for node in ast.walk(ast.Module(body=body, type_ignores=[]))
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name
        ]
        if not found:
            return None
        owner = found[-1]
    return owner


def _expressions(owner: ast.AST) -> Iterator[ast.expr]:
    """Give the expressions in which marks of a module, class or function are written."""
    yield from getattr(owner, "decorator_list", [])
    if not isinstance(owner, (ast.FunctionDef, ast.AsyncFunctionDef)):
        for statement in getattr(owner, "body", []):
            targets = (
                statement.targets
                if isinstance(statement, ast.Assign)
                else [getattr(statement, "target", None)]
            )
            if any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in targets):
                yield statement.value


def _matches(node: ast.AST, mark: pytest.Mark) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return isinstance(called, ast.Attribute) and called.attr == mark.name


def _same_arguments(node: ast.AST, mark: pytest.Mark) -> bool:
    arguments = node.args if isinstance(node, ast.Call) else []
    keywords = node.keywords if isinstance(node, ast.Call) else []
    try:
        positional: tuple[Any, ...] = tuple(ast.literal_eval(argument) for argument in arguments)
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
    except ValueError:
        return False
    return positional == mark.args and named == dict(mark.kwargs)


def as_called(mark: pytest.Mark) -> str:
    """Return the marker with its arguments, as a call: `requires_cudnn('>=9.1')`."""
    arguments = [repr(value) for value in mark.args] + [
        f"{key}={value!r}" for key, value in mark.kwargs.items()
    ]
    return f"{mark.name}({', '.join(arguments)})"


def locate(node: pytest.Item | pytest.Collector, mark: pytest.Mark) -> tuple[str, int | None, str]:
    """Return file, line and text of the marker on this node.

    The line is that of the first decorator (of `pytestmark`, for a module), None where the source can't be read.
    """
    parsed = _tree(node.path)
    shown = _relative(node)
    if parsed is None:
        return shown, None, as_called(mark)
    source, module = parsed
    obj = getattr(node, "obj", None)
    qualified = getattr(obj, "__qualname__", "") if not isinstance(node, pytest.Module) else ""
    owner = _owner(module, [name for name in qualified.split(".") if name and name != "<locals>"])
    written = [
        candidate
        for expression in (_expressions(owner) if owner is not None else ())
        for candidate in ast.walk(expression)
        if _matches(candidate, mark)
    ]
    calls = [candidate for candidate in written if isinstance(candidate, ast.Call)] or written
    exact = [candidate for candidate in calls if _same_arguments(candidate, mark)]
    if not calls or owner is None:
        return shown, getattr(owner, "lineno", None), as_called(mark)
    chosen = (exact or calls)[0]
    decorators = getattr(owner, "decorator_list", [])
    line = decorators[0].lineno if decorators else chosen.lineno  # type: ignore[attr-defined]
    return shown, line, ast.get_source_segment(source, chosen) or as_called(mark)


def _relative(node: pytest.Item | pytest.Collector) -> str:
    try:
        return node.path.relative_to(node.config.rootpath).as_posix()
    except ValueError:
        return str(node.path)
