"""Groupes de distribution: the list, searched, filtered, sorted, a page at a time; who may makes new ones from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from starlette.responses import Response

from groupmilter.directory.catalogue import Flag, GroupQuery, GroupRow, Scope, Sort, Window
from groupmilter.language.catalogue import marked
from groupmilter.panel.look import Look, Pager, looked
from groupmilter.panel.routes import get
from groupmilter.panel.visit import Visit

ROWS = 50
_DESCENDING = "down"

SCOPES = {
    Scope.ALL: marked("All"),
    Scope.MINE: marked("I am in"),
    Scope.OWNED: marked("I own"),
    Scope.MODERATED: marked("I moderate"),
}
FLAGS = {
    Flag.OPEN: marked("Open to the outside"),
    Flag.MODERATED: marked("Moderated"),
    Flag.OWNERLESS: marked("Nobody owns it"),
    Flag.DISABLED: marked("Refuses everything"),
    Flag.HIDDEN: marked("Hidden"),
    Flag.DYNAMIC: marked("With dynamic members"),
}
_SHOWN_TO_ALL = frozenset({Flag.OPEN, Flag.MODERATED, Flag.DISABLED, Flag.HIDDEN})
Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Line:
    """A group as the list shows it.

    :param members: None where they are hidden from the visitor. ``flags``: what he may know of it.
    """

    row: GroupRow
    members: int | None
    flags: tuple[Flag, ...]


def show(visit: Visit) -> Response:
    """Show a page of the list."""
    return visit.page("screens/groups.html", looked(visit, lambda look: _content(visit, look)))


def _content(visit: Visit, look: Look) -> Mapping[str, object]:
    query, number = _query(visit), visit.number("page", 1, most=100_000)
    page = look.lists.groups(query, Window((number - 1) * ROWS, ROWS))
    flags = FLAGS if look.roles.administers else {}
    return {
        "lines": [_line(look, row) for row in page.rows],
        "pager": Pager.at(number, page.total, ROWS),
        "query": query,
        "flag": next(iter(query.flags), "") if look.roles.administers else "",
        "scopes": SCOPES,
        "flags": flags,
        "domains": look.lists.domains(),
        "domain": next(iter(query.domains), ""),
        "words": FLAGS,
        "sorts": Sort,
        "may_create": look.roles.may_create,
        "down": _DESCENDING,
    }


def _query(visit: Visit) -> GroupQuery:
    flag = _word(Flag, visit.asked("flag"))
    return GroupQuery(
        visit.asked("q"),
        _word(Scope, visit.asked("show")) or Scope.ALL,
        frozenset(filter(None, (visit.asked("domain").lower(),))),
        flags=frozenset({flag} if flag is not None else ()),
        sort=_word(Sort, visit.asked("sort")) or Sort.NAME,
        descending=visit.asked("way") == _DESCENDING,
    )


def _word(words: type[Word], asked: str) -> Word | None:
    return words(asked) if asked in set(words) else None


def _line(look: Look, row: GroupRow) -> Line:
    group = look.directory.group(row.node)
    changes = group is not None and look.changes(group)
    seen = group is not None and look.sees_members(group)
    flags = tuple(flag for flag in FLAGS if flag in row.flags and (changes or flag in _SHOWN_TO_ALL))
    return Line(row, row.members if seen else None, flags)


ROUTES = (get("/groups", show),)
