"""Joining and leaving, wired: the service that panel, commands and desk share.

Fails with `ConfigurationError` for what the administrator wrote.
"""

from __future__ import annotations

import secrets
import time

from groupmilter.bootstrap.parts import administrations, snapshots
from groupmilter.config.reload import Configuration
from groupmilter.enrolment.notices import Notices
from groupmilter.enrolment.service import Requests, Write
from groupmilter.groups.group import Group
from groupmilter.moderation.circle import Circle, Lookup, circle
from groupmilter.moderation.item import Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import Request
from groupmilter.policy.replies import contact_for


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
        lambda: secrets.randbits(56), around,
    )  # fmt: skip


def _write(configuration: Configuration, opened: Ledger) -> Write:
    def write(request: Request, who: Who) -> None:
        # The LDAP library is slow to import, and only what writes needs it.
        from groupmilter.bootstrap.membership import groups, journal
        from groupmilter.enrolment.carrying import carry

        with groups(configuration, journal(opened, who)) as changing:
            carry(changing, snapshots(configuration), request)

    return write
