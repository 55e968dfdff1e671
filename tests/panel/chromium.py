"""Debian's Chromium for the panel's pages: driven as a person would, photographed, and looked at by axe.

Nothing of a page may be missing for anybody: `flaws` are what axe-core calls serious or critical. Pictures are
written to `PICTURES`, for people to look at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, sync_playwright

PICTURES = Path(__file__).resolve().parents[2] / "build" / "pictures"
DESKTOP, PHONE = (1180, 860), (390, 844)
PATIENCE = 180_000
"""Milliseconds for what a browser is told to do, on a machine that has much else to do."""
_SERIOUS = ("serious", "critical")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the browser, without a screen; FileNotFoundError without it (Debian: chromium)."""
    program = shutil.which("chromium")
    if program is None:
        raise FileNotFoundError("chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"], timeout=PATIENCE)
        yield browser
        browser.close()


@contextmanager
def window(
    browser: Browser,
    url: str,
    language: str = "en",
    size: tuple[int, int] = DESKTOP,
    *,
    dark: bool = False,
    scripts: bool = True,
) -> Iterator[Page]:
    """Open a window of its own, with cookies of its own; what the browser complains of fails the test at the end."""
    complaints: list[str] = []
    context = browser.new_context(
        base_url=url,
        locale={"fr": "fr-FR", "en": "en-GB"}[language],
        viewport={"width": size[0], "height": size[1]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=scripts,
        accept_downloads=True,
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page
    finally:
        _close(context)
    assert [one for one in complaints if "Failed to load resource" not in one] == []


def _close(context: BrowserContext) -> None:
    for page in context.pages:
        page.close()
    context.close()


def log_in(page: Page, uid: str, password: str = "") -> None:
    """Log somebody in by the form.

    :param password: none: that of the houses of tests.
    """
    page.goto("/login")
    page.fill("#login", uid)
    page.fill("#password", password or f"{uid}-secret")
    follow(page, page.locator("main form button"))
    page.wait_for_url(lambda url: "/login" not in url)


def follow(page: Page, leads_on: Locator) -> None:
    """Click what leads to another page, and wait until that is there: a slow browser begins to go a moment later."""
    with page.expect_navigation():
        leads_on.click()


def photograph(page: Page, name: str) -> None:
    """Write a picture of the whole page."""
    path = PICTURES / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path, full_page=True)


def flaws(page: Page) -> list[str]:
    """Return what keeps somebody from using the page, as axe-core finds it."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {node['html']}"
        for one in found
        if one["impact"] in _SERIOUS
        for node in one["nodes"]
    ]


def overflows(page: Page) -> bool:
    """Tell whether the page is wider than its window, so that one has to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def overflows_enlarged(page: Page) -> bool:
    """Tell the same of the page with its text at twice the size (WCAG 2.2, 1.4.4); it stays so."""
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    return overflows(page)
