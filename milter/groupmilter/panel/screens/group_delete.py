"""Supprimer: what is lost is said, and the group's address has to be typed."""

from __future__ import annotations

from markupsafe import Markup
from starlette.responses import Response

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.membership.service import NoSuchGroup
from groupmilter.panel.look import looked
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import caught_up
from groupmilter.panel.sight import Sight, sighted
from groupmilter.panel.visit import Gone, Visit


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
    content = {**sight.content, "wrong": wrong or {}, "down": down, "members": _members(visit, sight)}
    return visit.page("screens/group_delete.html", content, status)


def _members(visit: Visit, sight: Sight) -> int:
    return looked(visit, lambda look: sum(look.lists.member_counts(sight.group.node).values()))


ROUTES = (get("/groups/{group}/delete", show), post("/groups/{group}/delete", delete))
