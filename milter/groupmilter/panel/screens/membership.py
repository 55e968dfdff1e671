"""Approbation d'appartenance: who may join and leave by himself, and the requests that wait for an owner."""

from __future__ import annotations

from collections.abc import Mapping

from groupmilter.panel.group_form import GroupForm
from groupmilter.panel.screens.requests import askings
from groupmilter.panel.sight import Sight
from groupmilter.panel.visit import Visit
from groupmilter.panel.wishing import Fields


def _more(visit: Visit, sight: Sight) -> Mapping[str, object]:
    """Return what the tab shows beside the form."""
    waiting = visit.parts.requests.pending(visit.me.person, sight.group.uuid)
    return {"waiting": askings(visit, waiting)}


FORM = GroupForm(
    "membership",
    "membership.html",
    Fields(singles=("join_policy", "leave_policy"), ticks=("join_outsiders",)),
    _more,
)
ROUTES = FORM.routes
