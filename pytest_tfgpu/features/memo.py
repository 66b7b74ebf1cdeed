"""Keeps the verdict of a preflight in pytest's cache folder, for `--tfgpu-preflight-cache`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_tfgpu.features import sharing

if TYPE_CHECKING:
    from pytest_tfgpu.model import Check, Preflight
    from pytest_tfgpu.preflight import Answer
    from pytest_tfgpu.session import Session


class Memo:
    """The verdict that is kept. Without pytest's cache (`-p no:cacheprovider`) none is, and that is said."""

    def __init__(self, config: pytest.Config, session: Session, checks: Sequence[Check]) -> None:
        from pytest_tfgpu.preflight.remembered import fingerprint

        self._session = session
        self._file = self._find(config)
        settings = {"device": session.settings.device, "require": session.settings.require}
        self._key = fingerprint(session.facts, checks, settings, os.environ)

    def _find(self, config: pytest.Config) -> Path | None:
        cache: pytest.Cache | None = getattr(config, "cache", None)
        if cache is None:
            self._session.note("--tfgpu-preflight-cache: pytest's cache is off, so no verdict is remembered")
            return None
        try:
            return cache.mkdir("tfgpu") / "preflight.json"
        except OSError as error:
            self._cannot(error)
            return None

    def _cannot(self, error: OSError) -> None:
        self._session.note(f"--tfgpu-preflight-cache: no verdict is remembered: {error}")

    def recall(self) -> Preflight | None:
        """Return the verdict that was kept, if everything is as it was and the machine shows no new fault."""
        from pytest_tfgpu.environment.findings import findings
        from pytest_tfgpu.preflight.remembered import recall

        if self._file is None:
            return None
        try:
            kept = json.loads(self._file.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        session = self._session
        preflight = recall(kept, session.facts, self._key, session.settings.preflight_cache, time.time())
        if preflight is None or preflight.device == "cpu":
            return preflight
        known = {finding.summary for finding in preflight.findings}
        new = (found for found in findings(session.facts) if found.summary not in known)
        return None if any(found.severity == "error" for found in new) else preflight

    def keep(self, preflight: Preflight, answer: Answer) -> None:
        """Keep a verdict if it is `ok`; otherwise forget the one that was kept."""
        from pytest_tfgpu.preflight.remembered import to_remember

        if self._file is None:
            return
        data = to_remember(preflight, answer, self._session.facts, self._key, time.time())
        try:
            if data is None:
                self._file.unlink(missing_ok=True)
            else:
                sharing.put(self._file, json.dumps(data))
        except OSError as error:
            self._cannot(error)
