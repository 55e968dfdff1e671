"""Looking somebody up: names offered while one types, and a page to search and choose from that needs no script.

Groups that the visitor may not see are never among them. The page leads back to the one that it was opened from, with
what was chosen in that page's address; nothing is changed here.
"""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from groupmilter.directory.catalogue import Choice, Window
from groupmilter.panel.login import onward
from groupmilter.panel.look import looked
from groupmilter.panel.routes import get
from groupmilter.panel.visit import Visit

_OFFERED = Window(limit=10)
_SHOWN = Window(limit=50)
_SHORTEST = 2
_OPTIONS = "options"


def show(visit: Visit) -> Response:
    """Answer options for a field, or the page."""
    if visit.asked("form") == _OPTIONS:
        text = visit.asked(visit.asked("field") or "q")
        found = _found(visit, text, _OFFERED)
        return visit.page("screens/pick_options.html", {"choices": found})
    text = visit.asked("q")
    content = {
        "query": text,
        "choices": _found(visit, text, _SHOWN),
        "field": visit.asked("field") or "members.add",
        "back": onward(visit.asked("to") or "/groups"),
        "most": _SHOWN.limit,
        "short": 0 < len(text) < _SHORTEST,
    }
    return visit.page("screens/pick.html", content)


def _found(visit: Visit, text: str, window: Window) -> tuple[Choice, ...]:
    if len(text) < _SHORTEST:
        return ()
    return looked(visit, lambda look: look.lists.choices(text, window)).rows


def leading(field: str, back: str) -> str:
    """Return the path of the page for a field of another page."""
    return f"/pick?{urlencode({'field': field, 'to': back})}"


ROUTES = (get("/pick", show),)
