"""The dynamic section of an ELF file: what it needs and where the loader looks for that."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 14, 15, 29
_MAX_HEADERS, _MAX_SECTION, _MAX_STRING = 512, 1 << 20, 1 << 20


class NotElfError(ValueError):
    """The file is no ELF file, or a damaged one."""


class Dynamic(NamedTuple):
    """The entries of a dynamic section that steer the loader; `$ORIGIN` stands as it was written."""

    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()


class _Segment(NamedTuple):
    kind: int
    offset: int
    address: int
    size: int


def read_dynamic(path: Path) -> Dynamic:
    """Read the dynamic section of `path`; an ELF file without one gives an empty `Dynamic`.

    Raises NotElfError where the file is none or is cut off, OSError where it can't be opened.
    """
    with path.open("rb") as file:
        try:
            return _read(file)
        except (struct.error, ValueError, OverflowError, OSError) as error:
            raise NotElfError(f"{path} is no ELF file, or a damaged one") from error


def _read(file: BinaryIO) -> Dynamic:
    start = file.read(16)
    if len(start) < 16 or start[:4] != b"\x7fELF" or not {start[4], start[5]} <= {1, 2}:
        raise NotElfError("not an ELF file")
    wide, order = start[4] == 2, "<" if start[5] == 1 else ">"
    segments = _segments(file, wide, order)
    section = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if section is None:
        return Dynamic()
    entry = struct.Struct(order + ("qQ" if wide else "iI"))
    file.seek(section.offset)
    data = file.read(min(section.size, _MAX_SECTION))
    entries: list[tuple[int, int]] = []
    for tag, value in entry.iter_unpack(data[: len(data) // entry.size * entry.size]):
        if tag == _DT_NULL:
            break
        entries.append((tag, value))
    return _strings(file, segments, entries)


def _segments(file: BinaryIO, wide: bool, order: str) -> list[_Segment]:
    file.seek(32 if wide else 28)
    (table,) = struct.unpack(order + ("Q" if wide else "I"), file.read(8 if wide else 4))
    file.seek(54 if wide else 42)
    size, count = struct.unpack(order + "HH", file.read(4))
    segments = []
    for number in range(min(count, _MAX_HEADERS)):
        file.seek(table + number * size)
        if wide:
            kind, _, offset, address, _, length = struct.unpack(order + "IIQQQQ", file.read(40))
        else:
            kind, offset, address, _, length = struct.unpack(order + "IIIII", file.read(20))
        segments.append(_Segment(kind, offset, address, length))
    return segments


def _strings(file: BinaryIO, segments: list[_Segment], entries: list[tuple[int, int]]) -> Dynamic:
    table = next((value for tag, value in entries if tag == _DT_STRTAB), None)
    home = next(
        (
            segment
            for segment in segments
            if table is not None
            and segment.kind == _PT_LOAD
            and segment.address <= table < segment.address + segment.size
        ),
        None,
    )
    if table is None or home is None:
        return Dynamic()
    base = home.offset + table - home.address

    def texts(wanted: int) -> list[str]:
        return [_string(file, base + value) for tag, value in entries if tag == wanted]

    def folders(wanted: int) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part for text in texts(wanted) for part in text.split(":") if part))

    return Dynamic(
        soname=next(iter(texts(_DT_SONAME)), None),
        needed=tuple(texts(_DT_NEEDED)),
        rpath=folders(_DT_RPATH),
        runpath=folders(_DT_RUNPATH),
    )


def _string(file: BinaryIO, offset: int) -> str:
    file.seek(offset)
    data = b""
    while b"\0" not in data and len(data) < _MAX_STRING:
        block = file.read(4096)
        if not block:
            break
        data += block
    return data.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
