"""Requests to join and leave: those that the visitor may decide about, and his own with what became of them.

A decision is checked against the directory as it is then; the first one stands. Raises `LedgerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from groupmilter.enrolment.place import group_of
from groupmilter.enrolment.wording import STAGES
from groupmilter.moderation.request import OPEN, Request, Stage, Turned
from groupmilter.panel.login import onward
from groupmilter.panel.look import Look, looked
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import settled
from groupmilter.panel.visit import Gone, Visit

_SHOWN = 100
_LATELY = 20
_LONGEST = 1000
_DECISIONS = {"accept": True, "reject": False}


@dataclass(frozen=True, slots=True)
class Asking:
    """A request as a page shows it.

    :param group: UUID of its group, where the visitor may look at it; else empty. ``called``: the group's name.
    """

    request: Request
    called: str
    group: str = ""

    @property
    def state(self) -> str:
        """A word of the catalogue for where it stands."""
        return STAGES[self.request.stage]


def show(visit: Visit) -> Response:
    """Show what waits for the visitor, and what he waits for."""
    return visit.page("screens/requests.html", _content(visit))


def _content(visit: Visit) -> Mapping[str, object]:
    service, person = visit.parts.requests, visit.me.person
    waiting = service.pending(person)
    own = service.of(person, frozenset(Stage))
    lately = sorted((one for one in own if one.stage not in OPEN), key=lambda one: -one.id)[:_LATELY]
    return {
        "waiting": askings(visit, waiting[:_SHOWN]),
        "in_all": len(waiting),
        "open": askings(visit, [one for one in own if one.stage in OPEN]),
        "lately": askings(visit, lately),
        "refused": visit.form["request"],
    }


def askings(visit: Visit, requests: tuple[Request, ...] | list[Request]) -> list[Asking]:
    """Return requests with the names of their groups."""
    return looked(visit, lambda look: [_asking(look, one) for one in requests]) if requests else []


def _asking(look: Look, request: Request) -> Asking:
    group = group_of(request, look.directory)
    if group is None:
        return Asking(request, request.group_address)
    # Who asked knows of it; a hidden group is looked at by those who are in it or decide.
    shown = group.uuid if look.lists.may_see(group.node) else ""
    return Asking(request, group.name or group.address, shown)


def decide(visit: Visit) -> Response:
    """Accept or reject a request of somebody else."""
    request = _request(visit)
    back = onward(visit.form["back"] or "/requests")
    if not visit.parts.requests.may(visit.me.person, request):
        raise Gone
    accept, comment = _DECISIONS.get(visit.form["decision"]), visit.form["comment"]
    wrong = {}
    if accept is None:
        wrong[f"decision-{request.name}"] = visit.t("Choose one of the two.")
    if len(comment) > _LONGEST:
        wrong[f"comment-{request.name}"] = visit.t("1,000 characters at most.")
    if accept is None or wrong:
        return visit.page("screens/requests.html", {**_content(visit), "wrong": wrong}, 422)
    group = looked(visit, lambda look: group_of(request, look.directory))
    turned = visit.parts.requests.decide(request, accept, visit.me.who, comment)
    if group is not None and turned.happened and turned.request.stage is Stage.DONE:
        settled(visit, group)
    return visit.to(back, said(turned))


_BEFORE = {
    Stage.DONE: "accepted-before",
    Stage.ACCEPTED: "accepted-before",
    Stage.REJECTED: "rejected-before",
}


def said(turned: Turned) -> str:
    """Return what to say of a decision."""
    if not turned.happened:
        return _BEFORE.get(turned.request.stage, "request-before")
    known = {Stage.DONE: "request-done", Stage.REJECTED: "request-rejected", Stage.FAILED: "request-failed"}
    return known.get(turned.request.stage, "request-soon")


def withdraw(visit: Visit) -> Response:
    """Take one's own request back."""
    request = _request(visit)
    if request.person_uuid != visit.me.person.uuid:
        raise Gone
    turned = visit.parts.requests.withdraw(request, visit.me.who)
    return visit.to(
        onward(visit.form["back"] or "/requests"), "withdrawn" if turned.happened else "request-before"
    )


def _request(visit: Visit) -> Request:
    found = visit.parts.ledger.requests.named(visit.asked("request"))
    if len(found) != 1 or found[0].name != visit.asked("request"):
        raise Gone
    return found[0]


ROUTES = (
    get("/requests", show),
    post("/requests/{request}", decide),
    post("/requests/{request}/withdraw", withdraw),
)
