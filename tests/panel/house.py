"""A house whose people use the panel: a real slapd, its mirror kept up by the real synchroniser, the real application.

Everybody's password is his log-in name, a hyphen and ``secret``; mail-admins administer.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from html import unescape
from pathlib import Path
from typing import cast

import httpx
from structlog.typing import FilteringBoundLogger
from tests.membership.offices import GROUPS, PEOPLE, Office
from tests.membership.offices import running as slapd_running
from tests.panel.standin import Lines, Site, running
from tests.support.ports import LOOPBACK

from groupmilter import bootstrap
from groupmilter.bootstrap.panel import parts
from groupmilter.bootstrap.serving import synchroniser
from groupmilter.config.reload import Configuration, load
from groupmilter.directory.mirror import Mirror
from groupmilter.directory.synchroniser import Synchroniser
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.language.catalogue import catalogue
from groupmilter.panel.app import Surroundings, create_app
from groupmilter.panel.parts import Parts

ADMINISTRATORS = f"cn=mail-admins,{GROUPS}"
DEADLINE = 120.0
ONE_BY_ONE = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request: one that is kept may be closed by the server just when the next request is sent."""
_CSRF = re.compile(r'name="csrf" value="([^"]*)"')


@dataclass(frozen=True, slots=True)
class House:
    """What runs, and browsers without a screen for its people."""

    office: Office
    configuration: Configuration
    parts: Parts
    site: Site

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.site.port}"

    def anybody(self, language: str = "en") -> httpx.Client:
        """A browser in which nobody is logged in."""
        headers = {"accept-language": language}
        return httpx.Client(base_url=self.url, headers=headers, timeout=DEADLINE, limits=ONE_BY_ONE)

    @contextmanager
    def person(self, uid: str, language: str = "en") -> Iterator[httpx.Client]:
        """A browser in which somebody has logged in."""
        with self.anybody(language) as client:
            client.cookies.set("groupmilter-language", language)
            answer = logged_in(client, uid, f"{uid}-secret")
            assert answer.status_code == 303, answer.text
            yield client

    def group(self, name: str) -> Group:
        """A group of the mirror, by its DN's first part."""
        with self.parts.lookups.snapshot() as directory:
            found = directory.by_dn(f"cn={name},{GROUPS}")
        assert isinstance(found, Group), name
        return found

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for what a change brings about in the mirror."""
        until(condition)


def until(condition: Callable[[], object]) -> None:
    """Wait for a condition; what the directory can't tell yet isn't so yet."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        try:
            if condition():
                return
        except DirectoryUnknown:
            pass
        time.sleep(0.02)
    raise TimeoutError("it didn't come about")


def csrf(page: httpx.Response) -> str:
    """The token in a page's form."""
    found = _CSRF.search(page.text)
    assert found is not None, page.text
    return unescape(found[1])


def logged_in(client: httpx.Client, name: str, password: str) -> httpx.Response:
    """Fill in the log-in form; return the answer to it."""
    form = {"csrf": csrf(client.get("/login")), "login": name, "password": password}
    return client.post("/login", data=form)


def sent(client: httpx.Client, path: str, **fields: str | list[str]) -> httpx.Response:
    """Open a page, fill in a form of it, and return the answer to that."""
    return client.post(path, data={"csrf": csrf(client.get(path)), **fields})


@contextmanager
def mirrored(configuration: Configuration) -> Iterator[Synchroniser]:
    """Keep the mirror up, as the directory role does."""
    mirror = Mirror.open(configuration.site.mirror, bootstrap.mirror_settings(configuration))
    following, stop = (
        synchroniser(configuration, mirror, cast(FilteringBoundLogger, Lines()), lambda _: None),
        threading.Event(),
    )
    thread = threading.Thread(target=following.run, args=(stop,))
    thread.start()
    try:
        yield following
    finally:
        stop.set()
        thread.join(DEADLINE)
        mirror.close()


@contextmanager
def house(
    folder: Path, more: str = "", around: Callable[[Surroundings], Surroundings] = lambda usual: usual
) -> Iterator[House]:
    """Run everything until the end of the block.

    :param more: further lines of the configuration. ``around``: changes what surrounds the pages.
    """
    with slapd_running() as slapd:
        for uid in _uids(slapd.search(PEOPLE, "(uid=*)", "uid")):
            slapd.modify(f"dn: uid={uid},{PEOPLE}\nreplace: userPassword\nuserPassword: {uid}-secret\n")
        office = Office(slapd, folder)
        office.configure()
        with office.config.open("a") as file:
            file.write(more or f"panel: {{administrators: '{ADMINISTRATORS}'}}\n")
        configuration = bootstrap.with_keys(load(office.config), cast(FilteringBoundLogger, Lines()))
        ledger = bootstrap.ledger(configuration, timeout=DEADLINE)
        log = Lines()
        pages = parts(configuration, ledger, cast(FilteringBoundLogger, log))
        # Whatever a slow disk makes of the mirror, a page shows what was written.
        pages = replace(pages, patience=DEADLINE)
        usual = Surroundings(catalogue(), log, body_seconds=DEADLINE)
        app = create_app(pages.decisions, around(usual), pages)
        with mirrored(configuration), running(app, log) as site:
            made = House(office, configuration, pages, site)
            until(lambda: made.group("contact"))
            yield made
        ledger.close()


def _uids(text: str) -> list[str]:
    return re.findall(r"^uid: (.+)$", text, re.MULTILINE)
