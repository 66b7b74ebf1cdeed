"""The copy of standard error: everything still arrives where it always did, in its order, whatever happens."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a copy is taken on Linux only")

BEGIN = """
import os, signal, sys, time
from pytest_tfgpu.features import copier
from pytest_tfgpu.features.tee import Tee

def worker():
    return copier.number(tee._page, copier.WORKER)

tee = Tee()
"""


def run(code: str, *, merged: bool = False) -> tuple[str, str, int]:
    """Run code in a process with a copy; return standard output, standard error and the exit status."""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr or "", done.returncode


def test_the_text_arrives_and_is_read() -> None:
    """What is written arrives, and is read once."""
    code = "os.write(2, b'one\\n'); os.write(2, b'two')\nprint([tee.read(), tee.read()])\ntee.close()"
    assert run(code) == ("[b'one\\ntwo', b'']\n", "one\ntwo", 0)


def test_children_are_heard() -> None:
    """Programs that inherit standard error, and forks of the process, are heard; a fork itself reads nothing."""
    out, err, _ = run(
        "import subprocess\nsubprocess.run(['sh', '-c', 'echo program >&2'])\n"
        "pid = os.fork()\nif not pid:\n    os.write(2, b'fork %d\\n' % len(tee.read()))\n"
        "    tee.close()\n    os._exit(0)\n"
        "os.waitpid(pid, 0)\nprint(tee.read())\nos.write(2, b'still\\n')\nprint(tee.read())"
    )
    assert out == "b'program\\nfork 0\\n'\nb'still\\n'\n"
    assert err == "program\nfork 0\nstill\n"


def test_one_place_keeps_its_order() -> None:
    """Where both streams lead to one place their order stays, and the copy holds both."""
    code = (
        "for n in range(500):\n    os.write(1 + n % 2, b'%d\\n' % n)\n"
        "ok = tee.read() and tee.holds_stdout\ntee.close()\nprint(ok)"
    )
    out, _, _ = run(code, merged=True)
    assert out == "".join(f"{number}\n" for number in range(500)) + "True\n"


def test_a_long_text_keeps_its_start_and_its_end() -> None:
    """Of a text that is too long its start and its end are kept; all of it arrives."""
    out, err, _ = run(
        "line = b'%06d\\n'\nfor first in range(0, 100_000, 1000):\n"
        "    os.write(2, b''.join(line % n for n in range(first, first + 1000)))\n"
        "data = tee.read()\nprint(len(data), data[:7], data[-7:], data.count(b'\\n'))"
    )
    assert out.startswith("200001 b'000000\\n' b'099999\\n' ")
    assert len(err) == 700_000


def test_each_reading_begins_anew() -> None:
    """After a long text a short one is read whole."""
    out, _, _ = run(
        "os.write(2, b'x' * 60_000); os.write(2, b'y' * 60_000)\nprint(tee.read() == b'x' * 60_000 + b'y' * 60_000)\n"
        "os.write(2, b'short')\nprint(tee.read())"
    )
    assert out == "True\nb'short'\n"


def test_closing_puts_everything_back() -> None:
    """After closing, the descriptors lead where they led, and closing again does nothing."""
    out, err, _ = run(
        "os.write(2, b'in ')\ntee.close()\nos.write(2, b'order')\ntee.close()\nprint(tee.read())\n"
        "print(os.path.samestat(os.fstat(2), tee._identity))"
    )
    assert (out, err) == ("b''\nFalse\n", "in order")


@pytest.mark.parametrize(
    "end",
    ["os.abort()", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(3)"],
    ids=["abort", "kill", "exit"],
)
def test_a_dying_process_loses_nothing(end: str) -> None:
    """What a process wrote before it died arrives."""
    _, err, status = run(f"os.write(2, b'x' * 60_000 + b' the last word')\n{end}")
    assert err == "x" * 60_000 + " the last word"
    assert status


def test_signals_to_the_group_end_only_the_process() -> None:
    """An interrupt of the whole process group leaves the copying process to finish its work."""
    _, err, _ = run(
        "import subprocess\nos.setpgid(0, 0)\nos.kill(worker(), signal.SIGINT); os.kill(worker(), signal.SIGTERM)\n"
        "os.write(2, b'here')\nprint(tee.read())\nos.killpg(0, signal.SIGTERM)"
    )
    assert err == "here"


def test_a_copying_process_that_was_killed_is_done_without() -> None:
    """Where somebody kills the copying process, standard error is put back at the next reading."""
    out, err, status = run(
        "os.kill(worker(), signal.SIGKILL)\ntime.sleep(0.2)\nprint(tee.read())\n"
        "os.write(2, b'as before')\nprint(tee.read())"
    )
    assert (out, err, status) == ("None\nb''\n", "as before", 0)


def test_descriptors_that_somebody_closed() -> None:
    """A program that closes all files it doesn't know costs the copy, and nothing else."""
    out, err, status = run(
        "os.closerange(3, 100)\nother = os.open('/dev/null', os.O_RDONLY)\nos.write(2, b'goes on')\n"
        "print(tee.read())\ntee.close()\nos.fstat(other)"
    )
    assert (out, err, status) == ("b''\n", "goes on", 0)


def test_the_process_has_no_child_and_no_thread() -> None:
    """The copying process is no child, so that tests that wait for theirs, or count them, don't meet it."""
    out, _, _ = run(
        "import threading\nprint(threading.active_count())\ntry:\n    os.waitpid(-1, os.WNOHANG)\n"
        "except ChildProcessError:\n    print('none')"
    )
    assert out == "1\nnone\n"


def test_the_copying_process_ends(tmp_path: Path) -> None:
    """It ends with the last process that writes."""
    out, _, _ = run("print(worker())\ntee.close()")
    status = Path(f"/proc/{int(out)}/status")
    deadline = time.monotonic() + 5
    while status.exists() and "zombie" not in status.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("broken", ["''", "'/bin/false'", "'/nonexistent'", "None"])
def test_where_it_cannot_start_nothing_changes(broken: str) -> None:
    """Without a Python to run, an OSError says so and the streams are as they were."""
    code = (
        "tee.close()\nbefore, files = os.fstat(2), len(os.listdir('/proc/self/fd'))\n"
        f"sys.executable = {broken}\ntry:\n    Tee()\nexcept OSError:\n    print('refused')\n"
        "print(os.path.samestat(os.fstat(2), before), len(os.listdir('/proc/self/fd')) == files)"
    )
    assert run(code)[0] == "refused\nTrue True\n"


def test_a_flood() -> None:
    """A million lines pass at more than 20 MB/s, and take no memory of the process."""
    out, err, _ = run(
        "import resource\nline = b'E external/local_xla/xla/cuda_dnn.cc:1] failed to allocate something again\\n'\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\nbegan = time.perf_counter()\n"
        "for _ in range(1_000_000):\n    os.write(2, line)\n"
        "tee.read()\nprint(time.perf_counter() - began)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    seconds, kib = map(float, out.split())
    assert err.count("\n") == 1_000_000
    assert seconds < 4
    assert kib < 2000
