"""My account: who I am to the panel, in which language it speaks, and where I am logged in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from groupmilter.moderation.session_book import SessionRow
from groupmilter.panel.language import NAMES
from groupmilter.panel.routes import get
from groupmilter.panel.visit import Visit


@dataclass(frozen=True, slots=True)
class _Login:
    """One place where somebody is logged in.

    :param here: whether it is this browser.
    """

    row: SessionRow
    here: bool


def show(visit: Visit) -> Response:
    """Show the visitor's account."""
    parts, person = visit.parts, visit.me.person
    with parts.lookups.snapshot() as directory:
        roles = parts.roles(person, directory)
    content = {
        "roles": roles,
        "logins": _logins(visit),
        "languages": NAMES,
        "now": parts.now(),
        "tokens": len(parts.ledger.access_tokens.of(person.uuid)),
    }
    return visit.page("screens/account.html", content)


def _logins(visit: Visit) -> Sequence[_Login]:
    """Return where the visitor is logged in now, this browser first."""
    now = int(visit.parts.now())
    rows = visit.parts.ledger.sessions.of(visit.me.person.uuid)
    idle = visit.parts.door.sessions.idle
    found = [
        _Login(row, row.csrf == visit.me.csrf) for row in rows if row.until > now and row.seen > now - idle
    ]
    return sorted(found, key=lambda login: not login.here)


ROUTES = (get("/account", show),)
