"""The members of a group: listed, added, taken out, and as a table that spreadsheets open and that is read again.

See `app` for what the exceptions of the services become.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from groupmilter.directory.catalogue import Catalogue, MemberQuery, MemberRow, Window
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.language.catalogue import marked
from groupmilter.membership.draft import BadFile
from groupmilter.membership.pasted import Meant, meant
from groupmilter.membership.pasted import Outcome as Naming
from groupmilter.membership.roster import lines, named
from groupmilter.membership.service import Result
from groupmilter.membership.table import decoded
from groupmilter.membership.vocabulary import Several
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading, Writing
from groupmilter.panel.api.finding import Found as FoundGroup
from groupmilter.panel.api.finding import editing, group_in, stored
from groupmilter.panel.api.groups import TAGGED, DryRun, GroupPath, IfMatch, same, written
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.picture import tag
from groupmilter.panel.api.problem import Code, Refusal, Wrong
from groupmilter.panel.api.shapes import Imported, Member, MemberChange, MemberFilter, Outcome, Page
from groupmilter.panel.api.wishing import changes, overtaken, possible, refused, remarks

router = APIRouter(tags=["members"])
_HIDDEN = marked("Only the owners of this group see who is in it.")
_NOBODY = marked("The list names nobody.")
_MANY = marked("At most {number} at a time.")
_UNREADABLE = marked("This list can't be read: {why}")
_WHY = {
    Naming.SEVERAL: marked("Several people are called so: give the address."),
    Naming.NOBODY: marked("Nobody in the directory has this name or address."),
    Naming.UNREADABLE: marked("This is no address, and nobody is called so."),
}
_MOST = 200_000
_TABLES = ("text/csv", "text/plain", "application/json")
_ROSTER: dict[str, object] = {"schema": {}, "example": {"entries": [{"email": "ben@example.org"}]}}
_TABLE: dict[str, object] = {"schema": {}, "example": "address,name\nben@example.org,Ben\n"}


@router.get(
    "/groups/{group}/members",
    operation_id="listMembers",
    response_model=Page[Member],
    responses={200: {"headers": LINK}, **problems(Code.NOT_FOUND)},
)
def listed(
    call: Reading,
    group: GroupPath,
    wanted: Annotated[MemberFilter, Query()],
    request: Request,
    response: Response,
) -> dict[str, object]:
    """Return the direct members of a group, by name, a part at a time."""
    query, window = MemberQuery(wanted.q, wanted.kind), Window(wanted.offset, wanted.limit)

    def gathered(directory: Snapshot) -> tuple[int, list[dict[str, object]]]:
        lists, found = _visible(call, directory, group)
        page = lists.members(found.group.node, query, window)
        return page.total, [_line(lists, row) for row in page.rows]

    total, rows = call.look(gathered)
    return part(request, response, wanted, total, rows)


def _visible(call: Call, directory: Snapshot, group: str) -> tuple[Catalogue, FoundGroup]:
    """Return a group whose members the caller may see."""
    found = group_in(call, directory, group)
    if found.group.hidden_members and not found.own:
        raise Refusal(Code.FORBIDDEN, _HIDDEN)
    return call.lists(directory), found


def _line(lists: Catalogue, row: MemberRow) -> dict[str, object]:
    """Return a member as it is answered: a hidden group without its name, to whom it is hidden."""
    known = not row.group or row.node is None or lists.may_see(row.node)
    return {
        "kind": row.kind,
        "group": row.group,
        "name": row.name if known else "",
        "address": row.address if known else "",
        "written": row.written if known else "",
        "named": row.named,
        "reason": row.reason,
    }


@router.post(
    "/groups/{group}/members",
    operation_id="changeMembers",
    response_model=Outcome,
    response_model_exclude_unset=True,
    responses={200: {"headers": TAGGED}, **problems(Code.NOT_FOUND, Code.REFUSED, Code.CHANGED, body=True)},
)
def change(
    call: Writing, group: GroupPath, wanted: MemberChange, response: Response, if_match: IfMatch = "",
    dry_run: DryRun = False,
) -> dict[str, object]:  # fmt: skip
    """Add people to a group and take people out; who is in it already stays so, thus it may be repeated."""
    with call.groups() as service:
        found, roles = stored(call, service, group)
        asked = wanted.model_dump(exclude_unset=True)
        same(call, service, found, roles, if_match, asked)
        wish = Several("members", tuple(wanted.add), tuple(wanted.remove))
        prepared = possible(call, service, [wish], lambda: service.prepare(found, [wish]))
        return written(call, service, prepared, roles, response, asked, dry_run=dry_run)


@router.get(
    "/groups/{group}/members/export",
    operation_id="exportMembers",
    response_class=Response,
    responses={200: {"content": {"text/csv": _TABLE}}, **problems(Code.NOT_FOUND)},
)
def export(call: Reading, group: GroupPath) -> Response:
    """Return all direct members as CSV: no cell of it is ever taken for a formula."""
    text = "".join(call.look(lambda directory: list(lines(_rows(call, directory, group)))))
    headers = {"content-disposition": 'attachment; filename="members.csv"'}
    return Response(text, headers=headers, media_type="text/csv; charset=utf-8")


def _rows(call: Call, directory: Snapshot, group: str) -> Iterator[dict[str, str]]:
    lists, found = _visible(call, directory, group)
    for row in lists.all_members(found.group.node):
        line = _line(lists, row)
        address = str(line["address"] or line["written"])
        if address:
            yield {"address": address, "name": str(line["name"]), "kind": row.kind.value}


async def _body(request: Request) -> bytes:
    """Return what was sent, of a type that holds a table."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TABLES:
        raise Refusal(Code.MEDIA)
    return await request.body()


Table = Annotated[bytes, Depends(_body)]
TABLE_BODY = {
    "requestBody": {"required": True, "content": {**dict.fromkeys(_TABLES[:2], _TABLE), _TABLES[2]: _ROSTER}}
}
Exact = Annotated[
    bool, Query(description="Whether everybody else leaves the group; not while something is unclear.")
]


@router.post(
    "/groups/{group}/members/import",
    operation_id="importMembers",
    response_model=Imported,
    openapi_extra=TABLE_BODY,
    responses={200: {"headers": TAGGED}, **problems(Code.NOT_FOUND, Code.REFUSED, Code.CHANGED, body=True)},
)
def import_(
    call: Writing, group: GroupPath, body: Table, response: Response, if_match: IfMatch = "", exact: Exact = False,
    dry_run: DryRun = False,
) -> dict[str, object]:  # fmt: skip
    """Add everybody whom a list names: CSV with a column of addresses, a roster of Mailman, or addresses line by line.

    What isn't clear is left out and told, and then nobody is taken out of the group.
    """
    with call.groups() as service:
        found, roles = editing(call, service, group)
        same(call, service, found, roles, if_match, {})
        wanted = _named(body, found.address)
        people = meant(service.book, service.rules.own_domains, wanted, visible=call.knows)
        unclear = [each for each in people if not each.settled]
        values = tuple(each.value for each in people if each.settled)
        prepared, wrong = service.prepare(found, [Several("members", values, exact=exact and not unclear)])
        if wrong:
            raise refused(wrong, call)
        result = Result(prepared.differences) if dry_run else service.apply(prepared)
        if result.meanwhile is not None:
            raise overtaken(result.meanwhile, {}, {})
        response.headers["etag"] = tag(service.at(found.entry.dn, found.entry.uuid))
        return {
            "dry_run": dry_run,
            "changes": changes(result.differences),
            "remarks": remarks(prepared, call),
            "unclear": [_unclear(each, call) for each in unclear],
        }


def _named(body: bytes, group: str) -> tuple[str, ...]:
    try:
        wanted = named(decoded(body), group)
    except BadFile as error:
        raise Refusal(Code.INVALID, errors=[Wrong("body", _UNREADABLE, {"why": error})]) from error
    if not wanted or len(wanted) > _MOST:
        wrong = Wrong("body", _MANY, {"number": _MOST}) if wanted else Wrong("body", _NOBODY)
        raise Refusal(Code.INVALID, errors=[wrong])
    return wanted


def _unclear(each: Meant, call: Call) -> dict[str, str]:
    return {"written": each.written[:500], "why": call.t(_WHY[each.outcome])}
