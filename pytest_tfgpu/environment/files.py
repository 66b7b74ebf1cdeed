"""Small files that may be missing, such as those that the kernel shows."""

from __future__ import annotations

from pathlib import Path


def text_of(path: Path) -> str:
    """Return what stands in a file; "" where it can't be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
