"""The loader's search order, held against what the real loader does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_tfgpu.environment.loader import loader, read_cache
from tests.trees import compile_library, touch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the loader of Linux")

CALLER = """
#include <dlfcn.h>
void *tfgpu_open(const char *name) { return dlopen(name, RTLD_NOW); }
"""
ASK = """
import ctypes, sys
caller = ctypes.CDLL(sys.argv[1])
caller.tfgpu_open.restype = ctypes.c_void_p
caller.tfgpu_open(sys.argv[2].encode())
print(*[line.split()[-1] for line in open('/proc/self/maps') if sys.argv[2] in line][-1:])
"""


def really_loaded(caller: Path, name: str, environ: dict[str, str]) -> str | None:
    """Return the file that the real loader maps when `caller` opens `name`."""
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(caller), name],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip() or None


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three folders that each hold `libtfgpu.so.1`."""
    for folder in ("listed", "site/nvidia/x/lib", "old"):
        compile_library(tmp_path / folder / "libtfgpu.so.1")
    return tmp_path


def test_variable_before_runpath(tree: Path) -> None:
    """LD_LIBRARY_PATH wins over the RUNPATH of the library that opens, as with the real loader."""
    caller = compile_library(tree / "site/tf/c.so", runpath=["$ORIGIN/../nvidia/x/lib"], code=CALLER)
    environ = {"LD_LIBRARY_PATH": str(tree / "listed")}
    found = loader(caller, environ).find("libtfgpu.so.1")
    assert found is not None
    assert (str(found.path), found.through) == (str(tree / "listed/libtfgpu.so.1"), "LD_LIBRARY_PATH")
    assert really_loaded(caller, "libtfgpu.so.1", environ) == str(found.path)


def test_runpath_alone(tree: Path) -> None:
    """Without the variable the RUNPATH leads to the file, `$ORIGIN` being the folder of the library."""
    caller = compile_library(tree / "site/tf/c.so", runpath=["$ORIGIN/../nvidia/x/lib"], code=CALLER)
    found = loader(caller, {}).find("libtfgpu.so.1")
    assert found is not None
    assert (str(found.path), found.through) == (str(tree / "site/nvidia/x/lib/libtfgpu.so.1"), "RUNPATH")
    loaded = really_loaded(caller, "libtfgpu.so.1", {"LD_LIBRARY_PATH": ""})
    assert loaded is not None
    assert Path(loaded).resolve() == found.path


def test_rpath_before_variable(tree: Path) -> None:
    """An RPATH of the old kind wins over LD_LIBRARY_PATH, as with the real loader."""
    caller = compile_library(tree / "c.so", rpath=[str(tree / "old")], code=CALLER)
    environ = {"LD_LIBRARY_PATH": str(tree / "listed")}
    found = loader(caller, environ).find("libtfgpu.so.1")
    assert found is not None
    assert (str(found.path), found.through) == (str(tree / "old/libtfgpu.so.1"), "RPATH")
    assert really_loaded(caller, "libtfgpu.so.1", environ) == str(found.path)


def test_nowhere(tree: Path) -> None:
    """A name that no folder holds is not found, and the real loader doesn't find it either."""
    caller = compile_library(tree / "c.so", runpath=[str(tree / "old")], code=CALLER)
    order = loader(caller, {"LD_LIBRARY_PATH": str(tree / "listed")})
    assert order.find("libtfgpu.so.2") is None
    assert order.folders[:2] == (tree / "listed", tree / "old")
    assert really_loaded(caller, "libtfgpu.so.2", {}) is None


def test_dangling_link_is_passed_over(tree: Path) -> None:
    """A link that leads nowhere doesn't count; the next folder is asked."""
    (tree / "broken").mkdir()
    (tree / "broken/libtfgpu.so.1").symlink_to("gone.so")
    order = loader(None, {"LD_LIBRARY_PATH": f"{tree / 'broken'}:{tree / 'listed'}"})
    found = order.find("libtfgpu.so.1")
    assert found is not None
    assert found.path.parent == tree / "listed"


def test_empty_entry_is_the_working_directory(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty entry of LD_LIBRARY_PATH means the working directory, and an empty variable nothing."""
    monkeypatch.chdir(tree / "listed")
    assert loader(None, {"LD_LIBRARY_PATH": ""}).find("libtfgpu.so.1") is None
    found = loader(None, {"LD_LIBRARY_PATH": "/nowhere:"}).find("libtfgpu.so.1")
    assert found is not None
    assert found.path == tree / "listed/libtfgpu.so.1"


def test_cache_of_this_machine() -> None:
    """What ldconfig lists for this machine's C library is what the cache is read to say."""
    files = read_cache(Path("/etc/ld.so.cache"))
    if not files:
        pytest.skip("this machine has no cache of ldconfig")
    listed = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True, check=True).stdout
    line = next(line for line in listed.splitlines() if line.strip().startswith("libc.so.6 "))
    assert str(files["libc.so.6"]) == line.rpartition("=> ")[2]
    found = loader(None, {}).find("libc.so.6")
    assert found is not None
    assert found.through == "ldconfig"


@pytest.mark.parametrize("content", [b"", b"ld.so-1.7.0\0", b"glibc-ld.so.cache1.1" + b"\xff" * 60])
def test_damaged_cache(tmp_path: Path, content: bytes) -> None:
    """A cache that is cut off or of another format gives what can be read of it, at worst nothing."""
    (tmp_path / "cache").write_bytes(content)
    assert read_cache(tmp_path / "cache") == {}


def test_default_folders(tmp_path: Path) -> None:
    """The default folders come last, without a cache too."""
    touch(tmp_path / "usr/lib/libtfgpu.so.1")
    found = loader(None, {}, tmp_path).find("libtfgpu.so.1")
    assert found is not None
    assert found.through == "default folders"
