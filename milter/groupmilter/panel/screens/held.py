"""Held messages: what waits for whom, in pages, and deciding about several at once after a page that asks.

Only what somebody may decide is listed for him (`holding`); before anything is decided the directory is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from starlette.responses import Response

from groupmilter.language.catalogue import marked
from groupmilter.moderation.item import Event, Item, State
from groupmilter.moderation.rows import Changed
from groupmilter.moderation.transitions import WAITING
from groupmilter.panel.holding import visible
from groupmilter.panel.paging import Pager, pager
from groupmilter.panel.routes import get, post
from groupmilter.panel.visit import Visit

DECIDED = frozenset({State.APPROVED, State.RELEASED, State.REJECTED, State.EXPIRED, State.REPORTED})
EVENTS = {"approve": Event.APPROVE, "reject": Event.REJECT}
CLAIMS = frozenset({"claim", "give-back"})
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


def show(visit: Visit) -> Response:
    """Show what waits, or what was decided."""
    decided = visit.asked("state") == "decided"
    states = DECIDED if decided else WAITING
    claim = "" if decided else visit.asked("claim")
    content = {"decided": decided, "group": visit.asked("group"), "claim": claim, "states": STATES}
    content |= {"now": visit.parts.now(), "list": _listed(visit, states, claim, oldest=not decided)}
    return visit.page("screens/held.html", content)


def _listed(visit: Visit, states: frozenset[State], claim: str, *, oldest: bool) -> _List:
    overview = visit.parts.ledger.overview
    mine = visible(visit.parts, visit.me.person, states, claim)
    wanted = replace(mine, group=visit.asked("group"))
    counts = overview.by_group(mine)
    total = counts.get(wanted.group, 0) if wanted.group else sum(counts.values())
    page = pager(visit.number("page", 1), total)
    items = overview.page(wanted, first=page.first, limit=page.size, oldest=oldest)
    return _List(items, page, {group: count for group, count in counts.items() if group})


def decide(visit: Visit) -> Response:
    """Ask about several messages, and decide once that is confirmed; claim them, or give them back, at once."""
    event = EVENTS.get(visit.form["decision"])
    items, stay = _chosen(visit, event)
    if visit.form["decision"] in CLAIMS and items:
        return _claimed(visit, items)
    if event is None or not (items or stay):
        return visit.to("/held", "no-message-chosen")
    if not items:
        return visit.to("/held", "goes-nowhere")
    reason = reason_of(visit)
    wrong = {"reason": visit.t(TOO_LONG)} if len(reason) > LONGEST_REASON else {}
    if "confirmed" not in visit.form or wrong:
        content = {"items": items, "stay": stay, "event": event.value, "reasons": REASONS, "wrong": wrong}
        return visit.page("screens/held_confirm.html", content, 422 if wrong else 200)
    comment = reason if event is Event.REJECT else ""
    results = visit.parts.decisions.decide_each(items, event, visit.me.who, comment)
    late = [result for result in results if not result.happened and not result.missing]
    if late:
        return _late(visit, results, late)
    waiting = sum(result.missing > 0 for result in results)
    if waiting:
        return visit.to("/held", "messages-counted", waiting)
    return visit.to("/held", "messages-approved" if event is Event.APPROVE else "messages-rejected")


def _claimed(visit: Visit, items: Sequence[Item]) -> Response:
    """Deal with several messages, or give them back."""
    if visit.form["decision"] == "give-back":
        visit.parts.claiming.give_back(items, visit.me.who)
        return visit.to("/held", "given-back")
    results = visit.parts.claiming.claim(items, visit.me.who)
    own = [one for one in results if one.item.claim and one.item.claim.person == visit.me.person.uuid]
    return visit.to("/held", "claimed" if len(own) == len(results) else "claimed-partly")


def _late(visit: Visit, results: Sequence[Changed], late: Sequence[Changed]) -> Response:
    """Say which messages somebody else had decided before."""
    content = {"done": len(results) - len(late), "late": [result.item for result in late], "states": STATES}
    return visit.page("screens/held_late.html", content, 409)


def reason_of(visit: Visit) -> str:
    """Return the reason as it was written, else the one that was chosen."""
    chosen = visit.form["canned"]
    canned = next((str(visit.t(each)) for each in REASONS if each == chosen), "")
    return visit.form["reason"] or canned


def _chosen(visit: Visit, event: Event | None) -> tuple[list[Item], list[Item]]:
    """Return the messages that were ticked, as far as the visitor may decide about them.

    The second list is of those that can't be approved: there is no group to which they could go.
    """
    names = dict.fromkeys(visit.form.all("item")[:_AT_ONCE])
    found = visit.parts.ledger.by_names(tuple(names))
    decisions, person = visit.parts.decisions, visit.me.person
    items: list[Item] = []
    with visit.parts.lookups.snapshot() as directory:
        for name in names:
            item = found.get(name)
            if item is not None and decisions.may(person, item, directory):
                items.append(item)
    stay = decisions.nowhere(items) if event is Event.APPROVE else ()
    return [item for item in items if item not in stay], list(stay)


ROUTES = (get("/held", show), post("/held", decide))
