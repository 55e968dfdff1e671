"""The audit: who changed or decided what, when. Owners see what concerns their groups, administrators theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.moderation.journal import Filter
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading
from groupmilter.panel.api.desk_shapes import AuditFilter, AuditQuestion, Event
from groupmilter.panel.api.moments import moment, seconds
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.shapes import Page
from groupmilter.panel.audience import Audience
from groupmilter.panel.journal_table import MOST, as_table

router = APIRouter(tags=["audit"])
_CSV: dict[str, object] = {
    "schema": {},
    "example": "at,action,actor\n2026-11-26T00:00:00Z,group-edit,anna@example.org\n",
}


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
    journal, chosen = call.parts.ledger.journal, _chosen(call, wanted)
    rows = journal.page(chosen, first=wanted.offset, limit=wanted.limit)
    return part(request, response, wanted, journal.count(chosen), map(event, rows))


@router.get(
    "/audit/export",
    operation_id="exportAudit",
    response_class=Response,
    responses={200: {"content": {"text/csv": _CSV}}, **problems()},
)
def export(call: Reading, wanted: Annotated[AuditQuestion, Query()]) -> Response:
    """Return rows of the audit as CSV, the newest first, up to 20,000: no cell of it is ever taken for a formula."""
    text = as_table(call.parts.ledger.journal.each(_chosen(call, wanted), MOST))
    headers = {"content-disposition": 'attachment; filename="journal.csv"'}
    return Response(text, headers=headers, media_type="text/csv; charset=utf-8")


def _chosen(call: Call, wanted: AuditQuestion) -> Filter:
    """Return which rows are wanted, of those that the caller may see."""
    may = call.look(lambda directory: Audience.of(call.parts, call.person, directory).filter(wanted.group))
    times = seconds(wanted.since), seconds(wanted.until)
    return replace(may, actor=wanted.actor, action=wanted.action, since=times[0], until=times[1])


def event(row: AuditRow) -> dict[str, object]:
    """Return a row as it is answered."""
    names = ("id", "action", "actor", "way", "origin", "item", "group", "group_uuid")
    return {"at": moment(row.at)} | {
        name: getattr(row, name) for name in (*names, "before", "after", "detail")
    }
