"""How everything is, for administrators: mirror, findings in the directory, what waits, what became of a mail."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.directory.findings import Finding
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.group import Group
from groupmilter.membership.roles import Role
from groupmilter.moderation.overview import Waiting
from groupmilter.moderation.tracing import traced
from groupmilter.moderation.transitions import WAITING
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Reading
from groupmilter.panel.api.desk_shapes import FindingFilter, Found, Status, Trace, TraceQuestion
from groupmilter.panel.api.held import shape
from groupmilter.panel.api.journal import event
from groupmilter.panel.api.moments import moment
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.shapes import Page
from groupmilter.panel.holding import visible

router = APIRouter(tags=["status"])


@router.get("/status", operation_id="getStatus", response_model=Status, responses=problems())
def get(call: Reading) -> dict[str, object]:
    """Return how the mirror is, what is wrong, and how much waits, of what you administer."""
    call.require_administrator()
    counts = call.look(lambda directory: call.lists(directory).counts())
    found = Counter(each.kind.value for each in _findings(call))
    now, overview = call.parts.now(), call.parts.ledger.overview
    whole = call.look(call.roles).administers_everything
    queue = overview.queue(visible(call.parts, call.person, WAITING))
    return {
        "groups": counts.groups,
        "people": counts.people,
        "generation": counts.generation,
        "synced": moment(int(counts.synced_at)),
        "age": max(0, int(now - counts.synced_at)),
        "findings": dict(sorted(found.items())),
        "waiting": sum(each.count for each in queue),
        "queue": [
            {"group": each.group, "messages": each.count, "oldest": moment(each.oldest)} for each in queue
        ],
        "letters": _letters(overview.letters()) if whole else None,
    }


def _letters(waiting: Waiting) -> dict[str, object]:
    return {"waiting": waiting.letters, "oldest": moment(waiting.oldest), "failed": waiting.failed}


@router.get(
    "/findings",
    operation_id="listFindings",
    response_model=Page[Found],
    responses={200: {"headers": LINK}, **problems()},
)
def findings(
    call: Reading, wanted: Annotated[FindingFilter, Query()], request: Request, response: Response
) -> dict[str, object]:
    """Return what is wrong in the directory, of what you administer."""
    call.require_administrator()
    found = [each for each in _findings(call) if wanted.kind in ("", each.kind.value)]
    rows = (
        {
            "kind": each.kind.value,
            "subject": each.subject,
            "dn": each.dn,
            "text": call.t(each.sentence, **each.places),
        }
        for each in found[wanted.offset :][: wanted.limit]
    )
    return part(request, response, wanted, len(found), rows)


@router.get("/trace", operation_id="getTrace", response_model=Trace, responses=problems())
def trace(call: Reading, wanted: Annotated[TraceQuestion, Query()]) -> dict[str, object]:
    """Return what became of a mail, as the ledger tells: by Message-ID, queue id, or the name of a held message."""
    call.require_administrator()
    found = traced(call.parts.ledger, wanted.what)

    def gathered(directory: Snapshot) -> list[bool]:
        whole = call.roles(directory).administers_everything
        return [whole or call.parts.decisions.may(call.person, each.item, directory) for each in found]

    mine = [each for each, his in zip(found, call.look(gathered), strict=True) if his]
    items = [
        {
            "message": shape(each.item),
            "history": list(map(event, each.history)),
            "left_as": list(each.left_as),
        }
        for each in mine
    ]
    return {"items": items}


def _findings(call: Call) -> list[Finding]:
    """Return the findings about what the caller administers."""
    known = call.parts.watch.inventory().findings

    def gathered(directory: Snapshot) -> list[Finding]:
        roles = call.roles(directory)
        if roles.administers_everything:
            return list(known)
        groups = {each.dn: directory.by_dn(each.dn) for each in known if each.dn}
        his = {
            dn
            for dn, found in groups.items()
            if isinstance(found, Group) and Role.ADMINISTRATOR in roles.to(found)
        }
        return [each for each in known if each.dn in his]

    return call.look(gathered)
