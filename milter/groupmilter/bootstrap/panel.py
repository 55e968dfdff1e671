"""The panel's process, and what its pages work with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from typing import cast

from structlog.typing import FilteringBoundLogger

from groupmilter.bootstrap.enrolment import requests, tokens
from groupmilter.bootstrap.membership import groups, journal
from groupmilter.bootstrap.moderation import decisions
from groupmilter.bootstrap.parts import (
    administrations,
    ledger,
    mailbox,
    mirror_ages,
    profile,
    snapshots,
    ticket_keys,
    trust,
)
from groupmilter.bootstrap.visiting import doorman, founding, rights, sessions
from groupmilter.config.fields import host_and_port
from groupmilter.config.reload import Configuration
from groupmilter.directory.inventory import inventory
from groupmilter.groups.person import Person
from groupmilter.language.catalogue import catalogue
from groupmilter.membership.roles import Lookup, Roles
from groupmilter.membership.service import Groups
from groupmilter.moderation.arrival import message_of
from groupmilter.moderation.claiming import Claiming
from groupmilter.moderation.item import Item, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Missing
from groupmilter.mta.site import Site
from groupmilter.panel.app import Log, Surroundings, create_app
from groupmilter.panel.cookie import form_cookie, session_cookie
from groupmilter.panel.door import Door
from groupmilter.panel.parts import Parts, RolesOf
from groupmilter.panel.server import serve
from groupmilter.panel.watching import Watching
from groupmilter.supervision.channel import Channel

_PROXIES = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""The panel listens on loopback, so whoever comes from elsewhere comes through a reverse proxy of this host."""


def panelling(configuration: Configuration, log: FilteringBoundLogger) -> Callable[[Channel], int]:
    """Return what runs the panel."""
    return _Panelling(configuration, log).run


@dataclass(frozen=True, slots=True)
class _Changing:
    """See `panel.parts.Changing`."""

    configuration: Configuration
    ledger: Ledger

    @contextmanager
    def __call__(self, person: Person, who: Who) -> Iterator[Groups]:
        """Open the directory for writing, on behalf of a person."""
        note = journal(self.ledger, who)
        with groups(self.configuration, note, rights(self.configuration, person)) as service:
            yield service


def roles(configuration: Configuration) -> RolesOf:
    """Return what tells a person's roles from a snapshot of the mirror."""
    administered, founded = administrations(configuration), founding(configuration)

    def of(person: Person, directory: Lookup) -> Roles:
        return Roles.of(person, directory, administered, founded)

    return of


def parts(configuration: Configuration, opened: Ledger, log: FilteringBoundLogger) -> Parts:
    """Return what the pages work with."""
    url, lookups, told = configuration.site.panel.url or "", snapshots(configuration), roles(configuration)

    def administers(person: Person) -> bool:
        with lookups.snapshot() as directory:
            return told(person, directory).administers

    door = Door(
        sessions(configuration, opened, log), doorman(configuration, opened, log), session_cookie(url),
        form_cookie(url), administers, time.time,
    )  # fmt: skip
    decided = decisions(configuration, opened)
    return Parts(
        opened, lookups, decided, _Changing(configuration, opened), told,
        configuration.settings, door, time.time, requests(configuration, opened),
        configuration.site.directory.base, profile(configuration).filter_attributes, watching(configuration, opened),
        Claiming(opened, decided, time.time),
    )  # fmt: skip


def watching(configuration: Configuration, opened: Ledger) -> Watching:
    """Return what the pages look at that only watch."""
    site, box = configuration.site, mailbox(configuration)
    directory = site.directory

    def message(item: Item) -> bytes | None:
        try:
            return message_of(box.read(item.arrival.file))
        except Missing:
            return None

    rehearsed = Site(
        configuration.settings, snapshots(configuration), ticket_keys(configuration.keys), trust(configuration),
        suspended=opened.bounces.suspended,
    )  # fmt: skip
    return Watching(
        message, lambda: inventory(site.mirror), float(directory.max_age), mirror_ages(configuration),
        tuple(each.url for each in directory.url), rehearsed,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Panelling:
    configuration: Configuration
    log: FilteringBoundLogger

    def run(self, channel: Channel) -> int:
        """Serve the pages until told to drain."""
        panel = self.configuration.site.panel
        opened = ledger(self.configuration)
        around = Surroundings(catalogue(), cast(Log, self.log), panel.url or "", _PROXIES)
        pages = parts(self.configuration, opened, self.log)
        links = tokens(self.configuration, pages.requests)
        app = create_app(pages.decisions, around, pages, links)
        host, port = host_and_port(panel.listen)
        code = serve(app, host, port, channel)
        opened.close()
        return code
