"""Ledgers for the tests of moderation, and arrivals to record in them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from tests.support.letters import untyped

from groupmilter.groups.ticket import Keys, Kind, Ticket, digest, seal
from groupmilter.moderation.item import Arrival, Item, State, Terms
from groupmilter.moderation.ledger import Ledger

KEYS = Keys({1: b"k" * 32}, 1)
NOW = 1_795_540_000
DAY = 86_400
GROUP = "sales@own.example"
PATIENCE = 150.0
"""Seconds for which tests wait for another writer, and for threads: only what hangs takes so long."""


def url(folder: Path) -> str:
    """The URL of the ledger in a folder."""
    return f"sqlite:///{folder / 'state.db'}"


def ticket(number: int = 1, kind: Kind = Kind.HOLD, group: str = "uuid-sales", sender: str = "") -> str:
    """A ticket of the text that the milter makes, another for each number."""
    made = Ticket(kind, NOW, number, digest(group), digest(sender) if sender else 0)
    return seal(made, KEYS)


def arrival(number: int = 1, **changes: object) -> Arrival:
    """An arrival held for the group ``uuid-sales``; ``changes`` win."""
    made = Arrival(
        ticket=ticket(number), content=hashlib.sha256(b"%d" % number).hexdigest(), file=f"17.{number}.host",
        kind=Kind.HOLD, group=digest("uuid-sales"), sent=NOW, return_path="client@outside.example",
        author="client@outside.example", subject=f"subject {number}", message_id=f"<{number}@outside.example>",
        queue_id=f"Q{number:07}", size=1000,
    )  # fmt: skip
    return replace(made, **untyped(changes))


TERMS = Terms(
    group_uuid="uuid-sales",
    group_address=GROUP,
    why="moderation",
    expires=NOW + 5 * DAY,
    remind=NOW + 4 * DAY,
)


def recorded(ledger: Ledger, number: int = 1, state: State = State.HELD, **changes: object) -> Item:
    """An item in a state, recorded with the terms of the group."""
    return ledger.record(arrival(number, **changes), TERMS, state, NOW).item
