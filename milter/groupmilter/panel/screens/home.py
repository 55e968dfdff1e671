"""The way in: whoever comes without a path gets to the groups."""

from __future__ import annotations

from starlette.responses import Response

from groupmilter.panel.routes import get
from groupmilter.panel.visit import Visit


def show(visit: Visit) -> Response:
    """Send on to the list of groups."""
    return visit.to("/groups")


ROUTES = (get("/", show),)
