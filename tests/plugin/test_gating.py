"""Requirement markers: what they skip, what they say, and what they say of wrong arguments."""

from __future__ import annotations

import pytest

from pytest_tfgpu.markers import MARKERS, marker_lines
from pytest_tfgpu.requirements import size_mib
from tests.suite import MODES, Suite

GATED = """
import pytest

@pytest.mark.requires_gpu(2, memory="8 GiB")
def test_gpus():
    raise AssertionError("must not run")

@pytest.mark.requires_cudnn(">=9.1")
class TestClass:
    def test_method(self):
        raise AssertionError("must not run")

@pytest.mark.parametrize("version", [
    "any",
    pytest.param("2.16", marks=pytest.mark.requires_tensorflow(">=2.16")),
    pytest.param("99", marks=pytest.mark.requires_tensorflow(">=99")),
])
def test_versions(version):
    assert version != "99"

def test_free():
    pass
"""


def test_unmet_requirements_skip_with_found_and_required(suite: Suite, mode: tuple[str, ...]) -> None:
    """On a machine without a GPU each gated test is skipped, at the test's line, with what was found and required."""
    suite.write("test_it.py", GATED)
    outcome = suite.run(*mode, "-rs")
    assert outcome.outcomes == {"passed": 3, "skipped": 3}, outcome.text
    assert "test_it.py:4: requires_gpu(2, memory='8 GiB'): found no GPU: " in outcome.text
    assert "requires_tensorflow('>=99'): found 2." in outcome.text
    skips = {skip["nodeid"].partition("::")[2]: skip for skip in outcome.report["skips"]}
    assert skips["test_gpus"]["requirement"] == "requires_gpu"
    assert skips["test_gpus"]["required"] == "2 GPUs with memory 8 GiB"
    assert skips["TestClass::test_method"]["required"] == "cuDNN >=9.1"
    assert skips["test_versions[99]"]["required"] == "TensorFlow >=99"


def test_strict_fails_instead(suite: Suite, mode: tuple[str, ...]) -> None:
    """With `--tfgpu-strict` an unmet requirement is an error in the setup, with the same reason and no traceback."""
    suite.write("test_it.py", GATED)
    outcome = suite.run(*mode, "--tfgpu-strict")
    assert outcome.outcomes == {"passed": 3, "error": 3}, outcome.text
    assert "requires_tensorflow('>=99'): found 2." in outcome.text
    assert "(--tfgpu-strict)" in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize(
    "file",
    [
        "import pytest\npytestmark = pytest.mark.requires_gpu\n\ndef test_it():\n    assert 0\n",
        "import pytest, unittest\n\nclass TestIt(unittest.TestCase):\n    @pytest.mark.requires_gpu()\n"
        "    def test_it(self):\n        assert 0\n",
        'import pytest, unittest\n\n@pytest.mark.requires_driver(">=1")\nclass TestIt(unittest.TestCase):\n'
        "    def test_it(self):\n        assert 0\n",
    ],
    ids=["pytestmark", "unittest method", "unittest class"],
)
def test_markers_hold_wherever_marks_do(suite: Suite, file: str) -> None:
    """A requirement on a module, a class or a method gates the tests in it, `unittest.TestCase` included."""
    suite.write("test_it.py", file)
    assert suite.run().outcomes == {"skipped": 1}


def test_a_marker_added_by_a_conftest_gates_too(suite: Suite, mode: tuple[str, ...]) -> None:
    """A requirement that a conftest adds to an item after collection is asked as well."""
    suite.write(
        "conftest.py",
        "import pytest\n\ndef pytest_collection_modifyitems(items):\n"
        "    for item in items:\n        item.add_marker(pytest.mark.requires_gpu())\n",
    )
    suite.write("test_it.py", "def test_it():\n    assert 0\n")
    assert suite.run(*mode).outcomes == {"skipped": 1}


def test_a_skipped_test_asks_nothing(suite: Suite) -> None:
    """`skip` and `skipif` come first: no check runs for a test that is skipped anyway."""
    suite.write(
        "test_it.py",
        "import pytest\n\n@pytest.mark.skip(reason='not now')\n@pytest.mark.requires_check('conv2d')\n"
        "def test_it():\n    assert 0\n",
    )
    outcome = suite.run("-rs", "--tfgpu-device=cpu")
    assert "not now" in outcome.text
    assert outcome.report["preflight"]["verdict"] == "not-asked"


WRONG = {
    '@pytest.mark.requires_cudnn("nine")': "expected a version specifier like '>=9.1', got 'nine'",
    "@pytest.mark.requires_cuda": "missing 1 required positional argument: 'version'",
    "@pytest.mark.requires_driver(550)": "expected a version specifier like '>=550', got 550",
    '@pytest.mark.requires_tensorflow(">=2", "x")': "takes 1 positional argument but 2 were given",
    "@pytest.mark.requires_gpu(0)": "count: expected a number of GPUs from 1 on, got 0",
    '@pytest.mark.requires_gpu(memory="lots")': "expected a size like '8 GiB', got 'lots'",
    '@pytest.mark.requires_gpu(vendor="x")': "unexpected keyword argument 'vendor'",
    '@pytest.mark.requires_gpu(compute_capability="big")': "expected a version specifier like '>=7.0'",
    "@pytest.mark.requires_dtype()": "expected at least one data type",
    '@pytest.mark.requires_dtype("float17")': "no check computes in 'float17', known are: ",
    "@pytest.mark.requires_check(3)": "expected the name of a check, got 3",
    '@pytest.mark.requires_check("conv9d")': "there is no check 'conv9d', known are: batch-norm, bfloat16",
    '@pytest.mark.xfail_cause("gpu-bussy")': "unknown cause 'gpu-bussy' (meant: gpu-busy?)",
}


def test_every_marker_has_a_wrong_call_here() -> None:
    """The table of wrong calls leaves no marker out."""
    assert {marker.__name__ for marker in MARKERS} == {
        call.removeprefix("@pytest.mark.").partition("(")[0] for call in WRONG
    }


def test_wrong_arguments_are_collection_errors_of_the_module(suite: Suite, mode: tuple[str, ...]) -> None:
    """Each wrong call stops the session and quotes file, line and the marker as it was written."""
    for number, call in enumerate(WRONG):
        suite.write(
            f"test_{number:02}.py",
            f"import pytest\n\n@pytest.mark.filterwarnings('default')\n{call}\ndef test_it():\n    pass\n",
        )
    suite.write("test_fine.py", "def test_fine():\n    pass\n")
    outcome = suite.run(*mode)
    distributed = mode == MODES["n2"]  # xdist ends with 1 after any collection error
    assert outcome.status == (pytest.ExitCode.TESTS_FAILED if distributed else pytest.ExitCode.INTERRUPTED)
    text = " ".join(outcome.text.split())
    for number, (call, problem) in enumerate(WRONG.items()):
        assert f"test_{number:02}.py:3: wrong arguments of a marker: {call.removeprefix('@')} " in text
        assert problem in text
    assert "INTERNALERROR" not in text


def test_wrong_arguments_in_a_class_and_in_pytestmark(suite: Suite) -> None:
    """For a class the line is that of its first decorator, for a module that of `pytestmark`."""
    suite.write(
        "test_class.py",
        "import pytest\n\n\n@pytest.mark.slow\n@pytest.mark.requires_gpu(-1)\nclass TestIt:\n"
        "    def test_it(self):\n        pass\n",
    )
    suite.write(
        "test_module.py",
        "import pytest\n\npytestmark = [pytest.mark.requires_cuda('x')]\n\ndef test_it():\n    pass\n",
    )
    suite.write("pytest.ini", "[pytest]\nmarkers = slow\n")
    outcome = suite.run()
    assert "test_class.py:4: wrong arguments of a marker: pytest.mark.requires_gpu(-1)" in outcome.text
    assert "test_module.py:3: wrong arguments of a marker: pytest.mark.requires_cuda('x')" in outcome.text


def test_markers_are_listed_with_their_signatures(suite: Suite) -> None:
    """`pytest --markers` shows each requirement with its arguments and what it asks."""
    text = suite.run("--markers", report=False).text
    for line in marker_lines():
        assert f"@pytest.mark.{line}" in text
    assert "requires_gpu(count=1, *, memory=None, free_memory=None, compute_capability=None): Skip" in text


CHECKED = """
import pytest

@pytest.mark.requires_check("conv2d")
def test_check():
    pass

@pytest.mark.requires_dtype("float16", "float32")
@pytest.mark.parametrize("number", range(3))
def test_dtype(number):
    pass

@pytest.mark.requires_cuda(">=12")
def test_cuda():
    assert 0
"""


@pytest.mark.parametrize("mode", [MODES["plain"], MODES["n2"]], ids=["plain", "n2"])
def test_checks_run_once_on_demand(suite: Suite, mode: tuple[str, ...]) -> None:
    """A requirement that only the checks can answer runs them once per host, also where no preflight was asked for."""
    suite.write("test_it.py", CHECKED)
    suite.write(
        "counting.py",
        "import pathlib, os\n\ndef run(context):\n    pathlib.Path('ran').open('a').write('x')\n",
    )
    suite.provide("pytest_tfgpu_checks", "[Check('counting', 'counting:run')]")
    checks = "--tfgpu-checks=device,counting"
    outcome = suite.run(*mode, "--tfgpu-device=cpu", checks, environment={"PYTHONPATH": str(suite.folder)})
    assert outcome.outcomes == {"passed": 4, "skipped": 1}, outcome.text
    assert (suite.folder / "ran").read_text() == "x"


def test_a_failing_check_skips_what_requires_it(suite: Suite) -> None:
    """A test that requires a check which fails is skipped with the check's own sentence; the session goes on."""
    suite.write("breaking.py", "def run(context):\n    context.fail('The product is wrong.')\n")
    suite.provide("pytest_tfgpu_checks", "[Check('breaking', 'breaking:run')]")
    suite.write(
        "test_it.py",
        "import pytest\n\n@pytest.mark.requires_check('breaking')\ndef test_it():\n    assert 0\n",
    )
    environment = {"PYTHONPATH": str(suite.folder)}
    outcome = suite.run("--tfgpu-device=cpu", "--tfgpu-checks=device", "-rs", environment=environment)
    assert outcome.outcomes == {"skipped": 1}, outcome.text
    assert (
        "requires_check('breaking'): found check breaking failed on the CPU: The product is wrong."
        in outcome.text
    )


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("8 GiB", 8192),
        ("512MiB", 512),
        ("1 GB", 1e9 / 2**20),
        ("1.5 gib", 1536),
        ("2048 KiB", 2),
        ("1048576 B", 1),
    ],
)
def test_sizes(text: str, mib: float) -> None:
    """Sizes are given with a unit, of powers of 1024 or of 1000."""
    assert size_mib(text) == pytest.approx(mib)


@pytest.mark.parametrize("text", ["8", "GiB", "-1 GiB", "8 GiBit", "", None, 8, "1e3 MiB"])
def test_what_is_no_size(text: object) -> None:
    """A number without a unit, a negative one, and anything else is refused."""
    with pytest.raises(ValueError, match="expected a size like '8 GiB'"):
        size_mib(text)


MIXED = """
def pytest_tfgpu_facts():
    t4 = {"index": 0, "name": "Tesla T4", "compute_capability": "7.5", "memory_total_mib": 16384}
    l4 = {"index": 1, "name": "NVIDIA L4", "compute_capability": "8.9", "memory_total_mib": 8192}
    old = {"index": 3, "name": "Tesla K80", "compute_capability": "3.7", "memory_total_mib": 12288}
    return {
        "gpus": [t4, l4, {**l4, "index": 2}, old],
        "visible_gpus": [0, 1, 2, 3],
        "built_for": {"cuda": "12.5", "compute_capabilities": ["sm_70", "sm_80", "compute_90"]},
        "is_cuda_build": True,
        "libraries": [],
        "unknown": {},
    }
"""
UNLIKE_GPUS = """
import pytest

small = pytest.mark.requires_gpu(memory="12 GiB")
new = pytest.mark.requires_gpu(compute_capability=">=8.0")

@small
@new
def test_one_gpu_for_both():
    pass

@new
class TestClass:
    @pytest.mark.requires_gpu(2)
    def test_two_new_ones(self):
        pass

    @pytest.mark.parametrize("size", [pytest.param(1, marks=small), 2])
    def test_parameter(self, size):
        pass

@pytest.mark.requires_gpu(2, memory="8 GiB", compute_capability=">=8.0")
def test_all_of_it():
    pass

@pytest.mark.requires_gpu(compute_capability="<4")
def test_gpu_that_tensorflow_leaves_out():
    pass
"""


def test_unlike_gpus(suite: Suite, mode: tuple[str, ...]) -> None:
    """What is required of GPUs must hold of the same ones together, from whichever marks it comes.

    A GPU for which TensorFlow has no kernels isn't among them, and keeps nobody from the others.
    """
    suite.write("conftest.py", MIXED)
    suite.write("test_it.py", UNLIKE_GPUS)
    outcome = suite.run(*mode, "-rs")
    assert outcome.outcomes == {"passed": 3, "skipped": 3}, outcome.text
    skips = {skip["nodeid"].partition("::")[2]: skip for skip in outcome.report["skips"]}
    assert set(skips) == {
        "test_one_gpu_for_both",
        "TestClass::test_parameter[1]",
        "test_gpu_that_tensorflow_leaves_out",
    }
    both = skips["test_one_gpu_for_both"]
    assert set(both["required"].split(" and ")) == {
        "1 GPU with memory 12 GiB",
        "1 GPU with compute capability >=8.0",
    }
    assert both["found"] == (
        "no GPU that meets all of it, among 3 GPUs (Tesla T4, compute capability 7.5, 16384 MiB, free memory unknown; "
        "2 x NVIDIA L4, compute capability 8.9, 8192 MiB, free memory unknown)"
    )
    assert skips["test_gpu_that_tensorflow_leaves_out"]["found"] == (
        "3 GPUs (Tesla T4, compute capability 7.5; 2 x NVIDIA L4, compute capability 8.9)"
    )
    strict = suite.run(*mode, "--tfgpu-strict", "-k", "one_gpu_for_both")
    assert strict.outcomes.get("error") == 1, strict.text
