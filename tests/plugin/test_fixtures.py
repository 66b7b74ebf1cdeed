"""The fixtures, on a machine without a GPU."""

from __future__ import annotations

import pytest

from tests.suite import Suite

CPU = "--tfgpu-device=cpu"


def test_facts_and_requirements_by_name(suite: Suite, mode: tuple[str, ...]) -> None:
    """The fixture `tfgpu` gives facts and the verdict, and asks requirements like the markers do."""
    suite.write(
        "test_it.py",
        """
import sys
import pytest

def test_facts(tfgpu):
    assert tfgpu.facts.tensorflow.startswith("2.")
    assert tfgpu.preflight.verdict == "not-asked"
    assert "tensorflow" not in sys.modules

def test_met(tfgpu):
    tfgpu.require("tensorflow", ">=2.16")
    tfgpu.require("requires_tensorflow", "<99")

def test_unmet(tfgpu):
    tfgpu.require("gpu", 2, memory="8 GiB")
    raise AssertionError("must not be reached")

@pytest.mark.parametrize("arguments, text", [
    (("gpus",), "unknown requirement 'gpus', known are: gpu, cudnn"),
    (("cuda", "twelve"), "expected a version specifier"),
    (("check", "conv9d"), "there is no check 'conv9d'"),
])
def test_wrong(tfgpu, arguments, text):
    with pytest.raises(ValueError, match=text):
        tfgpu.require(*arguments)
""",
    )
    outcome = suite.run(*mode, "-rs")
    assert outcome.outcomes == {"passed": 5, "skipped": 1}, outcome.text
    assert "requires_gpu(2, memory='8 GiB'): found no GPU" in outcome.text
    (skip,) = outcome.report["skips"]
    assert (skip["nodeid"], skip["required"]) == ("test_it.py::test_unmet", "2 GPUs with memory 8 GiB")
    strict = suite.run(*mode, "--tfgpu-strict", "-k", "unmet")
    assert strict.outcomes["failed"] == 1


def test_gpu_smoke_returns_results(suite: Suite) -> None:
    """`gpu_smoke` runs the checks that are named, or those of `--tfgpu-checks`, and returns their results."""
    suite.write(
        "test_it.py",
        """
def test_named(gpu_smoke):
    (result,) = gpu_smoke("gather")
    assert (result.name, result.outcome) == ("gather", "passed")

def test_asked_for(gpu_smoke):
    results = gpu_smoke()
    assert [result.name for result in results] == ["device", "matmul"]
    assert 0 < results[1].max_error < results[1].tolerance
""",
    )
    outcome = suite.run(CPU, "--tfgpu-checks=device,matmul")
    assert outcome.outcomes == {"passed": 2}, outcome.text


def test_gpu_smoke_skips_what_this_machine_gives_nothing_to_check(suite: Suite) -> None:
    """A check that doesn't apply here skips the test with the reason, it neither passes nor fails it."""
    suite.write("test_it.py", "def test_sum(gpu_smoke):\n    gpu_smoke('collective')\n")
    outcome = suite.run(CPU, "-rs")
    assert outcome.outcomes == {"skipped": 1}, outcome.text
    assert "gpu_smoke: check collective was not run:" in outcome.text


def test_gpu_smoke_fails_with_the_check(suite: Suite, mode: tuple[str, ...]) -> None:
    """A check that fails fails the test with the check's sentence and, where TensorFlow raised, with the diagnosis."""
    suite.write(
        "mine.py",
        "def wrong(context):\n    context.fail('The sum is wrong.')\n\n"
        "def cast(context):\n    context.tf.cast(context.tf.constant(['a']), context.tf.float32)\n",
    )
    suite.provide("pytest_tfgpu_checks", "[Check('wrong', 'mine:wrong'), Check('cast', 'mine:cast')]")
    suite.write(
        "test_it.py",
        "def test_wrong(gpu_smoke):\n    gpu_smoke('wrong')\n\ndef test_cast(gpu_smoke):\n    gpu_smoke('cast')\n",
    )
    outcome = suite.run(*mode, CPU, environment={"PYTHONPATH": str(suite.folder)})
    assert outcome.outcomes == {"failed": 2}, outcome.text
    assert "check wrong failed: The sum is wrong." in outcome.text
    (diagnosis,) = outcome.report["diagnoses"]
    assert diagnosis["nodeid"] == "test_it.py::test_cast"
    assert diagnosis["cause"] == "unsupported-cast"


@pytest.mark.parametrize("fixture", ["gpu_device", "gpu_smoke"])
def test_without_a_gpu_the_test_is_skipped(suite: Suite, fixture: str) -> None:
    """On a machine without a GPU a test that asks for one is skipped, and TensorFlow isn't imported for it."""
    use = "gpu_smoke()" if fixture == "gpu_smoke" else "gpu_device"
    suite.write(
        "test_it.py", f"def test_it({fixture}):\n    {use}\n    raise AssertionError('must not be reached')\n"
    )
    suite.write(
        "conftest.py",
        "import sys\n\ndef pytest_unconfigure():\n    print('IMPORTED', 'tensorflow' in sys.modules)\n",
    )
    outcome = suite.run("-rs", "-s")
    assert outcome.outcomes == {"skipped": 1}, outcome.text
    assert f"{fixture}: " in outcome.text
    assert "IMPORTED False" in outcome.text


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_unknown_check(suite: Suite, device: str) -> None:
    """A check that isn't known is a plain error in the test, also where there is no GPU to run it on."""
    suite.write("test_it.py", "def test_it(gpu_smoke):\n    gpu_smoke('conv9d')\n")
    outcome = suite.run(f"--tfgpu-device={device}")
    assert outcome.outcomes == {"failed": 1}
    assert "there is no check 'conv9d', known are: batch-norm, bfloat16" in outcome.text


def test_fixtures_are_listed(suite: Suite) -> None:
    """`pytest --fixtures` explains each fixture in a line."""
    text = suite.run("--fixtures", report=False).text
    for name, words in {
        "tfgpu": "Facts, the preflight's verdict",
        "gpu_smoke": "Run the preflight's checks",
        "gpu_device": "A `tf.device` for a GPU",
        "gpu_memory": "What TensorFlow's allocator holds",
        "gpu_memory_growth": "TensorFlow takes GPU memory as it needs it",
        "tensor_float_32": "A function that allows TensorFloat-32",
        "deterministic_ops": "Operations give the same results in each run",
        "mixed_precision": "A function that sets Keras' global dtype policy",
    }.items():
        assert name in text
        assert words in text
