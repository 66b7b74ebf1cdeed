"""Drives Chromium without a window, through the pipe of its DevTools protocol: no further program, no port."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PATIENCE = 60.0
_READS, _WRITES = 3, 4  # the descriptors at which Chromium expects its pipe


def find() -> str | None:
    """Return the path of a Chromium (or Chrome) on PATH, None where there is none that can be driven."""
    if sys.platform == "win32":
        return None
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """A running Chromium; a context manager that ends it."""

    def __init__(self, program: str, folder: Path) -> None:
        self._out, theirs_in = _pipe()
        theirs_out, self._in = _pipe()

        def connect() -> None:
            os.dup2(theirs_out, _READS)
            os.dup2(theirs_in, _WRITES)

        self._process = subprocess.Popen(
            [
                program,
                "--headless=new",
                "--remote-debugging-pipe",
                "--no-sandbox",
                "--no-first-run",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--force-color-profile=srgb",
                "--hide-scrollbars",
                f"--user-data-dir={folder}",
            ],
            preexec_fn=connect,
            pass_fds=(_READS, _WRITES),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder)},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._number = 0
        self._rest = b""
        self._events: list[dict[str, Any]] = []

    def __enter__(self) -> Browser:
        self.version = self.call("Browser.getVersion")["product"]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in (self._in, self._out):
            os.close(handle)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> Page:
        """Open a file in a page of this size, in CSS pixels; returns once it is loaded and drawn."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        for domain in ("Page", "Network", "Runtime", "Log"):
            page.call(f"{domain}.enable")
        page.resize(width, height)
        page.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}],
        )
        page.call("Page.navigate", url=path.as_uri())
        page.wait_for("Page.loadEventFired")
        page.settle()
        return page

    def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result. Raises RuntimeError with what was wrong."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if session is not None:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._in, data) :]
        while True:
            answer = self.receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def receive(self) -> dict[str, Any]:
        """Return the next message. Raises TimeoutError where none comes, EOFError where Chromium has ended."""
        ends = time.monotonic() + _PATIENCE
        while b"\0" not in self._rest:
            if not select.select([self._out], [], [], max(ends - time.monotonic(), 0))[0]:
                raise TimeoutError("Chromium does not answer")
            piece = os.read(self._out, 2**20)
            if not piece:
                raise EOFError("Chromium has ended")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def events(self, session: str) -> list[dict[str, Any]]:
        """Return what has happened in a session so far."""
        return [event for event in self._events if event.get("sessionId") == session]

    def await_event(self, session: str, method: str) -> None:
        """Wait until this has happened in a session."""
        while not any(event.get("method") == method for event in self.events(session)):
            self._events.append(self.receive())


class Page:
    """A page in a browser."""

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session

    def close(self) -> None:
        """Close the page."""
        self._browser.call("Target.closeTarget", targetId=self._target)

    def settle(self) -> None:
        """Wait until the page is drawn."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol for this page."""
        return self._browser.call(method, session=self._session, **parameters)

    def wait_for(self, method: str) -> None:
        """Wait for an event of this page."""
        self._browser.await_event(self._session, method)

    def resize(self, width: int, height: int) -> None:
        """Give the page another size, in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in JavaScript, awaited; the page's own policy doesn't apply to it."""
        answer = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(json.dumps(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key: `Tab`, `Enter`."""
        codes: Mapping[str, tuple[int, str]] = {"Tab": (9, ""), "Enter": (13, "\r")}
        code, text = codes[key]
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, path: Path, *, tallest: int = 100_000) -> None:
        """Write a picture of the whole page, down to a height, as PNG."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], tallest), "scale": 1}
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    @property
    def requests(self) -> list[str]:
        """The addresses that the page asked for, but for what its policy stopped."""
        failed = [event["params"] for event in self._events("Network.loadingFailed")]
        stopped = {event["requestId"] for event in failed if event.get("blockedReason") == "csp"}
        sent = [event["params"] for event in self._events("Network.requestWillBeSent")]
        return [event["request"]["url"] for event in sent if event["requestId"] not in stopped]

    @property
    def complaints(self) -> list[str]:
        """What the console shows: errors, warnings, and what the page's policy refused."""
        logged = [event["params"]["entry"]["text"] for event in self._events("Log.entryAdded")]
        thrown = [str(event["params"]) for event in self._events("Runtime.exceptionThrown")]
        return logged + thrown

    @property
    def dialogs(self) -> int:
        """How many dialogs the page has shown."""
        return len(self._events("Page.javascriptDialogOpening"))

    def told(self) -> list[tuple[str, str]]:
        """Return role and name of everything that a screen reader is told, in order."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        heard = [node for node in nodes if not node["ignored"]]
        return [(str(node["role"]["value"]), str(node.get("name", {}).get("value", ""))) for node in heard]

    def _events(self, method: str) -> list[dict[str, Any]]:
        self.evaluate("0")  # what happened before has been told now
        found = self._browser.events(self._session)
        return [event for event in found if event.get("method") == method]


def _pipe() -> tuple[int, int]:
    """Return the ends of a pipe, at descriptors that Chromium doesn't need for itself."""
    import fcntl

    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
