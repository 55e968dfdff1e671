"""Recording what the ledger doesn't know from the hold mailbox alone: each file by its ticket, its state by its folder.

So a lost ledger heals: tickets name items, groups and senders, and tokens of letters that were sent name tickets, so
those letters still decide. What can't come back is who decided what and when. Done again it changes nothing.

A file still among the held may have been approved, even released, when the ledger was lost: it is held again, and
nobody decides in a human's place. So a release may be repeated after a rebuild; no message is ever left out. Nothing
expires within a day after it: somebody has to be asked first.

Raises `LedgerUnavailable` and `DirectoryUnknown`; a file that can't be read is told by its result and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.ticket import Keys, Kind
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.item import DESK, Arrival, Event, Item, State, Terms, Who
from groupmilter.moderation.ledger import Ledger, Outcome, Past, Recorded
from groupmilter.moderation.mailbox import Folder, HoldMailbox, Missing, folder_of
from groupmilter.moderation.terms import addressed, terms
from groupmilter.policy.settings import Settings

ORDER = (Folder.APPROVED, Folder.REJECTED, Folder.EXPIRED, Folder.SHUNTED, Folder.HELD, Folder.INBOX)
"""What has ended first: a second copy of it among the held is then known for one."""

NOTE = "recorded anew from the hold mailbox"
_OPENED = {Kind.HOLD: State.HELD, Kind.SPLIT: State.APPROVED, Kind.REFUSE: State.APPROVED}
_FILED = {
    Folder.APPROVED: State.RELEASED,
    Folder.REJECTED: State.REJECTED,
    Folder.EXPIRED: State.EXPIRED,
    Folder.SHUNTED: State.SHUNTED,
}
_CHUNK = 500
_GRACE = 24 * 3600


class Found(StrEnum):
    """What a file turned out to be; ``left``: nothing to be recorded, the desk takes it in as it comes."""

    RECORDED = "recorded"
    SHUNTED = "shunted"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """The way from the folders into the ledger.

    :param clock: seconds since 1970, UTC. ``who``: on whose behalf things are recorded.
    """

    mailbox: HoldMailbox
    ledger: Ledger
    lookups: Lookups
    keys: Keys
    settings: Settings
    clock: Callable[[], float]
    log: FilteringBoundLogger
    who: Who = DESK

    def unknown(self, folder: Folder) -> Iterator[str]:
        """Yield the names in a folder that the ledger doesn't know."""
        for names in self._chunks(folder):
            known = self.ledger.search.known_files(names)
            yield from (name for name in names if name not in known)

    def known(self, folder: Folder) -> Iterator[Item]:
        """Yield the items of the files in a folder."""
        for names in self._chunks(folder):
            yield from self.ledger.search.by_files(names).values()

    def take(self, name: str, folder: Folder) -> Found:
        """Record one file that the ledger doesn't know."""
        try:
            octets = self.mailbox.read(name)
            since = self.mailbox.time(name)
        except Missing:
            return Found.LEFT
        except OSError as error:
            self.log.error("can't read held mail", file=name, why=str(error))
            return Found.UNREADABLE
        arrival = read_arrival(octets, name, self.keys, self.settings.service_domain)
        if folder is Folder.INBOX and arrival.kind not in _OPENED:
            return Found.LEFT
        return self._record(arrival, folder, since)

    def reopen(self) -> int:
        """Take what was shunted, because no key opened its ticket, for what it says now; return how much that was.

        So a missing key, put back, loses nobody's message.
        """
        shunted = [item for item in self.ledger.search.each({State.SHUNTED}) if not item.arrival.ticket]
        return sum(self._reopened(item) for item in shunted)

    def _reopened(self, item: Item) -> bool:
        name = item.arrival.file
        try:
            octets = self.mailbox.read(name)
        except (Missing, OSError) as error:
            self.log.error("can't read held mail", file=name, why=str(error))
            return False
        arrival = read_arrival(octets, name, self.keys, self.settings.service_domain)
        meant = self._terms(arrival, arrival.sent)
        if arrival.kind not in _OPENED or not meant.group_uuid or arrival.content != item.arrival.content:
            return False
        event = Event.REOPEN if arrival.kind is Kind.HOLD else Event.APPROVE
        changed = self.ledger.reread(item, arrival, meant, event, self.who, int(self.clock()))
        if changed is None:
            return False
        with suppress(Missing):
            self.mailbox.move(name, folder_of(changed.state))
        return True

    def _record(self, arrival: Arrival, folder: Folder, since: int) -> Found:
        with self.lookups.snapshot() as directory:
            arrival = addressed(arrival, directory, self.settings.own_domains)
        came = arrival.sent or since
        meant = self._terms(arrival, came)
        state, note = _state(arrival, folder, meant)
        recorded = self._into_ledger(arrival, meant, state, note, came, since)
        if recorded.outcome is Outcome.CONFLICT:
            arrival, note = replace(arrival, ticket=""), "a ticket that was used for another message"
            state = _FILED.get(folder, State.SHUNTED)
            recorded = self._into_ledger(arrival, meant, state, note, came, since)
        item = recorded.item
        if item.arrival.file != arrival.file and not self._adopted(item, arrival.file):
            self.mailbox.remove(arrival.file)
            self.log.warning("delivered twice into the hold mailbox", item=item.name)
            return Found.DUPLICATE
        # The desk may have been faster.
        with suppress(Missing):
            self.mailbox.move(arrival.file, folder_of(item.state))
        self.log.info("recorded anew", item=item.name, group=item.terms.group_address, state=item.state.value)
        return Found.SHUNTED if state is State.SHUNTED and folder is not Folder.SHUNTED else Found.RECORDED

    def _into_ledger(
        self, arrival: Arrival, meant: Terms, state: State, note: str, came: int, since: int
    ) -> Recorded:
        finished = since if state in _ENDED else 0
        past = Past(came, finished, self.who)
        return self.ledger.record(arrival, meant, state, int(self.clock()), note, past)

    def _adopted(self, item: Item, name: str) -> bool:
        """Take a file for the item's own where that is gone; tell whether it was."""
        try:
            self.mailbox.time(item.arrival.file)
        except Missing:
            self.ledger.mark(item.id, file=name)
            return True
        return False

    def _terms(self, arrival: Arrival, came: int) -> Terms:
        with self.lookups.snapshot() as directory:
            meant = terms(arrival, directory, self.settings, came)
        now = int(self.clock())
        soonest = now + _GRACE
        if 0 < meant.expires < soonest:
            return replace(meant, expires=soonest, remind=0)
        return replace(meant, remind=0) if meant.remind <= now else meant

    def _chunks(self, folder: Folder) -> Iterator[list[str]]:
        names = iter(list(self.mailbox.names(folder)))
        while chunk := list(islice(names, _CHUNK)):
            yield chunk


_ENDED = frozenset({State.RELEASED, State.REJECTED, State.EXPIRED, State.REPORTED})


def _state(arrival: Arrival, folder: Folder, meant: Terms) -> tuple[State, str]:
    """Return in which state an item is recorded anew, and what is noted."""
    filed = _FILED.get(folder)
    if filed is State.REJECTED and arrival.kind is Kind.REFUSE:
        return State.REPORTED, NOTE
    if filed is not None:
        return filed, NOTE
    if arrival.kind not in _OPENED:
        return State.SHUNTED, f"no ticket of ours: {arrival.recipient or 'no recipient'}"
    if not meant.group_uuid:
        return State.SHUNTED, "its group is gone"
    return _OPENED[arrival.kind], NOTE
