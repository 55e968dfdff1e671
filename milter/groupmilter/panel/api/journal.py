"""The audit: who changed or decided what, when. Owners see what concerns their groups, administrators theirs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.group import Group
from groupmilter.groups.ticket import digest
from groupmilter.mail.address import canonical
from groupmilter.membership.roles import Roles
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.journal import Filter
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading
from groupmilter.panel.api.desk_shapes import AuditFilter, Event
from groupmilter.panel.api.moments import moment, seconds
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.shapes import Page

router = APIRouter(tags=["audit"])


@router.get(
    "/audit",
    operation_id="listAudit",
    response_model=Page[Event],
    responses={200: {"headers": LINK}, **problems()},
)
def listed(
    call: Reading, wanted: Annotated[AuditFilter, Query()], request: Request, response: Response
) -> dict[str, object]:
    """Return rows of the audit, the newest first: of your groups, of all for who administers everything."""
    journal = call.parts.ledger.journal
    known = journal.groups()
    groups = call.look(lambda directory: _groups(call, directory, wanted.group, known))
    whole = call.look(lambda directory: call.roles(directory).administers_everything)
    times = seconds(wanted.since), seconds(wanted.until)
    chosen = Filter(groups, wanted.actor, wanted.action, *times, {} if whole else journal.ends())
    rows = journal.page(chosen, first=wanted.offset, limit=wanted.limit)
    return part(request, response, wanted, journal.count(chosen), map(event, rows))


def _groups(call: Call, directory: Snapshot, named: str, known: tuple[str, ...]) -> frozenset[str] | None:
    """Return about which groups rows may be shown; None for all, and for what is about no group."""
    roles = call.roles(directory)
    addresses = _addresses(call, named, directory) if named else None
    if roles.administers_everything:
        return addresses
    return frozenset(
        each for each in (known if addresses is None else addresses) if his(each, roles, directory)
    )


def _addresses(call: Call, named: str, directory: Lookup) -> frozenset[str]:
    """Return the addresses that a group has, or had when it was written to the journal under that name."""
    address = canonical(named, call.parts.settings.own_domains) or named
    found = directory.find(address) if "@" in named else directory.by_digest(digest(named))
    return frozenset(found.addresses) if isinstance(found, Group) else frozenset({address})


def his(address: str, roles: Roles, directory: Lookup) -> bool:
    """Tell whether a group is one that somebody may change, and so its rows are his to see."""
    found = directory.find(address)
    return isinstance(found, Group) and roles.may_change(found)


def event(row: AuditRow) -> dict[str, object]:
    """Return a row as it is answered."""
    names = ("id", "action", "actor", "way", "origin", "item", "group", "before", "after", "detail")
    return {"at": moment(row.at)} | {name: getattr(row, name) for name in names}
