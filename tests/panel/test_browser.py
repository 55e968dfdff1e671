"""The page in a real browser: scanners load it in vain, a person decides with it, on a telephone too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.panel.browser import Browser, dump
from tests.panel.standin import JEAN, Desk, Site, item, panel

from groupmilter.moderation.item import Event


@pytest.fixture
def desk() -> Desk:
    return Desk(owners=frozenset({JEAN.uuid}))


@pytest.fixture
def site(desk: Desk) -> Iterator[Site]:
    with panel(desk) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


def url(site: Site, desk: Desk, language: str = "en") -> str:
    token = desk.token(desk.put(item()))
    return f"http://127.0.0.1:{site.port}/decide/{token}?lang={language}"


def test_a_scanner_that_loads_the_page_changes_nothing(site: Site, desk: Desk, tmp_path: Path) -> None:
    document = dump(url(site, desk), tmp_path)
    assert "A message waits for your decision" in document
    assert desk.items[item().digest] == item()
    assert (desk.decided, desk.refusals, desk.remembered) == ([], [], [])


def test_a_scanner_that_presses_everything_changes_nothing(site: Site, desk: Desk, browser: Browser) -> None:
    browser.go(url(site, desk))
    for selector in ("#approve", "#allow", "#reject", "#block"):
        browser.ask(f"document.querySelector('{selector}').click()")
    browser.press("button")
    assert "Nothing is decided yet." in browser.ask("document.body.innerText")
    assert browser.ask("document.querySelector('#reject').checked") is True
    assert desk.decided == []


def test_a_person_approves(site: Site, desk: Desk, browser: Browser) -> None:
    browser.go(url(site, desk))
    assert browser.complaints() == []
    browser.ask("document.querySelector('#approve').click()")
    browser.ask("document.querySelector('#allow').click()")
    browser.write("#word", browser.ask("document.querySelector('.show-word').textContent"))
    browser.press("button")
    assert browser.ask("document.querySelector('h1').textContent") == "Approved"
    assert [event for _, event, _, _ in desk.decided] == [Event.APPROVE]
    assert desk.remembered == [(1, True)]


def test_a_person_rejects_after_changing_the_language(site: Site, desk: Desk, browser: Browser) -> None:
    browser.go(url(site, desk, "fr"))
    shown = browser.ask("document.querySelector('.show-word').textContent")
    browser.press(".top a")
    assert browser.ask("document.documentElement.lang") == "en"
    browser.ask("document.querySelector('#reject').click()")
    browser.write("#reason", "Pas ici.\nMerci !")
    browser.write("#word", shown)
    browser.press("button")
    assert browser.ask("document.querySelector('h1').textContent") == "Rejected"
    ((_, event, _, comment),) = desk.decided
    assert (event, comment) == (Event.REJECT, "Pas ici.\nMerci !")


def test_what_belongs_to_the_other_choice_is_out_of_sight(site: Site, desk: Desk, browser: Browser) -> None:
    browser.go(url(site, desk))
    sight = "['#reason', '#allow', '#block'].map(s => document.querySelector(s).offsetParent !== null)"
    assert browser.ask(sight) == [False, False, False]
    browser.ask("document.querySelector('#approve').click()")
    assert browser.ask(sight) == [False, True, False]
    browser.ask("document.querySelector('#reject').click()")
    assert browser.ask(sight) == [True, False, True]


def test_a_form_on_another_site_decides_nothing(site: Site, desk: Desk, browser: Browser) -> None:
    target = url(site, desk)
    browser.go(target)
    shown = browser.ask("document.querySelector('.show-word').textContent")
    page = (
        f'<form method="post" action="{target}"><input name="decision" value="approve">'
        f'<input name="word" value="{shown}"><button>x</button></form>'
    )
    browser.go(f"data:text/html,{quote(page)}")
    browser.press("button")
    assert "This form comes from another place" in browser.ask("document.body.innerText")
    assert desk.decided == []


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_nothing_runs_over_the_edge(
    site: Site, desk: Desk, browser: Browser, width: int, language: str
) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.order("Emulation.setDeviceMetricsOverride", **metrics)
    try:
        browser.go(url(site, desk, language))
        browser.ask("document.querySelector('#reject').click()")
        assert browser.ask("document.documentElement.scrollWidth") <= width
        narrow = "[...document.querySelectorAll('button, .choice, .tick, input[type=text]')].map(e => e.offsetHeight)"
        assert all(height >= 24 for height in browser.ask(narrow) if height), "WCAG 2.2, target size"
    finally:
        browser.order("Emulation.clearDeviceMetricsOverride")


def test_each_field_has_a_name(site: Site, desk: Desk, browser: Browser) -> None:
    browser.go(url(site, desk))
    unnamed = (
        "[...document.querySelectorAll('input, textarea')].filter(e => !e.labels.length).map(e => e.name)"
    )
    assert browser.ask(unnamed) == []
    assert browser.ask("document.querySelectorAll('h1').length") == 1
    twice = "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, at, all) => all.indexOf(id) !== at)"
    assert browser.ask(twice) == []
