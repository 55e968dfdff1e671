"""Groups: made, looked at, changed, removed; with the version that was looked at, nobody's change is overwritten.

See `app` for what the exceptions of the services become.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Response

from groupmilter.directory.dn import normalise
from groupmilter.membership.roles import Role
from groupmilter.membership.service import Groups, Prepared, Result, Stored
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading, Writing
from groupmilter.panel.api.finding import stored
from groupmilter.panel.api.picture import picture, tag
from groupmilter.panel.api.problem import Code, Refusal, Wrong
from groupmilter.panel.api.shapes import Group, GroupPatch, NewGroup, Outcome
from groupmilter.panel.api.wishing import NO_DN, changes, overtaken, possible, remarks, wishes

router = APIRouter(tags=["groups"])
GroupPath = Annotated[
    str,
    Path(
        min_length=1,
        max_length=320,
        pattern=r"^[^/\x00-\x1f\x7f]+$",
        description="UUID or address of the group.",
    ),
]
IfMatch = Annotated[
    str,
    Header(
        max_length=200,
        pattern=r"^[\x21-\x7e]*$",
        description="The ETag of what was looked at: another version is answered 412, and nothing is changed.",
    ),
]
DryRun = Annotated[bool, Query(description="Whether nothing is to be written: only what would change.")]
TAGGED = {"ETag": {"description": "The version; goes into If-Match.", "schema": {"type": "string"}}}
_MADE = {"Location": {"description": "Where the group stands.", "schema": {"type": "string"}}, **TAGGED}


@router.get(
    "/groups/{group}",
    operation_id="getGroup",
    response_model=Group,
    response_model_exclude_unset=True,
    responses={200: {"headers": TAGGED}, **problems(Code.NOT_FOUND)},
)
def get(call: Reading, group: GroupPath, response: Response) -> dict[str, object]:
    """Return a group as the directory has it now, with its version in the header ETag."""
    with call.groups() as service:
        found, roles = stored(call, service, group)
        response.headers["etag"] = tag(found)
        return picture(call, service, found, roles)


@router.post(
    "/groups",
    operation_id="createGroup",
    status_code=201,
    response_model=Outcome,
    response_model_exclude_unset=True,
    responses={
        201: {"headers": _MADE},
        200: {"model": Outcome, "description": "With `dry_run`: what would be made."},
        **problems(Code.REFUSED, body=True),
    },
)
def create(call: Writing, wanted: NewGroup, response: Response, dry_run: DryRun = False) -> dict[str, object]:
    """Make a group. Without owners, you own it; without require_authentication, nobody from outside may write to it."""
    with call.groups() as service:
        if wanted.under and not normalise(wanted.under):
            raise Refusal(Code.INVALID, errors=[Wrong("under", NO_DN, written=wanted.under)])
        asked = list(wishes(wanted))
        prepared = possible(
            call, service, asked, lambda: service.prepare_new(wanted.address, asked, wanted.cn, wanted.under)
        )
        if dry_run:
            response.status_code = 200
            return _outcome(call, prepared, Result(prepared.differences), dry_run=True)
        result = service.apply(prepared)
        made = service.stored(wanted.address)
        response.headers.update({"location": f"/api/v1/groups/{made.entry.uuid}", "etag": tag(made)})
        said = _outcome(call, prepared, result, dry_run=False)
        return said | {"group": picture(call, service, made, frozenset({Role.OWNER}))}


@router.patch(
    "/groups/{group}",
    operation_id="changeGroup",
    response_model=Outcome,
    response_model_exclude_unset=True,
    responses={200: {"headers": TAGGED}, **problems(Code.NOT_FOUND, Code.REFUSED, Code.CHANGED, body=True)},
)
def change(
    call: Writing,
    group: GroupPath,
    wanted: GroupPatch,
    response: Response,
    if_match: IfMatch = "",
    dry_run: DryRun = False,
) -> dict[str, object]:
    """Change a group: only the fields that are sent. A list is what it shall be, or what comes and goes."""
    with call.groups() as service:
        found, roles = stored(call, service, group)
        asked = wanted.model_dump(exclude_unset=True)
        same(call, service, found, roles, if_match, asked)
        wished = list(wishes(wanted, wanted.address))
        prepared = possible(call, service, wished, lambda: service.prepare(found, wished))
        return written(call, service, prepared, roles, response, asked, dry_run=dry_run)


@router.delete(
    "/groups/{group}",
    operation_id="deleteGroup",
    status_code=204,
    response_class=Response,
    responses=problems(Code.NOT_FOUND, Code.REFUSED, Code.CHANGED),
)
def delete(call: Writing, group: GroupPath, if_match: IfMatch = "") -> None:
    """Remove a group. What it was stays in the audit."""
    with call.groups() as service:
        found, roles = stored(call, service, group)
        same(call, service, found, roles, if_match, {})
        version = found.entry.attributes.get("entrycsn", (b"",))[0] if if_match else b""
        if not service.delete(found, version):
            raise Refusal(Code.NOT_FOUND)


def same(
    call: Call,
    service: Groups,
    found: Stored,
    roles: frozenset[Role],
    if_match: str,
    asked: Mapping[str, object],
) -> None:
    """Refuse a call that looked at another version, with both sides (RFC 9110 section 13.1.1)."""
    if if_match and if_match.strip() not in ("*", tag(found)):
        now = picture(call, service, found, roles)
        raise Refusal(Code.CHANGED, current=now, wanted=asked, headers={"etag": tag(found)})


def written(
    call: Call, service: Groups, prepared: Prepared, roles: frozenset[Role], response: Response,
    asked: Mapping[str, object], *, dry_run: bool,
) -> dict[str, object]:  # fmt: skip
    """Make a change, or only tell it; 412 where somebody else was faster with the same value."""
    result = Result(prepared.differences) if dry_run else service.apply(prepared)
    now = service.at(prepared.group.entry.dn, prepared.group.entry.uuid)
    shown = picture(call, service, now, roles)
    if result.meanwhile is not None:
        raise overtaken(result.meanwhile, asked, shown)
    response.headers["etag"] = tag(now)
    return _outcome(call, prepared, result, dry_run=dry_run) | {"group": shown}


def _outcome(call: Call, prepared: Prepared, result: Result, *, dry_run: bool) -> dict[str, object]:
    return {"dry_run": dry_run, "changes": changes(result.differences), "remarks": remarks(prepared, call)}
