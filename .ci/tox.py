#!/usr/bin/env python3
"""Run tox from a virtual environment of its own, made at the first call: `python3 .ci/tox.py run -e demo`.

Needs nothing but Python 3.10 or newer with pip. What it makes lies in `.tox/`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".tox" / "bootstrap"
BIN = HOME / ("Scripts" if os.name == "nt" else "bin")
TOX = "tox>=4.23,<5"
SUPPORTED = [(3, minor) for minor in (12, 13, 11, 10)]


def supported_python() -> str:
    """Return a Python for which TensorFlow exists: this one, else one on PATH."""
    if sys.version_info[:2] in SUPPORTED:
        return sys.executable
    for major, minor in SUPPORTED:
        found = shutil.which(f"python{major}.{minor}")
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    version = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        f"There is no TensorFlow for Python {version}. Please run this with Python 3.10, 3.11, 3.12 or 3.13."
    )


def make_environment(python: str) -> None:
    """Make the virtual environment, also where Python came without `ensurepip` (Debian's python3-venv)."""
    shutil.rmtree(HOME, ignore_errors=True)
    made = subprocess.run([python, "-m", "venv", str(HOME)], capture_output=True, check=False)
    pip = [str(BIN / "python"), "-m", "pip"]
    if made.returncode != 0:
        shutil.rmtree(HOME, ignore_errors=True)
        subprocess.run([python, "-m", "venv", "--without-pip", str(HOME)], check=True)
        pip = [python, "-m", "pip", "--python", str(BIN / "python")]
    quiet = ["install", "--quiet", "--disable-pip-version-check", TOX]
    subprocess.run([*pip, *quiet], check=True)


def main() -> int:
    """Make the environment where it is missing, then hand over to tox."""
    command = [str(BIN / "python"), "-m", "tox"]
    works = (BIN / "python").exists() or (BIN / "python.exe").exists()
    if not works or subprocess.run([*command, "--version"], capture_output=True, check=False).returncode != 0:
        print("Setting up tox in .tox/bootstrap ...", flush=True)
        try:
            make_environment(supported_python())
        except subprocess.CalledProcessError as error:
            return f"Setting up tox failed: {' '.join(map(str, error.cmd))}"  # type: ignore[return-value]
    return subprocess.run([*command, *sys.argv[1:]], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
