"""What became of a mail: the same as the command ``trace``, for administrators."""

from __future__ import annotations

from starlette.responses import Response

from groupmilter.moderation.tracing import Traced, traced
from groupmilter.panel.routes import Admits, get
from groupmilter.panel.screens.held import STATES
from groupmilter.panel.visit import Visit

_LONGEST = 500


def show(visit: Visit) -> Response:
    """Show the form, and what was found."""
    what = visit.asked("what")[:_LONGEST]
    found = _found(visit, what) if what else ()
    return visit.page("screens/trace.html", {"what": what, "found": found, "states": STATES})


def _found(visit: Visit, what: str) -> tuple[Traced, ...]:
    """Return what the visitor may see of it: what he administers, and all of it for who administers everything."""
    parts, person = visit.parts, visit.me.person
    found = traced(parts.ledger, what)
    with parts.lookups.snapshot() as directory:
        if parts.roles(person, directory).administers_everything:
            return found
        return tuple(one for one in found if parts.decisions.may(person, one.item, directory))


ROUTES = (get("/trace", show, Admits.ADMINISTRATOR),)
