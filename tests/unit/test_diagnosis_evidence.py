"""Evidence: what is read from exceptions and texts, and that nothing in them does harm."""

from __future__ import annotations

import sys
import time
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_tfgpu.diagnosis import text
from pytest_tfgpu.diagnosis.evidence import Evidence, from_exception, from_text, is_relevant
from pytest_tfgpu.model import EvidenceLine


def from_module(
    name: str, base: type[BaseException] = Exception, label: str = "InternalError"
) -> type[BaseException]:
    """Make an exception class that says it is of a module."""
    return type(label, (base,), {"__module__": name})


TensorFlowError = from_module("tensorflow.python.framework.errors_impl")


def raised(error: BaseException, module: str = __name__) -> BaseException:
    """Return an exception that was raised by a function of a module."""
    namespace: dict[str, Any] = {"__name__": module, "error": error}
    exec("def fail():\n    raise error", namespace)
    try:
        namespace["fail"]()
    except BaseException as caught:
        return caught
    raise AssertionError


class Unprintable(Exception):
    """An exception whose text can't be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_the_chain_holds_cause_and_context_and_members_of_groups() -> None:
    """What an exception was raised from, and what a group holds, is all there, the exception itself first."""
    inner = raised(TensorFlowError("inner"))
    middle = RuntimeError("middle")
    middle.__cause__ = inner
    group_class = getattr(__import__("builtins"), "ExceptionGroup", None)
    if group_class is None:
        group_class = pytest.importorskip("exceptiongroup").ExceptionGroup
    group = group_class("both", [ValueError("one"), middle])
    names = [link.name for link in from_exception(group).chain]
    assert names == ["ExceptionGroup", "ValueError", "RuntimeError", "InternalError"]


def test_a_suppressed_context_is_left_out() -> None:
    """`raise ... from None` hides what came before, as it does in a traceback."""
    error = RuntimeError("after")
    error.__context__ = TensorFlowError("before")
    error.__suppress_context__ = True
    assert [link.message for link in from_exception(error).chain] == ["after"]


def test_a_chain_that_bites_its_tail_ends() -> None:
    """Exceptions that are each other's cause are told once each."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert [link.message for link in from_exception(one).chain] == ["one", "other"]


def test_an_exception_without_text_is_survived() -> None:
    """An exception whose `__str__` raises counts with an empty text."""
    evidence = from_exception(Unprintable())
    assert (evidence.chain[0].name, evidence.message) == ("Unprintable", "")


def test_frames_tell_modules_and_functions() -> None:
    """The frames of the traceback are kept with the module whose code ran."""
    frames = from_exception(raised(ValueError("x"), "keras.src.layers")).frames
    assert (frames[-1].module, frames[-1].function) == ("keras.src.layers", "fail")


def test_a_message_of_ten_megabytes_costs_little() -> None:
    """Of a huge message beginning and end are kept, quickly."""
    error = TensorFlowError("begin " + "x" * 10_000_000 + " end")
    begin = time.perf_counter()
    evidence = from_exception(error)
    assert time.perf_counter() - begin < 0.5
    assert len(evidence.message) < 100_000
    assert evidence.message.startswith("begin ")
    assert evidence.message.endswith(" end")


def test_terminal_escapes_and_control_characters_are_stripped() -> None:
    """Keras prints in bold; what steers a terminal is no evidence."""
    evidence = from_text("ValueError", "\x1b[1mbold\x1b[0m \x1b]0;title\x07and\x00 \x07plain\tend")
    assert evidence.message == "bold and plain\tend"


def test_bytes_that_are_no_characters_are_survived() -> None:
    """Lone surrogates, as in file names that aren't UTF-8, do no harm."""
    assert "file" in from_text("OSError", "file \udcff\x00 name").message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "{{function_node __wrapped__Conv2D_device_/job:localhost/replica:0/task:0/device:GPU:1}} x "
            "[Op:Conv2D] name: ",
            ("Conv2D", None, "/device:GPU:1"),
        ),
        (
            "{{function_node __wrapped____MklMatMul_device_/job:localhost/replica:0/task:0/device:CPU:0}} x",
            ("MatMul", None, "/device:CPU:0"),
        ),
        (
            'x\n\t [[Node: a/b = MatMul[T=DT_FLOAT, _device="/job:localhost/replica:0/task:0/gpu:0"](c, d)]]',
            ("MatMul", "a/b", "/device:GPU:0"),
        ),
        ("x\n\t [[{{node dense/MatMul}}]] [Op:__inference_train_function_12]", (None, "dense/MatMul", None)),
        (
            "Graph execution error:\n\nDetected at node 'a/b' defined at (most recent call last):",
            (None, "a/b", None),
        ),
        (
            "No registered 'Foo' OpKernel for 'GPU' devices compatible with node {{node Foo}}",
            ("Foo", "Foo", None),
        ),
        ("_EagerConst: Dst tensor is not initialized", ("_EagerConst", None, None)),
    ],
)
def test_operation_node_and_device_are_read(message: str, expected: tuple[str | None, ...]) -> None:
    """The frames that TensorFlow puts around its texts, from 1.x to 2.21, are read."""
    evidence = from_text("InternalError", message)
    assert (evidence.op, evidence.node, evidence.device) == expected


def test_allocator_shape_and_type_are_read() -> None:
    """An allocation that failed tells who refused how much."""
    evidence = from_text(
        "ResourceExhaustedError",
        "OOM when allocating tensor with shape[256,112,112,64] and type half on "
        "/job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc",
    )
    assert (evidence.allocator, evidence.shape, evidence.dtype) == ("GPU_0_bfc", (256, 112, 112, 64), "half")
    assert evidence.device == "/device:GPU:0"


@pytest.mark.parametrize(
    ("exception", "message", "status"),
    [
        ("tensorflow.python.framework.errors_impl.UnknownError", "", "UNKNOWN"),
        ("XlaRuntimeError", "RESOURCE_EXHAUSTED: Out of memory", "RESOURCE_EXHAUSTED"),
        ("", "2 root error(s) found.\n  (0) Resource exhausted: OOM", "RESOURCE_EXHAUSTED"),
        ("", "tensorflow.python.framework.errors_impl.NotFoundError: x", "NOT_FOUND"),
        ("ValueError", "x", None),
    ],
)
def test_the_status_is_read_from_class_or_text(exception: str, message: str, status: str | None) -> None:
    """Classes and the words at the beginning of a text both tell the status code."""
    assert from_text(exception, message).status == status


@pytest.mark.parametrize(
    ("message", "read"),
    [
        (f"{'x' * 64} reg\nistered", f"{'x' * 64} registered"),  # after "ValueError: " 80 columns are full
        (f"short\n{'x' * 76} abc\ndef", f"short\n{'x' * 76} abcdef"),
        (f"short\n{'x' * 116} abc\ndef", f"short\n{'x' * 116} abcdef"),
        (f"short\n{'x' * 76} abc\n  def", f"short\n{'x' * 76} abc\n  def"),
        (f"short\n{'x' * 70} abc\ndef", f"short\n{'x' * 70} abc\ndef"),
    ],
)
def test_words_that_a_console_broke_are_put_together(message: str, read: str) -> None:
    """What was copied from a console of 80 or 120 columns has lines that end amid words; other lines stay."""
    assert from_text("ValueError", message).message == read


def test_log_lines_keep_origin_and_number() -> None:
    """A plain line counts from 1; a line that knows its origin keeps it."""
    evidence = from_text(log=["one\n", EvidenceLine("two", "preflight", 7)])
    assert [(line.text, line.origin, line.line) for line in evidence.log] == [
        ("one", "log", 1),
        ("two", "preflight", 7),
    ]


def test_a_transcript_given_as_message_is_a_log() -> None:
    """A message with lines of a log and no class of an exception was printed, not raised."""
    line = "2026-01-01 12:00:00.000000: E tensorflow/x.cc:1] failed call to cuInit: UNKNOWN ERROR (303)"
    evidence = from_text("", f">>> import tensorflow\n{line}", ["after"])
    assert evidence.chain == ()
    assert [(entry.text, entry.line) for entry in evidence.log] == [
        (">>> import tensorflow", 1),
        (line, 2),
        ("after", 3),
    ]


def test_an_error_that_stands_in_a_log_alone_is_one() -> None:
    """The last error of TensorFlow's in a log is the exception, where none was given; others stay lines."""
    log = [
        "E   ValueError: before",
        "tensorflow.python.framework.errors_impl.UnimplementedError: no such thing",
        "end",
    ]
    seen = from_text("", "", log)
    assert (seen.exception.rpartition(".")[2], seen.status) == ("UnimplementedError", "UNIMPLEMENTED")
    assert [line.text for line in seen.log] == log
    assert from_text("", "", ["UserError: no such thing"]).chain == ()


def test_an_exception_that_quotes_a_log_stays_one() -> None:
    """Where a class is known, the message was raised, whatever it holds."""
    line = "E0000 00:00:1795238871.84  25538 cuda_dnn.cc:465] Could not create cudnn handle"
    assert from_text("InternalError", line).message == line


def test_a_log_in_the_message_of_an_error_of_pythons_is_a_log() -> None:
    """Python's own errors quote no log: lines of one were copied with them."""
    line = "2020-01-01 10:00:00.100000: W tensorflow/x/dso_loader.cc:55] Could not load dynamic library 'nvcuda.dll'"
    seen = from_text("AttributeError", f"{line}\n'NoneType' object has no attribute 'shape'")
    assert seen.message == "'NoneType' object has no attribute 'shape'"
    assert [entry.text for entry in seen.log] == [line]


def test_an_error_of_pythons_with_which_a_log_ends_is_one() -> None:
    """The last line of Python's traceback says what was raised; one with something after it may be long past."""
    log = ("Traceback (most recent call last):", "TypeError: 'int' object is not iterable")
    assert from_text(log=log).exception == "TypeError"
    assert from_text(log=(*log, "Aborted")).chain == ()


def test_of_an_endless_log_both_ends_are_kept() -> None:
    """A log of a hundred thousand lines is cut to its first and last thousand."""
    evidence = from_text(log=(str(number) for number in range(100_000)))
    assert len(evidence.log) == text.LOG_LIMIT
    assert (evidence.log[0].text, evidence.log[-1].text) == ("0", "99999")


def test_evidence_survives_json() -> None:
    """Evidence becomes plain JSON and comes back the same."""
    evidence = from_text("InternalError", "x [Op:Conv2D]", ["line"], earlier=["gpu-fault"])
    assert Evidence.from_json(evidence.to_json()) == evidence


def test_graph_attributes_are_blanked_in_place() -> None:
    """What stands in `[[Node: ...]]` says nothing, and positions stay."""
    message = "a [[Node: x = C[T=[1], use_cudnn_on_gpu=true](b)]] z [[1, 2]]"
    assert text.without_graph(message) == "a " + " " * (message.index(" z") - 2) + " z [[1, 2]]"


def test_unclosed_graph_attributes_end_with_their_line() -> None:
    """A text that was cut off loses no more than the line."""
    assert text.without_graph("a [[Node: x = C[T\nnext").endswith("\nnext")


class TestRelevance:
    """The quick look that decides whether the catalogue is needed at all."""

    @pytest.mark.parametrize(
        "error",
        [
            TensorFlowError("x"),
            from_module("keras.src.errors")("x"),
            raised(ValueError("Invalid dtype: str32"), "keras.src.backend"),
            raised(NotImplementedError("x"), "tensorflow.python.ops"),
            ImportError("libcudnn.so.7: cannot open; Failed to load the native TensorFlow runtime"),
            ModuleNotFoundError("No module named 'tensorflow'", name="tensorflow"),
        ],
    )
    def test_what_concerns_tensorflow_is_relevant(self, error: BaseException) -> None:
        """TensorFlow's and Keras's classes, their frames, and a failed import are looked at."""
        assert is_relevant(error)

    @pytest.mark.parametrize(
        "error",
        [
            AssertionError("CUDA out of memory"),
            raised(AssertionError("Mismatched elements"), "tensorflow.python.framework.test_util"),
            ValueError("tensorflow"),
            ImportError("No module named 'scipy'", name="scipy"),
            KeyboardInterrupt(),
            from_module("_pytest.outcomes", label="Failed")("GPU"),
            raised(ValueError("x"), "tensorflowish.module"),
        ],
    )
    def test_an_ordinary_failure_is_not(self, error: BaseException) -> None:
        """A test's own verdict and the errors of other packages are left alone, whatever they mention."""
        assert not is_relevant(error)

    def test_a_tensorflow_error_behind_an_assertion_is_relevant(self) -> None:
        """An assertion that was raised from TensorFlow's error has something behind it."""
        error = AssertionError("the model failed")
        error.__cause__ = TensorFlowError("x")
        assert is_relevant(error)

    def test_a_hostile_class_is_survived(self) -> None:
        """A class whose attributes raise is simply not relevant."""

        class Hostile(Exception):
            @property
            def exceptions(self) -> object:
                raise RuntimeError("no")

        Hostile.__name__ = "HostileExceptionGroup"
        assert not is_relevant(Hostile())

    def test_it_costs_no_catalogue(self) -> None:
        """Deciding loads none of the causes."""
        before = {name for name in sys.modules if name.startswith("pytest_tfgpu.knowledge.causes.")}
        is_relevant(TensorFlowError("x"))
        assert {name for name in sys.modules if name.startswith("pytest_tfgpu.knowledge.causes.")} == before
        assert isinstance(sys.modules["pytest_tfgpu.diagnosis.evidence"], ModuleType)


@settings(max_examples=150, deadline=None)
@given(
    exception=st.text(max_size=40),
    message=st.text(max_size=400),
    log=st.lists(st.text(max_size=100), max_size=5),
)
def test_no_text_does_harm(exception: str, message: str, log: list[str]) -> None:
    """Whatever the texts are, evidence is made of them, and survives JSON."""
    evidence = from_text(exception, message, log)
    assert Evidence.from_json(evidence.to_json()) == evidence
