"""Explained failures, with the real TensorFlow on the CPU: what is named, where it stands, what gets nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.suite import MODES, Outcome, Suite

REAL = """
import asyncio
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


def cast():
    tf.cast(tf.constant(["a"]), tf.float32)


def test_host_memory():
    tf.zeros([10**6, 10**6])


def test_cast():
    cast()


def test_dtype():
    image = tf.constant(np.ones((1, 4, 4, 1)))
    tf.nn.conv2d(image, tf.ones((2, 2, 1, 1)), 1, "SAME")


def test_index():
    tf.gather(tf.constant([1, 2, 3]), [5])


@pytest.fixture
def hard_placement():
    tf.config.set_soft_device_placement(False)
    yield
    tf.config.set_soft_device_placement(True)


def test_device(hard_placement):
    with tf.device("/GPU:7"):
        tf.constant(1) + 1


class Sine(keras.layers.Layer):
    def call(self, inputs):
        return np.sin(inputs)


def test_numpy_in_a_layer():
    Sine()(keras.Input((3,)))


def test_strings_into_a_model():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    model.fit(np.array([["a", "b"]]), np.ones(1), verbose=0)


def test_python_function():
    tf.py_function(lambda: 1 / 0, [], tf.float32)


def test_shape():
    tf.linalg.matmul(tf.ones((2, 3)), tf.ones((2, 3)))


@pytest.fixture
def broken_setup():
    cast()


def test_setup(broken_setup):
    pass


@pytest.fixture
def broken_teardown():
    yield
    cast()


def test_teardown(broken_teardown):
    pass


def test_cause():
    try:
        cast()
    except Exception as error:
        raise RuntimeError("wrapped") from error


def test_context():
    try:
        cast()
    except Exception:
        raise RuntimeError("while cleaning up")


def test_group():
    try:
        cast()
    except Exception as error:
        raise ExceptionGroup("several", [ValueError("plain"), error])


class TestTensorFlow(tf.test.TestCase):
    def test_method(self):
        cast()


@pytest.mark.asyncio
async def test_async():
    await asyncio.sleep(0)
    cast()


def test_subtests(subtests):
    for number in range(2):
        with subtests.test(number=number):
            cast()


@pytest.mark.xfail(reason="known")
def test_expected():
    cast()


def test_that_catches():
    with pytest.raises(tf.errors.UnimplementedError):
        cast()


# ordinary failures


def test_plain_assertion():
    assert tf.constant(1).numpy() == 2


def test_short_list():
    devices = []
    devices[0]


def test_mention():
    raise ValueError("CUDA_ERROR_OUT_OF_MEMORY: OOM when allocating tensor, cuDNN failed")


def test_close():
    np.testing.assert_allclose(tf.ones(3).numpy(), np.zeros(3))


class TestClose(tf.test.TestCase):
    def test_all_close(self):
        self.assertAllClose(tf.ones(3), tf.zeros(3))


def test_missing_fixture(no_such_fixture):
    pass
"""

NAMED = {
    "test_host_memory": ("call", "host-out-of-memory", "memory"),
    "test_cast": ("call", "unsupported-cast", "code"),
    "test_dtype": ("call", "dtype-mismatch", "code"),
    "test_index": ("call", "index-out-of-range", "code"),
    "test_device": ("call", "invalid-device", "code"),
    "test_numpy_in_a_layer": ("call", "numpy-in-graph", "code"),
    "test_strings_into_a_model": ("call", "unsupported-cast", "code"),
    "test_python_function": ("call", "python-exception-in-function", "not-gpu"),
    "test_shape": ("call", "shape-mismatch", "code"),
    "test_setup": ("setup", "unsupported-cast", "code"),
    "test_teardown": ("teardown", "unsupported-cast", "code"),
    "test_cause": ("call", "unsupported-cast", "code"),
    "test_context": ("call", "unsupported-cast", "code"),
    "test_group": ("call", "unsupported-cast", "code"),
    "TestTensorFlow::test_method": ("call", "unsupported-cast", "code"),
    "test_async": ("call", "unsupported-cast", "code"),
    "test_subtests": ("call", "unsupported-cast", "code"),
}
"""Test -> the phase that failed, the cause, its category."""

ORDINARY = (
    "test_plain_assertion",
    "test_short_list",
    "test_mention",
    "test_close",
    "TestClose::test_all_close",
    "test_missing_fixture",
)

AT_IMPORT = "import tensorflow as tf\n\ntf.cast(tf.constant(['a']), tf.float32)\n"


@pytest.fixture(scope="module", params=MODES.values(), ids=MODES.keys())
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """One run, per mode, of a suite in which TensorFlow fails in many ways."""
    suite = Suite(tmp_path_factory.mktemp("real"))
    suite.write("test_real.py", REAL)
    suite.write("test_import.py", AT_IMPORT)
    arguments = ("--junit-xml=junit.xml", "--continue-on-collection-errors")
    return suite.run(*request.param, *arguments, seconds=300)


def test_each_real_failure_gets_its_cause(real: Outcome) -> None:
    """Every failure that TensorFlow raised has the right cause, phase and category in the report."""
    found = {
        diagnosis["nodeid"].partition("::")[2]: (
            diagnosis["phase"],
            diagnosis["cause"],
            diagnosis["category"],
        )
        for diagnosis in real.report["diagnoses"]
        if "::" in diagnosis["nodeid"]
    }
    assert found == NAMED


def test_host_memory_is_not_the_gpu(real: Outcome) -> None:
    """A tensor that doesn't fit into the computer's memory is put to the host, with the allocator as evidence."""
    (diagnosis,) = (
        entry for entry in real.report["diagnoses"] if entry["nodeid"].endswith("test_host_memory")
    )
    assert any("by allocator" in quote["text"] for quote in diagnosis["evidence"])
    assert not any("memory growth" in advice["text"].lower() for advice in diagnosis["help"])


def test_a_module_that_fails_at_import_is_explained(real: Outcome) -> None:
    """A failure while a test module is imported is explained in its collection error."""
    diagnoses = [entry for entry in real.report["diagnoses"] if entry["nodeid"] == "test_import.py"]
    assert [(entry["phase"], entry["cause"]) for entry in diagnoses] == [("collect", "unsupported-cast")]
    error = real.text.partition("ERROR collecting test_import.py")[2].partition("\n____")[0]
    assert "[unsupported-cast]" in error


def test_ordinary_failures_get_nothing(real: Outcome) -> None:
    """Assertions, comparisons, texts that only mention CUDA and missing fixtures have no section and no cause."""
    tests = {test["nodeid"].partition("::")[2]: test for test in real.report["tests"]}
    for name in ORDINARY:
        assert tests[name]["outcome"] in ("failed", "error")
        assert "cause" not in tests[name]
    shown_twice = real.text.count("ERROR collecting test_import.py") - 1  # xdist shows it once per worker
    assert real.text.count("- tfgpu: cause -") == len(real.report["diagnoses"]) + shown_twice


def test_outcomes_are_those_of_plain_pytest(real: Outcome) -> None:
    """The counts are what pytest itself says, in its last line and in the report."""
    counts = {
        name: number
        for name, number in real.report["outcomes"].items()
        if name not in ("deselected", "warnings")
    }
    last = {
        name: number
        for name, number in real.outcomes.items()
        if name not in ("deselected", "warning", "warnings")
    }
    assert sum(counts.values()) == sum(last.values())
    assert counts["error"] == last["error"]
    assert counts["xfailed"] == 1
    tests = [test["outcome"] for test in real.report["tests"]]
    assert (tests.count("passed"), tests.count("xfailed"), tests.count("error")) == (1, 1, 4)
    assert real.status == pytest.ExitCode.TESTS_FAILED


def test_junit_has_the_cause_as_a_property(real: Outcome) -> None:
    """Each failed test case has a property `tfgpu_cause`, and the section stands in the failure's text."""
    for case in real.junit.iter("testcase"):
        name = case.get("name", "")
        causes = {prop.get("value") for prop in case.iter("property") if prop.get("name") == "tfgpu_cause"}
        expected = {cause for test, (_, cause, _) in NAMED.items() if test.rpartition("::")[2] == name}
        if case.find("failure") is not None and expected and "classname" in case.attrib:
            assert causes == expected, name
            failure = case.find("failure")
            assert failure is not None
            assert all(f"[{cause}]" in " ".join((failure.text or "").split()) for cause in expected)


def test_the_summary_groups_by_cause(real: Outcome) -> None:
    """The summary counts the tests that share a cause."""
    summary = real.section("tfgpu summary")
    counted = next(cause["count"] for cause in real.report["causes"] if cause["id"] == "unsupported-cast")
    assert f"unsupported-cast: {counted - 1} tests and 1 test module" in summary
    assert "index-out-of-range: 1 test" in summary


SMALL = """
import tensorflow as tf

def test_cast():
    tf.cast(tf.constant(["a"]), tf.float32)
"""


@pytest.mark.parametrize("style", ["auto", "long", "short", "native", "line", "no"])
def test_traceback_styles(suite: Suite, style: str) -> None:
    """The section stands in each style of traceback that shows anything, whatever else is hidden."""
    suite.write("test_it.py", SMALL)
    outcome = suite.run(f"--tb={style}", "--show-capture=no")
    assert ("Likely cause: The data have a type" in outcome.text) == (style != "no")
    assert "unsupported-cast: 1 test" in outcome.text
    assert outcome.report["diagnoses"][0]["cause"] == "unsupported-cast"


def test_diagnosing_can_be_switched_off(suite: Suite) -> None:
    """With `--no-tfgpu-diagnose` failures look as they do without the plugin."""
    suite.write("test_it.py", SMALL)
    outcome = suite.run("--no-tfgpu-diagnose")
    assert outcome.outcomes == {"failed": 1}
    assert "tfgpu: cause" not in outcome.text
    assert outcome.report["diagnoses"] == []


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_capture_modes(suite: Suite, capture: str) -> None:
    """The cause is named in each capture mode."""
    suite.write("test_it.py", SMALL)
    assert suite.run(f"--capture={capture}").report["diagnoses"][0]["cause"] == "unsupported-cast"


def test_doctests_are_explained(suite: Suite) -> None:
    """An example in a docstring that TensorFlow fails has the cause in its report."""
    suite.write(
        "module.py",
        "def cast():\n    '''Cast.\n\n    >>> import tensorflow as tf\n"
        "    >>> tf.cast(tf.constant(['a']), tf.float32)\n    '''\n",
    )
    outcome = suite.run("--doctest-modules", "module.py")
    assert outcome.report["diagnoses"][0]["cause"] == "unsupported-cast", outcome.text
    assert "[unsupported-cast]" in outcome.text


def test_a_cause_of_a_conftest(suite: Suite, mode: tuple[str, ...]) -> None:
    """A cause that a conftest gives by hook is named like a built-in one, and the diagnosis hook hears of it."""
    suite.write(
        "conftest.py",
        """
import pytest
from pytest_tfgpu.knowledge.schema import Cause, Signature

@pytest.hookimpl(optionalhook=True)
def pytest_tfgpu_causes():
    return [Cause(
        id="flux-capacitor-empty",
        category="hardware",
        summary="The flux capacitor is empty.",
        signatures=(Signature(role="root", text=("flux capacitor at {} percent",)),),
    )]

@pytest.hookimpl(optionalhook=True)
def pytest_tfgpu_diagnosis(diagnosis, evidence, facts):
    open("heard", "a").write(diagnosis.cause + "\\n")
""",
    )
    suite.write(
        "test_it.py",
        "import tensorflow as tf\n\ndef test_it():\n"
        "    raise tf.errors.UnknownError(None, None, 'flux capacitor at 3 percent')\n",
    )
    outcome = suite.run(*mode)
    assert [entry["cause"] for entry in outcome.report["diagnoses"]] == ["flux-capacitor-empty"], outcome.text
    assert "The flux capacitor is empty." in outcome.text
    assert (suite.folder / "heard").read_text() == "flux-capacitor-empty\n"


@pytest.mark.parametrize(
    "body",
    ["raise RuntimeError('no')", "return 3", "return ['no cause']"],
    ids=["raises", "returns a number", "returns text"],
)
def test_a_broken_hook_costs_one_line(suite: Suite, mode: tuple[str, ...], body: str) -> None:
    """A hook of another plugin that fails is reported in one line; the built-in causes still work."""
    suite.write("conftest.py", f"def pytest_tfgpu_causes():\n    {body}\n")
    suite.write("test_it.py", SMALL)
    outcome = suite.run(*mode)
    assert outcome.outcomes == {"failed": 1}
    assert outcome.report["diagnoses"][0]["cause"] == "unsupported-cast"
    assert len([line for line in outcome.text.splitlines() if line.startswith("pytest-tfgpu: ")]) == 1
    assert "INTERNALERROR" not in outcome.text


HOSTILE = """
import pytest
import tensorflow as tf

class Nasty(tf.errors.UnknownError):
    def __str__(self):
        raise RuntimeError("no text for you")

def test_no_text():
    raise Nasty(None, None, "x")

def test_large():
    raise tf.errors.UnknownError(None, None, "Cast string to float is not supported " + "x" * 10_000_000)

def test_escapes():
    raise tf.errors.UnimplementedError(None, None, "\\x1b[31mCast string to float is not supported\\x1b[0m\\x00\\x07")

def test_bytes():
    raise tf.errors.UnimplementedError(None, None, b"Cast string to float is not supported \\xff\\xfe")

def test_markup():
    raise tf.errors.UnimplementedError(None, None, "Cast string to float is not supported \\n::error::</script>")

def test_cycle():
    first, second = tf.errors.UnknownError(None, None, "first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first

@pytest.mark.parametrize("name", ["::error::", "</script>", "a|b", "`x`", "%0A"])
def test_names(name):
    tf.cast(tf.constant(["a"]), tf.float32)
"""


def test_hostile_exceptions_lose_no_result(suite: Suite, mode: tuple[str, ...]) -> None:
    """Exceptions without a text, of 10 MB, with escapes, bytes or cycles, are reported like any other failure."""
    suite.write("test_it.py", HOSTILE)
    outcome = suite.run(*mode, "--tb=line", "--junit-xml=junit.xml", seconds=240)
    assert outcome.outcomes == {"failed": 11}, outcome.text[-3000:]
    assert len(outcome.report["tests"]) == 11
    assert "INTERNALERROR" not in outcome.text
    causes = {test["nodeid"].partition("::")[2]: test.get("cause") for test in outcome.report["tests"]}
    assert causes["test_escapes"] == causes["test_markup"] == "unsupported-cast"
    assert "pytest-tfgpu: " not in outcome.text


@pytest.mark.parametrize("mode", [MODES["plain"], MODES["n0"]], ids=["plain", "n0"])
def test_texts_that_no_encoding_takes(suite: Suite, mode: tuple[str, ...]) -> None:
    """A lone surrogate in a message is reported like any other text (with xdist's workers pytest itself breaks)."""
    suite.write(
        "test_it.py",
        "import tensorflow as tf\n\ndef test_it():\n"
        "    raise tf.errors.UnimplementedError(None, None, 'Cast string to float is not supported \\udcff')\n",
    )
    outcome = suite.run(*mode)
    assert outcome.outcomes == {"failed": 1}, outcome.text
    assert outcome.report["diagnoses"][0]["cause"] == "unsupported-cast"


def test_nothing_is_imported_while_nothing_fails(suite: Suite) -> None:
    """In a session without a failure neither TensorFlow nor pynvml nor the catalogue is imported."""
    suite.write(
        "conftest.py",
        "import sys\n\ndef pytest_unconfigure():\n"
        "    heavy = ('tensorflow', 'keras', 'pynvml', 'numpy', 'pytest_tfgpu.knowledge.catalog', "
        "'pytest_tfgpu.diagnosis', 'pytest_tfgpu.environment', 'pytest_tfgpu.preflight', 'pytest_tfgpu.model')\n"
        "    print('HEAVY', [name for name in heavy if name in sys.modules])\n",
    )
    suite.write("test_it.py", "def test_it():\n    pass\n\ndef test_failing():\n    assert 0\n")
    outcome = suite.run("-s", "-k", "test_it.py and not failing", report=False)
    assert "HEAVY []" in outcome.text, outcome.text
    failing = suite.run("-s", report=False)
    assert failing.outcomes == {"passed": 1, "failed": 1}
    heavy = failing.text.partition("HEAVY ")[2].splitlines()[0]
    assert "tensorflow" not in heavy
    assert "catalog" not in heavy


def test_the_section_survives_a_plugin_without_our_hooks(suite: Suite, tmp_path: Path) -> None:
    """A conftest with our hooks, marked optional, works where the plugin is off."""
    suite.provide("pytest_tfgpu_checks", "[]")
    suite.write("test_it.py", "def test_it():\n    pass\n")
    assert suite.run("-p", "no:tfgpu", report=False).outcomes == {"passed": 1}
