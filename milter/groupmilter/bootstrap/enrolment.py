"""Joining and leaving, wired: the service that panel, commands and desk share.

Fails with `ConfigurationError` for what the administrator wrote.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.bootstrap.parts import administrations, looking, snapshots, ticket_keys
from groupmilter.config.reload import Configuration
from groupmilter.directory.change import WriteRefused
from groupmilter.enrolment.correspondence import RequestCorrespondence
from groupmilter.enrolment.letters import RequestLetters
from groupmilter.enrolment.mailed import Mailed
from groupmilter.enrolment.notices import Notices
from groupmilter.enrolment.place import decider_of, group_of, title_of
from groupmilter.enrolment.service import Requests, Require, Write
from groupmilter.enrolment.tokens import Tokens
from groupmilter.enrolment.upkeep import Upkeep
from groupmilter.groups.group import Group
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.circle import Circle, Lookup, circle
from groupmilter.moderation.desk import Step
from groupmilter.moderation.entitlement import ON_THE_SERVER, Sparing
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import Request
from groupmilter.policy.replies import contact_for, owners_of


def requests(configuration: Configuration, opened: Ledger) -> Requests:
    """Return what joins and leaves groups, and decides about requests."""
    settings, registers = configuration.settings, snapshots(configuration)
    administrators = administrations(configuration)

    def around(group: Group, directory: Lookup) -> Circle:
        return circle(group, (), administrators, directory)

    notices = Notices(
        opened, registers, lambda group: contact_for(group, settings), settings.requests.confirmations_per_hour,
        time.time, around,
    )  # fmt: skip
    return Requests(
        opened, registers, notices, _write(configuration, opened), settings, time.time,
        lambda: secrets.randbits(56), around, _require(configuration),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class AtTheDesk:
    """What the desk has to do with joining and leaving.

    :param mailed: is handed what came by mail. ``letters`` writes about requests; ``steps`` are made at each turn.
    """

    mailed: Mailed
    letters: RequestCorrespondence
    steps: tuple[Step, ...]


def at_the_desk(
    configuration: Configuration, opened: Ledger, attempts: Attempts, log: FilteringBoundLogger
) -> AtTheDesk:
    """Return what the desk does about requests."""
    service, settings = requests(configuration, opened), configuration.settings
    registers = service.notices.registers
    letters = RequestLetters(
        settings.service_domain, catalogue(), settings.texts.language,
        title=lambda request: title_of(request, registers),
    )  # fmt: skip
    correspondence = RequestCorrespondence(
        opened, service.notices, letters, tokens(configuration, service), lambda group: owners_of(group, settings),
        time.time,
    )  # fmt: skip
    upkeep = Upkeep(service, attempts, time.time, log)
    steps = (
        ("carry out requests", upkeep.carry_out),
        ("close requests", upkeep.expire),
        ("remind of requests", upkeep.remind),
    )
    relays = tuple(one.net for one in configuration.site.trusted_relays)
    mailed = Mailed(service, time.time, Sparing(service.require, time.monotonic), relays)
    return AtTheDesk(mailed, correspondence, steps)


def tokens(configuration: Configuration, service: Requests) -> Tokens:
    """Return what makes and opens the addresses and links of letters about requests."""
    settings, panel = configuration.settings, configuration.site.panel.url or ""
    return Tokens(
        service, ticket_keys(configuration.keys), settings.service_domain,
        panel if settings.moderation.links else "", time.time,
    )  # fmt: skip


def _require(configuration: Configuration) -> Require:
    own = configuration.settings.own_domains

    def require(request: Request, who: Who) -> None:
        from groupmilter.bootstrap.membership import asking
        from groupmilter.bootstrap.visiting import rights
        from groupmilter.directory.entry import Entry
        from groupmilter.membership.authority import Forbidden, Reason

        if who.way in ON_THE_SERVER:
            return
        with looking(configuration) as directory:
            group = group_of(request, directory)
            try:
                decider = decider_of(request, who, own, directory)
            except WriteRefused:
                raise Forbidden(Reason.GONE) from None
        if group is None or decider is None:
            raise Forbidden(Reason.NO_GROUP if group is None else Reason.NOT_OWNER)
        with asking(configuration, rights(configuration, decider)) as asked:
            asked.require_say(Entry(group.uuid, group.dn, {}))

    return require


def _write(configuration: Configuration, opened: Ledger) -> Write:
    own = configuration.settings.own_domains

    def write(request: Request, who: Who) -> None:
        # The LDAP library is slow to import, and only what writes needs it.
        from groupmilter.bootstrap.membership import UNLIMITED, groups, journal
        from groupmilter.bootstrap.visiting import rights
        from groupmilter.enrolment.carrying import carry

        registers = snapshots(configuration)
        with registers.snapshot() as directory:
            decider = decider_of(request, who, own, directory)
        authority = UNLIMITED if decider is None else rights(configuration, decider)
        alone = decider is not None and decider.uuid == request.person_uuid
        with groups(configuration, journal(opened, who), authority, in_person=not alone) as changing:
            carry(changing, registers, request, own=alone)

    return write
