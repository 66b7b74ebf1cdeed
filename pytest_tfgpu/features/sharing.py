"""What the processes of one session on one host tell one another, through a folder that they share."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfgpu.model import Preflight

VERDICT = "preflight.json"
_CLAIM = "preflight.claim"


def make_folder() -> Path:
    """Make a folder of this session's own, readable by nobody else."""
    return Path(tempfile.mkdtemp(prefix="pytest-tfgpu-"))


def remove_folder(folder: Path) -> None:
    """Remove the folder and what is in it; nothing happens where it is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def leave(folder: Path, preflight: Preflight) -> None:
    """Leave a verdict for the other processes; they see it whole or not at all."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f"{VERDICT}.{os.getpid()}"
    draft.write_text(json.dumps(preflight.to_json()), "utf-8")
    draft.replace(folder / VERDICT)


def find(folder: Path) -> Preflight | None:
    """Return the verdict that another process left, None where there is none."""
    from pytest_tfgpu.model import Preflight

    try:
        return Preflight.from_json(json.loads((folder / VERDICT).read_text("utf-8")))
    except (OSError, ValueError):
        return None


def once(folder: Path, run: Callable[[], Preflight], patience: float) -> Preflight:
    """Return the verdict that `run` gives, called by one process of this host only.

    The others wait for it, `patience` seconds at most; one that waits in vain calls `run` itself.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(folder / _CLAIM, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            preflight = find(folder)
            if preflight is not None:
                return preflight
            time.sleep(0.1)
    preflight = run()
    leave(folder, preflight)
    return preflight
