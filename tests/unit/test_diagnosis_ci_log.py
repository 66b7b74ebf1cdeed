"""A whole log: one failure each, with its line, whatever surrounds it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

from pytest_tfgpu.diagnosis.ci_log import CONTEXT_LINES, Failure, failures

DNN = (
    "E0000 00:00:1738697930.202924    7665 cuda_dnn.cc:522] Loaded runtime CuDNN library: 9.1.0 but source was "
    "compiled with: 9.3.0."
)

PYTEST = f"""\
============================= test session starts ==============================
collected 3 items

=================================== FAILURES ===================================
___________________________ test_convolution[float16] ___________________________

    def test_convolution(dtype):
>       tf.nn.conv2d(x, f, 1, "SAME")
E       tensorflow.python.framework.errors_impl.InvalidArgumentError: {{{{function_node x}}}} No DNN in stream executor.
E         [Op:Conv2D] name:

test_it.py:4: InvalidArgumentError
----------------------------- Captured stderr call -----------------------------
{DNN}
______________________________ TestIt.test_values ______________________________

>       assert 1 == 2
E       assert 1 == 2

test_it.py:9: AssertionError
=========================== short test summary info ============================
FAILED test_it.py::test_convolution[float16] - tensorflow...
""".splitlines()

TRACE = """\
step one
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    main()
tensorflow.python.framework.errors_impl.ResourceExhaustedError: OOM when allocating tensor with shape[1]

\t [[{{node x}}]]


step two
""".splitlines()


def only(lines: list[str]) -> Failure:
    """Return the one failure of a log."""
    (failure,) = failures(lines)
    return failure


def test_each_section_of_pytests_report_is_a_failure() -> None:
    """Name, line, class, text and captured log lines are read from the report."""
    first, second = failures(PYTEST)
    assert (first.name, first.line) == ("test_convolution[float16]", 5)
    assert first.exception == "tensorflow.python.framework.errors_impl.InvalidArgumentError"
    assert "No DNN in stream executor." in first.message[0]
    assert [(line.text, line.line) for line in first.log] == [(DNN, 14)]
    assert (second.name, second.exception) == ("TestIt.test_values", "AssertionError")


def test_what_one_test_printed_is_not_held_against_another() -> None:
    """Captured lines belong to the test in whose section they stand."""
    _, second = failures(PYTEST)
    assert second.log == []


def test_a_bare_assertion_is_the_tests_own_verdict() -> None:
    """In pytest's short style an assertion is told by its first word."""
    assert only(
        ["____ test_it ____", "t.py:1: in test_it", "    assert 1 == 2", "E   assert 1 == 2"]
    ).exception == ("AssertionError")


def test_a_traceback_is_a_failure() -> None:
    """Class and text follow the frames; the text goes on over single empty lines."""
    failure = only(TRACE)
    assert failure.line == 2
    assert failure.exception == "tensorflow.python.framework.errors_impl.ResourceExhaustedError"
    assert "\t [[{{node x}}]]" in failure.message
    assert "step two" not in failure.message


def test_log_lines_before_a_traceback_belong_to_it() -> None:
    """The decisive line is often printed long before the failure."""
    failure = only([DNN, *["epoch"] * 1000, *TRACE])
    assert [line.text for line in failure.log] == [DNN]


def test_repeated_log_lines_are_kept_once() -> None:
    """A line that is printed again and again doesn't push out the others."""
    noise = [f"W tensorflow/core/kernels/x.cc:{n}] line {n}" for n in range(50)]
    repeated = ["2020-01-01 00:00:00.000000: E tensorflow/x.cc:1] again"] * 10_000
    failure = only([DNN, *noise, *repeated, *TRACE])
    assert failure.log[0].text == DNN
    assert len(failure.log) == 52


def test_the_time_stamps_of_ci_are_taken_off() -> None:
    """GitHub and others put a time before each line."""
    failure = only([f"2026-01-01T12:00:00.1234567Z {line}" for line in TRACE])
    assert failure.exception.endswith("ResourceExhaustedError")


def test_failures_of_one_line_are_read() -> None:
    """With --tb=line each failure is one line."""
    line = (
        "/ci/test_it.py:7: tensorflow.python.framework.errors_impl.UnimplementedError: Cast string to float"
    )
    failure = only(["=== FAILURES ===", line])
    assert (failure.line, failure.exception.rpartition(".")[2], failure.message) == (
        2,
        "UnimplementedError",
        ["Cast string to float"],
    )


def test_colours_are_taken_off() -> None:
    """CI systems keep the colours of a terminal in their logs."""
    coloured = [f"\x1b[1m\x1b[31m{line}\x1b[0m" for line in PYTEST]
    assert [failure.name for failure in failures(coloured)] == [
        "test_convolution[float16]",
        "TestIt.test_values",
    ]


def test_pythons_own_tracebacks_in_a_report_are_read() -> None:
    """With --tb=native a section holds a traceback without marks."""
    failure = only(["____ test_it ____", *TRACE[1:5], "==== 1 failed ===="])
    assert (failure.name, failure.line) == ("test_it", 1)
    assert failure.exception == "tensorflow.python.framework.errors_impl.ResourceExhaustedError"


def test_a_log_without_failure_is_one_of_log_lines() -> None:
    """TensorFlow's lines alone are judged as they are."""
    failure = only(["hello", DNN])
    assert (failure.line, failure.message, failure.exception) == (2, [], "")


def test_a_log_of_other_things_holds_no_failure() -> None:
    """Nothing is made of lines that aren't TensorFlow's."""
    assert list(failures(["hello", "", "world", "=" * 20])) == []


def test_an_abort_is_a_failure() -> None:
    """A process that dies leaves its last lines."""
    log = ["2020-01-01 00:00:00.000000: F tensorflow/x.cc:1] Check failed: a", "Aborted (core dumped)"]
    assert only(log).message == ["Aborted (core dumped)"]


def test_a_killed_process_is_a_failure() -> None:
    """What the shell says of a process that the system ended is found; a test of that name isn't."""
    lines = [
        "tests/test_killed.py::test_Killed PASSED",
        "/home/runner/work/_temp/run.sh: line 1:  2231 Killed                  pytest",
        "Error: Process completed with exit code 137.",
    ]
    failure = only(lines)
    assert (failure.line, failure.message) == (2, [lines[1]])


def test_a_log_that_ends_in_the_middle_is_read_to_its_end() -> None:
    """A job that was cut off still shows what failed."""
    assert only(TRACE[:5]).exception.endswith("ResourceExhaustedError")
    assert len(list(failures(PYTEST[:9]))) == 1


def test_memory_stays_bounded() -> None:
    """A million lines are read without being kept."""

    def endless() -> Iterator[str]:
        for number in range(300_000):
            yield f"2020-01-01 00:00:00.000000: W tensorflow/core/kernels/x.cc:1] line {number} {'x' * 100}\n"

    tracemalloc.start()
    (failure,) = failures(endless())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(failure.log) == CONTEXT_LINES
    assert peak < 10 << 20


def test_junit_xml_is_read() -> None:
    """A JUnit report holds the same texts, escaped, under the names of its test cases."""
    lines = [
        '<testsuites><testcase classname="pkg.test_it" name="test_ok" time="0.1" /><testcase classname="pkg.test_it" '
        'name="test_a[&lt;x&gt;]" time="0.1"><failure message="m">def test_a():',
        "E   tensorflow.python.framework.errors_impl.InternalError: No DNN in stream executor. &lt;x&gt;",
        '</failure></testcase><testcase classname="pkg.test_it" name="test_b" time="0.1"><error message="m">',
        "E   KeyError: 1",
        "</error></testcase></testsuites>",
    ]
    first, second = failures(lines)
    assert (first.name, first.line) == ("pkg.test_it::test_a[<x>]", 1)
    assert first.message[0].endswith("No DNN in stream executor. <x>")
    assert (second.name, second.exception) == ("pkg.test_it::test_b", "KeyError")
