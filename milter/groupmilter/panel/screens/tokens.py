"""Access tokens of the visitor: made, shown this once, listed, revoked. Programs use the API with them.

Raises `LedgerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from groupmilter.language.catalogue import marked
from groupmilter.panel.api.access import AccessTokens, BadToken, Scope
from groupmilter.panel.form import is_number
from groupmilter.panel.routes import get, post
from groupmilter.panel.visit import Gone, Visit

_PAGE = "screens/tokens.html"
SCOPES = {
    Scope.READ: (marked("See"), marked("groups, members, held messages, the journal")),
    Scope.WRITE: (marked("Change"), marked("groups and members; join and leave")),
    Scope.DECIDE: (marked("Decide"), marked("about held messages and requests")),
}
"""What a token may be made for: a word, and what that is."""

_USUAL, _USUAL_DAYS = (Scope.READ.value,), "90"
_DAYS = (
    (30, marked("30 days")),
    (90, marked("90 days")),
    (365, marked("1 year")),
    (0, marked("Until it is revoked")),
)


def show(visit: Visit) -> Response:
    """Show the tokens, and the form for a new one."""
    return visit.page(_PAGE, _content(visit))


def make(visit: Visit) -> Response:
    """Make a token and show it, this once."""
    known = {scope.value: scope for scope in Scope}
    scopes = [known[word] for word in visit.form.all("scopes") if word in known]
    days = visit.form["days"]
    try:
        number = int(days) if is_number(days) else -1
        made = tokens_of(visit).make(visit.me.person, visit.form["name"], scopes, number, visit.me.who)
    except BadToken as error:
        wrong = {error.field: visit.t(error.sentence, **error.values)}
        return visit.page(_PAGE, {**_content(visit), "wrong": wrong}, 422)
    fresh = {"typed": _USUAL_DAYS, "ticked": _USUAL}
    return visit.page(
        _PAGE, {**_content(visit), **fresh, "made": made, "made_name": visit.form["name"].strip()}
    )


def revoke(visit: Visit) -> Response:
    """End one of the visitor's tokens."""
    tokens = tokens_of(visit)
    found = [row for row in tokens.of(visit.me.person.uuid) if row.name == visit.form["name"]]
    if not found:
        raise Gone
    tokens.revoke(found[0], visit.me.who)
    return visit.to("/account/tokens", "token-revoked")


def tokens_of(visit: Visit) -> AccessTokens:
    """Return the access tokens of the panel."""
    return AccessTokens(visit.parts.ledger, visit.parts.lookups, visit.parts.now)


def _content(visit: Visit) -> Mapping[str, object]:
    words = {scope.value: label for scope, (label, _) in SCOPES.items()}
    rows = tokens_of(visit).of(visit.me.person.uuid)
    return {
        "rows": rows,
        "words": words,
        "scopes": [(scope.value, label, more) for scope, (label, more) in SCOPES.items()],
        "days": _DAYS,
        "now": int(visit.parts.now()),
        "made": "",
        "typed": visit.form["days"] or _USUAL_DAYS,
        "ticked": visit.form.all("scopes") if visit.form.fields else _USUAL,
    }


ROUTES = (
    get("/account/tokens", show),
    post("/account/tokens", make),
    post("/account/tokens/revoke", revoke),
)
