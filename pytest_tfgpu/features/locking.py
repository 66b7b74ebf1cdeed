"""Keeps two pytest runs on one machine off the same GPU: a lock per GPU, which the system frees with its process."""

from __future__ import annotations

import os
import random
import stat
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from pytest_tfgpu.features import variables, workers
from pytest_tfgpu.session import Session

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from pytest_tfgpu.environment.shares import Place

ANCESTOR = "PYTEST_TFGPU_LOCKED"
"""Environment variable: keys of the GPUs that a run around this one (whose test started it) has locked."""

COMMON = Path(os.environ.get("PROGRAMDATA", "/") if sys.platform == "win32" else "/tmp")
"""Where the folder of the locks is: not TMPDIR, which may differ between users and jobs."""

SECONDS = 1.0
"""How long a run that finds no GPU waits before it looks again, about."""


class Taken(NamedTuple):
    """A GPU that this run has for itself."""

    place: Place
    lock: BaseFileLock | None
    """None: a run around this one has it locked."""

    def give_back(self) -> None:
        """Let others have the GPU."""
        if self.lock is not None:
            self.lock.release()


class Locking:
    """Registered in the process that the user started, where GPUs are to be locked."""

    def __init__(self, config: pytest.Config, session: Session) -> None:
        self._config = config
        self._session = session
        self._taken: list[Taken] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        reason = None
        with self._session.guard("locking GPUs"):
            reason = self._lock()
        if reason is not None:
            raise pytest.UsageError(f"pytest-tfgpu: --tfgpu-lock {reason}")

    def _lock(self) -> str | None:
        """Lock the GPUs of this run, and let it see no others; return why that isn't possible."""
        from pytest_tfgpu.environment.shares import places

        here = places(self._session.facts)
        if not here:
            return None
        try:
            import filelock  # noqa: F401
        except ImportError:
            return "needs filelock: pip install 'pytest-tfgpu[lock]'"
        try:
            self._wait(here, *self._wanted(here))
        except OSError as error:
            return f"can't lock a GPU: {error}"
        self._keep_to(here)
        listed = self._session.facts.environment.get(variables.VISIBLE, "")
        if "visible_gpus" in self._session.facts.unknown and listed[:1].isdigit():
            self._session.note(
                "--tfgpu-lock: CUDA may number the unlike GPUs of this machine in another order than the driver; set "
                "CUDA_DEVICE_ORDER=PCI_BUS_ID, or list GPUs by uuid, so that the GPU is locked that is used"
            )
        return None

    def _wanted(self, here: Sequence[Place]) -> tuple[int, int]:
        """Return how many GPUs this run needs at least, and how many it can use."""
        settings = self._session.settings
        each = min(settings.gpus_per_worker, len(here))
        if workers.distributes(self._config):
            most = min(len(here), each * max(1, workers.local_workers(self._config)))
        else:
            most = each if "gpus_per_worker" in self._session.sources else len(here)
        required = len(here) if settings.require == "all" else min(settings.require, len(here))
        return max(each, required), max(most, required)

    def _wait(self, here: Sequence[Place], least: int, most: int) -> None:
        """Lock GPUs, as soon as there are enough of them. Raises OSError where that isn't possible at all."""
        said = None
        while True:
            self._taken = take(here, most)
            if len(self._taken) >= least:
                return
            free = {taken.place for taken in self._taken}
            self._give_back()
            line = _waiting([place for place in here if place not in free], least)
            if line != said:
                self._say(said := line)
            time.sleep(SECONDS * random.uniform(0.5, 1.5))

    def _say(self, line: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.ensure_newline()
            terminal.write_line(line, yellow=True)
            terminal.flush()

    def _keep_to(self, here: Sequence[Place]) -> None:
        """Let this process, and those that it starts, see the locked GPUs only."""
        from dataclasses import replace

        from pytest_tfgpu.environment.visibility import visible_positions

        changed = {ANCESTOR: ",".join(taken.place.key for taken in self._taken)}
        if len(self._taken) < len(here):
            tokens = ",".join(taken.place.token for taken in self._taken)
            changed[variables.VISIBLE] = tokens
            facts = self._session.facts
            self._session.facts = replace(
                facts,
                visible_gpus=visible_positions(facts.gpus, tokens),
                environment={**facts.environment, variables.VISIBLE: tokens},
            )
        variables.set_for_session(self._config, changed)

    def pytest_report_header(self) -> str | None:
        if not self._taken:
            return None
        return f"tfgpu: {', '.join(taken.place.name for taken in self._taken)} locked for this run"

    def pytest_unconfigure(self) -> None:
        self._give_back()

    def _give_back(self) -> None:
        for taken in self._taken:
            taken.give_back()
        self._taken = []


def take(here: Iterable[Place], most: int) -> list[Taken]:
    """Lock at most so many of these GPUs, those that nobody has. Raises OSError where locking isn't possible."""
    import filelock

    outer = os.environ.get(ANCESTOR, "").split(",")
    taken: list[Taken] = []
    try:
        for place in here:
            if len(taken) == most:
                break
            lock = None
            if place.key not in outer:
                lock = filelock.FileLock(_path(place, "lock"), timeout=0, mode=0o666, thread_local=False)
                try:
                    lock.acquire()
                except filelock.Timeout:
                    continue
                _note_holder(place)
            taken.append(Taken(place, lock))
    except BaseException:
        for item in taken:
            item.give_back()
        raise
    return taken


def not_in_use(here: Sequence[Place]) -> tuple[Place, ...]:
    """Return those of these GPUs that no other run has locked now; all where that can't be told."""
    try:
        taken = take(here, len(here))
    except (ImportError, OSError):
        return tuple(here)
    for item in taken:
        item.give_back()
    return tuple(item.place for item in taken)


def _waiting(held: Sequence[Place], least: int) -> str:
    """Say what this run waits for: the GPUs that others have, and who they are."""
    users = []
    for place in held:
        pid = _holder(place)
        users.append(f"{place.name} is in use by another pytest run" + (f" (process {pid})" if pid else ""))
    what = "a GPU" if least == 1 else f"{least} GPUs"
    return f"tfgpu: waiting for {what}: {', '.join(users)}"


# ----------------------------------------------------------------------------------------------------- files


def folder() -> Path:
    """Return the folder of the locks, the same for all users of this machine; made where it isn't there.

    Anybody may add files, nobody may remove those of others, as in /tmp. Raises OSError where it can't be had.
    """
    path = (COMMON if COMMON.is_dir() else Path(tempfile.gettempdir())) / "pytest-tfgpu-locks"
    with suppress(FileExistsError):
        path.mkdir()
        path.chmod(0o1777)
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise NotADirectoryError(f"{path} is not a folder")
    return path


def _path(place: Place, suffix: str) -> Path:
    safe = "".join(letter if letter.isalnum() or letter == "-" else "_" for letter in place.key)
    return folder() / f"{safe}.{suffix}"


def _note_holder(place: Place) -> None:
    """Leave word of who has a GPU; a file of its own, for those who try the lock may empty the lock's."""
    path = _path(place, "pid")
    flags = os.O_WRONLY | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0)
    with suppress(OSError):
        try:
            file = os.open(path, flags)
        except FileNotFoundError:
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            if hasattr(os, "fchmod"):
                os.fchmod(file, 0o666)
        try:
            os.write(file, str(os.getpid()).encode())
        finally:
            os.close(file)


def _holder(place: Place) -> int | None:
    """Return the process that said it has a GPU, None where none did."""
    with suppress(OSError, ValueError):
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        file = os.open(_path(place, "pid"), flags)
        try:
            return int(os.read(file, 20))
        finally:
            os.close(file)
    return None
