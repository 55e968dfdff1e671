"""Every page, in both languages, on a desktop and a phone, light and dark: photographed, and usable by everybody.

axe-core finds nothing serious (WCAG 2.2 AA), nothing has to be scrolled sideways, and the browser complains of nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, Page
from tests.panel.chromium import (
    DESKTOP,
    PHONE,
    chromium,
    flaws,
    log_in,
    overflows,
    overflows_enlarged,
    photograph,
    window,
)
from tests.panel.house import House

from groupmilter.panel.screens import ROUTES

ADMINISTRATOR, OWNER, EMPLOYEE = "administrator", "zoe", "bob"


@dataclass(frozen=True)
class Seen:
    """A page as somebody sees it.

    :param path: ``{group}`` stands for the UUID of a group, named by ``of``.
    """

    path: str
    uid: str = ADMINISTRATOR
    of: str = "projet-arctique"
    status: int = 200

    @property
    def name(self) -> str:
        """What its pictures are called."""
        plain = self.path.strip("/").replace("{group}", self.of).replace("?", "-").replace("=", "-")
        return f"{plain.replace('/', '-') or 'start'}-{self.uid}"


PAGES = [
    *(Seen(f"/groups/{{group}}{tab}") for tab in ("", "/owners", "/delivery", "/moderation", "/members")),
    *(Seen(f"/groups/{{group}}{tab}") for tab in ("/membership", "/delete", "/suspend", "/members/import")),
    *(Seen(f"/groups/{{group}}{tab}") for tab in ("/resume", "/members/dynamic")),
    *(Seen(f"/groups/{{group}}{tab}", EMPLOYEE) for tab in ("", "/owners", "/delivery", "/members")),
    Seen("/groups"),
    Seen("/groups?q=nobody-has-this", EMPLOYEE),
    Seen("/groups/new"),
    Seen("/mine", OWNER),
    Seen("/requests", OWNER),
    Seen("/held", OWNER),
    Seen("/explain", EMPLOYEE),
    Seen("/status"),
    Seen("/audit"),
    Seen("/trace"),
    Seen("/status/findings?kind=open-to-internet"),
    Seen("/mine/{group}/leave", OWNER, "equipe"),
    Seen("/pick?q=zo", OWNER),
    Seen("/account/tokens", OWNER),
    Seen("/account", EMPLOYEE),
    Seen("/status", EMPLOYEE, status=404),
    Seen("/nowhere", EMPLOYEE, status=404),
]
"""Pages that a house without held mail can show."""

ELSEWHERE = {
    "/": "leads on",
    "/login": "photographed before the log-in, below",
    "/held/{name}": "photographed by the founding story",
    "/held/{name}/html": "a frame within that",
    "/held/{name}/original": "a file",
    "/groups/{group}/members/export": "a file",
    "/audit/export": "a file",
}
"""Routes that are no pages of this list, and why."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def looked_at(page: Page, home: House, seen: Seen, name: str) -> None:
    group = home.group(seen.of).uuid if "{group}" in seen.path else ""
    answer = page.goto(seen.path.replace("{group}", group))
    assert answer is not None
    assert answer.status == seen.status
    photograph(page, name)
    assert flaws(page) == []
    assert not overflows(page)
    assert not (name.split("/")[1] == "phone" and overflows_enlarged(page)), "with large text"


def test_no_page_is_left_out() -> None:
    seen = {one.path.partition("?")[0].replace("/leave", "/{wanted}") for one in PAGES}
    assert {route.path for route in ROUTES if route.method == "GET"} - ELSEWHERE.keys() <= seen


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("uid", sorted({seen.uid for seen in PAGES}))
def test_each_is_for_everybody(home: House, browser: Browser, uid: str, language: str) -> None:
    wrong: list[str] = []
    for kind, size, dark in (("desktop", DESKTOP, False), ("phone", PHONE, True)):
        with window(browser, home.url, language, size, dark=dark) as page:
            page.goto(f"/login?lang={language}")
            photograph(page, f"{language}/{kind}/login")
            assert flaws(page) == []
            log_in(page, uid)
            page.goto(f"/login?lang={language}")
            for seen in (one for one in PAGES if one.uid == uid):
                try:
                    looked_at(page, home, seen, f"{language}/{kind}/{seen.name}")
                except AssertionError as error:
                    wrong.append(f"{kind} {seen.path}: {error}")
    assert wrong == []
