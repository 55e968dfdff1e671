"""Releasing an approved item, or sending a split copy on: back through the MTA, with a ticket for this content that
opens the way once.

A released message goes in one transaction, whatever the group's size: the milter expands the group as it is then. A
split copy goes in as many as the MTA needs; whom each is for is noted before the first one goes, so that whatever
interrupts them, the rest follows later and nobody is missed. Until one may have gone out, it is noted anew at each
try: the group may have changed. At least once: only a crash between the MTA's 250 and the
ledger's commit delivers twice, and then the ticket is spent already, which is logged. Raises `NotSubmitted`,
`LedgerUnavailable`, `DirectoryUnknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import Member
from groupmilter.groups.ticket import RELEASE_LOCAL_PART, Keys, Kind, seal
from groupmilter.mail.content import content_digest
from groupmilter.moderation.item import DESK, Arrival, Event, Item, ticket_again
from groupmilter.moderation.ledger import Batch, Ledger
from groupmilter.moderation.submission import Envelope, NotSubmitted, Submitter

Divide = Callable[[Arrival, bytes, tuple[str, ...]], Sequence[Sequence[Member]]]
"""Says whom each transaction of a split copy is for, from its arrival, its octets, and the addresses to leave out.

Raises `NotSubmitted` for a copy that goes to nobody (its group is gone), `DirectoryUnknown`.
"""


_PAST = "the release listener took it without asking the milter, so nobody got it"


_GOOD_FOR = 60
"""Seconds after which a ticket that was noted ahead is replaced: far less than it is good for."""


class ContentChanged(Exception):
    """What stands in the hold mailbox is not what was recorded; nobody has approved that."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A ticket that was noted before its message was read. ``noted``: when, seconds since 1970, UTC."""

    ticket: str
    noted: int


@dataclass(frozen=True, slots=True)
class Releases:
    """How items go out.

    :param clock: seconds since 1970, UTC; ``nonce``: 32 random bits.
    """

    ledger: Ledger
    submitter: Submitter
    divide: Divide
    keys: Keys
    service_domain: str
    clock: Callable[[], float]
    nonce: Callable[[], int]
    log: FilteringBoundLogger

    def ahead(self, items: Sequence[Item]) -> dict[int, Ahead]:
        """Note tickets for all items that go in one transaction, written to disk once; return them by item."""
        now = int(self.clock())
        whole = [item for item in items if item.arrival.kind not in {Kind.SPLIT, Kind.REFUSE}]
        with self.ledger.together():
            return {item.id: Ahead(self._noted(item, 0), now) for item in whole}

    def release(self, item: Item, message: bytes, ahead: Ahead | None = None) -> str:
        """Submit what of an item hasn't been accepted yet, and end it; return the queue ids that the MTA gave it.

        :param message: as it was received, without the delivery agent's lines.
        :param ahead: its ticket, where that was noted a moment ago.
        :raises ContentChanged: where it is another than was approved.
        """
        if content_digest(message).hex() != item.arrival.content:
            raise ContentChanged(f"the content of {item.name} is not what was recorded")
        waiting = [batch for batch in self._batches(item, message) if not batch.accepted]
        last = waiting[-1:]
        queue_ids = []
        for batch in waiting[:-1]:
            queue_ids.append(self._submit(item, message, batch))
            self.ledger.releases.accepted(item.id, batch.number, int(self.clock()))
        queue_ids += [self._submit(item, message, batch, self._still_good(ahead)) for batch in last]
        note, now = " ".join(queue_ids), int(self.clock())
        with self.ledger.together():
            for batch in last:
                self.ledger.releases.accepted(item.id, batch.number, now)
            self.ledger.change(item.id, Event.RELEASE, DESK, now, note=note)
        return note

    def _batches(self, item: Item, message: bytes) -> tuple[Batch, ...]:
        releases, arrival = self.ledger.releases, item.arrival
        known = releases.batches(item.id)
        if any(batch.accepted or batch.spent for batch in known):
            return known
        if arrival.kind is not Kind.SPLIT:
            return known or (Batch(item.id, 0, None, "", 0, 0),)
        divided = self.divide(arrival, message, releases.left_out(arrival.ticket))
        releases.set_batches(item.id, divided)
        return releases.batches(item.id)

    def _still_good(self, ahead: Ahead | None) -> str:
        return ahead.ticket if ahead is not None and 0 <= self.clock() - ahead.noted < _GOOD_FOR else ""

    def _noted(self, item: Item, number: int) -> str:
        """Note a ticket for the recorded content."""
        fresh = ticket_again(item.arrival, Kind.RELEASE, int(self.clock()), self.nonce())
        ticket = seal(fresh, self.keys, bytes.fromhex(item.arrival.content))
        self.ledger.releases.prepare(item.id, ticket, number)
        return ticket

    def _submit(self, item: Item, message: bytes, batch: Batch, ticket: str = "") -> str:
        if batch.spent:
            self.log.warning("may be delivered twice", item=item.name, batch=batch.number, spent=batch.spent)
            detail = f"transaction {batch.number}" if batch.number else ""
            self.ledger.note("release-again", DESK, int(self.clock()), item_id=item.id, detail=detail)
        ticket = ticket or self._noted(item, batch.number)
        envelope = Envelope(
            item.arrival.return_path,
            ((f"{RELEASE_LOCAL_PART}@{self.service_domain}", f"ORCPT=rfc822;{ticket}"),),
            item.arrival.smtputf8,
        )
        try:
            queue_id = self.submitter.submit(envelope, message)
        except NotSubmitted as failure:
            if failure.code:
                # A plain no: whatever the milter had answered before, nobody got it.
                self.ledger.releases.refused(item.id, batch.number)
            raise
        if not self.ledger.releases.was_spent(ticket):
            raise NotSubmitted(550, f"{_PAST}; it is in the hold mailbox, where Postfix put it as {queue_id}")
        return queue_id
