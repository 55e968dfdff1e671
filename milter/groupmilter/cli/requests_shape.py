"""Requests as JSON, and the words that every ``requests`` command uses for them. Pure but for the ledger's question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from groupmilter.cli.exits import Exit
from groupmilter.cli.failures import CommandFailed
from groupmilter.cli.times import iso, local
from groupmilter.moderation.request import Stage

if TYPE_CHECKING:
    from groupmilter.moderation.ledger import Ledger
    from groupmilter.moderation.request import Request

STYLES = {
    "unconfirmed": "dim", "waiting": "yellow", "accepted": "cyan", "done": "green", "rejected": "red",
    "withdrawn": "dim", "expired": "magenta", "refused": "red", "failed": "bold red",
}  # fmt: skip
_SHOWN = 5
_WAYS = {"mail": ", by mail", "link": ", by link", "command": ", by command", "panel": ", in the panel"}
_PAST = {Stage.REJECTED: "declined", Stage.WITHDRAWN: "withdrawn", Stage.EXPIRED: "expired"}


def shape(request: Request) -> dict[str, object]:
    """Return a request for programs."""
    return {
        "name": request.name,
        "stage": request.stage.value,
        "kind": request.kind.value,
        "group": request.group_address,
        "address": request.address,
        "person": request.person_name,
        "outsider": not request.person_uuid,
        "reason": request.reason,
        "way": request.way,
        "asked": iso(request.asked),
        "expires": iso(request.expires),
        "reminded": iso(request.reminded),
        "decided": iso(request.decided),
        "decided_by": request.decided_by,
        "decided_way": request.decided_way,
        "comment": request.comment,
        "attempts": request.attempts,
        "next_attempt": iso(request.next_attempt),
        "finished": iso(request.finished),
        "note": request.note,
    }


def wish(request: Request) -> str:
    """Return who wants what, in a few words."""
    return f"{request.who} to {request.kind.value} {request.group_address}"


def decided(request: Request) -> str:
    """Return in words what became of a request, by whom, when and how."""
    what = _PAST.get(request.stage, "accepted")
    by = f" by {request.decided_by}" if request.decided_by else ""
    return f"{what}{by} on {local(request.decided)}{_WAYS.get(request.decided_way, '')}"


def request_named(ledger: Ledger, written: str) -> Request:
    """Return the request whose name, or the only one whose name begins so; `CommandFailed` for none or several."""
    found = ledger.requests.named(written, limit=_SHOWN + 1) if written else ()
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandFailed(Exit.FINDING, f"{written}: no request has this name")
    names = ", ".join(request.name for request in found[:_SHOWN])
    more = " and others" if len(found) > _SHOWN else ""
    raise CommandFailed(Exit.FINDING, f"{written}: several names begin so: {names}{more}")
