"""The folder that the processes of a session share on a host: verdicts that are made once, and who removes it."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_tfgpu.features import sharing
from pytest_tfgpu.model import Preflight

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]

OK = Preflight("ok", "all is well")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a folder of this test be the one for temporary files."""
    monkeypatch.setattr(sharing.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def fork(action: Callable[[], object]) -> int:
    """Start an action in a process of its own; return its pid."""
    pid = os.fork()
    if not pid:
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return pid


def ended(*pids: int) -> list[int]:
    """Wait for processes, and return their exit statuses."""
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def test_one_process_runs_and_the_others_wait(tmp_path: Path) -> None:
    """Of four processes that want a verdict one makes it; all have it. On another subject it is made anew."""

    def make() -> Preflight:
        (tmp_path / f"made-{os.getpid()}").touch()
        time.sleep(0.3)
        return OK

    def want(subject: str) -> None:
        assert sharing.once(tmp_path / "shared", make, 20, subject) == OK

    assert ended(*[fork(lambda: want("GPU-1")) for _ in range(4)]) == [0] * 4
    assert len(list(tmp_path.glob("made-*"))) == 1
    assert ended(fork(lambda: want("GPU-2")), fork(lambda: want("GPU-1"))) == [0, 0]
    assert len(list(tmp_path.glob("made-*"))) == 2
    assert sharing.find(tmp_path / "shared", "GPU-2") == OK
    assert sharing.find(tmp_path / "shared") is None


def test_who_waits_in_vain_helps_himself(tmp_path: Path) -> None:
    """Where the process that claimed the work died, another does it after its patience has run out."""
    died = fork(lambda: sharing.once(tmp_path, lambda: os._exit(3), 1))  # type: ignore[arg-type]
    assert ended(died) == [3]
    assert sharing.once(tmp_path, lambda: OK, 0.2) == OK


def test_the_last_one_removes_the_folder(temporary: Path) -> None:
    """A folder that was joined is there until the last process leaves it; one that was killed isn't waited for."""
    folder = sharing.join("run")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert ended(fork(lambda: sharing.join("run")), fork(lambda: sharing.part(sharing.join("run")))) == [0, 0]
    assert len(list(folder.iterdir())) == 2
    sharing.part(folder)
    assert list(temporary.iterdir()) == []


def test_somebody_elses_folder(temporary: Path) -> None:
    """A link under the folder's name isn't followed."""
    (temporary / "elsewhere").mkdir()
    (temporary / "pytest-tfgpu-run").symlink_to(temporary / "elsewhere")
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        sharing.join("run")
    assert list((temporary / "elsewhere").iterdir()) == []
