"""Which causes there are in this session: those that come with pytest-tfgpu, and those of other plugins."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_tfgpu.features import hooks
from pytest_tfgpu.session import Session


def require_known(causes: Iterable[str], config: pytest.Config, session: Session) -> None:
    """Raise ValueError, naming them, where some of the causes don't exist."""
    from pytest_tfgpu.knowledge.schema import Cause

    given = hooks.sequences(config, session, "pytest_tfgpu_causes", Cause)
    known = [cause.id for _, provided in given for cause in provided]
    unknown = [cause for cause in causes if cause not in known]
    if unknown:
        from difflib import get_close_matches

        near = [match for cause in unknown for match in get_close_matches(cause, known, 1)]
        meant = f" (meant: {', '.join(dict.fromkeys(near))}?)" if near else ""
        noun = "cause" if len(unknown) == 1 else "causes"
        names = ", ".join(repr(cause) for cause in unknown)
        raise ValueError(
            f"unknown {noun} {names}{meant}; 'tfgpu causes' lists those that come with pytest-tfgpu"
        )
