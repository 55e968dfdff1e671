"""Whole groups as tables: out of here, and in from here, from Exchange and from Mailman 3, with a dry run.

As the commands ``group export`` and ``group import``, for groups that the caller may change, or make. See `app` for
what the exceptions of the services become.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.directory.catalogue import GroupQuery, GroupRow, Scope, Window
from groupmilter.directory.dn import normalise
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import canonical_domain
from groupmilter.membership import exporting, files
from groupmilter.membership.draft import BadFile, Drafts
from groupmilter.membership.draft import Unmapped as Lost
from groupmilter.membership.importing import Compared, Made, applied, compared
from groupmilter.membership.service import warned
from groupmilter.membership.table import decoded, table
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading, Writing
from groupmilter.panel.api.members import TABLE_BODY, Table
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.problem import Code, Refusal, Wrong, said
from groupmilter.panel.api.table_shapes import MOST, ExportFilter, ImportQuestion, TableImport
from groupmilter.panel.api.wishing import NO_DN, changes, lost_to, remark

router = APIRouter(tags=["groups"])
_CSV: dict[str, object] = {
    "schema": {},
    "example": "address,name,owners\nsales@example.org,Sales,anna@example.org\n",
}
_UNREADABLE = marked("This file can't be read: {why}")
_ROSTER = marked("A roster of Mailman needs the group that it is for, and nothing else has one.")
_MANY = marked("At most {number} groups at a time.")
_NOTHING = marked("The file has no groups.")
_ALL = Window(0, 500)


@router.get(
    "/export",
    operation_id="exportGroups",
    response_class=Response,
    responses={200: {"headers": LINK, "content": {"text/csv": _CSV}}, **problems()},
)
def export(call: Reading, wanted: Annotated[ExportFilter, Query()], request: Request) -> Response:
    """Return groups that you may change as CSV, with every setting, a part at a time; `POST /import` reads it again."""
    query = GroupQuery(wanted.q, domains=frozenset(canonical_domain(one) or one for one in wanted.domain))
    rows = call.look(lambda directory: _his(call, directory, query))
    with call.groups() as service:
        addresses = [row.address for row in rows[wanted.offset :][: wanted.limit]]
        content = list(exporting.rows(service, addresses))
    headers = {"content-disposition": 'attachment; filename="groups.csv"'}
    text = "".join(table(exporting.columns(content), content))
    response = Response(text, headers=headers, media_type="text/csv; charset=utf-8")
    part(request, response, wanted, len(rows), ())
    return response


def _his(call: Call, directory: Snapshot, query: GroupQuery) -> list[GroupRow]:
    """Return the groups that the caller may change, by name."""
    lists, roles = call.lists(directory), call.roles(directory)
    scope = Scope.ALL if roles.administers else Scope.OWNED
    query = GroupQuery(query.text, scope, query.domains)
    found: list[GroupRow] = []
    window, total = _ALL, 1
    while window.offset < total:
        page = lists.groups(query, window)
        found += page.rows
        window, total = Window(window.offset + _ALL.limit, _ALL.limit), page.total
    if roles.administers_everything:
        return found
    groups = ((row, directory.group(row.node)) for row in found)
    return [row for row, group in groups if group is not None and roles.may_change(group)]


@router.post(
    "/import",
    operation_id="importGroups",
    response_model=TableImport,
    openapi_extra=TABLE_BODY,
    responses=problems(Code.REFUSED, body=True),
)
def import_(call: Writing, asked: Annotated[ImportQuestion, Query()], body: Table) -> dict[str, object]:
    """Make and change groups as a file has them, up to 500; what can't be carried over is told, and so is what may not.

    Without `exact` nothing is taken away. A group that is refused keeps no other waiting.
    """
    drafts = _drafts(asked, body)
    with call.groups() as service:
        found = list(
            compared(service, drafts.drafts, exact=asked.exact, under=asked.under, visible=call.knows)
        )
        made = [Made(one) for one in found] if asked.dry_run else list(applied(service, found))
    lost = [*drafts.unmapped, *(each for one in found for each in one.unmapped)]
    return {
        "dry_run": asked.dry_run,
        "groups": [_group(each, call, dry_run=asked.dry_run) for each in made if each.compared.prepared],
        "unmapped": [_lost(each, call) for each in lost],
    }


def _drafts(asked: ImportQuestion, body: bytes) -> Drafts:
    """Return what the file describes; `Refusal` for one that is none, or is too large."""
    if (asked.format == files.MAILMAN) is not bool(asked.group):
        raise Refusal(Code.INVALID, errors=[Wrong("group", _ROSTER, written=asked.group)])
    if asked.under and not normalise(asked.under):
        raise Refusal(Code.INVALID, errors=[Wrong("under", NO_DN, written=asked.under)])
    try:
        drafts = files.drafts(decoded(body), asked.format, asked.group, asked.role)
    except BadFile as error:
        raise Refusal(Code.INVALID, errors=[Wrong("body", _UNREADABLE, {"why": error})]) from error
    if not drafts.drafts or len(drafts.drafts) > MOST:
        wrong = Wrong("body", _MANY, {"number": MOST}) if drafts.drafts else Wrong("body", _NOTHING)
        raise Refusal(Code.INVALID, errors=[wrong])
    return drafts


def _group(made: Made, call: Call, *, dry_run: bool) -> dict[str, object]:
    one, result = made.compared, made.result
    shown = one.differences if dry_run else result.differences if result is not None else ()
    meanwhile = result.meanwhile if result is not None else None
    overtaken = None if meanwhile is None else said(lost_to(meanwhile), call.translate, call.language)
    return {
        "address": one.draft.address,
        "new": one.prepared is not None and one.prepared.new,
        "changes": changes(shown),
        "remarks": _remarks(one, call),
        "refused": remark(made.refused, call) if made.refused is not None else None,
        "overtaken": overtaken,
    }


def _remarks(one: Compared, call: Call) -> Sequence[str]:
    return [remark(each, call) for each in warned(one.prepared)] if one.prepared is not None else ()


def _lost(each: Lost, call: Call) -> dict[str, str]:
    return {"group": each.group, "what": remark(each.place, call), "why": remark(each.reason, call)}
