"""Which held messages somebody may look at: those about which he may decide, by the mirror.

Who administers everything sees all that was put aside, too: nobody else may be there for it. Raises `DirectoryUnknown`,
`LedgerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Kind
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.overview import Scope, Wanted
from groupmilter.moderation.transitions import WAITING
from groupmilter.panel.parts import Parts


def visible(parts: Parts, person: Person, states: frozenset[State], claim: str = "") -> Wanted:
    """Return what somebody may look at of what is in some states.

    :param claim: ``mine``: only that with which he deals; ``unclaimed``: with which nobody does; else all.
    """
    claimed_by = {"mine": person.uuid, "unclaimed": ""}.get(claim)
    return replace(
        _wanted(parts, person, states, parts.ledger.overview.scopes(states)), claimed_by=claimed_by
    )


def counted(parts: Parts, person: Person) -> int:
    """Return how many messages wait that somebody may look at: one query to the ledger, whatever their number."""
    waits = parts.ledger.overview.waits()
    if not waits:
        return 0
    held = {wait.scope: wait.item for wait in waits if wait.item.arrival.kind is Kind.HOLD}
    wanted = _wanted(parts, person, WAITING, held.items())
    return sum(wait.many for wait in waits if wanted.covers(wait.scope, wait.item))


def _wanted(
    parts: Parts, person: Person, states: frozenset[State], known: Iterable[tuple[Scope, Item]]
) -> Wanted:
    may = parts.decisions.may
    with parts.lookups.snapshot() as directory:
        scopes = tuple(scope for scope, item in known if may(person, item, directory))
        return Wanted(states, scopes, aside=parts.roles(person, directory).administers_everything)


def permitted(parts: Parts, person: Person, item: Item) -> bool:
    """Tell whether somebody may look at an item, and decide about it, as far as the mirror knows."""
    with parts.lookups.snapshot() as directory:
        return parts.decisions.may(person, item, directory)
