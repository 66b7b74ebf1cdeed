"""A pytest inside a running session (pytester) must not take the settings of the outer one for its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping

_OUTER = "PYTEST_TFGPU_OUTER"


def _session_variables(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name.startswith("TFGPU_") or name == "GITHUB_STEP_SUMMARY"
    }


def own_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without the settings that belong to a pytest session around this one.

    A variable that a test set anew for the inner session (pytester) counts; one that it merely inherited doesn't.
    """
    environ = os.environ if environ is None else environ
    mine = dict(environ)
    outer = environ.get(_OUTER)
    if outer:
        try:
            inherited = json.loads(outer)
        except ValueError:
            return mine
        for name, value in inherited.items():
            if mine.get(name) == value:
                del mine[name]
    return mine


def announce_session() -> Callable[[], None]:
    """Let pytest sessions that this one's tests start know which settings are ours; return what takes it back."""
    variables = _session_variables(os.environ)
    if not variables or _OUTER in os.environ:
        return _nothing
    os.environ[_OUTER] = json.dumps(variables)
    return _forget_session


def _nothing() -> None:
    pass


def _forget_session() -> None:
    os.environ.pop(_OUTER, None)
