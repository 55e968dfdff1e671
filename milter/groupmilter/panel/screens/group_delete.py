"""Supprimer: what is lost is said, as ``group delete`` says it, and the group's address has to be typed.

Groups of which the visitor may not know are counted among those that name this one, and not named.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup
from starlette.responses import Response

from groupmilter.directory.catalogue_details import naming
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group
from groupmilter.membership.service import NoSuchGroup
from groupmilter.moderation.pending import pending
from groupmilter.panel.labels import labels
from groupmilter.panel.look import Look, looked
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import caught_up
from groupmilter.panel.sight import Sight, sighted
from groupmilter.panel.visit import Gone, Visit

_SHOWN = 10
"""Groups, at most, that are named as naming this one."""


@dataclass(frozen=True, slots=True)
class Namers:
    """The groups that name one in their lists: some with the names of these lists, and how many there are besides."""

    shown: tuple[tuple[Group, Markup], ...]
    others: int


def show(visit: Visit) -> Response:
    """Say what is lost, and ask for the address."""
    return _page(visit, _deletable(visit))


def delete(visit: Visit) -> Response:
    """Remove the group's entry."""
    sight = _deletable(visit)
    if visit.form["address"].casefold() not in {each.casefold() for each in sight.group.addresses}:
        words = visit.t("Please type the address of the group: {address}", address=sight.group.address)
        return _page(visit, sight, {"address": words}, status=422)
    try:
        with visit.parts.changing(visit.me.person, visit.me.who) as groups:
            stored = groups.at(sight.group.dn, sight.group.uuid)
            groups.delete(stored)
    except NoSuchGroup:
        # Somebody else was faster: it is what was wanted.
        return visit.to("/groups", "deleted")
    except DirectoryUnknown:
        return _page(visit, sight, status=503, down=True)
    caught_up(visit, lambda directory: directory.group(sight.group.node) is None)
    return visit.to("/groups", "deleted")


def _deletable(visit: Visit) -> Sight:
    sight = sighted(visit)
    if not sight.administers:
        raise Gone
    return sight


def _page(
    visit: Visit,
    sight: Sight,
    wrong: dict[str, Markup] | None = None,
    status: int = 200,
    *,
    down: bool = False,
) -> Response:
    content = {
        **sight.content,
        "wrong": wrong or {},
        "down": down,
        **looked(visit, lambda look: _lost(look, visit, sight)),
    }
    waiting = pending(visit.parts.ledger, sight.group.uuid)
    return visit.page("screens/group_delete.html", {**content, "waiting": waiting}, status)


def _lost(look: Look, visit: Visit, sight: Sight) -> dict[str, object]:
    return {
        "members": sum(look.lists.member_counts(sight.group.node).values()),
        "named_by": _namers(look, visit, sight.group),
    }


def _namers(look: Look, visit: Visit, group: Group) -> Namers:
    found = groupby(naming(look.directory, group.dn), lambda each: each.node)
    fields = {node: [each.field for each in namings] for node, namings in found}
    shown: list[tuple[Group, Markup]] = []
    for node in list(fields)[:_SHOWN]:
        other = look.directory.group(node)
        if other is not None and look.lists.may_see(node):
            shown.append((other, labels(visit.t, fields[node])))
    return Namers(tuple(shown), len(fields) - len(shown))


ROUTES = (get("/groups/{group}/delete", show), post("/groups/{group}/delete", delete))
