"""A real browser (Debian's chromium, headless), told what to do over the pipe of the DevTools protocol.

Fails with BrowserFailed where it doesn't start, doesn't answer in time, or an order goes wrong.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_DEADLINE = 180.0
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server"),
)


class BrowserFailed(RuntimeError):
    """The browser doesn't do what it was told."""


def dump(url: str, profile: Path) -> str:
    """Load a page as link scanners with a browser do, scripts and all, and return its document."""
    done = subprocess.run(
        [program(), *_OPTIONS, f"--user-data-dir={profile}", "--dump-dom", url],
        capture_output=True,
        encoding="utf-8",
        timeout=_DEADLINE,
        check=True,
    )
    return done.stdout


def program() -> str:
    """Return the browser's path; FileNotFoundError without it."""
    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("chromium is not installed (Debian: chromium)")
    return path


class Browser:
    """One page in one browser."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._orders = self._answers = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        theirs_in, self._orders = os.pipe()
        self._answers, theirs_out = os.pipe()
        # The protocol's pipes are descriptors 3 and 4.
        line = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        options = (*_OPTIONS, f"--user-data-dir={self._profile}", "--remote-debugging-pipe", "about:blank")
        self._process = subprocess.Popen(
            ["bash", "-c", line, program(), *options],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        target = self.order("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network"):
            self.order(f"{domain}.enable")
        self.order("Page.setLifecycleEventsEnabled", enabled=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        os.close(self._orders)
        os.close(self._answers)

    def order(self, method: str, **parameters: object) -> dict[str, Any]:
        """Give one order and return its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._orders, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        if "error" in answer:
            raise BrowserFailed(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def go(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        self.events.clear()
        loader = self.order("Page.navigate", url=url)["loaderId"]
        self._loaded(lambda page: page == loader)

    def _loaded(self, wanted: Callable[[str], bool]) -> None:
        """Wait until a page is loaded: the one that is wanted, not one before whose news come late."""
        while True:
            loaded = [
                event["params"]["loaderId"]
                for event in self.events
                if event.get("method") == "Page.lifecycleEvent" and event["params"]["name"] == "load"
            ]
            if any(map(wanted, loaded)):
                return
            self.events.append(self._next())

    def _page(self) -> str:
        """Which page is shown, by its loader."""
        loader: str = self.order("Page.getFrameTree")["frameTree"]["frame"]["loaderId"]
        return loader

    def ask(self, expression: str) -> Any:  # noqa: ANN401 - whatever the expression gives
        """Return the value of a JavaScript expression in the page."""
        answer = self.order("Runtime.evaluate", expression=expression, returnByValue=True, userGesture=True)
        if "exceptionDetails" in answer:
            raise BrowserFailed(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def press(self, selector: str) -> None:
        """Click an element that leads to another page, and wait for that."""
        before = self._page()
        self.events.clear()
        self.ask(f"document.querySelector({json.dumps(selector)}).click()")
        self._loaded(lambda page: page != before)

    def write(self, selector: str, text: str) -> None:
        """Type text into a field."""
        self.ask(f"document.querySelector({json.dumps(selector)}).focus()")
        self.order("Input.insertText", text=text)

    def complaints(self) -> list[str]:
        """Return what the browser has logged as wrong with the page, such as violations of its own policy."""
        entries = [e["params"]["entry"] for e in self.events if e.get("method") == "Log.entryAdded"]
        return [f"{entry['text']} {entry.get('url', '')}" for entry in entries]

    def _next(self) -> dict[str, Any]:
        until = time.monotonic() + _DEADLINE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, until - time.monotonic()))
            chunk = os.read(self._answers, 1 << 20) if ready else b""
            if not chunk:
                raise BrowserFailed("chromium doesn't answer")
            self._buffer += chunk
        whole, _, self._buffer = self._buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(whole)
        return message
