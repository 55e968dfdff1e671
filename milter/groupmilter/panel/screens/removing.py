"""Taking members out: those of the group's own list leave it, those of a rule are excluded from it.

Many at once, and whoever comes by a rule, are shown again before it is done. Raises as `membership.service` does.
"""

from __future__ import annotations

from starlette.responses import Response

from groupmilter.groups.group import Group
from groupmilter.groups.person import Person
from groupmilter.membership.vocabulary import Several
from groupmilter.panel.look import Look, looked
from groupmilter.panel.routes import post
from groupmilter.panel.saving import settled, writing
from groupmilter.panel.screens.adding import Candidate
from groupmilter.panel.screens.members import around, content
from groupmilter.panel.visit import Gone, Visit

_FEW = 5
"""So many are taken out without being shown again."""


def remove(visit: Visit) -> Response:
    """Take members out of a group, or ask first."""
    listed, ruled = visit.form.all("who"), visit.form.all("rule")
    if not listed and not ruled:
        why = visit.t("Tick those who are to be taken out.")
        return visit.page("screens/members.html", {**content(visit), "wrong": {"who": why}}, 422)
    if "confirmed" not in visit.form and (ruled or len(listed) > _FEW):
        return visit.page("screens/members_remove.html", looked(visit, lambda look: _asked(visit, look)))
    group = looked(visit, lambda look: look.group(visit.asked("group")))
    with writing(visit) as groups:
        stored = groups.at(group.dn, group.uuid)
        wishes = [Several("members", remove=listed), Several("excluded", add=ruled)]
        prepared, problems = groups.prepare(stored, [wish for wish in wishes if wish.add or wish.remove])
        if problems:
            raise problems[0]
        result = groups.apply(prepared)
    if result.differences:
        settled(visit, group)
    return visit.to(f"/groups/{group.uuid}/members?removed={len(listed) + len(ruled)}")


def _asked(visit: Visit, look: Look) -> dict[str, object]:
    group = look.group(visit.asked("group"))
    if not look.changes(group):
        raise Gone
    listed = [(value, _known(look, value)) for value in visit.form.all("who")]
    ruled = [(value, _known(look, value)) for value in visit.form.all("rule")]
    return {**around(look, group), "listed": listed, "ruled": ruled}


def _known(look: Look, value: str) -> Candidate:
    """Return what a value that was sent is called; of a hidden group no more than was sent."""
    found = look.directory.by_dn(value) if "=" in value else None
    if isinstance(found, Group) and not look.roles.knows_of(found):
        return Candidate(value, "", value, group=True)
    return candidate(look, value)


def candidate(look: Look, value: str) -> Candidate:
    """Return what a value of the list is called: the entry at a DN, else the value itself."""
    found = look.directory.by_dn(value) if "=" in value else None
    if isinstance(found, Person | Group):
        return Candidate(value, found.name, found.address, isinstance(found, Group))
    return Candidate(value, "", value, group=False)


ROUTES = (post("/groups/{group}/members/remove", remove),)
