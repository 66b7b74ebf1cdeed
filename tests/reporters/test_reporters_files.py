"""Where reports go: targets, checks before the session, and writing."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_tfgpu.reporters
from pytest_tfgpu.reporters import (
    Reporter,
    Target,
    append,
    builtin_reporters,
    check_writable,
    find_reporter,
    parse_target,
    write,
)

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX file systems only")


def left_behind(folder: Path) -> list[str]:
    """Return the names in `folder`."""
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------------------------------------- targets


@pytest.mark.parametrize(
    ("text", "name", "path"),
    [
        ("json:report.json", "json", "report.json"),
        ("json:out/a:b.json", "json", "out/a:b.json"),
        ("json:C:\\out\\report.json", "json", "C:\\out\\report.json"),
        ("json:C:/out/report.json", "json", "C:/out/report.json"),
        ("json:a b.json", "json", "a b.json"),
        ("github:summary.md", "github", "summary.md"),
        ("my-format:x", "my-format", "x"),
    ],
)
def test_target_with_path(text: str, name: str, path: str) -> None:
    """The format ends at the first colon; the path is taken as it is, from the current folder."""
    assert parse_target(text) == Target(name, Path(path).absolute())


def test_target_in_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tilde, which no shell expands after a colon, means the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert parse_target("json:~/r.json").path == tmp_path / "r.json"


def test_target_without_path() -> None:
    """Formats with a place of their own, and `none`, stand alone."""
    assert parse_target("github") == Target("github")
    assert not parse_target("github").silences
    assert parse_target("none").silences


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected FORMAT:PATH, such as json:report.json, got ''"),
        ("report.json", "expected FORMAT:PATH, such as json:report.json, got 'report.json'"),
        ("C:\\report.json", "expected FORMAT:PATH, such as json:report.json, got 'C:\\\\report.json'"),
        ("c:/report.json", "expected FORMAT:PATH, such as json:report.json, got 'c:/report.json'"),
        ("JSON:x", "expected FORMAT:PATH, such as json:report.json, got 'JSON:x'"),
        ("json", "expected a path after json:, such as json:report.json, got 'json'"),
        ("json: ", "expected a path after json:, such as json:report.json, got 'json: '"),
        ("github:", "expected a path after github:, such as github:report.github, got 'github:'"),
        ("none:x", "expected 'none' without a path, got 'none:x'"),
        ("json:a\0b", "expected a path without NUL characters, got 'json:a\\x00b'"),
    ],
)
def test_bad_target(text: str, message: str) -> None:
    """A value that can't be used is refused with what was expected."""
    with pytest.raises(ValueError, match="expected") as caught:
        parse_target(text)
    assert str(caught.value) == message


def test_find_reporter() -> None:
    """A target finds the reporter of its format, also where a third party gave it."""
    mine = Reporter("mine", "mine:render")
    assert find_reporter(parse_target("mine:x"), (*builtin_reporters(), mine)) is mine
    assert find_reporter(parse_target("json:x"), (*builtin_reporters(), mine)).format == "json"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("xml:a.xml", "unknown report format 'xml', known are: github, html, json, markdown, mine"),
        ("mine", "report format 'mine' needs a path: mine:PATH"),
        ("json:a", "report format 'json' is provided more than once: by "
         "pytest_tfgpu.reporters.json:render and mine:json"),
    ],
)  # fmt: skip
def test_find_reporter_refuses(target: str, message: str) -> None:
    """Unknown, ambiguous and incomplete targets are refused with a sentence."""
    extra = (Reporter("mine", "mine:render"), Reporter("json", "mine:json"))
    with pytest.raises(ValueError, match="report format") as caught:
        find_reporter(parse_target(target), (*builtin_reporters(), *extra))
    assert str(caught.value) == message


# --------------------------------------------------------------------------------------------- builtins


def test_every_module_with_a_render_is_a_reporter() -> None:
    """A module that renders a report has its row in the list of reporters, and no row leads nowhere."""
    folder = Path(pytest_tfgpu.reporters.__file__).parent
    modules = set()
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "render" for node in tree.body):
            modules.add(f"pytest_tfgpu.reporters.{path.stem}:render")
    assert {reporter.render for reporter in builtin_reporters()} == modules
    assert all(callable(reporter.load()) and reporter.summary for reporter in builtin_reporters())


def test_listing_reporters_imports_none() -> None:
    """Listing reporters and reading targets imports no reporter, neither pytest nor TensorFlow."""
    code = (
        "import json, sys\n"
        "from pytest_tfgpu.reporters import builtin_reporters, check_writable, parse_target\n"
        "builtin_reporters(); parse_target('json:x')\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(answer.stdout))
    assert loaded.isdisjoint({"pytest", "tensorflow", "pytest_tfgpu.model", "pytest_tfgpu.reporters.github"})
    assert "pytest_tfgpu.reporters.files" in loaded


# ------------------------------------------------------------------------------------------ before writing


def test_check_leaves_nothing(tmp_path: Path) -> None:
    """The check finds good places good, makes no folder and leaves no file."""
    check_writable(tmp_path / "report.json")
    check_writable(tmp_path / "a" / "b" / "report.json")
    assert left_behind(tmp_path) == []


def refusal(path: Path, *, appends: bool = False) -> str:
    """Return the sentence with which `path` is refused."""
    with pytest.raises(OSError, match="cannot write") as caught:
        check_writable(path, appends=appends)
    return str(caught.value)


def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder is no place for a file."""
    assert refusal(tmp_path) == f"cannot write {tmp_path}: it is a folder"


def test_file_above_is_refused(tmp_path: Path) -> None:
    """A path that leads through a file is refused, with that file's name."""
    (tmp_path / "file").write_text("")
    path = tmp_path / "file" / "a" / "report.json"
    assert refusal(path) == f"cannot write {path}: {tmp_path / 'file'} is not a folder"


@POSIX
def test_device_is_refused() -> None:
    """Replacing a device by a file would harm the machine."""
    assert refusal(Path(os.devnull)) == f"cannot write {os.devnull}: it is not an ordinary file"


@POSIX
def test_link_to_a_device_is_refused(tmp_path: Path) -> None:
    """A link to a device counts as the device."""
    (tmp_path / "link").symlink_to(os.devnull)
    assert refusal(tmp_path / "link") == f"cannot write {tmp_path / 'link'}: it is not an ordinary file"


@POSIX
def test_pipe_is_refused(tmp_path: Path) -> None:
    """A pipe would be replaced, not written to."""
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "pipe").endswith("it is not an ordinary file")


@POSIX
def test_name_too_long_is_refused(tmp_path: Path) -> None:
    """A name that the file system can't hold is found out before the session."""
    path = tmp_path / ("x" * 300)
    assert refusal(path) == f"cannot write {path}: file name too long"


@POSIX
def test_dangling_folder_link_is_refused(tmp_path: Path) -> None:
    """A folder that is a link to nowhere can't be made."""
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    path = tmp_path / "gone" / "report.json"
    assert refusal(path) == f"cannot write {path}: {tmp_path / 'gone'} is not a folder"


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from pytest_tfgpu.reporters import check_writable
if os.geteuid() == 0:
    os.setgid(65534); os.setuid(65534)
try:
    check_writable(Path(sys.argv[1]))
except OSError as error:
    print(error)
"""


@POSIX
def test_forbidden_folder_is_refused() -> None:
    """A folder of somebody else's is refused, also for files in folders yet to be made there."""
    for path in ("/proc/report.json", "/etc/new-folder/report.json"):
        answer = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, path], capture_output=True, text=True, check=True
        )
        assert answer.stdout.startswith(f"cannot write {path}: ")
        assert len(answer.stdout.splitlines()) == 1


# ------------------------------------------------------------------------------------------------ writing


def test_write_and_replace(tmp_path: Path) -> None:
    """A report replaces what was there; missing folders are made; nothing else is left."""
    path = tmp_path / "a" / "report.json"
    write(path, "one")
    write(path, iter(["t", "w", "o\n"]))
    assert path.read_bytes() == b"two\n"
    assert left_behind(path.parent) == ["report.json"]


def test_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """Where the text breaks off, the old report stays and no half of the new one is left."""
    path = tmp_path / "report.json"
    write(path, "old")

    def breaks() -> Iterator[str]:
        yield "new" * 1_000_000
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(path, breaks())
    assert path.read_text() == "old"
    assert left_behind(tmp_path) == ["report.json"]


def test_write_survives_what_is_no_text(tmp_path: Path) -> None:
    """Lone surrogates, as bytes that aren't UTF-8 become in names, are written as escapes."""
    path = tmp_path / "report.md"
    write(path, "caf\udce9 \u00e9 \U0001f600\n")
    assert path.read_bytes() == b"caf\\udce9 \xc3\xa9 \xf0\x9f\x98\x80\n"


@POSIX
def test_write_replaces_a_link(tmp_path: Path) -> None:
    """A symbolic link at the target is replaced; the file that it points to is not touched."""
    outside = tmp_path / "outside.txt"
    outside.write_text("precious")
    folder = tmp_path / "reports"
    folder.mkdir()
    (folder / "report.json").symlink_to(outside)
    write(folder / "report.json", "report")
    assert outside.read_text() == "precious"
    assert not (folder / "report.json").is_symlink()
    assert (folder / "report.json").read_text() == "report"


@POSIX
def test_write_follows_the_umask(tmp_path: Path) -> None:
    """A report can be read by whoever can read other new files here."""
    (tmp_path / "other").write_text("")
    write(tmp_path / "report", "x")
    assert (tmp_path / "report").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_write_says_what_is_in_the_way(tmp_path: Path) -> None:
    """What goes wrong while writing is an OSError with a sentence, too."""
    with pytest.raises(OSError, match="it is a folder") as caught:
        write(tmp_path, "x")
    assert str(caught.value) == f"cannot write {tmp_path}: it is a folder"


def test_append(tmp_path: Path) -> None:
    """Appending keeps what is there."""
    path = tmp_path / "a" / "summary.md"
    append(path, "one\n")
    append(path, ["two", "\n"])
    assert path.read_bytes() == b"one\ntwo\n"


@POSIX
def test_append_refuses_a_link(tmp_path: Path) -> None:
    """Appending through a symbolic link could leave the place that was given: refused, and checked for."""
    (tmp_path / "outside").write_text("precious")
    link = tmp_path / "summary.md"
    link.symlink_to(tmp_path / "outside")
    sentence = f"cannot write {link}: it is a symbolic link"
    with pytest.raises(OSError, match="symbolic link") as caught:
        append(link, "x")
    assert str(caught.value) == sentence
    assert refusal(link, appends=True) == sentence
    assert (tmp_path / "outside").read_text() == "precious"
