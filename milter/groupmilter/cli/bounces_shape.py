"""Members whose mail fails, as JSON and on a screen. Pure but for the console."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from groupmilter.cli.held_shape import event_shape, many
from groupmilter.cli.terminal import plain, table
from groupmilter.cli.times import ago, brief, iso, local, until

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from groupmilter.moderation.bounce_book import Failed
    from groupmilter.moderation.bounced import Known
    from groupmilter.moderation.rows import AuditRow
    from groupmilter.policy.settings import Bounces

_STYLES = {"suspended": "red", "trial": "yellow", "failing": ""}
_BLAMES = {
    "permanent": "the address takes no mail",
    "temporary": "given up after days of trying",
    "message": "the message was refused, not the address",
    "forgiven": "before delivery was resumed",
}


def row_shape(row: Known) -> dict[str, object]:
    """Return a row for programs."""
    from groupmilter.moderation.bounced import told

    return told(row, iso)


def known_shape(
    row: Known, failures: Sequence[Failed], history: Sequence[AuditRow], *, outside: bool
) -> dict[str, object]:
    """Return everything about an address for programs."""
    return row_shape(row) | {
        "outside": outside,
        "failures": [
            {
                "at": iso(one.at), "sent": iso(one.sent), "group": one.group_address, "cause": one.cause,
                "status": one.status, "why": one.why, "file": one.file,
            }
            for one in failures
        ],
        "history": [event_shape(one) for one in history],
    }  # fmt: skip


def draw_list(console: Console, rows: Sequence[Known], bounces: Bounces, group: str) -> None:
    """Print the rows, and what they lead to."""
    if not rows:
        console.print(plain(f"Nothing fails{f' in {group}' if group else ''}."))
        return
    now = time.time()
    made = table("Member", "State", "Failed", "Days", "Last", "Reason", ratios=(30, 10, 7, 5, 11, 37))
    for row in rows:
        standing = row.standing
        made.add_row(
            plain(row.address),
            _state(row),
            f"{standing.messages:,}" if standing else "–",
            str(standing.days) if standing else "–",
            f"{brief(now - standing.last)} ago" if standing else "–",
            plain(_reason(row)),
        )
    console.print(made)
    stopped = sum(row.state == "suspended" for row in rows)
    days = bounces.window // 86_400
    rule = f"An outside address is suspended after failures of {bounces.suspend_after} days within {days}."
    console.print(f"{many(len(rows), 'member')}, {stopped} suspended.")
    console.print(rule if bounces.suspend else "The policy suspends nobody.", style="dim")


def _state(row: Known) -> Text:
    from rich.text import Text

    return Text("on trial" if row.state == "trial" else row.state, _STYLES[row.state])


def _reason(row: Known) -> str:
    if row.standing is None:
        return row.suspension.why if row.suspension else ""
    said = row.standing.why or row.standing.status
    return f"{said} (message refused)" if row.standing.cause == "message" else said or "–"


def draw_known(
    console: Console, row: Known, failures: Sequence[Failed], history: Sequence[AuditRow], *, outside: bool
) -> None:
    """Print everything about an address."""
    now = time.time()
    console.print(plain(f"Member   {row.address}"))
    console.print(plain(f"State    {_standing_in_words(row, now, outside=outside)}"))
    if row.standing is not None:
        console.print(plain(f"Groups   {', '.join(row.standing.groups)}"))
        console.print(
            f"Failed   {many(row.standing.messages)}; {many(row.standing.days, 'day')} against the address"
        )
    made = table("Counted", "Sent", "Group", "Status", "Reason", ratios=(16, 16, 24, 8, 36))
    for one in failures:
        reason = one.why or _BLAMES.get(one.cause, one.cause)
        if one.cause in {"message", "forgiven"}:
            reason = f"{_BLAMES[one.cause]}: {one.why}" if one.why else _BLAMES[one.cause]
        made.add_row(
            local(one.at), local(one.sent), plain(one.group_address), one.status or "–", plain(reason)
        )
    if failures:
        console.print(made)
    for event in history:
        said = f"{local(event.at)}  {event.action} by {event.actor}"
        why = event.detail.partition(": ")[2]
        console.print(plain(f"{said}: {why}" if why else said), soft_wrap=True)


def _standing_in_words(row: Known, now: float, *, outside: bool) -> str:
    suspension = row.suspension
    if suspension is None:
        return (
            "gets group mail"
            if outside
            else "gets group mail: somebody of the organisation is never suspended"
        )
    if suspension.probing:
        return f"on trial since {local(suspension.probing)}: the next failure suspends it again"
    tried = f"tried again {until(suspension.until, now)}" if suspension.until else "until it is resumed"
    return f"suspended {ago(suspension.since, now)} by {suspension.actor}, {tried}"
