"""The audit: who changed or decided what, when. Owners see what concerns their groups, administrators theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading
from groupmilter.panel.api.desk_shapes import AuditFilter, Event
from groupmilter.panel.api.moments import moment, seconds
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.shapes import Page
from groupmilter.panel.audience import Audience

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
    journal, own = call.parts.ledger.journal, call.parts.settings.own_domains
    may = call.look(lambda directory: audience(call, directory).filter(wanted.group, own, journal.groups))
    times = seconds(wanted.since), seconds(wanted.until)
    chosen = replace(may, actor=wanted.actor, action=wanted.action, since=times[0], until=times[1])
    rows = journal.page(chosen, first=wanted.offset, limit=wanted.limit)
    return part(request, response, wanted, journal.count(chosen), map(event, rows))


def audience(call: Call, directory: Snapshot) -> Audience:
    """Return what the caller may see of the audit."""
    return Audience(call.roles(directory), directory)


def event(row: AuditRow) -> dict[str, object]:
    """Return a row as it is answered."""
    names = ("id", "action", "actor", "way", "origin", "item", "group", "group_uuid")
    return {"at": moment(row.at)} | {
        name: getattr(row, name) for name in (*names, "before", "after", "detail")
    }
