"""Letters in a real browser, as wide as a desk's screen and as a phone: nothing overflows, thumbs find the buttons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.mailing import ALICE, JEAN, MESSAGE, NOBODY_KNOWS, NOW, held, html, letters, ways
from tests.panel.browser import Browser

from groupmilter.moderation.letters import Addressee

LONG = held(
    subject="Sehr" + "lang" * 40,
    author="a" * 60 + "@" + "b" * 60 + ".example",
    group_address="c" * 60 + "@x.example",
)
BUTTONS = "[...document.querySelectorAll('a.on-button')].map(a => a.parentElement.getBoundingClientRect())"


@pytest.fixture(name="browser", scope="module")
def _browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def shown(browser: Browser, path: Path, document: str, width: int, scheme: str = "light") -> None:
    path.write_text(document, "utf-8")
    browser.order(
        "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 500
    )
    browser.order("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    browser.go(path.as_uri())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1000, 390, 320])
@pytest.mark.parametrize("to", [JEAN, ALICE, NOBODY_KNOWS], ids=["french", "english", "both"])
def test_a_request(browser: Browser, tmp_path: Path, to: Addressee, width: int, scheme: str) -> None:
    for item in (held(), LONG):
        letter = letters().request(item, MESSAGE, to, ways(item), NOW)
        shown(browser, tmp_path / "letter.html", html(letter), width, scheme)
        assert browser.ask("document.documentElement.scrollWidth") <= width
        heights = browser.ask(f"{BUTTONS}.map(box => box.height)")
        assert len(heights) == 2
        assert min(heights) >= 44
        if width < 500:
            assert min(browser.ask(f"{BUTTONS}.map(box => box.width)")) >= width - 40, "as wide as the screen"
        dark = (
            browser.ask("getComputedStyle(document.querySelector('.main')).backgroundColor")
            == "rgb(26, 33, 41)"
        )
        assert dark is (scheme == "dark")
    requested = [
        e["params"]["request"]["url"]
        for e in browser.events
        if e.get("method") == "Network.requestWillBeSent"
    ]
    assert [url for url in requested if not url.startswith("file:")] == []


@pytest.mark.parametrize("width", [1000, 390])
def test_a_summary(browser: Browser, tmp_path: Path, width: int) -> None:
    items = [(item, ways(item)) for item in (held(1), held(2), LONG)]
    shown(browser, tmp_path / "letter.html", html(letters().summary(items, 99, NOBODY_KNOWS, NOW)), width)
    assert browser.ask("document.documentElement.scrollWidth") <= width
    heights = browser.ask("[...document.querySelectorAll('a')].map(a => a.getBoundingClientRect().height)")
    assert len(heights) == 9
    assert min(heights) >= 40
