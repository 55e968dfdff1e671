"""Held mail: what waits for whom, what it is, and the decision; the first one stands.

What somebody may not decide about isn't there for him. See `app` for what the exceptions of the services become.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.language.catalogue import marked
from groupmilter.moderation.item import Event, Item, State
from groupmilter.moderation.rows import Changed
from groupmilter.moderation.transitions import WAITING
from groupmilter.moderation.wording import proof
from groupmilter.panel.api.access import Scope
from groupmilter.panel.api.answers import problems
from groupmilter.panel.api.call import Call, Deciding, Reading
from groupmilter.panel.api.desk_shapes import (
    Held,
    HeldDecided,
    HeldDecision,
    HeldDecisions,
    HeldFilter,
    HeldOutcomes,
    HeldStory,
    NamePath,
)
from groupmilter.panel.api.journal import event
from groupmilter.panel.api.moments import moment
from groupmilter.panel.api.paging import LINK, part
from groupmilter.panel.api.problem import Code, Refusal, Wrong
from groupmilter.panel.api.shapes import Page
from groupmilter.panel.guard import AS_A_FILE
from groupmilter.panel.holding import permitted, visible
from groupmilter.panel.remembering import not_remembered

router = APIRouter(tags=["held"])
DECIDED = frozenset({State.APPROVED, State.RELEASED, State.REJECTED, State.EXPIRED, State.REPORTED})
_NO_MESSAGE = marked("There is no such message, or it isn't for you.")
_EVENTS = {"approve": Event.APPROVE, "reject": Event.REJECT}
_MESSAGE = {"schema": {"type": "string", "format": "binary"}}


@router.get(
    "/held",
    operation_id="listHeld",
    response_model=Page[Held],
    responses={200: {"headers": LINK}, **problems()},
)
def listed(
    call: Reading, wanted: Annotated[HeldFilter, Query()], request: Request, response: Response
) -> dict[str, object]:
    """Return the messages about which you may decide, the one that waits longest first; or what was decided."""
    states = WAITING if wanted.state == "waiting" else DECIDED
    overview = call.parts.ledger.overview
    mine = visible(call.parts, call.person, states, wanted.claim)
    chosen = replace(mine, group=wanted.group)
    rows = overview.page(chosen, first=wanted.offset, limit=wanted.limit, oldest=wanted.state == "waiting")
    return part(request, response, wanted, overview.count(chosen), map(shape, rows))


@router.get(
    "/held/{name}", operation_id="getHeld", response_model=HeldStory, responses=problems(Code.NOT_FOUND)
)
def get(call: Reading, name: NamePath) -> dict[str, object]:
    """Return one message, with everything that happened to it."""
    item = _item(call, name)
    return shape(item) | {"history": list(map(event, call.parts.ledger.search.history(item)))}


@router.get(
    "/held/{name}/message",
    operation_id="getHeldMessage",
    response_class=Response,
    responses={200: {"content": {"message/rfc822": _MESSAGE}}, **problems(Code.NOT_FOUND)},
)
def message(call: Reading, name: NamePath) -> Response:
    """Return a message as it came, octet for octet."""
    item = _item(call, name)
    content = call.parts.watch.message(item)
    if content is None:
        raise Refusal(Code.NOT_FOUND)
    headers = {"content-disposition": f'attachment; filename="{item.name}.eml"', **AS_A_FILE}
    return Response(content, media_type="message/rfc822", headers=headers)


@router.post(
    "/held/{name}/decision",
    operation_id="decideHeld",
    response_model=HeldDecided,
    responses=problems(Code.NOT_FOUND, Code.FORBIDDEN, Code.DECIDED, body=True),
)
def decide(call: Deciding, name: NamePath, wanted: HeldDecision) -> dict[str, object]:
    """Approve or reject a message with the right that you have in the directory now, and remember its sender.

    Where somebody has decided before, 409 tells what.
    """
    if wanted.remember:
        call.require(Scope.WRITE)
    chosen = _EVENTS[wanted.decision]
    comment = wanted.reason if chosen is Event.REJECT else ""
    changed = call.parts.decisions.decide(_item(call, name), chosen, call.who, comment)
    if changed.missing:
        return _decided(changed.item) | {"approvals_missing": changed.missing}
    if not changed.happened:
        raise Refusal(Code.DECIDED, current=shape(changed.item), wanted=wanted.model_dump())
    if not wanted.remember:
        return _decided(changed.item)
    why = not_remembered(call.parts.decisions, changed.item, call.who, allow=chosen is Event.APPROVE)
    return _decided(changed.item, remembered=why is None, why=None if why is None else call.t(why))


@router.post(
    "/held/{name}/claim",
    operation_id="claimHeld",
    response_model=Held,
    responses=problems(Code.NOT_FOUND, Code.FORBIDDEN, Code.DECIDED, Code.CLAIMED),
)
def claim(call: Deciding, name: NamePath) -> dict[str, object]:
    """Tell the others that you are dealing with a message; nobody is kept from deciding by it.

    Where somebody else is dealing with it, 409 tells who; where it is decided, what.
    """
    (changed,) = call.parts.claiming.claim((_item(call, name),), call.who)
    item = changed.item
    if item.claim is not None and item.claim.person == call.person.uuid:
        return shape(item)
    raise Refusal(Code.DECIDED if item.claim is None else Code.CLAIMED, current=shape(item))


@router.delete(
    "/held/{name}/claim",
    operation_id="giveBackHeld",
    response_model=Held,
    responses=problems(Code.NOT_FOUND),
)
def give_back(call: Deciding, name: NamePath) -> dict[str, object]:
    """Give back a message with which you are dealing; with others' nothing happens."""
    (changed,) = call.parts.claiming.give_back((_item(call, name),), call.who)
    return shape(changed.item)


@router.post(
    "/held",
    operation_id="decideSeveralHeld",
    response_model=HeldOutcomes,
    responses=problems(Code.FORBIDDEN, body=True),
)
def decide_each(call: Deciding, wanted: HeldDecisions) -> dict[str, object]:
    """Approve or reject several messages, all or none of them, with the right that you have in the directory now.

    Of each is told whether your decision stands, or what somebody had decided before.
    """
    items, chosen = _items(call, wanted.names), _EVENTS[wanted.decision]
    comment = wanted.reason if chosen is Event.REJECT else ""
    results = call.parts.decisions.decide_each(items, chosen, call.who, comment)
    return {"items": [_outcome(each) for each in results]}


def _outcome(changed: Changed) -> dict[str, object]:
    missing = {"approvals_missing": changed.missing} if changed.missing else {}
    return shape(changed.item) | missing | {"happened": changed.happened}


def _items(call: Call, names: Iterable[str]) -> list[Item]:
    """Return messages about all of which the caller may decide."""
    wanted = tuple(dict.fromkeys(names))
    found, decisions = call.parts.ledger.by_names(wanted), call.parts.decisions

    def gathered(directory: Snapshot) -> list[Item]:
        return [item for item in found.values() if decisions.may(call.person, item, directory)]

    his = {item.name: item for item in call.look(gathered)}
    wrong = [Wrong("names", _NO_MESSAGE, written=name) for name in wanted if name not in his]
    if wrong:
        raise Refusal(Code.INVALID, errors=wrong)
    return [his[name] for name in wanted]


def _decided(item: Item, *, remembered: bool = False, why: str | None = None) -> dict[str, object]:
    return shape(item) | {"remembered": remembered, "not_remembered": why}


def _item(call: Call, name: str) -> Item:
    """Return a message about which the caller may decide."""
    item = call.parts.ledger.by_name(name)
    if item is None:
        raise Refusal(Code.NOT_FOUND)
    if not permitted(call.parts, call.person, item):
        raise Refusal(Code.NOT_FOUND)
    return item


def shape(item: Item) -> dict[str, object]:
    """Return a message as it is answered."""
    arrival, terms = item.arrival, item.terms
    return {
        "name": item.name,
        "state": item.state.value,
        "group": terms.group_address,
        "author": arrival.author,
        "sender": arrival.return_path,
        "proven": proof(arrival),
        "subject": arrival.subject,
        "message_id": arrival.message_id,
        "size": arrival.size,
        "why": terms.why,
        "received": moment(item.recorded),
        "expires": moment(terms.expires),
        "decided": moment(item.decided),
        "decided_by": item.decided_by,
        "way": item.way,
        "reason": item.comment,
        "note": item.note if item.state is State.SHUNTED else "",
        "claimed_by": item.claim.name if item.claim else "",
        "claimed": moment(item.claim.at if item.claim else 0),
        "approvals_needed": terms.approvals,
        "approved_by": [one.name for one in item.approved_by],
        "approvals_missing": max(0, terms.approvals - len(item.approved_by)) if item.state in WAITING else 0,
    }
