"""The watch over where operations ran, on a machine whose TensorFlow has the CPU only: what is asked of a GPU moves."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

CASES = """
import json, os
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
import tensorflow as tf
from pytest_tfgpu.features.placement import Placement

def watch(run):
    placement = Placement()
    placement.start()
    try:
        run()
    finally:
        told = placement.stop()
    return told

def on(device, function):
    def run():
        with tf.device(device):
            function()
    return run

def add(): return tf.ones(2) + 1.0
def nested():
    inner = tf.function(lambda a: a + 1.0, autograph=False)
    return tf.function(lambda a: inner(a) * 2.0, autograph=False)(tf.constant([1.0]))
def kinds():
    tf.strings.length(tf.constant(["a"])); tf.range(3) + 1; tf.io.serialize_tensor(tf.constant(1.0))
    tf.data.Dataset.from_tensor_slices([1.0, 2.0]).map(lambda x: x + 1.0).reduce(0.0, lambda a, b: a + b)
def several():
    x = tf.ones((2, 2))
    for function in (tf.exp, tf.abs, tf.square, tf.sqrt, tf.sign, tf.floor, tf.exp):
        function(x)
def broken(self, *_): raise RuntimeError("ours")

def twice(): return again(tf.constant([1.0]))
again = tf.function(lambda a: a * 3.0, autograph=False)
told = {
    "nothing asked for": watch(add),
    "the CPU asked for": watch(on("/CPU:0", add)),
    "a GPU asked for": watch(on("/GPU:0", add)),
    "in a function": watch(on("/GPU:1", nested)),
    "not computing": watch(on("/GPU:0", kinds)),
    "several": watch(on("/GPU:0", several)),
    "first run": watch(on("/GPU:0", twice)),
    "second run": watch(on("/GPU:0", twice)),
}
first, second = Placement(), Placement()
first.start(); second.start()
on("/GPU:0", add)()
told["one of two"], told["the other"] = first.stop(), second.stop()
plain = Placement._hear_traced, Placement._compare
Placement._hear_traced = Placement._compare = broken
told["a defect of ours"] = watch(on("/GPU:0", nested)) + watch(on("/GPU:0", add))
Placement._hear_traced, Placement._compare = plain
from tensorflow.python.eager import context, execute
told["left behind"] = [len(context.context().op_callbacks), execute.execute is execute.quick_execute]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What was told in each case, from one process that imports TensorFlow."""
    done = subprocess.run([sys.executable, "-c", CASES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def moved(names: str, asked: str = "GPU:0") -> list[str]:
    """Return the sentence about these operations."""
    return [f"TensorFlow ran {names} on /CPU:0, not on /{asked}, which was asked for."]


@pytest.mark.parametrize("case", ["nothing asked for", "the CPU asked for", "not computing"])
def test_silence(told: dict[str, Any], case: str) -> None:
    """Nothing is told where no GPU was asked for, nor of operations that don't compute."""
    assert told[case] == []


def test_an_operation_that_moved(told: dict[str, Any]) -> None:
    """An operation that was asked for on a GPU and ran on the CPU is told, with both devices."""
    assert told["a GPU asked for"] == moved("Fill, AddV2")


def test_in_a_function(told: dict[str, Any]) -> None:
    """What a function holds is told, too, with the GPU that was asked for where it was called."""
    assert told["in a function"] == moved("AddV2, Mul", "GPU:1")


def test_only_the_first_run_of_a_function_tells(told: dict[str, Any]) -> None:
    """TensorFlow places a function once; when it runs again there is nothing to see."""
    assert told["first run"] == moved("Mul")
    assert told["second run"] == []


def test_many_operations(told: dict[str, Any]) -> None:
    """Each operation is named once, and after five they are counted."""
    assert told["several"] == moved("Fill, Exp, Abs, Square, Sqrt and 2 more")


def test_two_watches(told: dict[str, Any]) -> None:
    """Two watches at once hear the same, and leave nothing behind."""
    assert told["one of two"] == told["the other"] == moved("Fill, AddV2")
    assert told["left behind"] == [0, True]


def test_a_defect_of_ours(told: dict[str, Any]) -> None:
    """A defect of the watch ends the watch, not the test that is watched."""
    assert told["a defect of ours"] == []
