"""Appartenance: who is in a group, a page at a time, out of the mirror; whoever may changes it with `adding` and below.

Members of a group that hides them are shown to its owners and administrators only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from groupmilter.directory.catalogue import MemberKind, MemberQuery, MemberRow, Page, Window
from groupmilter.directory.change import WriteRefused
from groupmilter.groups.group import Group
from groupmilter.language.catalogue import marked
from groupmilter.membership import contacts
from groupmilter.panel.look import Look, Pager, looked, offered
from groupmilter.panel.routes import get
from groupmilter.panel.saving import writing
from groupmilter.panel.screens.pick import leading
from groupmilter.panel.visit import Visit

ROWS = 50

KINDS = {
    MemberKind.PERSON: marked("Persons"),
    MemberKind.GROUP: marked("Groups"),
    MemberKind.OUTSIDER: marked("From outside"),
    MemberKind.DYNAMIC: marked("By a rule"),
    MemberKind.LEFT_OUT: marked("Get no mail"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One member as the list shows him.

    :param row: None of its content is shown where it is veiled: a hidden group that the visitor may not know of.
    """

    row: MemberRow
    veiled: bool = False
    uuid: str = ""


def show(visit: Visit) -> Response:
    """Show a page of the list."""
    return visit.page("screens/members.html", content(visit))


def content(visit: Visit) -> Mapping[str, object]:
    """Return what the page of the list shows."""
    shown = looked(visit, lambda look: _content(visit, look))
    return {**shown, "contacts": bool(shown["may_change"]) and _makes_contacts(visit)}


def _makes_contacts(visit: Visit) -> bool:
    """Tell whether external contacts can be made here; where nothing can be written, they can't."""
    try:
        with writing(visit) as groups:
            return contacts.makeable(groups)
    except WriteRefused:
        return False


def _content(visit: Visit, look: Look) -> Mapping[str, object]:
    group = look.group(visit.asked("group"))
    query, number = _query(visit), visit.number("page", 1, most=100_000)
    page: Page[MemberRow] = Page()
    counts: Mapping[MemberKind, int] = {}
    if look.sees_members(group):
        counts = look.lists.member_counts(group.node)
        known = sum(counts.values()) if query.kind is None else counts.get(query.kind, 0)
        window = Window((number - 1) * ROWS, ROWS)
        page = look.lists.members(group.node, query, window, None if query.text else known)
    return {
        **around(look, group),
        "lines": _lines(look, group, page, bool(query.text)),
        "counts": counts,
        "total": sum(counts.values()),
        "pager": Pager.at(number, page.total, ROWS),
        "query": query,
        "picking": leading("members.add", f"/groups/{group.uuid}/members"),
        "kinds": KINDS,
        "adding": "\n".join(visit.request.query_params.getlist("members.add")) or visit.form["members.add"],
        "questions": (),
        "added": visit.number("added", 0, least=0),
        "were": visit.number("were", 0, least=0),
        "removed": visit.number("removed", 0, least=0),
        "contact_names": {"name": visit.form["contact_name"], "address": visit.form["contact_address"]},
    }


def around(look: Look, group: Group) -> Mapping[str, object]:
    """Return what every page below a group's members needs."""
    return {
        "group": group,
        "may_change": look.changes(group),
        "sees": look.sees_members(group),
        "offer": offered(group, look.roles.to(group)),
    }


def _query(visit: Visit) -> MemberQuery:
    kind = visit.asked("kind")
    return MemberQuery(visit.asked("q"), MemberKind(kind) if kind in set(MemberKind) else None)


def _lines(look: Look, group: Group, page: Page[MemberRow], searched: bool) -> list[Line]:
    """Return the rows; what the visitor may not know of bears no name, and no search finds it."""
    lines, changes = [], look.changes(group)
    for row in page.rows:
        nested = look.directory.group(row.node) if row.group and row.node is not None else None
        veiled = nested is not None and not changes and not look.lists.may_see(nested.node)
        if not (veiled and searched):
            lines.append(Line(row, veiled, nested.uuid if nested is not None else ""))
    return lines


ROUTES = (get("/groups/{group}/members", show),)
