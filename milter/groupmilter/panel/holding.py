"""Which held messages somebody may look at: those about which he may decide, by the mirror.

Who administers everything sees all that was put aside, too: nobody else may be there for it. Raises `DirectoryUnknown`,
`LedgerUnavailable`.
"""

from __future__ import annotations

from groupmilter.groups.person import Person
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.overview import Wanted
from groupmilter.panel.parts import Parts


def visible(parts: Parts, person: Person, states: frozenset[State], claim: str = "") -> Wanted:
    """Return what somebody may look at of what is in some states.

    :param claim: ``mine``: only that with which he deals; ``unclaimed``: with which nobody does; else all.
    """
    claimed_by = {"mine": person.uuid, "unclaimed": ""}.get(claim)
    known, may = parts.ledger.overview.scopes(states), parts.decisions.may
    with parts.lookups.snapshot() as directory:
        scopes = tuple(scope for scope, item in known if may(person, item, directory))
        everything = parts.roles(person, directory).administers_everything
        return Wanted(states, scopes, claimed_by=claimed_by, aside=everything)


def permitted(parts: Parts, person: Person, item: Item) -> bool:
    """Tell whether somebody may look at an item, and decide about it, as far as the mirror knows."""
    with parts.lookups.snapshot() as directory:
        return parts.decisions.may(person, item, directory)
