"""Held messages with claims, and what was put aside, in a browser: photographed, and usable by everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.panel.chromium import (
    DESKTOP,
    PHONE,
    chromium,
    flaws,
    follow,
    log_in,
    overflows,
    photograph,
    window,
)
from tests.panel.house import House
from tests.panel.test_claims import who
from tests.panel.test_put_aside import stray
from tests.panel.watching import held

from groupmilter.moderation.item import Item


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def items(home: House) -> dict[str, Item]:
    """One message with which nobody deals, one with which jean does, one that needs two approvals, one put aside."""
    made = {
        "free": held(home),
        "claimed": held(home),
        "several": held(home, approvals=2),
        "aside": stray(home, 7),
    }
    home.parts.claiming.claim((made["claimed"],), who(home, "jean"))
    return made


def looked_at(page: Page, name: str) -> None:
    photograph(page, name)
    assert flaws(page) == []
    assert not overflows(page)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(("kind", "size", "dark"), [("desktop", DESKTOP, False), ("phone", PHONE, True)])
def test_they_are_for_everybody(
    home: House,
    browser: Browser,
    items: dict[str, Item],
    language: str,
    kind: str,
    size: tuple[int, int],
    dark: bool,
) -> None:
    with window(browser, home.url, language, size, dark=dark) as page:
        page.goto(f"/login?lang={language}")
        log_in(page, "administrator")
        for name, path in (
            ("list", "/held"), ("unclaimed", "/held?claim=unclaimed"), ("mine", "/held?claim=mine"),
            ("claimed", f"/held/{items['claimed'].name}"), ("aside", f"/held/{items['aside'].name}"),
        ):  # fmt: skip
            page.goto(f"{path}")
            looked_at(page, f"{language}/{kind}/held-{name}")
        page.goto("/held")
        page.locator(f'input[value="{items["claimed"].name}"]').check()
        page.locator(f'input[value="{items["aside"].name}"]').check()
        follow(page, page.locator('button[value="approve"]'))
        looked_at(page, f"{language}/{kind}/held-confirm-claimed")


def test_a_moderator_claims_and_gives_back_by_keyboard(
    home: House, browser: Browser, items: dict[str, Item]
) -> None:
    with window(browser, home.url, "en", DESKTOP, dark=False) as page:
        page.goto("/login?lang=en")
        log_in(page, "helene")
        page.goto(f"/held/{items['free'].name}")
        with page.expect_navigation():
            page.get_by_role("button", name="I am dealing with it").press("Enter")
        page.get_by_text("You have been dealing with it since").wait_for()
        looked_at(page, "en/desktop/held-own")
        page.goto("/held?claim=mine")
        assert page.locator("table.held tbody tr").count() == 1
        page.goto(f"/held/{items['free'].name}")
        with page.expect_navigation():
            page.get_by_role("button", name="Give it back").press("Enter")
        page.get_by_role("button", name="I am dealing with it").wait_for()
