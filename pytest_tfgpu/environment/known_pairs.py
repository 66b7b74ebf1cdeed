"""Versions that are known not to go together, as data: each row says where that is written, and when it was read."""

from __future__ import annotations

from typing import Literal, NamedTuple

Version = tuple[int, ...]
Part = Literal["driver", "cuda", "cudnn", "ptxas"]


class Source(NamedTuple):
    """Where a row comes from."""

    url: str
    read: str
    """Year and month."""


_RELEASE_NOTES = Source("https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/index.html", "2026-11")
_OLDER_RELEASE_NOTES = Source(
    "https://docs.nvidia.com/cuda/archive/11.0/cuda-toolkit-release-notes/", "2026-11"
)
_BLACKWELL = Source("https://docs.nvidia.com/cuda/blackwell-compatibility-guide", "2026-11")
_CUDNN_8 = Source("https://docs.nvidia.com/deeplearning/cudnn/archives/cudnn-896/support-matrix", "2026-11")
_XLA = Source(
    "https://github.com/openxla/xla/blob/main/xla/stream_executor/cuda/subprocess_compilation.cc", "2026-11"
)


class Needs(NamedTuple):
    """The oldest version of one part that another part, of a version from `since` up to `before`, works with."""

    part: Part
    at_least: Version
    of: Literal["cuda", "capability"]
    since: Version
    before: Version
    source: Source


NEEDS: tuple[Needs, ...] = (
    Needs("driver", (367, 48), "cuda", (8,), (9,), _OLDER_RELEASE_NOTES),
    Needs("driver", (384, 81), "cuda", (9,), (9, 1), _OLDER_RELEASE_NOTES),
    Needs("driver", (390, 46), "cuda", (9, 1), (9, 2), _OLDER_RELEASE_NOTES),
    Needs("driver", (396, 26), "cuda", (9, 2), (10,), _OLDER_RELEASE_NOTES),
    Needs("driver", (410, 48), "cuda", (10,), (10, 1), _OLDER_RELEASE_NOTES),
    Needs("driver", (418, 39), "cuda", (10, 1), (10, 2), _OLDER_RELEASE_NOTES),
    Needs("driver", (440, 33), "cuda", (10, 2), (11,), _OLDER_RELEASE_NOTES),
    Needs("driver", (450, 36, 6), "cuda", (11,), (11, 1), _OLDER_RELEASE_NOTES),
    Needs("driver", (450, 80, 2), "cuda", (11, 1), (12,), _RELEASE_NOTES),
    Needs("driver", (525, 60, 13), "cuda", (12,), (13,), _RELEASE_NOTES),
    Needs("driver", (580, 65, 6), "cuda", (13,), (14,), _RELEASE_NOTES),
    Needs("cuda", (12, 8), "capability", (10, 0), (99,), _BLACKWELL),
    Needs("cudnn", (9,), "capability", (10, 0), (99,), _CUDNN_8),
)
"""For Linux. Drivers: the first that runs each CUDA; from 11.1 on, the first that runs any of its major version."""


class Refused(NamedTuple):
    """Versions of a part that TensorFlow passes over: older than `before`, or just `exactly`."""

    part: Part
    before: Version
    exactly: tuple[Version, ...]
    source: Source


REFUSED: tuple[Refused, ...] = (Refused("ptxas", (11, 8, 0), ((12, 3, 103),), _XLA),)
"""What XLA doesn't compile with, whatever else fits."""


def needed(part: Part, of: Literal["cuda", "capability"], version: Version) -> Needs | None:
    """Return the row that says which `part` this version of something else needs, or None."""
    for row in NEEDS:
        if (row.part, row.of) == (part, of) and row.since <= version < row.before:
            return row
    return None


def refused(part: Part, version: Version) -> Refused | None:
    """Return the row that says that TensorFlow passes over this version of a part, or None."""
    for row in REFUSED:
        if row.part == part and len(version) >= 2 and (version < row.before or version in row.exactly):
            return row
    return None


def text(version: Version) -> str:
    """Write a version as NVIDIA does: drivers' last two parts have two digits."""
    first, *rest = version
    return ".".join([str(first), *(f"{part:02d}" if first > 100 else str(part) for part in rest)])
