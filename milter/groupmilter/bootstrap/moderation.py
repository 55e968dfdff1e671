"""The parts of moderation that several programs share: ledger, hold mailbox, decisions.

Fails with `LedgerUnavailable` where the ledger can't be opened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger

from groupmilter.bootstrap.parts import administrations, looking, mailbox, profile, snapshots, ticket_keys
from groupmilter.config.keys import read_secret
from groupmilter.config.reload import Configuration
from groupmilter.groups.concern import Concern
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import digest
from groupmilter.language.spoken import OTHERS
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.decision import Decisions, Remember
from groupmilter.moderation.entitlement import Entitled, MayNotDecide
from groupmilter.moderation.item import DESK, Arrival, Terms, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.rebuilding import Rebuilding
from groupmilter.moderation.remembering import Values
from groupmilter.moderation.submission import Door
from groupmilter.moderation.terms import terms


def door(configuration: Configuration, *, timeout: float = 60.0) -> Door:
    """Return where the MTA takes our letters and released mail, and what it knows us by."""
    release = configuration.site.service.release
    return Door(release.host, release.port, release.login, lambda: read_secret(release.secret_file), timeout)


def decisions(configuration: Configuration, opened: Ledger) -> Decisions:
    """Return what decides about held mail."""
    return Decisions(
        opened,
        snapshots(configuration),
        ticket_keys(configuration.keys),
        configuration.settings,
        time.time,
        _entitled(configuration),
        administrations(configuration),
        _remember(configuration, opened),
    )


def rebuilding(
    configuration: Configuration, opened: Ledger, log: FilteringBoundLogger, who: Who = DESK
) -> Rebuilding:
    """Return what records anew what the ledger doesn't know."""
    return Rebuilding(
        mailbox(configuration),
        opened,
        snapshots(configuration),
        ticket_keys(configuration.keys),
        configuration.settings,
        time.time,
        log,
        who,
    )


def _entitled(configuration: Configuration) -> Entitled:
    """Return what asks the directory whether somebody may decide."""

    def entitled(who: Who, concerns: Sequence[Concern]) -> None:
        # Only who decides needs it: the LDAP library is slow to import.
        from groupmilter.bootstrap.membership import asking
        from groupmilter.bootstrap.visiting import rights
        from groupmilter.directory.ldif import LdifError
        from groupmilter.membership.authority import Forbidden, Reason

        with looking(configuration) as directory:
            person = _person(directory, who)
        try:
            if person is None:
                raise Forbidden(Reason.GONE)
            with asking(configuration, rights(configuration, person)) as authority:
                authority.require_decision(concerns)
        except Forbidden as error:
            raise MayNotDecide(error.sentence, **error.values) from error
        except LdifError as error:
            raise DirectoryUnknown(str(error)) from error

    return entitled


def _person(directory: Lookup, who: Who) -> Person | None:
    """Return who decides, None where he is gone."""
    found = directory.by_digest(digest(who.uuid))
    return found if isinstance(found, Person) and found.uuid == who.uuid else None


def _remember(configuration: Configuration, opened: Ledger) -> Remember | None:
    """Return how a sender is remembered in the directory; None for an LDIF file with no side store beside it."""
    if configuration.site.directory.url[0].kind == "ldif" and not profile(configuration).beside:
        return None

    def write(who: Who, group: Group, values: Values) -> bool:
        # Only who decides needs it: the LDAP library is slow to import.
        from groupmilter.bootstrap.membership import groups, journal
        from groupmilter.bootstrap.visiting import rights
        from groupmilter.directory.change import WriteRefused
        from groupmilter.membership.authority import Forbidden
        from groupmilter.membership.service import NoSuchGroup
        from groupmilter.membership.vocabulary import Several

        with looking(configuration) as directory:
            person = _person(directory, who)
        if person is None:
            return False
        wishes = [Several(field, (value,)) for field, value in values]
        try:
            with groups(configuration, journal(opened, who), rights(configuration, person)) as changing:
                prepared, problems = changing.prepare(changing.at(group.dn, group.uuid), wishes)
                if problems:
                    raise WriteRefused(OTHERS, words="; ".join(map(str, problems)))
                changing.apply(prepared)
        except Forbidden:
            return False
        except NoSuchGroup as error:
            raise WriteRefused(OTHERS, words=str(error)) from error
        return True

    return write


def terms_of(configuration: Configuration) -> Callable[[Arrival], Terms]:
    """Return what gives an item its terms, as of now."""
    lookups = snapshots(configuration)

    def of(arrival: Arrival) -> Terms:
        with lookups.snapshot() as directory:
            return terms(arrival, directory, configuration.settings, int(time.time()))

    return of
