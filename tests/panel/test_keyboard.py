"""With the keyboard alone, in a real browser: make a group, add members, decide, undo; one sees where one is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from tests.panel.chromium import chromium, window
from tests.panel.house import House
from tests.panel.watching import held

from groupmilter.moderation.item import Item

_FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  const what = one.getAttribute('href') || one.id || (one.type === 'checkbox' && one.value) || one.innerText;
  return [one.tagName, what, seen];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def focus(page: Page) -> tuple[str, str]:
    """What has the focus, which has to be seen."""
    tag, what, seen = page.evaluate(_FOCUS)
    assert seen or tag == "BODY", f"nobody sees that {tag} {what} has the focus"
    return tag, what


def reach(page: Page, wanted: str) -> None:
    """Press Tab until an element has the focus: its target, its id, or what stands on it."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if focus(page)[1] == wanted:
            return
    raise AssertionError(f"{wanted} can't be reached with the keyboard")


def follow(page: Page, wanted: str) -> None:
    """Go to a link or a button, and press Enter there."""
    reach(page, wanted)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def typed(page: Page, field: str, text: str) -> None:
    """Go to a field, and type."""
    reach(page, field)
    page.keyboard.type(text)


def arrived(page: Page, name: str) -> None:
    """Wait until an element of this page has the focus, to which a link leads."""
    page.wait_for_function("name => document.activeElement.id === name", arg=name)


def said(page: Page) -> str:
    """The notice, which has the focus."""
    page.wait_for_function("document.activeElement.matches('.box')")
    focus(page)
    return str(page.evaluate("document.activeElement.innerText"))


def _logs_in(page: Page) -> None:
    """Log in, at the second try, and go to the content."""
    page.goto("/login?lang=en")
    typed(page, "login", "helene")
    typed(page, "password", "wrong")
    follow(page, "Log in")
    assert "wrong" in said(page)
    typed(page, "password", "helene-secret")
    follow(page, "Log in")
    reach(page, "#main")
    page.keyboard.press("Enter")
    arrived(page, "main")
    assert focus(page) == ("MAIN", "main"), "the link to the content leads there"


def _makes_a_group(page: Page) -> None:
    """Make a group, at the second try."""
    follow(page, "/groups/new")
    typed(page, "name", "Keyboard")
    typed(page, "address", "tous@masociete.example")
    follow(page, "Create")
    assert "Address" in said(page)
    reach(page, "#address")
    page.keyboard.press("Enter")
    arrived(page, "address")
    assert focus(page) == ("INPUT", "address"), "from the summary of errors to the field"
    page.keyboard.press("Control+A")
    page.keyboard.type("keyboard@masociete.example")
    follow(page, "Create")
    assert said(page) == "The group is made."


def _adds_members(home: House, page: Page) -> None:
    """Add two to the group that is shown."""
    group = page.url.partition("?")[0].removeprefix(home.url)
    follow(page, f"{group}/members")
    typed(page, "members", "jean, alice")
    page.keyboard.press("Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert said(page) == "New members: 2."


def _approves(page: Page, item: Item) -> None:
    """Approve a held message."""
    follow(page, "/held")
    follow(page, f"/held/{item.name}")
    reach(page, "approve")
    page.keyboard.press("Space")
    follow(page, "Confirm my decision")
    assert said(page).startswith("Approved")


def _undoes(home: House, page: Page) -> None:
    """Take the last change of a group back."""
    change = home.parts.ledger.audit(action="group-edit")[-1]
    follow(page, "/audit")
    reach(page, str(change.id))
    page.keyboard.press("Space")
    follow(page, "Undo the chosen …")
    follow(page, "Yes, undo")
    assert said(page).startswith("Undone: 1 of 1.")


def test_all_that_people_do_most_goes_with_the_keyboard_alone(home: House, browser: Browser) -> None:
    item = held(home)
    with window(browser, home.url) as page:
        _logs_in(page)
        _makes_a_group(page)
        _adds_members(home, page)
        _approves(page, item)
        _undoes(home, page)
    home.office.slapd.delete(home.group("keyboard").dn)
