"""The journal: who changed or decided what, when; filtered, in pages, and as a file.

Administrators see what concerns what they administer, owners what concerns their groups.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from starlette.responses import Response

from groupmilter.membership.taking_back import ACTIONS as UNDOABLE
from groupmilter.moderation.journal import Filter
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.audience import Audience
from groupmilter.panel.changes import Changed, Reader
from groupmilter.panel.guard import AS_A_FILE
from groupmilter.panel.journal_table import MOST, as_table, cells
from groupmilter.panel.paging import pager
from groupmilter.panel.routes import get
from groupmilter.panel.visit import Gone, Visit

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Row:
    """One row as the page shows it."""

    row: AuditRow
    changed: Sequence[Changed]
    undoable: bool


def show(visit: Visit) -> Response:
    """Show a page of the journal."""
    wanted, journal = wanted_of(visit), visit.parts.ledger.journal
    page = pager(visit.number("page", 1), journal.count(wanted))
    rows = journal.page(wanted, first=page.first, limit=page.size)
    with visit.parts.lookups.snapshot() as directory:
        reader = Reader(visit.t, directory)
        read = tuple(Row(row, reader.changed(row.before, row.after), _undoable(row)) for row in rows)
    namesakes = any(wanted.namesake(each.row) and each.undoable for each in read)
    content = {"rows": read, "pager": page, "actions": journal.actions(), "export": _export_path(visit)}
    content["namesakes"] = namesakes
    return visit.page("screens/audit.html", {**content, "asked": visit.asked})


def export(visit: Visit) -> Response:
    """Give the rows of the filter as a file; a spreadsheet runs nothing of it."""
    rows = visit.parts.ledger.journal.each(wanted_of(visit), MOST)
    kind = visit.asked("format", "csv")
    if kind == "json":
        return _file(
            json.dumps([cells(row) for row in rows], ensure_ascii=False, indent=1),
            "json",
            "application/json",
        )
    if kind != "csv":
        raise Gone
    return _file(as_table(rows), "csv", "text/csv; charset=utf-8")


def wanted_of(visit: Visit) -> Filter:
    """Return the filter of the address, within what the visitor may see."""
    parts, named = visit.parts, visit.asked("group")[:_LONGEST]
    with parts.lookups.snapshot() as directory:
        may = Audience.of(visit.parts, visit.me.person, directory).filter(named)
    return replace(
        may,
        actor=visit.asked("who")[:_LONGEST],
        action=visit.asked("action")[:_LONGEST],
        since=_moment(visit, visit.asked("since")),
        until=_moment(visit, visit.asked("until"), days=1),
    )


def _moment(visit: Visit, text: str, days: int = 0) -> int:
    """Return the beginning of a day in the panel's zone; 0 for what is no day.

    :param days: added.
    """
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
        return max(0, int(datetime.combine(day, time(), visit.words.zone).timestamp()))
    except (ValueError, OverflowError, OSError):
        return 0


def _undoable(row: AuditRow) -> bool:
    return row.action in UNDOABLE and bool(row.before or row.after)


def back_to(visit: Visit) -> str:
    """Return the path of the journal with the filter that a page below it was asked with."""
    query = visit.here(page=None).partition("?")[2]
    return f"/audit?{query}" if query else "/audit"


def _export_path(visit: Visit) -> str:
    query = visit.here(page=None).partition("?")[2]
    return f"/audit/export?{query}{'&' if query else ''}format="


def _file(text: str, suffix: str, kind: str) -> Response:
    name = {"content-disposition": f'attachment; filename="journal.{suffix}"', **AS_A_FILE}
    return Response(text, media_type=kind, headers=name)


def rows_of(visit: Visit, ids: Sequence[int]) -> list[AuditRow]:
    """Return the rows with some numbers, as far as the visitor may see them."""
    rows = visit.parts.ledger.journal.those(ids)
    with visit.parts.lookups.snapshot() as directory:
        his = Audience.of(visit.parts, visit.me.person, directory).may_see(rows)
    return [row for row in rows if row.id in his]


ROUTES = (get("/audit", show), get("/audit/export", export))
