"""Build the simulated driver: one shared object, once per version of its sources."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCES = Path(__file__).parent / "driver"
FLAGS = ("-std=gnu11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror")


class NoCompiler(Exception):
    """There is no gcc here."""


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base, "pytest-tfgpu", "simulated")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir(), f"pytest-tfgpu-simulated-{os.getuid()}")
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def build() -> Path:
    """Return the shared object, compiled if these sources were not compiled before.

    Safe where several processes build at once: each compiles into a file of its own and renames it.
    Raises NoCompiler without gcc, subprocess.CalledProcessError where it refuses the sources.
    """
    compiler = shutil.which("gcc")
    if compiler is None:
        raise NoCompiler("the simulated GPU is compiled with gcc, which is not installed")
    sources = sorted(SOURCES.glob("*.c"))
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    library = _cache() / f"{digest.hexdigest()[:20]}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=library.parent) as scratch:
            output = Path(scratch, library.name)
            command = [compiler, *FLAGS, *map(str, sources), "-o", str(output), "-lpthread", "-lm", "-ldl"]
            subprocess.run(command, check=True)
            output.replace(library)
    return library
