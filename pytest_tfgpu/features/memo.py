"""Keeps the verdict of a preflight in pytest's cache, for `--tfgpu-preflight-cache`."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_tfgpu.model import Check, Preflight
    from pytest_tfgpu.preflight import Answer
    from pytest_tfgpu.session import Session

_KEY = "tfgpu/preflight"


class Memo:
    """The verdict that pytest's cache holds. Without that cache (`-p no:cacheprovider`) nothing is kept."""

    def __init__(self, config: pytest.Config, session: Session, checks: Sequence[Check]) -> None:
        from pytest_tfgpu.preflight.remembered import fingerprint

        self._session = session
        self._cache: pytest.Cache | None = getattr(config, "cache", None)
        if self._cache is None:
            session.note("--tfgpu-preflight-cache: pytest's cache is off, so no verdict is remembered")
        settings = {"device": session.settings.device, "require": session.settings.require}
        self._key = fingerprint(session.facts, checks, settings, os.environ)

    def recall(self) -> Preflight | None:
        """Return the verdict that was kept, if everything is as it was and the machine shows no new fault."""
        if self._cache is None:
            return None
        from pytest_tfgpu.environment.findings import findings
        from pytest_tfgpu.preflight.remembered import recall

        session = self._session
        kept = self._cache.get(_KEY, None)
        preflight = recall(kept, session.facts, self._key, session.settings.preflight_cache, time.time())
        if preflight is None or preflight.device == "cpu":
            return preflight
        known = {finding.summary for finding in preflight.findings}
        new = (found for found in findings(session.facts) if found.summary not in known)
        return None if any(found.severity == "error" for found in new) else preflight

    def keep(self, preflight: Preflight, answer: Answer) -> None:
        """Keep a verdict if it is `ok`; otherwise forget the one that was kept."""
        if self._cache is None:
            return
        from pytest_tfgpu.preflight.remembered import to_remember

        facts = self._session.facts
        self._cache.set(_KEY, to_remember(preflight, answer, facts, self._key, time.time()))
