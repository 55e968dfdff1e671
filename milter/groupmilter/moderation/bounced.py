"""Members whose mail fails, each with what is counted of him and his suspension: what commands, page and API show.

Raises `LedgerUnavailable`; where the directory can't tell whose an address is, the address alone decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.mail.address import canonical
from groupmilter.moderation.bounce_book import BounceBook, Standing, Suspension
from groupmilter.moderation.bouncing import outside
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.rows import AuditRow

Look = Callable[[], AbstractContextManager[Lookup]]
_HISTORY = ("suspend", "try-again", "resume")
_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one address; ``standing`` None where nothing was counted."""

    address: str
    standing: Standing | None
    suspension: Suspension | None

    @property
    def state(self) -> str:
        """``suspended``, ``trial`` (it gets mail again, and one failure suspends it), or ``failing``."""
        if self.suspension is None:
            return "failing"
        return "trial" if self.suspension.probing else "suspended"


def told(row: Known, time: Callable[[int], str | None]) -> dict[str, object]:
    """Return what is known of an address for programs.

    :param time: how seconds since 1970 are written.
    """
    standing, suspension = row.standing, row.suspension
    return {
        "address": row.address,
        "state": row.state,
        "messages": standing.messages if standing else 0,
        "days": standing.days if standing else 0,
        "last": time(standing.last) if standing else None,
        "cause": standing.cause if standing else "",
        "status": standing.status if standing else "",
        "why": standing.why if standing else "",
        "groups": standing.groups if standing else (),
        "since": time(suspension.since) if suspension else None,
        "until": time(suspension.until) if suspension else None,
        "trial_since": time(suspension.probing) if suspension else None,
        "suspended_by": suspension.actor if suspension else "",
    }


def listed(
    book: BounceBook, since: int, *, group: str = "", suspended: bool = False, limit: int = 1000
) -> list[Known]:
    """Return whose mail failed from a time on, the most failures first, and then whoever is suspended besides.

    :param since: seconds since 1970, UTC. ``group``: address of one group. ``suspended``: only those.
    """
    standings = book.standings(since, group=group, limit=limit)
    suspensions = {one.address: one for one in book.suspensions()}
    rows = [Known(one.address, one, suspensions.pop(one.address, None)) for one in standings]
    rest = (one for one in suspensions.values() if not group or one.group_address == group)
    rows += (Known(one.address, _standing(book, one.address), one) for one in rest)
    return [row for row in rows if not suspended or row.suspension is not None]


def known(book: BounceBook, address: str) -> Known:
    """Return what is known of an address, as the directory delivers to it."""
    return Known(address, _standing(book, address), book.suspension(address))


def _standing(book: BounceBook, address: str) -> Standing | None:
    return next(iter(book.standings(0, address=address)), None)


def history(ledger: Ledger, address: str) -> Sequence[AuditRow]:
    """Return how an address was suspended and resumed, in order."""
    found = [
        one
        for action in _HISTORY
        for one in ledger.audit(action=action, limit=_ROWS)
        if one.detail.partition(": ")[0] == address
    ]
    return sorted(found, key=lambda one: one.id)


def member(look: Look, written: str, own_domains: frozenset[str]) -> tuple[str, bool] | None:
    """Return an address as the directory delivers to it, and whether it is nobody's of the organisation.

    None for what is no address.

    :param look: opens one look at the directory.
    """
    address = canonical(written, own_domains)
    if address is None:
        return None
    try:
        with look() as directory:
            found = directory.find(address)
    except DirectoryUnknown:
        found = None
    person = found if isinstance(found, Person) else None
    name = person.address if person is not None and person.address else address
    return name, outside(name, person, own_domains)
