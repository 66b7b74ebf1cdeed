"""The child process by itself: programs that misbehave, without TensorFlow."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.preflight.process import FLOOD_MIB, Child
from pytest_tfgpu.preflight.tail import FIRST_LINES, LAST_LINES, LONGEST_LINE, Tail
from pytest_tfgpu.preflight.wording import how_it_ended, python_stack

POLITE = """
import json, os, sys
request = json.loads(sys.stdin.readline())
def say(event, **values):
    print(json.dumps({"tfgpu": request["token"], "event": event, **values}), flush=True)
"""


def run(program: str, limit: float = 20.0, **request: Any) -> tuple[Child, list[dict[str, Any]]]:
    """Run a Python program as the child, to its end."""
    child = Child([sys.executable, "-I", "-c", program], dict(os.environ), request, limit)
    return child, list(child.events())


def gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_reports_come_in_order() -> None:
    """Reports with the token are yielded in order, with the request's values at hand."""
    child, events = run(POLITE + "say('one', value=request['value'])\nsay('two')", value=[1, "ü"])
    assert [(event["event"], event.get("value")) for event in events] == [("one", [1, "ü"]), ("two", None)]
    assert (child.end, child.returncode) == ("exited", 0)


def test_stray_output_is_kept_apart() -> None:
    """Lines that are not ours, among them JSON without the token and bytes that are not UTF-8, disturb nothing."""
    program = POLITE + (
        'os.write(1, b\'hello\\n{"event": "one"}\\n{broken\\n\\xff\\xfe no newline\')\n'
        "os.write(1, b'\\n'); say('one'); os.write(1, b'rest')"
    )
    child, events = run(program)
    assert [event["event"] for event in events] == ["one"]
    assert child.stdout.lines() == ["hello", '{"event": "one"}', "{broken", "\ufffd\ufffd no newline", "rest"]


@pytest.mark.parametrize(
    ("program", "kind", "sentence"),
    [
        ("import os; os.abort()", "crashed", "was killed by SIGABRT"),
        ("import os; os.kill(os.getpid(), 11)", "crashed", "was killed by SIGSEGV"),
        ("raise SystemExit(3)", "no-answer", "ended with exit status 3 without an answer"),
        ("pass", "no-answer", "ended with exit status 0 without an answer"),
    ],
)
def test_an_untimely_end_has_a_sentence(program: str, kind: str, sentence: str) -> None:
    """A signal is named, an exit status is quoted."""
    child, _ = run(program)
    found, outcome, said = how_it_ended(child)
    assert (found, outcome, said) == (kind, "crashed", sentence)


def test_a_hang_is_ended_at_the_limit() -> None:
    """A child that never answers is killed at the limit, with the processes that it started."""
    began = time.monotonic()
    program = POLITE + (
        "import subprocess, time\nsay('started', pid=subprocess.Popen(['sleep', '600']).pid)\ntime.sleep(600)"
    )
    child, events = run(program, limit=1.0)
    assert child.end == "timeout"
    assert how_it_ended(child) == (
        "timeout",
        "timeout",
        "did not answer within 1 s (--tfgpu-preflight-timeout)",
    )
    assert 0.9 < time.monotonic() - began < 10
    assert gone(events[0]["pid"])


def test_the_clock_restarts_with_each_device() -> None:
    """Reports of an import and of finished devices restart the time limit; others do not."""
    program = POLITE + (
        "import time\n"
        "for event in ('imported', 'device-done', 'device-done', 'check', 'check', 'check', 'check'):\n"
        "    time.sleep(0.6); say(event)"
    )
    child, events = run(program, limit=1.5)
    assert child.end == "timeout"
    assert [event["event"] for event in events].count("device-done") == 2
    assert 1 <= [event["event"] for event in events].count("check") <= 2


def test_a_child_that_closed_its_output_still_has_a_limit() -> None:
    """A child that closes standard output and stays is ended at the limit."""
    child, _ = run("import os, time; os.close(1); time.sleep(600)", limit=1.0)
    assert child.end == "timeout"


@pytest.mark.parametrize("descriptor", [1, 2])
@pytest.mark.parametrize("piece", ["b'x' * 65536", "b'error again\\n' * 5000"])
def test_an_endless_flood_is_ended(descriptor: int, piece: str) -> None:
    """A child that writes without end, with newlines or without, on either stream, is ended long before the limit."""
    began = time.monotonic()
    child, _ = run(f"import os\nwhile True: os.write({descriptor}, {piece})", limit=60.0)
    assert child.end == "flood"
    assert how_it_ended(child)[2] == f"was ended after it had written {FLOOD_MIB} MiB of output"
    assert time.monotonic() - began < 30
    kept = child.stdout.lines() + child.stderr.lines()
    assert len(kept) <= FIRST_LINES + LAST_LINES + 4
    assert max(map(len, kept)) <= LONGEST_LINE


def test_a_left_over_process_does_not_hold_us() -> None:
    """A process that the child leaves behind, holding its standard error, is ended with it."""
    began = time.monotonic()
    program = POLITE + "import subprocess\nsay('started', pid=subprocess.Popen(['sleep', '600']).pid)"
    child, events = run(program, limit=60.0)
    assert child.end == "exited"
    assert gone(events[0]["pid"])
    assert time.monotonic() - began < 10


def test_stop_ends_the_child() -> None:
    """A child is ended soon after `stop`, and that is told apart from a hang."""
    child = Child(
        [sys.executable, "-c", POLITE + "say('started'); import time; time.sleep(600)"], os.environ, {}, 60.0
    )
    events = child.events()
    assert next(events)["event"] == "started"
    began = time.monotonic()
    child.stop()
    assert list(events) == []
    assert how_it_ended(child)[:2] == ("stopped", "not-run")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("command", [["/nonexistent/python"], [str(Path(__file__).parent)], ["python\0"]])
def test_what_cannot_be_started(command: list[str]) -> None:
    """A program that does not exist or can't be executed is data, not an exception."""
    child = Child(command, os.environ, {}, 5.0)
    assert child.end == "not-started"
    assert child.start_error is not None
    assert list(child.events()) == []


def test_a_child_that_never_reads_its_request() -> None:
    """A request larger than the pipe, to a child that doesn't read, blocks nobody."""
    child, _ = run("pass", more="x" * 1_000_000)
    assert child.end == "exited"


def test_tail_keeps_both_ends() -> None:
    """Of a long log the first and the last lines stay, and the number of the others is said."""
    tail = Tail()
    tail.feed("".join(f"line {number}\n" for number in range(1000)).encode() + b"unfinished")
    lines = tail.lines()
    assert lines[0] == "line 0"
    assert lines[FIRST_LINES] == f"[{1000 - FIRST_LINES - LAST_LINES} lines left out]"
    assert lines[-2:] == ["line 999", "unfinished"]
    assert len(lines) == FIRST_LINES + 1 + LAST_LINES + 1


def test_tail_puts_pieces_together() -> None:
    """A line that arrives in pieces is one line, and a character cut in two is whole."""
    tail = Tail()
    for piece in (b"f\xc3", b"\xbcnf\r", b"\nsechs"):
        tail.feed(piece)
    assert tail.lines() == ["fünf", "sechs"]


def test_python_stack_is_the_main_threads() -> None:
    """Of faulthandler's dump the last stack is taken: that of the main thread."""
    lines = [
        "E0000 something",
        "Timeout (0:00:01)!",
        "Thread 0x1 (most recent call first):",
        '  File "watch.py", line 1 in watch',
        "",
        "Thread 0x2 (most recent call first):",
        '  File "check.py", line 3 in run',
        '  File "child.py", line 9 in main',
    ]
    assert python_stack(lines) == ['File "check.py", line 3 in run', 'File "child.py", line 9 in main']
    assert python_stack(lines[:2]) == []
