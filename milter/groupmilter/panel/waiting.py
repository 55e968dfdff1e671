"""How much waits for whoever is logged in, for the navigation, and his own request about a group that he looks at.

What can't be told now isn't shown. One query to the ledger for each number, however much waits; rights are asked of the
mirror, once for each group.
"""

from __future__ import annotations

from dataclasses import dataclass

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.moderation.ledger import LedgerUnavailable
from groupmilter.moderation.request import Request, Wanted
from groupmilter.panel.holding import counted
from groupmilter.panel.parts import Parts


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages and requests about which somebody may decide, as many as the pages list (`holding.visible`)."""

    held: int = 0
    requests: int = 0


def waiting(parts: Parts, person: Person) -> Waiting:
    """Count what waits for a person."""
    try:
        return Waiting(counted(parts, person), parts.requests.waiting(person))
    except (DirectoryUnknown, LedgerUnavailable):
        # The page itself says what is down, where it needs it.
        return Waiting()


def asked_for(parts: Parts, person: Person, group: str, wanted: Wanted) -> Request | None:
    """Return a person's request that is open about a group, by its UUID; None where there is none."""
    try:
        return parts.requests.about(person, group, wanted)
    except LedgerUnavailable:
        # The page that the offer leads to says so.
        return None
