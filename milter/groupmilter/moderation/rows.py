"""Between the ledger's rows and its values. Nothing here fails but for a row that another program has written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping

from groupmilter.groups.directory import Member
from groupmilter.groups.person import Node
from groupmilter.groups.ticket import Kind
from groupmilter.moderation.claim import Claim
from groupmilter.moderation.item import Arrival, Item, State, Terms, Who
from groupmilter.moderation.quorum import Approval, Approvals

_ARRIVAL = [field.name for field in fields(Arrival)]
_TERMS = [field.name for field in fields(Terms)]
_APART = {"arrival", "terms", "state", "approved_by", "claim"}
_ITEM = [field.name for field in fields(Item) if field.name not in _APART]

UNCLAIMED = {"claimed": 0, "claimed_by": "", "claimer": ""}
"""The columns of an item with which nobody deals."""


class Outcome(StrEnum):
    """What recording an arrival came to; a conflict is one ticket with two contents."""

    NEW = "new"
    KNOWN = "known"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The item of an arrival, and whether it is new."""

    item: Item
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Changed:
    """An item as it stands after an attempt to change it, and whether the attempt did.

    :param missing: how many others have to approve, too, before it is released; 0 once it is decided.
    """

    item: Item
    happened: bool
    missing: int = 0


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who did what, when; ``item`` is its name for people, ``before`` and ``after`` its states.

    :param group: its address then; ``group_uuid``: its entry's, empty in rows of versions that didn't note it.
    """

    id: int
    at: int
    action: str
    actor: str
    way: str
    origin: str
    item: str
    group: str
    before: str
    after: str
    detail: str
    group_uuid: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What a letter asks somebody about: a held message, or a request to join or leave.

    :param digest: by which tokens name it. ``name``: for people. ``group``: its group's address.
    """

    digest: int
    name: str
    group: str
    group_uuid: str


REFUSED = "refused: "
"""How the reason begins why a letter has not reached somebody, and won't."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter to one address, planned or sent.

    :param kind: ``request``, ``reminder``, ``decided``, ``invalid``, or to the sender ``held``, ``rejected``,
        ``expired``.
    """

    id: int
    item_id: int
    kind: str
    address: str
    name: str
    language: str
    uuid: str
    attempts: int
    planned: int
    detail: str


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of one letter.

    :param sent: when the MTA took it; 0 while it waits. ``next_attempt``: not before then; ``why`` it wasn't taken.
    """

    kind: str
    address: str
    name: str
    planned: int
    attempts: int
    next_attempt: int
    sent: int
    why: str

    @property
    def returned(self) -> bool:
        """Whether the MTA took it, and it came back."""
        return self.sent > 0 and self.why.startswith(REFUSED)


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of an item that is recorded anew, from the hold mailbox alone.

    :param recorded: when it came; ``finished``: when it ended, 0 while it is open; seconds since 1970, UTC.
    :param who: on whose behalf it is recorded.
    """

    recorded: int
    finished: int
    who: Who


@dataclass(frozen=True, slots=True)
class Batch:
    """One transaction of a release.

    :param members: its receivers; None: the milter expands the group.
    :param spent: when the milter last answered for a ticket of it; ``accepted``: when the MTA said 250.
    """

    item_id: int
    number: int
    members: tuple[Member, ...] | None
    ticket: str
    spent: int
    accepted: int


def item_of(row: RowMapping) -> Item:
    """Return the item of a row."""
    arrival: dict[str, Any] = {name: row[name] for name in _ARRIVAL}
    arrival["kind"] = None if arrival["kind"] is None else Kind(arrival["kind"])
    terms: dict[str, Any] = {name: row[name] for name in _TERMS}
    terms["moderators"] = tuple(json.loads(terms["moderators"] or "[]"))
    rest = {name: row[name] for name in _ITEM}
    rest["approved_by"] = tuple(Approval(*one) for one in json.loads(row["approved_by"] or "[]"))
    rest["claim"] = Claim(row["claimer"], row["claimed_by"], row["claimed"]) if row["claimed"] else None
    return Item(state=State(row["state"]), arrival=Arrival(**arrival), terms=Terms(**terms), **rest)


def columns_of(arrival: Arrival, terms: Terms) -> dict[str, Any]:
    """Return the columns of what is recorded of an item at first."""
    columns: dict[str, Any] = {name: getattr(arrival, name) for name in _ARRIVAL}
    columns["kind"] = None if arrival.kind is None else int(arrival.kind)
    columns |= {name: getattr(terms, name) for name in _TERMS}
    columns["moderators"] = json.dumps(terms.moderators)
    return columns


def audit_row(
    action: str, who: Who, now: int, item: str = "", group: str = "", group_uuid: str = "",
    *, before: str = "", after: str = "", detail: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Return the columns of a new audit row (`AuditRow`)."""
    return {
        "at": now, "action": action, "actor": who.name, "way": who.way.value, "origin": who.origin, "item": item,
        "group": group, "group_uuid": group_uuid, "before": before, "after": after, "detail": detail,
    }  # fmt: skip


def claim_columns(claim: Claim) -> dict[str, int | str]:
    """Return the columns of an item with which somebody deals."""
    return {"claimed": claim.at, "claimed_by": claim.name, "claimer": claim.person}


def approvals_text(approvals: Approvals) -> str:
    """Return approvals as they are stored."""
    return json.dumps([(one.person, one.name, one.way, one.at) for one in approvals])


def members_of(text: str) -> tuple[Member, ...] | None:
    """Return the receivers of a stored batch, None where the milter finds them."""
    if not text:
        return None
    return tuple(Member(address, None if node is None else Node(node)) for address, node in json.loads(text))


def members_text(members: Sequence[Member]) -> str:
    """Return receivers as they are stored."""
    return json.dumps([(member.address, member.node) for member in members])
