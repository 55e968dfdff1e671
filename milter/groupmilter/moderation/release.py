"""Releasing an approved item: back through the MTA, one release ticket for each transaction.

The milter expands the group when it sees the ticket, as the group is then. A group too large for one transaction is
expanded here, noted in the ledger as batches and submitted one after the other; a crash goes on with those that the
MTA hasn't answered for. At least once: only a crash between the MTA's 250 and the ledger's commit delivers twice,
and then the ticket is spent already, which is logged. Raises `NotSubmitted`, `LedgerUnavailable`, `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import Member
from groupmilter.groups.ticket import Keys, Kind, Ticket, seal
from groupmilter.mail.content import content_digest
from groupmilter.moderation.item import Arrival, Item
from groupmilter.moderation.ledger import Batch, Ledger
from groupmilter.moderation.submission import Envelope, Submitter

RELEASE = "release"
"""Local part at the service domain to which releases are submitted."""

Batches = Callable[[Item, bytes], Sequence[Sequence[Member]]]
"""Tells how an item is to be sent: nothing where one transaction does, else the receivers of each."""


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
    batches: Batches
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
        known = self.ledger.batches(item.id)
        if not known:
            planned = self.batches(item, message)
            if planned:
                self.ledger.set_batches(item.id, planned)
                known = self.ledger.batches(item.id)
        if not any(batch.members for batch in known):
            return self._submit(item, message, digest, 0, known)
        return ", ".join(
            self._submit(item, message, digest, batch.number, known) for batch in known if not batch.accepted
        )

    def _submit(self, item: Item, message: bytes, digest: bytes, number: int, known: Sequence[Batch]) -> str:
        before = next((batch for batch in known if batch.number == number and batch.spent), None)
        if before is not None:
            self.log.warning("may be delivered twice", item=item.name, batch=number, spent=before.spent)
        ticket = seal(self._ticket(item.arrival), self.keys, digest)
        self.ledger.prepare(item.id, ticket, number)
        envelope = Envelope(
            item.arrival.return_path,
            ((f"{RELEASE}@{self.service_domain}", f"ORCPT=rfc822;{ticket}"),),
            item.arrival.smtputf8,
        )
        queue_id = self.submitter.submit(envelope, message)
        self.ledger.accepted(item.id, number, int(self.clock()))
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
