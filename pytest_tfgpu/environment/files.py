"""Small files and folders that may be missing, such as those that the kernel shows."""

from __future__ import annotations

import os
from pathlib import Path


def names_in(folder: Path) -> list[str]:
    """Return the names of what is in a folder, in no order; none where it can't be listed."""
    try:
        return os.listdir(folder)  # noqa: PTH208
    except OSError:
        return []


def text_of(path: Path) -> str:
    """Return what stands in a file; "" where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
