"""The founding story, as people would live it: a browser, a real directory, a real Postfix, people's mailboxes.

Everything runs as in the demonstration; pictures of each step are written as `tests.panel.chromium` says.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator

import pytest
from deploy.demo.people import PASSWORD
from deploy.demo.play import send
from deploy.demo.site import Site
from deploy.demo.story import OUTSIDE
from playwright.sync_api import Browser, Locator, Page
from tests.panel.chromium import chromium, log_in, photograph, window

DEADLINE = 150.0
CONTACT = "contact@masociete.example"
OUTSIDER = "cliente@ailleurs.example"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site(lambda _: None) as running:
        running.slapd.delete(f"cn=contact,ou=groups,{running.slapd.suffix}")
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


def until(condition: Callable[[], object], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"not in time: {what}"
        time.sleep(0.05)


def outsider(site: Site, subject: str) -> str:
    """Have an outsider write to contact@; return the server's last answer."""
    content = (
        f"From: Cliente <{OUTSIDER}>\r\nTo: {CONTACT}\r\nSubject: {subject}\r\n"
        f"Message-ID: <{subject.replace(' ', '-')}@ailleurs.example>\r\n\r\nBonjour.\r\n"
    )
    return send(site, OUTSIDER, CONTACT, content.encode(), None)[-1].reply


def verdict(site: Site) -> str:
    """What `groupmilter explain` says would become of an outsider's mail to contact@."""
    asked = ("explain", "--to", CONTACT, "--from", OUTSIDER, "--client", OUTSIDE)
    [recipient] = json.loads(site.serving.run("--json", *asked).stdout)["recipients"]
    return str(recipient["verdict"])


def subjects(site: Site, login: str) -> set[str]:
    """The subjects of what people wrote to somebody."""
    found = (path.read_text("utf-8", "replace") for path in site.copies(login))
    return {line[9:] for text in found for line in text.splitlines() if line.startswith("Subject: ")}


def tab(page: Page, name: str) -> None:
    page.get_by_role("link", name=name, exact=True).click()


def shown_in_time(page: Page, link: Locator) -> None:
    """Load the page anew until the desk has taken in what waits."""
    end = time.monotonic() + DEADLINE
    while link.count() == 0:
        assert time.monotonic() < end, "not in time: the held message on Jean's page"
        page.reload()


def made(page: Page) -> None:
    """Nouveau: contact@, with Jean and Pierre."""
    tab(page, "Nouveau")
    page.fill("#name", "Contact")
    page.fill("#address", "contact")
    page.fill("#members", "jean.dupont@masociete.example\npierre.durand@masociete.example")
    photograph(page, "story/fr-1-nouveau")
    page.get_by_role("button", name="Créer").click()
    page.wait_for_url("**/groups/*-*")
    photograph(page, "story/fr-2-contact")


def opened(page: Page) -> None:
    """Gestion de remise: internal senders and outside."""
    tab(page, "Gestion de remise")
    page.get_by_label("Expéditeurs internes et à l’extérieur").check()
    photograph(page, "story/fr-3-remise")
    page.get_by_role("button", name="Enregistrer").click()
    page.get_by_role("status").wait_for()


def moderated(page: Page) -> None:
    """Approbation des messages: Jean moderates."""
    tab(page, "Approbation des messages")
    page.check("#moderated")
    page.fill("#moderators", "jean.dupont@masociete.example")
    photograph(page, "story/fr-4-approbation")
    page.get_by_role("button", name="Enregistrer").click()
    page.get_by_role("status").wait_for()


def approved(page: Page) -> str:
    """Messages en attente: Jean reads what waits, and approves it; return its subject."""
    page.get_by_role("link", name=re.compile("^Messages en attente")).click()
    page.wait_for_url("**/held")
    link = page.get_by_role("link", name="Devis")
    shown_in_time(page, link)
    subject = link.inner_text()
    photograph(page, "story/fr-5-en-attente")
    link.click()
    photograph(page, "story/fr-6-message")
    page.check("#approve")
    page.get_by_role("button", name="Confirmer").click()
    page.get_by_role("status").first.wait_for()
    photograph(page, "story/fr-7-approuve")
    return subject


def test_the_founding_story(site: Site, browser: Browser) -> None:
    with window(browser, site.panel, "fr") as page:
        log_in(page, "administrator", PASSWORD)
        tab(page, "Français")
        made(page)
        until(lambda: "550 5.7.1" in outsider(site, "Premier essai"), "a refusal of the outsider")
        opened(page)
        until(lambda: outsider(site, "Deuxième essai").startswith("250"), "the outsider's mail taken")
        until(lambda: subjects(site, "jean") and subjects(site, "pierre"), "copies for both members")
        moderated(page)
    # Asked first: as long as it isn't moderated everything sent is delivered, and at last taken for a storm.
    until(lambda: verdict(site) == "hold", "the milter knows of the moderation")
    before = len(site.held())
    assert outsider(site, "Devis").startswith("250")
    until(lambda: len(site.held()) > before, "the outsider's mail held")
    with window(browser, site.panel, "fr") as page:
        log_in(page, "jean", PASSWORD)
        subject = approved(page)
    until(lambda: subject in subjects(site, "pierre"), "Pierre's copy of what Jean approved")
