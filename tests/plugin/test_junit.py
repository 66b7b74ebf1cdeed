"""The JUnit file of a session: what Jenkins' xUnit plugin takes, with the cause where every reader shows it."""

from __future__ import annotations

import pathlib
from xml.etree import ElementTree

import pytest

from tests.plugin.phases import MODULE, SETUP, TEARDOWN
from tests.suite import Outcome, Suite

ODD = "nul \\0 escape \\x1b[31m bell \\x07 lone \\udc80 not \\uffff < & > \\\" ' ]]> \\U0001f525"

PHASES = f"""{SETUP}
def test_call():
    tf.cast(tf.constant(["a"]), tf.float32)
{TEARDOWN}
def test_call_and_teardown(breaking):
    tf.cast(tf.constant(["a"]), tf.float32)

def test_plain():
    assert 1 == 2

@pytest.mark.requires_gpu
def test_skipped():
    pass

@pytest.mark.parametrize("text", ["a<b>&\\"'", "caf\\u00e9", "x\\x1b[31m"])
def test_odd(text):
    raise tf.errors.UnimplementedError(None, None, "Cast string to float is not supported {ODD}")
"""

RESULT = {"type", "message"}
ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, {"testsuite"}),
    "testsuite": (
        {
            "name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id",
            "package", "file", "log", "url",
        },
        {"testsuite", "properties", "testcase", "system-out", "system-err"},
    ),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": (
        {"name", "time", "classname", "group"},
        {"skipped", "error", "failure", "system-out", "system-err"},
    ),
    "failure": (RESULT, set()),
    "error": (RESULT, set()),
    "skipped": (RESULT, set()),
    "system-out": (set(), set()),
    "system-err": (set(), set()),
}  # fmt: skip
"""Attributes and children of each element in the schema of Jenkins' xUnit plugin (junit-10.xsd), but for re-runs."""


def strange(root: ElementTree.Element) -> list[str]:
    """Return what the schema of Jenkins' xUnit plugin doesn't allow."""
    found = []
    for element in root.iter():
        attributes, children = ALLOWED[element.tag]
        found += [f"{element.tag}: attribute {name}" for name in element.attrib if name not in attributes]
        found += [f"{element.tag}: child {child.tag}" for child in element if child.tag not in children]
    return found


def run(suite: Suite, *arguments: str) -> Outcome:
    """Run the suite with a JUnit file; a lone surrogate breaks xdist's workers."""
    suite.write("test_phases.py", PHASES.replace("lone \\udc80 ", "") if "2" in arguments else PHASES)
    suite.write("test_module.py", MODULE)
    arguments = ("--continue-on-collection-errors", "--junit-xml=junit.xml", *arguments)
    return suite.run(*arguments, report=False)


def messages(root: ElementTree.Element) -> set[tuple[str, str, str, str]]:
    """Return name, element, cause and second line of the message of each failure with a cause."""
    found = set()
    for case in root.iter("testcase"):
        for element in case:
            first, _, rest = element.get("message", "").partition("\n")
            if first.endswith("]") and " [" in first:
                cause = first.rpartition("[")[2].removesuffix("]")
                found.add((case.get("name", "").partition("[")[0], element.tag, cause, rest[:18]))
    return found


@pytest.mark.parametrize("mode", [(), ("-n", "0"), ("-n", "2")], ids=["plain", "n0", "n2"])
def test_the_cause_is_in_the_message(suite: Suite, mode: tuple[str, ...]) -> None:
    """Each failure's message begins with its cause, whatever the phase; pytest's own follows; xunit2 is valid."""
    root = run(suite, "-o", "junit_family=xunit2", *mode).junit
    assert messages(root) == {
        ("test_module", "error", "dtype-mismatch", "collection failure"),
        ("test_setup", "error", "shape-mismatch", "failed on setup wi"),
        ("test_call", "failure", "unsupported-cast", "tensorflow.python."),
        ("test_teardown", "error", "index-out-of-range", "failed on teardown"),
        ("test_call_and_teardown", "failure", "unsupported-cast", "tensorflow.python."),
        ("test_call_and_teardown", "error", "index-out-of-range", "failed on teardown"),
        ("test_odd", "failure", "unsupported-cast", "tensorflow.python."),
    }
    (plain,) = (case for case in root.iter("testcase") if case.get("name") == "test_plain")
    failure = plain.find("failure")
    assert failure is not None
    assert failure.get("message", "").startswith("assert 1 == 2")
    assert strange(root) == []
    (properties,) = (suite.findall("properties/property") for suite in root.iter("testsuite"))
    assert {prop.get("name"): prop.get("value") for prop in properties} == {
        "tfgpu_causes": "unsupported-cast: 5, index-out-of-range: 2, dtype-mismatch: 1, shape-mismatch: 1"
    }


@pytest.mark.parametrize("arguments", [(), ("-o", "junit_family=xunit1")], ids=["default", "xunit1"])
def test_the_property_of_each_failure(suite: Suite, arguments: tuple[str, ...]) -> None:
    """Unless `junit_family=xunit2` is asked for, each test case has the cause as a property, too."""
    root = run(suite, *arguments).junit
    causes = {
        case.get("name", ""): [prop.get("value") for prop in case.iter("property")]
        for case in root.iter("testcase")
        if case.find("properties") is not None
    }
    assert causes["test_call"] == ["unsupported-cast"]
    assert causes["test_setup"] == ["shape-mismatch"]
    assert causes["test_teardown"] == ["index-out-of-range"]
    assert "test_plain" not in causes


def test_the_ini_file_asks_for_a_schema(suite: Suite) -> None:
    """With `junit_family = xunit2` in the ini file no test case has properties."""
    suite.write("pytest.ini", "[pytest]\njunit_family = xunit2\n")
    assert strange(run(suite).junit) == []


def test_the_machine_where_it_was_checked(suite: Suite) -> None:
    """After a preflight, the run's properties say its verdict and the machine."""
    suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run(
        "--junit-xml=junit.xml",
        "--tfgpu-preflight",
        "--tfgpu-device=cpu",
        "--tfgpu-checks=device",
        report=False,
    )
    properties = {prop.get("name"): prop.get("value", "") for prop in outcome.junit.iter("property")}
    assert properties["tfgpu_preflight"].startswith("CPU ok: 1 check passed"), outcome.text
    assert properties["tfgpu_machine"].startswith("TensorFlow 2.")
    assert strange(outcome.junit) == []


def test_an_ordinary_session_is_left_alone(suite: Suite) -> None:
    """Where nothing of TensorFlow failed, the file is what pytest writes without the plugin."""
    suite.write("test_it.py", "def test_it():\n    assert 0\n\ndef test_good():\n    pass\n")

    def written(*arguments: str) -> list[tuple[str, str | None]]:
        root = suite.run("--junit-xml=junit.xml", *arguments, report=False).junit
        return [(element.tag, element.get("message")) for element in root.iter()]

    assert written() == written("-p", "no:tfgpu")


def test_without_junit_in_pytest(suite: Suite) -> None:
    """With pytest's own JUnit plugin off, nothing is missed."""
    path: pathlib.Path = suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run("-p", "no:junitxml", path.name, report=False)
    assert outcome.outcomes == {"passed": 1}, outcome.text
