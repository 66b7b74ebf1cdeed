"""NVML's answers, asked for in a child process: whatever NVML does, data or a sentence come in time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

LIBRARY_NOT_FOUND, DRIVER_NOT_LOADED, VERSION_MISMATCH = 12, 9, 18
"""Codes of nvmlReturn_t (nvml.h)."""
_SENTENCES = {
    LIBRARY_NOT_FOUND: "NVML's library ({library}) is not found.",
    DRIVER_NOT_LOADED: "NVML finds no loaded NVIDIA kernel driver.",
    VERSION_MISMATCH: "NVML and the NVIDIA kernel driver differ in version.",
    4: "NVML is refused access to the NVIDIA driver.",
    13: "NVML lacks a function: its library and nvidia-ml-py don't fit.",
}
_CHILD = Path(__file__).with_name("nvml_child.py")


class Answer(NamedTuple):
    """What NVML said before it finished, failed or was cut off."""

    data: Mapping[str, Any] = MappingProxyType({})
    """Keys driver, driver_cuda, gpus, processes, health, unknown: those that were reached."""
    code: int | None = None
    """NVML's error code, where it ended with one."""
    reason: str | None = None
    """Why the answer is none or not whole, as a sentence."""


class Question:
    """A question to NVML that is under way. Never raises."""

    def __init__(self, environ: Mapping[str, str], timeout: float) -> None:
        """Start asking; `timeout` seconds from now what hasn't been answered is unknown."""
        self._deadline = time.monotonic() + timeout
        self._timeout = timeout
        self._lines: list[bytes] = []
        self._process: Any = None
        self._failure: str | None = None
        self._code: int | None = None
        try:
            self._start(environ)
        except (OSError, ValueError) as error:
            self._failure = f"NVML could not be asked: {error}."

    def _start(self, environ: Mapping[str, str]) -> None:
        import subprocess
        import threading

        if not _may_be_there(environ):
            self._failure, self._code = _sentence(LIBRARY_NOT_FOUND, ""), LIBRARY_NOT_FOUND
            return
        spec = PathFinder.find_spec("pynvml")
        if spec is None or spec.origin is None:
            self._failure = "nvidia-ml-py is not installed."
            return
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_CHILD), str(Path(spec.origin).parent)],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._reader = threading.Thread(target=self._read, name="tfgpu-nvml", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._process.stdout as stdout:
            self._lines.extend(stdout)

    def answer(self) -> Answer:
        """Wait for the end or the time limit and return what was said by then."""
        if self._process is None:
            return Answer(code=self._code, reason=self._failure)
        self._reader.join(max(0.0, self._deadline - time.monotonic()))
        hung = self._reader.is_alive()
        status = self._end(kill=hung)
        data, error = _merge(self._lines)
        if error is not None:
            code = error.get("code")
            return Answer(data, code, _sentence(code, str(error.get("text"))))
        if hung:
            return Answer(data, reason=f"NVML did not answer within {self._timeout:g} s.")
        if not data.pop("done", False):
            return Answer(data, reason=_abrupt(status))
        return Answer(data)

    def _end(self, kill: bool) -> int | None:
        import subprocess

        if kill:
            self._process.kill()
        try:
            status: int = self._process.wait(0.5)
        except subprocess.TimeoutExpired:
            return None
        return status


def _may_be_there(environ: Mapping[str, str]) -> bool:
    """Whether it is worth starting a process that asks: the library is found, or something speaks for a driver."""
    if not sys.platform.startswith("linux"):
        return True
    from pytest_tfgpu.environment.loader import loader

    signs = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")
    return loader(None, environ).find("libnvidia-ml.so.1") is not None or any(
        Path(sign).exists() for sign in signs
    )


def _merge(lines: list[bytes]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    data: dict[str, Any] = {}
    for line in tuple(lines):
        try:
            answer = json.loads(line)
        except ValueError:
            continue
        if isinstance(answer, dict):
            data.update(answer)
    error = data.pop("error", None)
    return data, error


def _sentence(code: int | None, text: str) -> str:
    if code is None:
        return text
    library = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
    known = _SENTENCES.get(code)
    return known.format(library=library) if known else f"NVML failed: {text} (error {code})."


def _abrupt(status: int | None) -> str:
    if status is not None and status < 0:
        import signal

        try:
            return f"NVML crashed ({signal.Signals(-status).name})."
        except ValueError:
            return f"NVML crashed (signal {-status})."
    return f"NVML gave no whole answer (exit status {status})."
