"""`tfgpu compare` and `tfgpu merge` as they are typed: exit statuses, files, bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tfgpu.cli.main import main
from pytest_tfgpu.model import Facts, Preflight, Report, Skip, TestResult
from pytest_tfgpu.reporters import write
from pytest_tfgpu.reporters.json import render


def saved(path: Path, *tests: TestResult, **more: object) -> str:
    """Write a report with these tests; return its path."""
    report = Report(
        "0.1", "2026-11-21T09:00:00+00:00", 1.0, True, 0, Facts(driver=str(more.get("driver", "555"))),
        Preflight("not-asked"), {"passed": len(tests)}, tests, skips=more.get("skips", ()),  # type: ignore[arg-type]
    )  # fmt: skip
    write(path, render(report))
    return str(path)


def test_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`tfgpu compare` prints both sessions and what changed, and ends with 0."""
    before = saved(tmp_path / "a.json", TestResult("t.py::a", "passed"))
    after = saved(tmp_path / "b.json", TestResult("t.py::a", "failed"), driver="560")
    assert main(["compare", before, after]) == 0
    assert capsys.readouterr().out == (
        "before  2026-11-21T09:00:00+00:00: 1 passed\n"
        "after   2026-11-21T09:00:00+00:00: 1 passed\n"
        "\nmachine\n  driver  555 -> 560\n"
        "\n1 test newly failing\n  t.py::a\n"
    )
    assert main(["compare", "--json", before, after]) == 0
    assert json.loads(capsys.readouterr().out)["machine"] == [
        {"what": "driver", "before": "555", "after": "560"}
    ]


def test_merge_writes_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`tfgpu merge -o` writes a report that can be merged and compared again."""
    lack = Skip("t.py::b", "requires_gpu", "1 GPU", "no GPU")
    one = saved(tmp_path / "a.json", TestResult("t.py::a", "passed"))
    other = saved(tmp_path / "b.json", TestResult("t.py::b", "skipped"), skips=(lack,))
    out = str(tmp_path / "sub" / "all.json")
    assert main(["merge", one, other, "-o", out]) == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "2 reports from 2026-11-21T09:00:00+00:00: 1 passed, 1 skipped\n\n1 test ran in none\n"
    )
    merged = Report.from_json(json.loads(Path(out).read_text("utf-8")))
    assert merged.outcomes == {"passed": 1, "skipped": 1}
    assert merged.skips == (lack,)
    assert main(["merge", out]) == 0
    assert capsys.readouterr().out == text.replace("2 reports", "1 report")
    assert main(["compare", out, out]) == 0
    assert capsys.readouterr().out.endswith("\nNothing changed.\n")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "can't read {}: No such file or directory"),
        ("{", "can't use {}: it is not JSON: "),
        ("[" * 100_000, "can't use {}: it is not JSON: "),
        ("\udcff", "can't use {}: it is not JSON: "),
        ("[]", "can't use {}: it is not a JSON report of pytest-tfgpu"),
        ('{"schema": 2}', "can't use {}: it is of schema 2; schema 1 can be read"),
        ('{"schema": 1, "tfgpu": 5}', "can't use {}: report.tfgpu: expected str, got int"),
        ('{"schema": 1}', "can't use {}: report: tfgpu is missing"),
    ],
)
def test_bad_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, told: str
) -> None:
    """A file that can't be read, or is no report, is named with the reason; the exit status is 2."""
    good = saved(tmp_path / "good.json")
    path = tmp_path / "bad.json"
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    for command in (["compare", good, str(path)], ["compare", str(path), good], ["merge", good, str(path)]):
        assert main(command) == 2
        printed = capsys.readouterr()
        assert printed.err.startswith(f"tfgpu {command[0]}: {told.format(path)}")
        assert (printed.out, printed.err.count("\n")) == ("", 1)


def test_an_output_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where the merged report can't be written, the exit status is 2 and nothing is left behind."""
    report = saved(tmp_path / "a.json")
    assert main(["merge", report, "-o", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"tfgpu merge: cannot write {tmp_path}: it is a folder\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_hostile_names_steer_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names with escape sequences or workflow commands are shown, and do nothing."""
    nodeid = "::error::x\x1b[31m\n::stop-commands::y"
    skips = (Skip(nodeid, "::error::r", "a\nb", "\x1b]0;t\x07f"),)
    one = saved(tmp_path / "a.json", driver="\x1b[31m1")
    other = saved(tmp_path / "b.json", TestResult(nodeid, "failed"), TestResult("s", "skipped"), skips=skips)
    for command in (["compare", one, other], ["merge", one, other]):
        assert main(command) == 0
        text = capsys.readouterr().out
        assert "\x1b" not in text
        assert "stop-commands" in text
        assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def test_neither_tensorflow_nor_pytest_is_imported(tmp_path: Path) -> None:
    """The commands about reports read files, and import neither TensorFlow nor pytest."""
    report = saved(tmp_path / "a.json")
    code = (
        "import sys; from pytest_tfgpu.cli.main import main; "
        f"main(['compare', {report!r}, {report!r}]); main(['merge', {report!r}]); "
        "sys.exit(bool({'pytest', 'tensorflow', 'pynvml'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
