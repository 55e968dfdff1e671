"""What waits for one group and stays behind when that is deleted, to be told before. Raises `LedgerUnavailable`."""

from __future__ import annotations

from dataclasses import dataclass

from groupmilter.groups.ticket import digest
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.request import OPEN


@dataclass(frozen=True, slots=True)
class Pending:
    """How much waits: held messages, and open requests to join or leave."""

    messages: int
    requests: int


def pending(ledger: Ledger, uuid: str) -> Pending:
    """Return what waits for the group whose entry has a UUID."""
    return Pending(ledger.waiting().groups.get(digest(uuid), 0), ledger.requests.count(OPEN, group=uuid))
