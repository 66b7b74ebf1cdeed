"""Which file the dynamic loader of Linux would take for a library's name, without loading it.

The order is ld.so(8)'s: DT_RPATH (where there is no DT_RUNPATH), LD_LIBRARY_PATH, DT_RUNPATH, the cache that
ldconfig wrote, the default folders.
"""

from __future__ import annotations

import os
import platform
import struct
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from pytest_tfgpu.environment.elf import NotElfError, read_dynamic

_CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = 48
_CACHE_ENTRY = struct.Struct("=iIIIQ")
_CACHE_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03}
"""sysdeps/generic/ldconfig.h of glibc: the flags of the entries for 64-bit libraries of the machine."""
_READ = (b"libc", b"libn")
_TRIPLETS = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu"}


class Found(NamedTuple):
    """A library's file, and which part of the search order led to it."""

    path: Path
    through: str


class Loader(NamedTuple):
    """The loader's search order for a library that `dlopen` is given by name."""

    steps: tuple[tuple[str, tuple[Path, ...]], ...]
    """(name of the step, its folders), in order; the cache comes just before the default folders."""
    cache: Mapping[str, str] = MappingProxyType({})
    """What ldconfig found: name -> file."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders that are looked in, each once."""
        return tuple(dict.fromkeys(folder for _, folders in self.steps for folder in folders))

    def find(self, name: str) -> Found | None:
        """Return the file that would be loaded for `name`, or None."""
        return next(self.find_all(name), None)

    def find_all(self, name: str) -> Iterator[Found]:
        """Yield the files of this name in the order in which the loader comes by them: the first is taken."""
        for step, folders in self.steps:
            if step == "default folders" and name in self.cache and Path(self.cache[name]).exists():
                yield Found(Path(self.cache[name]), "ldconfig")
            for folder in folders:
                if os.path.isfile(f"{folder}/{name}"):  # noqa: PTH113
                    yield Found(folder / name, step)

    def called_from(self, caller: Path) -> Loader:
        """Return the search order for what is needed or opened by another file, which has its own search paths."""
        own = _own_paths(caller)
        return self._replace(steps=tuple((step, own.get(step, folders)) for step, folders in self.steps))


def loader(caller: Path | None, environ: Mapping[str, str], root: Path = Path("/")) -> Loader:
    """Return the search order for a `dlopen` that is called in the library `caller`.

    Where `caller` is None or no ELF file, its own search paths are left out.
    """
    own = _own_paths(caller) if caller is not None else {}
    value = environ.get("LD_LIBRARY_PATH", "")
    parts = value.replace(";", ":").split(":") if value else []
    listed = tuple(Path(part or ".").absolute() for part in parts)
    steps = (
        ("RPATH", own.get("RPATH", ())),
        ("LD_LIBRARY_PATH", listed),
        ("RUNPATH", own.get("RUNPATH", ())),
        ("default folders", _default_folders(root)),
    )
    return Loader(steps, read_cache(root / "etc/ld.so.cache"))


def read_cache(path: Path) -> Mapping[str, str]:
    """Return name -> file of ldconfig's cache, for this machine's architecture; empty where there is none.

    Only names that begin with `libc` or `libn`, as all of NVIDIA's do: a cache lists thousands.
    """
    try:
        status = path.stat()
        return _cached(path, status.st_mtime_ns, status.st_size)
    except OSError:
        return {}


@lru_cache(maxsize=4)
def _cached(path: Path, changed: int, size: int) -> Mapping[str, str]:
    """Read a cache that was last changed then and is so large. Raises OSError."""
    data = path.read_bytes()
    start = data.find(_CACHE_MAGIC)
    if start < 0 or len(data) < start + _CACHE_HEADER:
        return {}
    wanted = _CACHE_FLAGS.get(platform.machine())
    (count,) = struct.unpack_from("=I", data, start + len(_CACHE_MAGIC))
    first = start + _CACHE_HEADER
    entries = data[first : first + count * _CACHE_ENTRY.size]
    files: dict[str, str] = {}
    for flags, key, value, _, _ in _CACHE_ENTRY.iter_unpack(entries[: _whole(len(entries))]):
        if data.startswith(_READ, start + key) and (wanted is None or flags == wanted):
            files.setdefault(_text(data, start + key), _text(data, start + value))
    return MappingProxyType(files)


def _own_paths(caller: Path) -> dict[str, tuple[Path, ...]]:
    """Return the search paths that stand in a library; DT_RPATH only where there is no DT_RUNPATH."""
    try:
        dynamic = read_dynamic(caller)
    except (OSError, NotElfError):
        return {"RPATH": (), "RUNPATH": ()}
    runpath = _expand(dynamic.runpath, caller)
    return {"RPATH": () if runpath else _expand(dynamic.rpath, caller), "RUNPATH": runpath}


def _whole(size: int) -> int:
    return size - size % _CACHE_ENTRY.size


def _text(data: bytes, offset: int) -> str:
    end = data.find(b"\0", offset)
    return data[offset : end if end >= 0 else len(data)].decode("utf-8", "surrogateescape")


def _expand(folders: tuple[str, ...], caller: Path) -> tuple[Path, ...]:
    origin = str(caller.parent.resolve())
    texts = (folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin) for folder in folders)
    return tuple(dict.fromkeys(Path(os.path.normpath(text)) for text in texts))


def _default_folders(root: Path) -> tuple[Path, ...]:
    triplet = _TRIPLETS.get(platform.machine())
    names = [f"lib/{triplet}", f"usr/lib/{triplet}"] if triplet else []
    return tuple(root / name for name in [*names, "lib64", "usr/lib64", "lib", "usr/lib"])
