"""Environment variables that this session sets for the processes that it starts."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

VISIBLE, GROWTH = "CUDA_VISIBLE_DEVICES", "TF_FORCE_GPU_ALLOW_GROWTH"


def set_for_session(config: pytest.Config, changed: Mapping[str, str]) -> None:
    """Set variables, and put back what they were when pytest ends."""
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    config.add_cleanup(lambda: _put_back(before))


def _put_back(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
