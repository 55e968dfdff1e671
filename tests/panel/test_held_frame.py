"""What a held message can do in a moderator's browser: nothing. A corpus of hostile messages in a real Chromium.

Two walls, each tried alone: HTML is written anew, so that nothing of it is left that could act; and even what is not
written anew stays in a frame of no origin that loads nothing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import BrowserContext, Page
from tests.panel.chromium import PATIENCE, chromium, log_in
from tests.panel.hostile import MARK, corpus
from tests.panel.house import House
from tests.panel.watching import held
from tests.support.ports import LOOPBACK

from groupmilter.moderation.preview import preview
from groupmilter.panel.screens import held_message

NAMES = sorted(corpus("http://x"))
UNWRITTEN = (
    "script",
    "handlers",
    "svg",
    "links",
    "base",
    "refresh",
    "form",
    "css",
    "media",
    "breakout",
    "noscript",
)
"""Not among them: hints to connect ahead. No policy of a page holds those back, only that they are never written."""


@dataclass(slots=True)
class Elsewhere:
    """A server that is somebody else's; nobody may ever come."""

    socket: socket.socket
    came: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.socket.getsockname()[1]}"

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(2)
                try:
                    self.came.append(connection.recv(200))
                except OSError:
                    self.came.append(b"")


@contextmanager
def elsewhere() -> Iterator[Elsewhere]:
    with socket.create_server((LOOPBACK, 0)) as server:
        made = Elsewhere(server)
        thread = threading.Thread(target=made.run)
        thread.start()
        yield made
        server.shutdown(socket.SHUT_RDWR)
    thread.join(60)


@pytest.fixture(scope="module")
def moderator(home: House) -> Iterator[BrowserContext]:
    """A browser in which a moderator has logged in."""
    with chromium() as browser:
        context = browser.new_context(base_url=home.url, locale="en")
        context.set_default_timeout(PATIENCE)
        log_in(context.new_page(), "jean")
        yield context


@contextmanager
def opened(context: BrowserContext) -> Iterator[tuple[Page, list[str]]]:
    """A page, and every address that it asks for."""
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: asked.append(f"dialog: {dialog.message}"))
    page.on("popup", lambda popup: asked.append(f"popup: {popup.url}"))
    try:
        yield page, asked
    finally:
        page.close()


def outside(page: Page) -> dict[str, int]:
    """What there is of the page itself, outside of the frame."""
    counted: dict[str, int] = page.evaluate(
        "() => Object.fromEntries(['form', 'button', 'script', 'iframe', 'img', 'svg', 'style', 'link', 'base', 'main',"
        " 'input', 'textarea', 'object', 'video', 'meta'].map(x => [x, document.querySelectorAll(x).length]))"
    )
    return counted


def settled(page: Page) -> None:
    """Wait until whatever a page does by itself is done."""
    page.wait_for_load_state("load")
    page.evaluate("() => new Promise(done => setTimeout(done, 150))")


@pytest.fixture(scope="module")
def usual(home: House, moderator: BrowserContext) -> dict[str, int]:
    """What there is of a page about a harmless message."""
    with opened(moderator) as (page, _):
        page.goto(f"{home.url}/held/{held(home).name}")
        return outside(page)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_gets_out_of_a_message(
    home: House, moderator: BrowserContext, name: str, usual: dict[str, int]
) -> None:
    with elsewhere() as other, opened(moderator) as (page, asked):
        message = corpus(other.url)[name]
        item, framed = held(home, message), bool(preview(message).html)
        page.goto(f"{home.url}/held/{item.name}")
        for frame in page.frames[1:]:
            assert frame.evaluate("() => origin") == "null" if framed else True
            assert (
                frame.locator("script, a, form, input, img, svg, iframe, object, video, base, link").count()
                == 0
            )
            if name == "links":
                frame.locator(".link").first.click()
        settled(page)
        assert outside(page) == usual | {"iframe": int(framed)}
        assert page.title() != MARK
        assert [address for address in asked if not address.startswith(home.url)] == []
        assert page.url == f"{home.url}/held/{item.name}"
    assert other.came == []


@pytest.mark.parametrize("name", UNWRITTEN)
def test_even_a_message_as_it_came_stays_in_its_frame(
    home: House, moderator: BrowserContext, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held_message, "document", "".join)
    with elsewhere() as other, opened(moderator) as (page, asked):
        item = held(home, corpus(other.url)[name])
        page.goto(f"{home.url}/held/{item.name}")
        for frame in page.frames[1:2]:
            for element in frame.locator("a[href], button, input[type=submit]").all()[:3]:
                element.click(force=True, no_wait_after=True)
        settled(page)
        assert page.title() != MARK
        assert page.url == f"{home.url}/held/{item.name}"
        assert [address for address in asked if address.startswith(("dialog", "popup"))] == []
    # Chromium connects ahead of what a policy then forbids, and says nothing there: what is written anew never does.
    assert [said for said in other.came if said] == []


def test_opened_by_itself_it_is_of_no_origin_too(home: House, moderator: BrowserContext) -> None:
    with elsewhere() as other, opened(moderator) as (page, _):
        item = held(home, corpus(other.url)["script"])
        answer = page.goto(f"{home.url}/held/{item.name}/html")
        assert answer is not None
        headers = answer.headers
        assert page.evaluate("() => origin") == "null"
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    assert headers["x-frame-options"] == "SAMEORIGIN"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert other.came == []
