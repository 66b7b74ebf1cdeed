"""Writing reports: whole or not at all, never through a symbolic link, and found out before the session.

A link to a folder is followed, unless the path is named within the working folder and the link leads out of it: then
it may have come with the tests.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

_CHUNK = 2**20
"""Characters that are encoded at a time."""


def check_writable(path: Path, *, appends: bool = False) -> None:
    """Find out, by trying, whether `write` (or `append`) can put a report to `path`. Leaves nothing behind.

    Raises OSError with a sentence that names the path and what is in the way.
    """
    try:
        _refuse_special(path, link=appends)
        folder = _existing_folder(path.parent)
        probe, handle = _open_beside(folder)
        os.close(handle)
        probe.unlink()
    except (OSError, ValueError) as error:
        raise OSError(f"cannot write {path}: {_why(error)}") from error


def write(path: Path, text: str | Iterable[str]) -> None:
    """Write `text` as UTF-8 to `path`, whole or not at all; missing folders are made.

    What can't be encoded (lone surrogates) is written as a backslash escape. A symbolic link at `path` is
    replaced by the report, what it points to stays as it was. Raises OSError with a sentence.
    """
    try:
        _refuse_special(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary, handle = _open_beside(path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(_encoded(text))
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except (OSError, ValueError) as error:
        raise OSError(f"cannot write {path}: {_why(error)}") from error


def append(path: Path, text: str | Iterable[str]) -> None:
    """Add `text` as UTF-8 to the end of `path`; what the file holds is never changed.

    Raises OSError with a sentence, also where `path` is a symbolic link.
    """
    try:
        _refuse_special(path, link=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.writelines(_encoded(text))
    except (OSError, ValueError) as error:
        raise OSError(f"cannot write {path}: {_why(error)}") from error


def _encoded(text: str | Iterable[str]) -> Iterator[bytes]:
    for piece in (text,) if isinstance(text, str) else text:
        for start in range(0, len(piece), _CHUNK):
            yield piece[start : start + _CHUNK].encode("utf-8", "backslashreplace")


def _refuse_special(path: Path, *, link: bool = False) -> None:
    """Raise OSError where `path` is, or points to, what is no ordinary file: a folder, a device, a pipe.

    With `link`, where it is a symbolic link at all. Also where a link on the way leads out of the working folder.
    """
    _refuse_way_out(path)
    try:
        if link and path.is_symlink():
            raise OSError("it is a symbolic link")
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(mode):
        raise OSError("it is a folder")
    if not stat.S_ISREG(mode):
        raise OSError("it is not an ordinary file")


def _refuse_way_out(path: Path) -> None:
    """Raise OSError where `path` is named within the working folder, and a symbolic link leads out of that."""
    try:
        here = Path.cwd()
    except OSError:
        return
    if Path(os.path.normpath(path)).is_relative_to(here) and not path.parent.resolve().is_relative_to(here):
        link = next((place for place in reversed(path.parents) if place.is_symlink()), path.parent)
        raise OSError(f"{link} is a symbolic link that leads out of {here}")


def _existing_folder(folder: Path) -> Path:
    """Return `folder`, or the nearest folder above it in which the missing ones can be made."""
    for place in (folder, *folder.parents):
        if place.is_dir():
            return place
        if place.exists() or place.is_symlink():
            raise OSError(f"{place} is not a folder")
    return folder


def _open_beside(folder: Path) -> tuple[Path, int]:
    """Create a new file in `folder`, with the permissions that any new file gets there."""
    path = folder / f".tfgpu-{os.getpid()}-{time.monotonic_ns()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    return path, os.open(path, flags, 0o666)


def _why(error: OSError | ValueError) -> str:
    reason = error.strerror if isinstance(error, OSError) else None
    return reason[0].lower() + reason[1:] if reason else str(error)
