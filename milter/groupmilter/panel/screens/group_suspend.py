"""Refuse everything for a group now, and take it again: one click and a confirmation each."""

from __future__ import annotations

from starlette.responses import Response

from groupmilter.membership.vocabulary import Single
from groupmilter.panel.routes import get, post
from groupmilter.panel.saving import saved
from groupmilter.panel.sight import editing
from groupmilter.panel.visit import Visit
from groupmilter.panel.wishing import Wanted


def ask_suspend(visit: Visit) -> Response:
    """Say what it means, and ask."""
    return _ask(visit, accept=False)


def ask_resume(visit: Visit) -> Response:
    """Say what it means, and ask."""
    return _ask(visit, accept=True)


def suspend(visit: Visit) -> Response:
    """Have every message refused."""
    return _set(visit, accept=False)


def resume(visit: Visit) -> Response:
    """Have messages taken again, as the group's rules say."""
    return _set(visit, accept=True)


def _ask(visit: Visit, *, accept: bool, down: bool = False) -> Response:
    content = {**editing(visit).content, "accept": accept, "down": down}
    return visit.page("screens/group_suspend.html", content, 503 if down else 200)


def _set(visit: Visit, *, accept: bool) -> Response:
    sight = editing(visit)
    wish = Single("enabled", "yes" if accept else "no")
    outcome = saved(visit, sight, lambda _: Wanted([wish]))
    # Somebody else's is no clash here: whoever stops a group wants it stopped, whatever it was.
    if not outcome.said:
        return _ask(visit, accept=accept, down=True)
    said = {"saved": "resumed" if accept else "suspended"}
    return visit.to(sight.path, said.get(outcome.said, outcome.said))


ROUTES = (
    get("/groups/{group}/suspend", ask_suspend),
    post("/groups/{group}/suspend", suspend),
    get("/groups/{group}/resume", ask_resume),
    post("/groups/{group}/resume", resume),
)
