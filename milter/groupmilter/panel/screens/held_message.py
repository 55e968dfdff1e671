"""One held message: what is known of it, what it says, who decides, and the decision.

What its sender wrote comes only as escaped text, or in a frame of no origin that loads and runs nothing, made of
HTML that is written anew (`moderation.safe_html`); the original only as a file to be saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import HTMLResponse, Response

from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.groups.reach import reachable
from groupmilter.language.catalogue import marked
from groupmilter.moderation.decision import goes, group_of
from groupmilter.moderation.entitlement import GoesNowhere
from groupmilter.moderation.facts import why_held
from groupmilter.moderation.item import Event, Item
from groupmilter.moderation.preview import Preview, preview
from groupmilter.moderation.remembering import author
from groupmilter.moderation.rows import AuditRow, Posted
from groupmilter.moderation.safe_html import document
from groupmilter.moderation.transitions import after
from groupmilter.moderation.wording import proof
from groupmilter.panel.guard import AS_A_FILE, IN_A_FRAME, WITH_A_FRAME
from groupmilter.panel.holding import permitted
from groupmilter.panel.put_aside import aside
from groupmilter.panel.remembering import Offer, not_remembered, offer
from groupmilter.panel.routes import get, post
from groupmilter.panel.screens.held import EVENTS, LONGEST_REASON, REASONS, STATES, TOO_LONG, reason_of
from groupmilter.panel.visit import Gone, Visit

_NEITHER = marked("Choose whether to approve or to reject.")


@dataclass(frozen=True, slots=True)
class _Around:
    """Who has to do with a message.

    :param offer: what the visitor may have remembered of the sender; None where nothing.
    :param goes: whether it can go anywhere.
    """

    deciders: Sequence[tuple[Person, str]]
    offer: Offer | None
    group: Group | None
    goes: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """All that is shown of one message.

    :param preview: None where its file is gone.
    """

    item: Item
    around: _Around
    preview: Preview | None
    history: Sequence[AuditRow]
    letters: Sequence[Posted]

    @property
    def open(self) -> bool:
        """Whether anybody may still decide."""
        return after(self.item.state, Event.APPROVE) is not None


def show(visit: Visit) -> Response:
    """Show a message."""
    return _page(visit, _item(visit))


def decide(visit: Visit) -> Response:
    """Approve or reject; the first decision stands."""
    item, event = _item(visit), EVENTS.get(visit.form["decision"])
    reason = reason_of(visit)
    wrong = {} if event is not None else {"decision": visit.t(_NEITHER)}
    if len(reason) > LONGEST_REASON:
        wrong["reason"] = visit.t(TOO_LONG)
    if event is None or wrong:
        return _page(visit, item, wrong, status=422)
    try:
        changed = visit.parts.decisions.decide(
            item, event, visit.me.who, reason if event is Event.REJECT else ""
        )
    except GoesNowhere as error:
        return _page(visit, item, {"decision": visit.t(error.sentence, **error.values)}, status=422)
    if changed.missing:
        return visit.to(f"/held/{item.name}", "message-counted", changed.missing)
    if not changed.happened:
        return _page(visit, changed.item, late=True, status=409)
    wish = "allow" if event is Event.APPROVE else "block"
    if wish not in visit.form:
        return visit.to(
            f"/held/{item.name}", "message-approved" if event is Event.APPROVE else "message-rejected"
        )
    decisions, allow = visit.parts.decisions, event is Event.APPROVE
    note = not_remembered(decisions, item, visit.me.who, allow=allow)
    if note:
        return _page(visit, changed.item, note=note)
    return visit.to(f"/held/{item.name}", "sender-allowed" if event is Event.APPROVE else "sender-blocked")


def claim(visit: Visit) -> Response:
    """Tell the others that one is dealing with it."""
    item = _item(visit)
    (changed,) = visit.parts.claiming.claim((item,), visit.me.who)
    held = changed.item.claim
    if held is None:
        return _page(visit, changed.item, late=True, status=409)
    own = held.person == visit.me.person.uuid
    return visit.to(f"/held/{item.name}", "claimed" if own else "claimed-before")


def give_back(visit: Visit) -> Response:
    """Tell the others that one isn't dealing with it any more."""
    item = _item(visit)
    visit.parts.claiming.give_back((item,), visit.me.who)
    return visit.to(f"/held/{item.name}", "given-back")


def frame(visit: Visit) -> Response:
    """Show the HTML of a message, for the frame in its page."""
    seen = _seen(visit, _item(visit))
    if seen is None or not seen.html:
        raise Gone
    return HTMLResponse(document(seen.html), headers=IN_A_FRAME)


def original(visit: Visit) -> Response:
    """Give a message as it came, to be saved."""
    item = _item(visit)
    content = visit.parts.watch.message(item)
    if content is None:
        raise Gone
    name = {"content-disposition": f'attachment; filename="{item.name}.eml"', **AS_A_FILE}
    return Response(content, media_type="message/rfc822", headers=name)


def _item(visit: Visit) -> Item:
    """Return the message of the address, if the visitor may decide about it."""
    item = visit.parts.ledger.by_name(visit.asked("name"))
    if item is None:
        raise Gone
    if not permitted(visit.parts, visit.me.person, item):
        raise Gone
    return item


def _page(
    visit: Visit,
    item: Item,
    wrong: Mapping[str, object] | None = None,
    *,
    late: bool = False,
    note: str = "",
    status: int = 200,
) -> Response:
    ledger = visit.parts.ledger
    sight = Sight(
        item, _around(visit, item), _seen(visit, item), ledger.search.history(item),
        ledger.search.letters_about(item.id),
    )  # fmt: skip
    content: dict[str, object] = {
        "sight": sight,
        "item": item,
        "wrong": wrong or {},
        "late": late,
        "note": note,
    }
    content |= {"proof": proof(item.arrival), "states": STATES, "reasons": REASONS, "now": visit.parts.now()}
    content |= {"aside": aside(item, goes=sight.around.goes), "hours": visit.parts.claiming.hours}
    content |= {"why": why_held(item.terms.why), "sender": author(item) or item.arrival.author}
    response = visit.page("screens/held_message.html", content, status)
    response.headers.update(WITH_A_FRAME)
    return response


def _seen(visit: Visit, item: Item) -> Preview | None:
    content = visit.parts.watch.message(item)
    return None if content is None else preview(content)


def _around(visit: Visit, item: Item) -> _Around:
    decisions = visit.parts.decisions
    found: dict[str, tuple[Person, str]] = {}
    with visit.parts.lookups.snapshot() as directory:
        circle = decisions.circle(item, directory)
        rings = (
            ("moderator", circle.moderators),
            ("owner", circle.owners),
            ("administrator", circle.administrators),
        )
        for ring, nodes in rings:
            for person in reachable(nodes, directory):
                found.setdefault(person.uuid, (person, ring))
        owner = circle.owned_by(visit.me.person, directory) and decisions.write is not None
        remembered = offer(decisions, item) if owner else None
        return _Around(tuple(found.values()), remembered, group_of(item, directory), goes(item, directory))


ROUTES = (
    get("/held/{name}", show),
    post("/held/{name}", decide),
    post("/held/{name}/claim", claim),
    post("/held/{name}/give-back", give_back),
    get("/held/{name}/html", frame),
    get("/held/{name}/original", original),
)
