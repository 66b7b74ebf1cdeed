"""The reader of ELF files, on libraries that gcc built and on damaged ones."""

from __future__ import annotations

import random
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_tfgpu.environment.elf import Dynamic, NotElfError, read_dynamic
from tests.trees import compile_library, touch


def test_search_path_and_name(tmp_path: Path) -> None:
    """The RUNPATH's folders, the soname and the needed libraries are read as they were linked."""
    code = 'int puts(const char *); int hello(void) { return puts(""); }'
    library = compile_library(
        tmp_path / "lib.so", soname="libx.so.1", runpath=["$ORIGIN/../a", "/b"], code=code
    )
    dynamic = read_dynamic(library)
    assert dynamic.soname == "libx.so.1"
    assert dynamic.runpath == ("$ORIGIN/../a", "/b")
    assert dynamic.rpath == ()
    assert any(name.startswith("libc.") for name in dynamic.needed)


def test_old_search_path(tmp_path: Path) -> None:
    """An RPATH of the old kind is told apart from a RUNPATH."""
    dynamic = read_dynamic(compile_library(tmp_path / "lib.so", rpath=["/old"]))
    assert (dynamic.rpath, dynamic.runpath) == (("/old",), ())


def test_repeated_folders_count_once(tmp_path: Path) -> None:
    """A folder that stands many times in a RUNPATH is listed once, where it stood first."""
    library = compile_library(tmp_path / "lib.so", runpath=["/a", "/b", "/a", "/c", "/b"])
    assert read_dynamic(library).runpath == ("/a", "/b", "/c")


def test_library_without_search_path(tmp_path: Path) -> None:
    """A library linked without any search path has none."""
    dynamic = read_dynamic(compile_library(tmp_path / "lib.so"))
    assert (dynamic.runpath, dynamic.rpath, dynamic.soname) == ((), (), None)


def test_tensorflow_itself() -> None:
    """The real libtensorflow_framework.so.2 gives its name, and a RUNPATH into NVIDIA's wheels."""
    spec = find_spec("tensorflow")
    if spec is None or spec.origin is None:
        pytest.skip("TensorFlow is not installed")
    dynamic = read_dynamic(Path(spec.origin).with_name("libtensorflow_framework.so.2"))
    assert dynamic.soname == "libtensorflow_framework.so.2"
    assert "$ORIGIN/../nvidia/cudnn/lib" in dynamic.runpath
    assert len(set(dynamic.runpath)) == len(dynamic.runpath)


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n" * 10, b"\x7fELF\x07\x01" + bytes(100)])
def test_not_elf(tmp_path: Path, content: bytes) -> None:
    """A file that is no ELF file is refused as such."""
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(NotElfError):
        read_dynamic(path)


def test_missing_file(tmp_path: Path) -> None:
    """A file that isn't there is the operating system's error."""
    with pytest.raises(OSError, match="No such file"):
        read_dynamic(tmp_path / "none")


def test_linker_script(tmp_path: Path) -> None:
    """A text file under a library's name, as linkers accept it, is no ELF file."""
    with pytest.raises(NotElfError):
        read_dynamic(touch(tmp_path / "libc.so", "GROUP ( /lib/libc.so.6 )"))


def test_damaged_files_end_in_an_answer(tmp_path: Path) -> None:
    """A library cut off or changed anywhere gives what can be read or NotElfError, and nothing else."""
    data = compile_library(tmp_path / "lib.so", soname="libx.so.1", runpath=["/a"]).read_bytes()
    chance = random.Random(20)
    path = tmp_path / "damaged"
    refused = 0
    for _ in range(300):
        damaged = bytearray(data[: chance.randrange(len(data))])
        for _ in range(chance.randrange(1, 8)):
            if damaged:
                damaged[chance.randrange(min(len(damaged), 2000))] = chance.randrange(256)
        path.write_bytes(damaged)
        try:
            assert isinstance(read_dynamic(path), Dynamic)
        except NotElfError:
            refused += 1
    assert 0 < refused < 300


def test_reads_little_of_a_large_file(tmp_path: Path) -> None:
    """A library of any size is read by its headers: a gigabyte of padding costs nothing."""
    library = compile_library(tmp_path / "lib.so", runpath=["/a"])
    with library.open("r+b") as file:
        file.truncate(library.stat().st_size + 2**30)
    assert read_dynamic(library).runpath == ("/a",)
