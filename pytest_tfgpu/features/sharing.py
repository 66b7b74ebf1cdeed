"""What the processes of one session on one host tell one another, through a folder that they share."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_tfgpu.model import Preflight

_VERDICT = "preflight{}.json"
_CLAIM = "preflight{}.claim"
_MEMBER = "worker-"


def make_folder() -> Path:
    """Make a folder of this session's own, readable by nobody else."""
    return Path(tempfile.mkdtemp(prefix="pytest-tfgpu-"))


def remove_folder(folder: Path) -> None:
    """Remove the folder and what is in it; nothing happens where it is gone."""
    shutil.rmtree(folder, ignore_errors=True)


def join(name: str) -> Path:
    """Return the folder of the processes on this host that know this name; they leave it with `part`.

    Raises OSError where it is somebody else's.
    """
    folder = Path(tempfile.gettempdir(), f"pytest-tfgpu-{name}")
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
        raise PermissionError(f"{folder} belongs to somebody else")
    (folder / f"{_MEMBER}{os.getpid()}").touch(mode=0o600)
    return folder


def part(folder: Path) -> None:
    """Leave a folder that was joined; the last process that does so removes it."""
    (folder / f"{_MEMBER}{os.getpid()}").unlink(missing_ok=True)
    if not any(_runs(member) for member in folder.glob(f"{_MEMBER}*")):
        remove_folder(folder)


def _runs(member: Path) -> bool:
    """Tell whether the process that joined still runs."""
    if os.name == "nt":  # there, asking would end it
        return True
    try:
        os.kill(int(member.name.removeprefix(_MEMBER)), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def put(file: Path, text: str) -> None:
    """Write a file so that another process sees it whole or not at all. Raises OSError."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8")
        draft.replace(file)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def leave(folder: Path, preflight: Preflight, subject: str = "") -> None:
    """Leave a verdict for the other processes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    put(_named(folder, _VERDICT, subject), json.dumps(preflight.to_json()))


def find(folder: Path, subject: str = "") -> Preflight | None:
    """Return the verdict that another process left, None where there is none."""
    from pytest_tfgpu.model import Preflight

    try:
        return Preflight.from_json(json.loads(_named(folder, _VERDICT, subject).read_text("utf-8")))
    except (OSError, ValueError):
        return None


def _named(folder: Path, name: str, subject: str) -> Path:
    if not subject:
        return folder / name.format("")
    import hashlib

    return folder / name.format(f"-{hashlib.sha256(subject.encode()).hexdigest()[:16]}")


def once(folder: Path, run: Callable[[], Preflight], patience: float, subject: str = "") -> Preflight:
    """Return the verdict that `run` gives on a subject, called by one process of this host only.

    The others wait for it, `patience` seconds at most; one that waits in vain calls `run` itself.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        os.close(os.open(_named(folder, _CLAIM, subject), os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            preflight = find(folder, subject)
            if preflight is not None:
                return preflight
            time.sleep(0.1)
    preflight = run()
    leave(folder, preflight, subject)
    return preflight
