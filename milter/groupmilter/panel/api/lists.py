"""Lists out of the mirror: groups, and people to name. What was changed a moment ago may come a moment later."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.directory.catalogue import GroupQuery, GroupRow, Scope, Sort, Window
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.mail.address import canonical_domain
from groupmilter.membership.roles import Roles
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Reading
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.shapes import GroupFilter, GroupLine, Page, PeopleFilter, Somebody

router = APIRouter()


@router.get(
    "/groups",
    operation_id="listGroups",
    tags=["groups"],
    response_model=Page[GroupLine],
    responses={200: {"headers": LINK}, **problems()},
)
def groups(
    call: Reading, wanted: Annotated[GroupFilter, Query()], request: Request, response: Response
) -> dict[str, object]:
    """Return the groups that you may see: searched, filtered, sorted, a part at a time."""
    query = GroupQuery(
        wanted.q,
        Scope(wanted.scope),
        frozenset(canonical_domain(domain) or domain for domain in wanted.domain),
        frozenset(wanted.flag),
        Sort(wanted.sort),
        wanted.descending,
    )
    window = Window(wanted.offset, wanted.limit)

    def gathered(directory: Snapshot) -> tuple[int, list[dict[str, object]]]:
        page, roles = call.lists(directory).groups(query, window), call.roles(directory)
        return page.total, [_line(row, directory, roles) for row in page.rows]

    total, rows = call.look(gathered)
    return part(request, response, wanted, total, rows)


def _line(row: GroupRow, directory: Snapshot, roles: Roles) -> dict[str, object]:
    """Return a group as it is answered; how many hidden members it has is for those who see them."""
    group = directory.group(row.node)
    counted = group is not None and (not group.hidden_members or roles.may_change(group))
    return {
        "id": row.uuid,
        "address": row.address,
        "name": row.name,
        "members": row.members if counted else None,
        "flags": sorted(row.flags),
    }


@router.get(
    "/people",
    operation_id="listPeople",
    tags=["people"],
    response_model=Page[Somebody],
    responses={200: {"headers": LINK}, **problems()},
)
def people(
    call: Reading, wanted: Annotated[PeopleFilter, Query()], request: Request, response: Response
) -> dict[str, object]:
    """Return persons and groups to name, the likeliest first."""
    window = Window(wanted.offset, wanted.limit)
    found = call.look(lambda directory: call.lists(directory).choices(wanted.q, window, groups=wanted.groups))
    rows = (
        {"group": row.group, "name": row.name, "address": row.address, "dn": row.dn} for row in found.rows
    )
    return part(request, response, wanted, found.total, rows)
