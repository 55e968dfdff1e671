"""My groups: those the visitor is in and how, owns, moderates or may join; joining, leaving, and asking for it.

What becomes of a wish is the same as by mail (`enrolment`), which asks the directory's mirror and writes the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from groupmilter.directory.catalogue import GroupQuery, GroupRow, Page, Scope, Window
from groupmilter.enrolment.service import Asked
from groupmilter.enrolment.verdict import Answer, Applicant, Verdict
from groupmilter.enrolment.wording import refusal
from groupmilter.groups.group import Group
from groupmilter.groups.standing import Standing
from groupmilter.language.catalogue import marked
from groupmilter.moderation.request import Request, Stage, Wanted
from groupmilter.panel.look import Look, Pager, looked
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import settled
from groupmilter.panel.screens.requests import Asking, askings
from groupmilter.panel.visit import Gone, Visit

_ROWS = 50
_LONGEST = 1000

SCOPES = {
    Scope.MINE: marked("I am a member"),
    Scope.OWNED: marked("I am an owner"),
    Scope.MODERATED: marked("I am a moderator"),
    Scope.JOINABLE: marked("I can join"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One group of the list.

    :param standing: how the visitor is in it. ``through``: names of the groups by which he is, but hidden ones.
    :param offer: what he can do there, None for nothing; ``why``: what there is to say instead.
    :param waiting: his own request that is open.
    """

    row: GroupRow
    standing: Standing
    through: tuple[str, ...]
    offer: Wanted | None = None
    at_once: bool = False
    why: Markup | None = None
    waiting: Request | None = None


def show(visit: Visit) -> Response:
    """Show one of the lists."""
    asked = visit.asked("show")
    scope = Scope(asked) if asked in set(SCOPES) else Scope.MINE
    number, text = visit.number("page", 1, most=100_000), visit.asked("q")
    page, totals, hidden = looked(visit, lambda look: _listed(look, scope, text, number))
    waiting = visit.parts.requests.of(visit.me.person)
    content = {
        "scope": scope,
        "scopes": SCOPES,
        "totals": totals,
        "query": text,
        "pager": Pager.at(number, page.total, _ROWS),
        "entries": [_entry(visit, row, scope, waiting) for row in page.rows],
        "open": askings(visit, waiting),
        "hidden": hidden,
    }
    return visit.page("screens/mine.html", content)


def _listed(
    look: Look, scope: Scope, text: str, number: int
) -> tuple[Page[GroupRow], Mapping[Scope, int], bool]:
    page = look.lists.groups(GroupQuery(text, scope), Window((number - 1) * _ROWS, _ROWS))
    none = Window(limit=0)
    return page, {each: look.lists.groups(GroupQuery("", each), none).total for each in SCOPES}, bool(text)


def _entry(visit: Visit, row: GroupRow, scope: Scope, waiting: tuple[Request, ...]) -> Entry:
    wanted = Wanted.LEAVE if scope is Scope.MINE else Wanted.JOIN if scope is Scope.JOINABLE else None
    standing = looked(visit, lambda look: _standing(visit, look, row))
    through = tuple(each.name or each.address for each in standing.through if not each.hidden)
    open_ = next((one for one in waiting if one.group_uuid == row.uuid and one.kind is wanted), None)
    if wanted is None:
        return Entry(row, standing, through, waiting=open_)
    answer = visit.parts.requests.look(row.address, applicant(visit), wanted).answer
    offered = answer.verdict in (Verdict.AT_ONCE, Verdict.ASK)
    why = None if offered else sentence(visit, row.name or row.address, wanted, answer)
    at_once = answer.verdict is Verdict.AT_ONCE
    return Entry(row, standing, through, wanted if offered else None, at_once, why, open_)


def _standing(visit: Visit, look: Look, row: GroupRow) -> Standing:
    return look.directory.standing(row.node, visit.me.person.node, visit.me.person.addresses)


def applicant(visit: Visit) -> Applicant:
    """Return the visitor as somebody who wants to join or leave: a log-in proves who he is."""
    return Applicant(visit.me.person.address, visit.me.person)


def sentence(visit: Visit, group: str, wanted: Wanted, answer: Answer) -> Markup:
    """Return why a wish is refused."""
    if answer.verdict is Verdict.UNKNOWN:
        return visit.t("There is no such group.")
    through = Markup(", ").join(answer.through)
    return visit.t(refusal(wanted, answer), group=group, through=through)


def form(visit: Visit) -> Response:
    """Show what joining or leaving one group means, with room for a reason."""
    group, wanted = _named(visit)
    return visit.page("screens/mine_ask.html", _asking(visit, group, wanted))


def _named(visit: Visit) -> tuple[Group, Wanted]:
    wanted = visit.asked("wanted")
    if wanted not in set(Wanted):
        raise Gone
    return looked(visit, lambda look: look.group(visit.asked("group"))), Wanted(wanted)


def _asking(visit: Visit, group: Group, wanted: Wanted) -> dict[str, object]:
    answer = visit.parts.requests.look(group.address, applicant(visit), wanted).answer
    waiting = visit.parts.requests.about(visit.me.person, group.uuid, wanted)
    offered = answer.verdict in (Verdict.AT_ONCE, Verdict.ASK)
    return {
        "group": group,
        "wanted": wanted,
        "answer": answer,
        "offered": offered,
        "why": None if offered else sentence(visit, group.name or group.address, wanted, answer),
        "through": answer.through,
        "waiting": Asking(waiting, group.name, group.uuid) if waiting else None,
        "tip": group.mail_tip.get(visit.words.language) or group.mail_tip.get("", ""),
        "reason": visit.form["reason"],
    }


def ask(visit: Visit) -> Response:
    """Join, leave, or ask the owners."""
    group, wanted = _named(visit)
    reason = visit.form["reason"]
    if len(reason) > _LONGEST:
        wrong = {"reason": visit.t("1,000 characters at most.")}
        return visit.page("screens/mine_ask.html", {**_asking(visit, group, wanted), "wrong": wrong}, 422)
    asked = visit.parts.requests.ask(group.address, applicant(visit), wanted, reason, visit.me.who)
    if asked.answer.verdict in (Verdict.REFUSED, Verdict.UNKNOWN) or asked.request is None:
        return visit.page("screens/mine_ask.html", _asking(visit, group, wanted), 409)
    if asked.done:
        settled(visit, group)
    return visit.to("/mine", _said(asked, wanted))


def _said(asked: Asked, wanted: Wanted) -> str:
    if asked.request is None or asked.request.stage is Stage.FAILED:
        return "request-failed"
    if asked.done:
        return "joined" if wanted is Wanted.JOIN else "left"
    if asked.request.stage is Stage.ACCEPTED:
        return "request-soon"
    return "asked" if asked.new else "asked-before"


_PATH = "/mine/{group}/{wanted}"
ROUTES = (get("/mine", show), get(_PATH, form), post(_PATH, ask))
