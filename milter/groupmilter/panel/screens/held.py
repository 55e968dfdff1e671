"""Held messages: what waits for whom, in pages, and deciding about several at once after a page that asks.

Only what somebody may decide is listed for him: rights are asked of the mirror, once for each group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from groupmilter.language.catalogue import marked
from groupmilter.moderation.item import Event, Item, State
from groupmilter.moderation.overview import Scope, Wanted
from groupmilter.moderation.rows import Changed
from groupmilter.moderation.transitions import WAITING
from groupmilter.panel.paging import Pager, pager
from groupmilter.panel.routes import get, post
from groupmilter.panel.visit import Visit

DECIDED = frozenset({State.APPROVED, State.RELEASED, State.REJECTED, State.EXPIRED, State.REPORTED})
EVENTS = {"approve": Event.APPROVE, "reject": Event.REJECT}
LONGEST_REASON = 2_000
_AT_ONCE = 200

STATES = {
    State.HELD: (marked("Waits"), "warn"),
    State.SHUNTED: (marked("Put aside"), "bad"),
    State.APPROVED: (marked("Approved"), "good"),
    State.RELEASED: (marked("Delivered"), "good"),
    State.REJECTED: (marked("Rejected"), "bad"),
    State.EXPIRED: (marked("Expired"), ""),
    State.REPORTED: (marked("Not deliverable"), "bad"),
}
"""How a state is called, and in which colour."""

REASONS = (
    marked("This message isn't for this group."),
    marked("Please send it again with a clearer subject, or without the attachment."),
    marked("This is already known to the group."),
    marked("Please write to the owners of the group first."),
)
"""Reasons that a moderator needs often."""

TOO_LONG = marked("The reason is too long: 2,000 characters at most.")


@dataclass(frozen=True, slots=True)
class _List:
    """What a list shows."""

    items: Sequence[Item]
    pager: Pager
    groups: Mapping[str, int]


def scopes(visit: Visit, states: frozenset[State]) -> tuple[Scope, ...]:
    """Return the pairs of group and deciders about whose messages the visitor may decide."""
    parts, person = visit.parts, visit.me.person
    known = parts.ledger.overview.scopes(states)
    with parts.lookups.snapshot() as directory:
        return tuple(scope for scope, item in known if parts.decisions.may(person, item, directory))


def show(visit: Visit) -> Response:
    """Show what waits, or what was decided."""
    decided = visit.asked("state") == "decided"
    states = DECIDED if decided else WAITING
    content = {"decided": decided, "group": visit.asked("group"), "states": STATES, "now": visit.parts.now()}
    return visit.page("screens/held.html", {**content, "list": _listed(visit, states, oldest=not decided)})


def _listed(visit: Visit, states: frozenset[State], *, oldest: bool) -> _List:
    mine = scopes(visit, states)
    overview = visit.parts.ledger.overview
    wanted = Wanted(states, mine, visit.asked("group"))
    counts = overview.by_group(Wanted(states, mine))
    total = counts.get(wanted.group, 0) if wanted.group else sum(counts.values())
    page = pager(visit.number("page", 1), total)
    items = overview.page(wanted, first=page.first, limit=page.size, oldest=oldest)
    return _List(items, page, counts)


def decide(visit: Visit) -> Response:
    """Ask about several messages, and decide once that is confirmed."""
    event = EVENTS.get(visit.form["decision"])
    items = _chosen(visit)
    if event is None or not items:
        return visit.to("/held", "no-message-chosen")
    reason = reason_of(visit)
    wrong = {"reason": visit.t(TOO_LONG)} if len(reason) > LONGEST_REASON else {}
    if "confirmed" not in visit.form or wrong:
        content = {"items": items, "event": event.value, "reasons": REASONS, "wrong": wrong}
        return visit.page("screens/held_confirm.html", content, 422 if wrong else 200)
    comment = reason if event is Event.REJECT else ""
    results = visit.parts.decisions.decide_each(items, event, visit.me.who, comment)
    late = [result for result in results if not result.happened and not result.missing]
    if late:
        return _late(visit, results, late)
    if any(result.missing for result in results):
        return visit.to("/held", "messages-counted")
    return visit.to("/held", "messages-approved" if event is Event.APPROVE else "messages-rejected")


def _late(visit: Visit, results: Sequence[Changed], late: Sequence[Changed]) -> Response:
    """Say which messages somebody else had decided before."""
    content = {"done": len(results) - len(late), "late": [result.item for result in late], "states": STATES}
    return visit.page("screens/held_late.html", content, 409)


def reason_of(visit: Visit) -> str:
    """Return the reason as it was written, else the one that was chosen."""
    chosen = visit.form["canned"]
    canned = next((str(visit.t(each)) for each in REASONS if each == chosen), "")
    return visit.form["reason"] or canned


def _chosen(visit: Visit) -> list[Item]:
    """Return the messages that were ticked, as far as the visitor may decide about them."""
    names = dict.fromkeys(visit.form.all("item")[:_AT_ONCE])
    found = visit.parts.ledger.by_names(tuple(names))
    decisions, person = visit.parts.decisions, visit.me.person
    with visit.parts.lookups.snapshot() as directory:
        return [
            item for name in names if (item := found.get(name)) and decisions.may(person, item, directory)
        ]


ROUTES = (get("/held", show), post("/held", decide))
