"""What the panel needs for people: the door, sessions, rights, roles; wired for one configuration.

Fails with `ConfigurationError` for what the administrator wrote.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace

from structlog.typing import FilteringBoundLogger

from groupmilter.bootstrap.parts import administrations, ldap_settings, profile, snapshots
from groupmilter.config.reload import Configuration
from groupmilter.directory.binding import Binding
from groupmilter.directory.reader import Reader
from groupmilter.groups.person import Person
from groupmilter.membership.authority import Rights
from groupmilter.membership.founding import Founding
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.panel.login import DirectoryDoorman
from groupmilter.panel.login_throttle import LoginThrottle
from groupmilter.panel.session import Journal, Sessions


def doorman(configuration: Configuration, ledger: Ledger, log: FilteringBoundLogger) -> DirectoryDoorman:
    """Return who lets people in; one for each process, since it counts failures."""
    settings, login = ldap_settings(configuration), configuration.site.panel.login
    throttle = LoginThrottle(login.tries, login.tries_by_address, float(login.longest_wait), time.monotonic)
    realms, own = configuration.site.login_realms(), configuration.settings.own_domains
    binding = Binding(settings, profile(configuration), realms, own)
    return DirectoryDoorman(binding, snapshots(configuration), throttle, comings(ledger, log))


def comings(ledger: Ledger, log: FilteringBoundLogger) -> Journal:
    """Return what notes log-ins and log-outs."""

    def journal(action: str, who: Who, detail: str = "") -> None:
        log.info(action, person=who.name, client=who.origin, detail=detail)
        # That changes nothing; without the ledger there is no session either.
        with suppress(LedgerUnavailable):
            ledger.note(action, who, int(time.time()), detail=detail)

    return journal


def sessions(configuration: Configuration, ledger: Ledger, log: FilteringBoundLogger) -> Sessions:
    """Return the sessions of a ledger."""
    login = configuration.site.panel.login
    journal = comings(ledger, log)
    return Sessions(ledger.sessions, snapshots(configuration), journal, login.idle, login.longest)


def founding(configuration: Configuration) -> Founding:
    """Return the rules for new groups."""
    create = configuration.site.panel.create
    return Founding(
        holders=tuple(one for one in create.who if "=" in one),
        everybody="everybody" in create.who,
        domains=frozenset(create.domains) or configuration.settings.own_domains,
        names=create.names,
        reserved=create.reserved,
        required=tuple(each.value for each in create.required),
        parent=configuration.site.directory.write.groups or "",
    )


def rights(configuration: Configuration, person: Person) -> Rights:
    """Return a person's rights, which are asked of the server that takes changes."""
    reading, write = ldap_settings(configuration), configuration.site.directory.write
    settings = replace(reading, urls=tuple(server.url for server in write.url) or reading.urls)
    return Rights(
        person,
        Reader(settings).connect,
        profile(configuration),
        configuration.site.directory.base,
        configuration.settings.own_domains,
        administrations(configuration),
        founding(configuration),
    )
