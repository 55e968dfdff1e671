"""Releasing an approved item: back through the MTA, with a ticket for this content that opens the way once.

The milter expands the group when it sees the ticket, as the group is then. At least once: only a crash between the
MTA's 250 and the ledger's commit delivers twice, and then the ticket is spent already, which is logged. Raises
`NotSubmitted`, `LedgerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.ticket import Keys, Kind, Ticket, seal
from groupmilter.mail.content import content_digest
from groupmilter.moderation.item import DESK, Arrival, Item
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.submission import Envelope, Submitter

RELEASE = "release"
"""Local part at the service domain to which releases are submitted."""


class ContentChanged(Exception):
    """What stands in the hold mailbox is not what was recorded; nobody has approved that."""


@dataclass(frozen=True, slots=True)
class Releases:
    """How items go out.

    :param clock: seconds since 1970, UTC; ``nonce``: 32 random bits.
    """

    ledger: Ledger
    submitter: Submitter
    keys: Keys
    service_domain: str
    clock: Callable[[], float]
    nonce: Callable[[], int]
    log: FilteringBoundLogger

    def release(self, item: Item, message: bytes) -> str:
        """Submit an item; return the queue ids that the MTA gave it.

        :param message: as it was received, without the delivery agent's lines.
        :raises ContentChanged: where it is another than was approved.
        """
        digest = content_digest(message)
        if digest.hex() != item.arrival.content:
            raise ContentChanged(f"the content of {item.name} is not what was recorded")
        return self._submit(item, message, digest)

    def _submit(self, item: Item, message: bytes, digest: bytes) -> str:
        before = next((batch.spent for batch in self.ledger.releases.batches(item.id) if batch.spent), 0)
        if before:
            self.log.warning("may be delivered twice", item=item.name, spent=before)
            self.ledger.note("release-again", DESK, int(self.clock()), item_id=item.id)
        ticket = seal(self._ticket(item.arrival), self.keys, digest)
        self.ledger.releases.prepare(item.id, ticket)
        envelope = Envelope(
            item.arrival.return_path,
            ((f"{RELEASE}@{self.service_domain}", f"ORCPT=rfc822;{ticket}"),),
            item.arrival.smtputf8,
        )
        queue_id = self.submitter.submit(envelope, message)
        self.ledger.releases.accepted(item.id, 0, int(self.clock()))
        return queue_id

    def _ticket(self, arrival: Arrival) -> Ticket:
        return Ticket(
            Kind.RELEASE,
            int(self.clock()),
            self.nonce(),
            arrival.group,
            arrival.sender,
            arrival.strength,
            arrival.smtputf8,
            arrival.reason,
        )
