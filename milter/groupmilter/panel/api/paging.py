"""Parts of lists: as they are answered, and the links to the parts around them (RFC 8288)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from groupmilter.panel.api.shapes import Window

LINK = {
    "Link": {"description": "The parts before (`prev`) and after (`next`).", "schema": {"type": "string"}}
}


def part(
    request: Request, response: Response, window: Window, total: int, rows: Iterable[object]
) -> dict[str, object]:
    """Return part of a list; its links go into the answer's header.

    :param total: how many the whole list has.
    """
    places = {}
    if window.offset > 0:
        places["prev"] = max(0, window.offset - window.limit)
    if window.offset + window.limit < total:
        places["next"] = window.offset + window.limit
    links = (f'<{_path(request, window, offset)}>; rel="{name}"' for name, offset in places.items())
    if places:
        response.headers["link"] = ", ".join(links)
    return {"items": list(rows), "total": total, "offset": window.offset, "limit": window.limit}


def _path(request: Request, window: Window, offset: int) -> str:
    query = [pair for pair in request.query_params.multi_items() if pair[0] not in ("offset", "limit")]
    return f"{request.url.path}?{urlencode([*query, ('offset', offset), ('limit', window.limit)])}"
