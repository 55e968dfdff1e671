"""The list of groups in a real browser: what is typed finds groups without a reload, and the address follows."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from tests.panel.browser import Browser
from tests.panel.house import DEADLINE, House

ROWS = "document.querySelectorAll('.groups tbody tr').length"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as made:
        yield made


def become(browser: Browser, home: House, uid: str, language: str) -> None:
    """Let the browser be somebody's who has logged in."""
    with home.person(uid, language) as client:
        for cookie in client.cookies.jar:
            browser.order("Network.setCookie", name=cookie.name, value=cookie.value or "", url=home.url)


def until(browser: Browser, expression: str) -> None:
    """Wait until an expression holds in the page."""
    end = time.monotonic() + DEADLINE
    while not browser.ask(expression):
        assert time.monotonic() < end, expression
        time.sleep(0.05)


def test_the_list_is_searched_while_one_types(home: House, browser: Browser) -> None:
    become(browser, home, "helene", "fr")
    browser.go(f"{home.url}/groups")
    browser.ask("window.stays = true")
    every = browser.ask(ROWS)
    browser.write("#q", "equipe")
    until(browser, f"0 < {ROWS} && {ROWS} < {every}")
    assert "q=equipe" in browser.ask("location.search")
    browser.ask("document.querySelector('#flag').value = 'dynamic'")
    browser.ask("document.querySelector('#flag').dispatchEvent(new Event('change', {bubbles: true}))")
    until(browser, f"{ROWS} === 1")
    assert browser.ask("document.querySelector('.groups .title').innerText") == "Équipe des ventes"
    assert browser.ask("window.stays"), "nothing was loaded anew"
    assert browser.complaints() == []


def test_what_is_wrong_has_the_focus_and_leads_to_the_field(home: House, browser: Browser) -> None:
    become(browser, home, "zoe", "en")
    group = home.group("projet-arctique")
    browser.go(f"{home.url}/groups/{group.uuid}/moderation")
    browser.write("#hold_hours", "soon")
    browser.press(".pane form button[type=submit]")
    until(browser, "document.activeElement.getAttribute('role') === 'alert'")
    browser.ask("document.querySelector('.box.bad a').click()")
    until(browser, "location.hash === '#hold_hours'")
    assert browser.ask("document.querySelector('#hold_hours').value") == "soon"
    # Chromium tells of the status, too.
    assert [each for each in browser.complaints() if "status of 422" not in each] == []
