"""The direction of imports, and what starting up may import."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_tfgpu

ROOT = Path(pytest_tfgpu.__file__).parent

LAYERS = (
    {"model", "facts", "records", "frameworks", "_version"},
    {
        "diagnosis",
        "reporters",
        "history",
        "redaction",
        "knowledge",
        "preflight",
        "environment",
        "session",
        "parsing",
        "settings",
        "nesting",
        "_compat",
    },
    {"features", "fixtures", "markers", "requirements", "cli"},
    {"plugin", "__main__"},
)
"""From the bottom up; a module imports from its own layer and those below it. `hookspecs` only names types."""

KNOW_PYTEST = {"features", "fixtures", "plugin", "hookspecs", "session", "_compat"}
"""The parts that may import pytest at run time."""

FREE = {"__init__", "hookspecs"}


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(ROOT.rglob("*.py"))


def part(path: Path) -> str:
    """Return the top-level name of a module within the package: `features`, `model`."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def runtime_imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield the modules that a file imports, not counting those for type checkers; and whether at its top level."""
    tree = ast.parse(path.read_text("utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) in top) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "pytest_tfgpu":
                yield from ((f"pytest_tfgpu.{alias.name}", id(node) in top) for alias in node.names)
            else:
                yield node.module or "", id(node) in top


def layer(name: str) -> int:
    """Return the number of the layer that a part belongs to."""
    return next(number for number, names in enumerate(LAYERS) if name in names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_one_way(path: Path) -> None:
    """A module imports only from its own layer and the layers below it."""
    here = part(path)
    if here in FREE:
        return
    for name, _ in runtime_imports(path):
        if name.startswith("pytest_tfgpu."):
            target = name.split(".")[1]
            if target in FREE or target.startswith("__"):
                continue
            allowed = layer(target) <= layer(here) or (here == "plugin" and target == "hookspecs")
            assert allowed, f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_who_may_know_pytest_and_tensorflow(path: Path) -> None:
    """Only pytest's side imports pytest, only `_compat` its internals, and no module imports TensorFlow at its top."""
    here = part(path)
    for name, at_top in runtime_imports(path):
        package = name.partition(".")[0]
        assert package != "_pytest" or here == "_compat", f"{path.name} imports {name}"
        assert package != "pytest" or here in KNOW_PYTEST, f"{path.name} imports {name}"
        assert not (package in ("tensorflow", "keras", "numpy", "pynvml") and at_top), (
            f"{path.name} imports {name}"
        )


def imported_by(code: str) -> set[str]:
    """Run code in a fresh Python and return the modules that it has imported at its end."""
    printed = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json\nprint(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(json.loads(printed.splitlines()[-1]))


def test_the_package_itself_imports_next_to_nothing() -> None:
    """`import pytest_tfgpu` imports neither pytest nor the parts of the package; its names come when asked for."""
    ours = {name for name in imported_by("import pytest_tfgpu") if name.startswith("pytest_tfgpu")}
    assert ours == {"pytest_tfgpu", "pytest_tfgpu._version"}
    assert "pytest" not in imported_by("import pytest_tfgpu; pytest_tfgpu.Facts")


def test_public_names_exist() -> None:
    """Each name of `__all__` can be had, and `dir` shows it."""
    for name in pytest_tfgpu.__all__:
        assert getattr(pytest_tfgpu, name) is not None
    assert set(pytest_tfgpu.__all__) == set(dir(pytest_tfgpu))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = pytest_tfgpu.nonsense


def test_the_plugin_module_only_declares_and_wires() -> None:
    """The entry point stays short."""
    assert len((ROOT / "plugin.py").read_text("utf-8").splitlines()) < 100


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_modules_and_functions_stay_readable(path: Path) -> None:
    """A module has at most 350 lines a function at most 60."""
    source = path.read_text("utf-8")
    assert len(source.splitlines()) <= 350
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name
