"""How many have to approve of an item, and who has. Pure; never fails.

A rejection needs one person, and so does whoever decides by command on the server. An approval that was given counts
as long as the item waits, whatever becomes of who gave it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's approval.

    :param person: the UUID of his entry. ``way``: a value of `item.Way`. ``at``: seconds since 1970, UTC.
    """

    person: str
    name: str
    way: str
    at: int


Approvals = tuple[Approval, ...]


def added(approvals: Approvals, new: Approval) -> Approvals:
    """Return approvals with one more, each person's once: the first one stays."""
    return approvals if new.person in persons(approvals) else (*approvals, new)


def persons(approvals: Approvals) -> frozenset[str]:
    """Return the UUIDs of who has approved."""
    return frozenset(one.person for one in approvals)


def missing(approvals: Approvals, needed: int, deciders: frozenset[str]) -> int:
    """Return how many approvals are still missing.

    More persons than there are can't agree: then all of them are enough, and nobody waits for ever.

    :param needed: what group or rule want. ``deciders``: UUIDs of who may decide now.
    """
    agreed = persons(approvals)
    return max(0, min(max(1, needed), len(agreed | deciders)) - len(agreed))
