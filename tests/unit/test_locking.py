"""The lock of a GPU: who has it, who else can't, and the files that several users share."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_tfgpu.environment.shares import Place
from pytest_tfgpu.features import locking
from pytest_tfgpu.model import Gpu

HERE = tuple(Place(str(n), Gpu(index=n, uuid=f"GPU-{n:04x}")) for n in range(3))

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the locks of these tests in a folder of their own, made as the common one is."""
    monkeypatch.delenv(locking.ANCESTOR, raising=False)
    monkeypatch.setattr(locking, "COMMON", tmp_path)
    return tmp_path


def in_another_process(action: Callable[[], int], user: int | None = None) -> int:
    """Return what a forked process made of an action, as another user where one is given; 99 where it raised."""
    pid = os.fork()
    if not pid:
        status = 99
        try:
            if user is not None:
                os.setgroups([])
                os.setgid(user)
                os.setuid(user)
            status = action()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_is_taken_is_taken() -> None:
    """A locked GPU is none for another process, which learns who has it; given back, it is."""
    (taken,) = locking.take(HERE, 1)
    assert taken.place == HERE[0]
    assert in_another_process(lambda: len(locking.take(HERE, 3))) == 2
    assert in_another_process(lambda: int(locking._holder(HERE[0]) == os.getppid())) == 1
    assert locking.not_in_use(HERE) == HERE[1:]
    taken.give_back()
    assert locking.not_in_use(HERE) == HERE


def test_a_dead_process_holds_nothing() -> None:
    """The lock of a process that ended without giving it back is free at once."""
    assert in_another_process(lambda: len(locking.take(HERE, 3))) == 3
    assert locking.not_in_use(HERE) == HERE


def test_the_run_around_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """GPUs that the run around this one has locked are this one's, too."""
    around = locking.take(HERE, 2)
    monkeypatch.setenv(locking.ANCESTOR, ",".join(item.place.key for item in around))
    assert in_another_process(lambda: len(locking.take(HERE, 3))) == 3
    for item in around:
        item.give_back()


def test_files_that_others_may_use(folder: Path) -> None:
    """Everybody may add a lock and use those of others; nobody may remove what is another user's."""
    for item in locking.take(HERE, 1):
        item.give_back()
    locks = folder / "pytest-tfgpu-locks"
    assert stat.S_IMODE(locks.stat().st_mode) == 0o1777
    assert {stat.S_IMODE(path.stat().st_mode) for path in locks.iterdir()} == {0o666}
    assert sorted(path.name for path in locks.iterdir()) == ["GPU-0000.lock", "GPU-0000.pid"]


def test_a_link_in_place_of_a_file(folder: Path) -> None:
    """What somebody put in the place of our files isn't written through: the lock is refused, the note left out."""
    precious = folder / "precious"
    precious.write_text("untouched")
    locking.folder()
    (folder / "pytest-tfgpu-locks" / "GPU-0000.pid").symlink_to(precious)
    for item in locking.take(HERE, 1):
        item.give_back()
    assert locking._holder(HERE[0]) is None
    (folder / "pytest-tfgpu-locks" / "GPU-0001.lock").symlink_to(precious)
    with pytest.raises(OSError, match="GPU-0001"):
        locking.take(HERE[1:], 1)
    assert precious.read_text() == "untouched"


def test_a_file_in_place_of_the_folder(folder: Path) -> None:
    """Something else under the folder's name is an error with a sentence, not used."""
    (folder / "pytest-tfgpu-locks").symlink_to(folder)
    with pytest.raises(NotADirectoryError, match="is not a folder"):
        locking.take(HERE, 1)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can become another user")
def test_two_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user can't lock what another has locked, can lock it afterwards, and then holds it against the first."""
    with tempfile.TemporaryDirectory(dir="/tmp") as common:
        Path(common).chmod(0o777)
        monkeypatch.setattr(locking, "COMMON", Path(common))
        first = locking.take(HERE, 2)
        assert in_another_process(lambda: len(locking.take(HERE, 3)), user=65534) == 1
        for item in first:
            item.give_back()
        assert in_another_process(lambda: len(locking.take(HERE, 3)), user=65534) == 3
        second = locking.take(HERE, 3)
        assert len(second) == 3
        for item in second:
            item.give_back()
