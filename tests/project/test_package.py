"""The package as it is installed."""

from __future__ import annotations

import ast
import re
from importlib.metadata import distribution, entry_points
from pathlib import Path

import pytest

import pytest_tfgpu

TESTS = Path(__file__).parent.parent
REPOSITORY = TESTS.parent


def test_entry_points() -> None:
    """Pytest finds the plugin under the name `tfgpu`, and there is a command `tfgpu`."""
    (plugin,) = entry_points(group="pytest11", name="tfgpu")
    (command,) = entry_points(group="console_scripts", name="tfgpu")
    assert plugin.value == "pytest_tfgpu.plugin"
    assert command.value == "pytest_tfgpu.cli.main:main"


def test_version_and_dependencies() -> None:
    """The distribution has the package's version; TensorFlow is none of its dependencies, only of its extras."""
    found = distribution("pytest-tfgpu")
    assert found.version == pytest_tfgpu.__version__
    requirements = found.requires or []
    hard = {re.split(r"[<>=\[; ]", line)[0] for line in requirements if "extra ==" not in line}
    assert hard == {"pytest", "pluggy", "packaging", "nvidia-ml-py", "typing-extensions"}
    assert {"cpu", "cuda", "tensorflow", "xdist"} <= set(found.metadata.get_all("Provides-Extra") or ())


def test_the_package_is_typed() -> None:
    """The marker file for type checkers is part of what is installed."""
    assert (Path(pytest_tfgpu.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize(
    "path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.relative_to(TESTS).as_posix()
)
def test_every_test_states_a_fact(path: Path) -> None:
    """Each test of the project has a docstring, and asserts something or expects an exception."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{path.name}::{node.name} has no docstring"


def test_nothing_of_a_machine_or_a_registry_is_committed() -> None:
    """No path of the machine it was made on and no address of a package index stands in the sources."""
    patterns = re.compile(r"/root/|index-url|/simple/")
    for folder in ("pytest_tfgpu", "tests", "docs", "examples", "benchmarks", ".ci"):
        for path in (REPOSITORY / folder).rglob("*"):
            if path.suffix in (".py", ".md", ".c", ".h", ".toml", ".ini", ".yml") and path != Path(__file__):
                text = path.read_text("utf-8", "replace")
                found = patterns.search(text)
                assert found is None, f"{path.relative_to(REPOSITORY)}: {found}"
