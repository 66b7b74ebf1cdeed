"""Every setting from every source: the command line, the environment, the ini file, the default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pytest_tfgpu.nesting import own_environment
from pytest_tfgpu.settings import SETTINGS, Setting, Settings
from tests.suite import MODES, Suite

GOOD: dict[str, tuple[str, Any]] = {
    "preflight": ("yes", True),
    "preflight-timeout": ("7.5", 7.5),
    "require": ("all", "all"),
    "on-broken": ("skip", "skip"),
    "checks": ("device,gather", ["device", "gather"]),
    "device": ("cpu", "cpu"),
    "preflight-overlap": ("yes", True),
    "preflight-cache": ("600", 600.0),
    "diagnose": ("no", False),
    "strict": ("yes", True),
    "gpus-per-worker": ("2", 2),
    "workers-per-gpu": ("3", 3),
    "lock": ("yes", True),
    "memory": ("3", 3),
    "rerun": ("out-of-memory,gpu-busy", ["out-of-memory", "gpu-busy"]),
    "report": ("json:out.json", ["json:out.json"]),
}
"""A value for each setting that isn't its default: as text, and as the resolved settings hold it."""

BAD: dict[str, list[str]] = {
    "preflight": ["maybe"],
    "preflight-timeout": ["soon", "0", "-1", "nan"],
    "require": ["some", "-1", "1.5"],
    "on-broken": ["explode"],
    "checks": [",", "no-such-check"],
    "device": ["tpu"],
    "preflight-overlap": ["perhaps"],
    "preflight-cache": ["-1", "nan", "an hour"],
    "diagnose": ["maybe"],
    "strict": ["perhaps"],
    "gpus-per-worker": ["0", "-1", "1.5", "all"],
    "workers-per-gpu": ["0", "many"],
    "lock": ["perhaps"],
    "memory": ["-1", "some", "1.5"],
    "rerun": [",", "no-such-cause"],
    "report": ["json", "nonsense:x", "json:"],
}
"""Values that make no sense, for each setting."""

TELL = """
import json, pytest
from pytest_tfgpu.session import get

def test_settings(pytestconfig):
    print("SETTINGS", json.dumps(get(pytestconfig).settings.to_json()))
"""

SOURCES = ("command line", "environment", "ini", "override", "pyproject")
ROWS = pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)


def from_source(suite: Suite, source: str, row: Setting, value: str) -> tuple[list[str], dict[str, str]]:
    """Put a value into a source; return the arguments and the environment with which pytest then runs."""
    if source == "command line":
        if row.ini == "flag" and value in ("yes", "no"):
            return [f"--{'no-' * (value == 'no')}tfgpu-{row.name}"], {}
        return [f"{row.option}={value}"], {}
    if source == "environment":
        return [], {row.variable: value}
    if source == "override":
        return ["-o", f"{row.ini_name}={value}"], {}
    if source == "pyproject":
        (suite.folder / "pytest.ini").unlink()
        written = f'["{value}"]' if row.ini == "lines" else f'"{value}"'
        suite.write("pyproject.toml", f"[tool.pytest.ini_options]\n{row.ini_name} = {written}\n")
        return [], {}
    suite.write("pytest.ini", f"[pytest]\n{row.ini_name} = {value}\n")
    return [], {}


def told(text: str) -> dict[str, Any]:
    """Return the settings that the test `TELL` printed."""
    import json

    line = next(line for line in text.splitlines() if "SETTINGS " in line)
    settings: dict[str, Any] = json.loads(line.partition("SETTINGS ")[2])
    return settings


def test_every_setting_is_covered_here() -> None:
    """There is a good and a bad value in this file for each row of the table, and a field for each row."""
    names = [row.name for row in SETTINGS]
    assert sorted(GOOD) == sorted(BAD) == sorted(names)
    assert sorted(row.field for row in SETTINGS) == sorted(Settings().to_json())


@ROWS
@pytest.mark.parametrize("source", SOURCES)
def test_each_setting_comes_from_each_source(suite: Suite, row: Setting, source: str) -> None:
    """A value given in any of the sources is the value of the setting."""
    if row.name == "rerun":
        pytest.importorskip("pytest_rerunfailures")
    suite.write("test_it.py", TELL)
    text, value = GOOD[row.name]
    arguments, environment = from_source(suite, source, row, text)
    if row.name in ("preflight", "require"):
        arguments += ["--tfgpu-device=gpu", "--tfgpu-on-broken=warn", "--collect-only", "-p", "tests_tell"]
        environment["PYTHONPATH"] = str(suite.folder)
        suite.write(
            "tests_tell.py",
            "import json\nfrom pytest_tfgpu.session import get\n"
            "def pytest_collection_finish(session):\n"
            "    print('SETTINGS', json.dumps(get(session.config).settings.to_json()))\n",
        )
    outcome = suite.run("-s", *arguments, environment=environment, report=False)
    assert outcome.status == 0, outcome.text
    assert told(outcome.text)[row.field] == value


@pytest.mark.parametrize(
    ("row", "source"),
    [
        pytest.param(row, source, id=f"{row.name}-{source}")
        for row in SETTINGS
        for source in ("command line", "environment", "ini")
        if not (row.ini == "flag" and source == "command line")  # there a flag takes no value
    ],
)
def test_a_bad_value_names_its_source_and_what_was_expected(suite: Suite, row: Setting, source: str) -> None:
    """A value that makes no sense ends pytest with a usage error of one line, before any test."""
    for value in BAD[row.name]:
        arguments, environment = from_source(suite, source, row, value)
        outcome = suite.run(*arguments, environment=environment, report=False)
        lines = [line for line in outcome.text.splitlines() if line.startswith("ERROR: ")]
        assert outcome.status == pytest.ExitCode.USAGE_ERROR, outcome.text
        assert len(lines) == 1
        assert "Traceback" not in outcome.text
        origin = {"command line": row.option, "environment": row.variable, "ini": row.ini_name}[source]
        assert origin in lines[0] or row.name in lines[0]


def test_a_source_replaces_the_one_below(suite: Suite) -> None:
    """The command line beats the environment, which beats the ini file."""
    suite.write("test_it.py", TELL)
    suite.write("pytest.ini", "[pytest]\ntfgpu_on_broken = skip\ntfgpu_device = cpu\ntfgpu_strict = yes\n")
    outcome = suite.run(
        "-s",
        "--tfgpu-on-broken=abort",
        "--no-tfgpu-strict",
        environment={"TFGPU_ON_BROKEN": "warn", "TFGPU_DEVICE": "gpu", "TFGPU_STRICT": "yes"},
    )
    settings = told(outcome.text)
    assert (settings["on_broken"], settings["device"], settings["strict"]) == ("abort", "gpu", False)


def test_native_toml_types_are_taken(suite: Suite) -> None:
    """In `[tool.pytest]` a flag may be true, a number a number, and the reports a list."""
    if tuple(map(int, pytest.__version__.split(".")[:2])) < (9, 2):
        pytest.skip("options of several types exist from pytest 9.2 on")
    (suite.folder / "pytest.ini").unlink()
    suite.write("test_it.py", TELL)
    suite.write(
        "pyproject.toml",
        "[tool.pytest]\ntfgpu_strict = true\ntfgpu_preflight_timeout = 60\ntfgpu_require = 0\n"
        'tfgpu_report = ["json:a.json", "json:b.json"]\n',
    )
    outcome = suite.run("-s", report=False)
    settings = told(outcome.text)
    assert (settings["strict"], settings["preflight_timeout"], settings["require"]) == (True, 60.0, 0)
    assert settings["report"] == ["json:a.json", "json:b.json"]


def test_require_turns_the_preflight_on(suite: Suite) -> None:
    """With `--tfgpu-require=1` and no GPU the session ends with status 69, without `--tfgpu-preflight`."""
    suite.write("test_it.py", "def test_it():\n    pass\n")
    outcome = suite.run("--tfgpu-require=1")
    assert outcome.status == 69, outcome.text
    assert outcome.report["preflight"]["verdict"] == "absent"


@pytest.mark.parametrize("mode", [MODES["plain"], MODES["n2"]], ids=["plain", "n2"])
def test_workers_get_the_settings_of_the_controller(suite: Suite, mode: tuple[str, ...]) -> None:
    """A setting given to pytest holds in each process that runs tests."""
    suite.write(
        "test_it.py",
        "import pytest\nfrom pytest_tfgpu.session import get\n\n"
        "@pytest.mark.parametrize('number', range(4))\n"
        "def test_it(pytestconfig, number):\n    assert get(pytestconfig).settings.strict is True\n",
    )
    outcome = suite.run(*mode, environment={"TFGPU_STRICT": "yes"})
    assert outcome.outcomes == {"passed": 4}, outcome.text


def test_an_inner_pytest_ignores_the_settings_of_the_outer_one(suite: Suite) -> None:
    """What a session got from its environment doesn't hold for sessions that its tests start."""
    suite.write("inner/test_inner.py", TELL)
    suite.write("inner/pytest.ini", "[pytest]\n")
    suite.write(
        "test_outer.py",
        "import subprocess, sys\n\n"
        "def test_outer():\n"
        "    done = subprocess.run([sys.executable, '-m', 'pytest', '-s', 'inner'], capture_output=True, text=True)\n"
        "    print(done.stdout, done.stderr)\n\n"
        "def test_own(monkeypatch):\n"
        "    monkeypatch.setenv('TFGPU_ON_BROKEN', 'skip')\n"
        "    test_outer()\n",
    )
    outcome = suite.run("-s", "test_outer.py", environment={"TFGPU_STRICT": "yes", "TFGPU_ON_BROKEN": "warn"})
    lines = [line for line in outcome.text.splitlines() if "SETTINGS" in line]
    inherited, own = told(lines[0]), told(lines[1])
    assert (inherited["strict"], inherited["on_broken"]) == (False, "abort")
    assert (own["strict"], own["on_broken"]) == (False, "skip")


def test_own_environment_forgives_a_damaged_note(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the note about the outer session can't be read, the environment counts as it is."""
    monkeypatch.setenv("PYTEST_TFGPU_OUTER", "{not json")
    assert own_environment() == dict(os.environ)


def test_help_explains_every_setting(suite: Suite) -> None:
    """`pytest --help` shows each option with its help, and each flag with the one that switches it off."""
    text = " ".join(suite.run("--help", report=False).text.split())
    for row in SETTINGS:
        assert row.option in text
        assert row.help.split(";")[0] in text.replace("- ", "-") or row.help[:30] in text
        if row.ini == "flag":
            assert f"--no-tfgpu-{row.name}" in text


def test_an_unwritable_report_is_found_out_before_the_session(suite: Suite, tmp_path: Path) -> None:
    """A report path that can't be written is a usage error, and no test runs."""
    suite.write("test_it.py", "def test_it():\n    open('ran', 'w').close()\n")
    (tmp_path / "file").write_text("")
    for bad in ("json:file/report.json", f"json:{tmp_path}"):
        outcome = suite.run(f"--tfgpu-report={bad}", report=False)
        assert outcome.status == pytest.ExitCode.USAGE_ERROR
        assert "ERROR: pytest-tfgpu: --tfgpu-report" in outcome.text
        assert not (tmp_path / "ran").exists()
