"""Joining and leaving: at once, by asking the owners, or not at all; and what the owners decide.

See `app` for what the exceptions of the services become.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi import Request as HttpRequest

from groupmilter.enrolment.verdict import Answer, Applicant, Verdict
from groupmilter.enrolment.wording import refusal
from groupmilter.groups.group import Group
from groupmilter.membership.roles import Role
from groupmilter.moderation.request import Request, Stage, Wanted
from groupmilter.panel.api.answers import Responses, problems
from groupmilter.panel.api.call import Call, Deciding, Reading, Writing
from groupmilter.panel.api.desk_shapes import NamePath
from groupmilter.panel.api.finding import group as group_at
from groupmilter.panel.api.groups import GroupPath
from groupmilter.panel.api.moments import moment
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.problem import Code, Refusal
from groupmilter.panel.api.request_shapes import Asking, Offers, RequestDecision, RequestFilter, Wish
from groupmilter.panel.api.shapes import Page

router = APIRouter(tags=["requests"])
_ASKED: Responses = {
    200: {"description": "It is done."},
    202: {"model": Asking, "description": "It waits for an owner, or for the directory."},
    **problems(Code.NOT_FOUND, Code.REFUSED, body=True),
}


@router.get(
    "/groups/{group}/membership",
    operation_id="getMembership",
    response_model=Offers,
    responses=problems(Code.NOT_FOUND),
)
def offers(call: Reading, group: GroupPath) -> dict[str, object]:
    """Return whether you are in a group, and what joining and leaving would come to; nothing is asked or changed."""
    found = group_at(call, group)
    asked = {kind: _offer(call, found.group, kind) for kind in Wanted}
    return {"member": Role.MEMBER in found.roles, "join": asked[Wanted.JOIN], "leave": asked[Wanted.LEAVE]}


def _offer(call: Call, group: Group, kind: Wanted) -> dict[str, object]:
    service, person = call.parts.requests, call.person
    answer = service.look(group.address, Applicant(person.address, person), kind).answer
    if answer.verdict is Verdict.UNKNOWN:
        raise Refusal(Code.NOT_FOUND)
    open_ = (each for each in service.of(person) if each.group_uuid == group.uuid and each.kind is kind)
    waiting = next(open_, None)
    return {
        "verdict": answer.verdict.value,
        "why": _why(call, group, kind, answer) if answer.verdict is Verdict.REFUSED else None,
        "through": list(answer.through),
        "waiting": waiting.name if waiting is not None else None,
    }


def _why(call: Call, group: Group, kind: Wanted, answer: Answer) -> str:
    through = ", ".join(answer.through)
    return call.t(refusal(kind, answer), group=group.name or group.address, through=through)


@router.post("/groups/{group}/join", operation_id="joinGroup", response_model=Asking, responses=_ASKED)
def join(call: Writing, group: GroupPath, wanted: Wish, response: Response) -> dict[str, object]:
    """Join a group, or ask its owners for it, as its rules have it."""
    return _asked(call, group, Wanted.JOIN, wanted, response)


@router.post("/groups/{group}/leave", operation_id="leaveGroup", response_model=Asking, responses=_ASKED)
def leave(call: Writing, group: GroupPath, wanted: Wish, response: Response) -> dict[str, object]:
    """Leave a group, or ask its owners for it, as its rules have it."""
    return _asked(call, group, Wanted.LEAVE, wanted, response)


def _asked(call: Call, written: str, kind: Wanted, wanted: Wish, response: Response) -> dict[str, object]:
    group = group_at(call, written).group
    applicant = Applicant(call.person.address, call.person)
    asked = call.parts.requests.ask(group.address, applicant, kind, wanted.reason, call.who)
    if asked.answer.verdict is Verdict.UNKNOWN:
        raise Refusal(Code.NOT_FOUND)
    if asked.request is None:
        through = ", ".join(asked.answer.through)
        sentence = refusal(kind, asked.answer)
        raise Refusal(Code.REFUSED, sentence, group=group.name or group.address, through=through)
    if asked.request.stage is not Stage.DONE:
        response.status_code = 202
    return shape(asked.request)


@router.get(
    "/requests",
    operation_id="listRequests",
    response_model=Page[Asking],
    responses={200: {"headers": LINK}, **problems()},
)
def listed(
    call: Reading, wanted: Annotated[RequestFilter, Query()], request: HttpRequest, response: Response
) -> dict[str, object]:
    """Return the requests that wait for you, or your own, the oldest first."""
    service = call.parts.requests
    found = (
        service.of(call.person, frozenset(Stage)) if wanted.whose == "mine" else service.pending(call.person)
    )
    rows = found[wanted.offset :][: wanted.limit]
    return part(request, response, wanted, len(found), map(shape, rows))


@router.get(
    "/requests/{name}", operation_id="getRequest", response_model=Asking, responses=problems(Code.NOT_FOUND)
)
def get(call: Reading, name: NamePath) -> dict[str, object]:
    """Return a request: your own, or one that you may decide about."""
    found = _request(call, name)
    if found.person_uuid != call.person.uuid and not call.parts.requests.may(call.person, found):
        raise Refusal(Code.NOT_FOUND)
    return shape(found)


@router.post(
    "/requests/{name}/decision",
    operation_id="decideRequest",
    response_model=Asking,
    responses=problems(Code.NOT_FOUND, Code.DECIDED, body=True),
)
def decide(call: Deciding, name: NamePath, wanted: RequestDecision) -> dict[str, object]:
    """Accept or reject a request. Where somebody has decided before, 409 tells what."""
    found = _request(call, name)
    if not call.parts.requests.may(call.person, found):
        raise Refusal(Code.NOT_FOUND)
    turned = call.parts.requests.decide(found, wanted.decision == "accept", call.who, wanted.comment)
    if not turned.happened:
        raise Refusal(Code.DECIDED, current=shape(turned.request), wanted=wanted.model_dump())
    return shape(turned.request)


@router.delete(
    "/requests/{name}",
    operation_id="withdrawRequest",
    response_model=Asking,
    responses=problems(Code.NOT_FOUND, Code.DECIDED),
)
def withdraw(call: Writing, name: NamePath) -> dict[str, object]:
    """Take your own request back, as long as nobody has decided."""
    found = _request(call, name)
    if found.person_uuid != call.person.uuid:
        raise Refusal(Code.NOT_FOUND)
    turned = call.parts.requests.withdraw(found, call.who)
    if not turned.happened:
        raise Refusal(Code.DECIDED, current=shape(turned.request))
    return shape(turned.request)


def _request(call: Call, name: str) -> Request:
    found = call.parts.ledger.requests.named(name)
    if len(found) != 1 or found[0].name != name:
        raise Refusal(Code.NOT_FOUND)
    return found[0]


def shape(request: Request) -> dict[str, object]:
    """Return a request as it is answered."""
    return {
        "name": request.name,
        "kind": request.kind.value,
        "stage": request.stage.value,
        "group": request.group_address,
        "who": request.who,
        "address": request.address,
        "reason": request.reason,
        "asked": moment(request.asked),
        "expires": moment(request.expires),
        "decided": moment(request.decided),
        "decided_by": request.decided_by,
        "comment": request.comment,
    }
