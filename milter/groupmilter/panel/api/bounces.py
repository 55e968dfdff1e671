"""Members whose mail fails, for administrators: who they are, what failed, and whether they get group mail.

See `app` for what the exceptions of the services become.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.language.catalogue import marked
from groupmilter.moderation.bounce_book import Suspension
from groupmilter.moderation.bounced import Known, history, known, member, told
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.bounce_shapes import AddressPath, FailingFilter, FailingStory, Suspending
from groupmilter.panel.api.bounce_shapes import Failing as FailingMember
from groupmilter.panel.api.call import Call, Reading, Writing
from groupmilter.panel.api.journal import event
from groupmilter.panel.api.moments import moment
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.problem import Code, Refusal, Wrong
from groupmilter.panel.api.shapes import Page
from groupmilter.panel.failing import Failing, NotHis

router = APIRouter(tags=["bounces"])
_NOT_SUSPENDED = marked("This address isn't suspended.")
_SUSPENDED = marked("This address is suspended already.")
_OURS = marked("This address belongs to somebody of the organisation, who is never suspended.")
_NO_ADDRESS = marked("no mail address that every mail server takes as it is")


@router.get(
    "/bounces",
    operation_id="listBounces",
    response_model=Page[FailingMember],
    responses={200: {"headers": LINK}, **problems()},
)
def listed(
    call: Reading, wanted: Annotated[FailingFilter, Query()], request: Request, response: Response
) -> dict[str, object]:
    """Return members whose mail failed within the policy's window, the most failures first, and all suspended ones."""
    since = int(call.parts.now()) - call.parts.settings.bounces.window
    found = _failing(call).listed(since, group=wanted.group, suspended=wanted.suspended)
    rows = found[wanted.offset :][: wanted.limit]
    return part(request, response, wanted, len(found), map(_shape, rows))


@router.get(
    "/bounces/{address}",
    operation_id="getBounces",
    response_model=FailingStory,
    responses=problems(Code.NOT_FOUND),
)
def get(call: Reading, address: AddressPath) -> dict[str, object]:
    """Return what failed at a member's address, and whether it gets group mail."""
    failing, (name, _) = _failing(call), _member(call, address)
    with _concerning():
        row = failing.known(name)
    failures, happened = call.parts.ledger.bounces.failures(name), history(call.parts.ledger, name)
    his = failing.his([*(one.group_address for one in failures), *(one.group for one in happened)])
    return _shape(row) | {
        "failures": [
            {
                "at": moment(one.at), "sent": moment(one.sent), "group": one.group_address, "cause": one.cause,
                "status": one.status, "why": one.why,
            }
            for one in failures if one.group_address in his
        ],
        "history": [event(one) for one in happened if one.group in his],
    }  # fmt: skip


@router.post(
    "/bounces/{address}/resume",
    operation_id="resumeDelivery",
    response_model=FailingMember,
    responses=problems(Code.NOT_FOUND, Code.REFUSED),
)
def resume(call: Writing, address: AddressPath) -> dict[str, object]:
    """Let a suspended address get group mail again; what failed before doesn't count any more."""
    with _concerning():
        done = _failing(call).resume(address, call.who)
    if done is None:
        raise Refusal(Code.REFUSED, _NOT_SUSPENDED)
    return _shape(Known(done.address, known(call.parts.ledger.bounces, done.address).standing, None))


@router.post(
    "/bounces/{address}/suspend",
    operation_id="suspendDelivery",
    response_model=FailingMember,
    responses=problems(Code.REFUSED, body=True),
)
def suspend(call: Writing, address: AddressPath, wanted: Suspending) -> dict[str, object]:
    """Suspend delivery of all group mail to an outside address; for who administers everything."""
    call.require_administrator(whole=True)
    name, outside = _member(call, address)
    if not outside:
        raise Refusal(Code.REFUSED, _OURS)
    book = call.parts.ledger.bounces
    made = Suspension(name, int(call.parts.now()), 0, 0, call.who.name, "", wanted.reason)
    if not book.suspend(made, call.who):
        raise Refusal(Code.REFUSED, _SUSPENDED)
    return _shape(known(book, name))


def _failing(call: Call) -> Failing:
    """Return the members whose mail fails; they are the administrators' business."""
    call.require_administrator()
    return Failing(call.parts, call.person)


@contextmanager
def _concerning() -> Iterator[None]:
    """Answer what is none of the caller's business like what isn't there."""
    try:
        yield
    except NotHis:
        raise Refusal(Code.NOT_FOUND) from None


def _member(call: Call, address: str) -> tuple[str, bool]:
    found = member(call.parts.lookups.snapshot, address, call.parts.settings.own_domains)
    if found is None:
        raise Refusal(Code.INVALID, errors=[Wrong("address", _NO_ADDRESS, written=address)])
    return found


def _shape(row: Known) -> dict[str, object]:
    suspension = row.suspension
    why = {"why": suspension.why} if row.standing is None and suspension is not None else {}
    return told(row, moment) | why
