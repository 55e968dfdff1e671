"""Taking in what the MTA has delivered: recorded first, then moved, so that a crash only repeats it.

Whatever can't be understood, wasn't sealed by us or came a second time with another content is shunted: shown to a
human, never deleted. Raises `LedgerUnavailable`, `DirectoryUnknown`, OSError: the file stays and is taken again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Keys, Kind
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.item import DESK, Arrival, Event, Item, State, Terms
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable, Outcome, Recorded
from groupmilter.moderation.mailbox import Folder, HoldMailbox, Missing, folder_of
from groupmilter.moderation.terms import addressed, terms
from groupmilter.moderation.transitions import OPEN
from groupmilter.policy.settings import Settings

_STATES = {Kind.HOLD: State.HELD, Kind.SPLIT: State.APPROVED, Kind.REFUSE: State.APPROVED}
_AGAIN = (LedgerUnavailable, DirectoryUnknown, OSError)


@dataclass(frozen=True, slots=True)
class Intake:
    """The way from the inbox into the ledger.

    :param answer: what becomes of a moderator's answer.
    :param held: told of each item that somebody has to decide about.
    :param clock: seconds since 1970, UTC.
    """

    mailbox: HoldMailbox
    ledger: Ledger
    lookups: Lookups
    keys: Keys
    settings: Settings
    answer: Callable[[Arrival, bytes], None]
    held: Callable[[Item], None]
    clock: Callable[[], float]
    log: FilteringBoundLogger

    def take(self, name: str) -> None:
        """Take in one file of the inbox; one that is gone meanwhile is nobody's any more."""
        try:
            octets = self.mailbox.read(name)
            arrival = read_arrival(octets, name, self.keys, self.settings.service_domain)
            self._understood(arrival, octets)
        except Missing:
            self.log.info("gone from the hold mailbox", file=name)

    def _understood(self, arrival: Arrival, octets: bytes) -> None:
        try:
            self._sorted(arrival, octets)
        except (*_AGAIN, Missing):
            raise
        except Exception as surprise:
            self.log.exception("surprise at held mail", file=arrival.file)
            self._shunt(arrival, f"surprise: {type(surprise).__name__}: {surprise}", Terms(why="unknown"))

    def _sorted(self, arrival: Arrival, octets: bytes) -> None:
        if arrival.kind is Kind.ANSWER:
            self.answer(arrival, octets)
            self.mailbox.remove(arrival.file)
        elif arrival.kind is Kind.BOUNCE:
            self.mailbox.move(arrival.file, Folder.REPORTS)
            self.log.info("delivery report filed", file=arrival.file, subject=arrival.subject)
        elif arrival.kind in _STATES:
            self._record(arrival, _STATES[arrival.kind])
        else:
            self._unprocessed(arrival)

    def _record(self, arrival: Arrival, state: State) -> None:
        meant = self._terms(arrival)
        if not meant.group_uuid:
            self._shunt(arrival, "its group is gone", meant)
            return
        recorded = self.ledger.record(arrival, meant, state, int(self.clock()))
        if recorded.outcome is Outcome.CONFLICT:
            # The ticket is spoken for by another content: this one is recorded as the file that it is.
            self._shunt(replace(arrival, ticket=""), "a ticket that was used for another message", meant)
        elif self._own(recorded.item, arrival.file):
            if recorded.item.state is State.HELD:
                self.held(recorded.item)
            self._file(recorded, arrival.file)

    def _unprocessed(self, arrival: Arrival) -> None:
        with self.lookups.snapshot() as directory:
            arrival = addressed(arrival, directory, self.settings.own_domains)
        why = f"no ticket of ours: {arrival.recipient or 'no recipient'}"
        self._shunt(arrival, why, self._terms(arrival))

    def _terms(self, arrival: Arrival) -> Terms:
        with self.lookups.snapshot() as directory:
            return terms(arrival, directory, self.settings, int(self.clock()))

    def _shunt(self, arrival: Arrival, why: str, meant: Terms) -> None:
        now = int(self.clock())
        recorded = self.ledger.record(arrival, meant, State.SHUNTED, now, why)
        if recorded.outcome is Outcome.CONFLICT:
            self.log.error(
                "can't be told from another item", item=recorded.item.name, file=arrival.file, why=why
            )
            self.mailbox.move(arrival.file, Folder.SHUNTED)
            return
        self.log.warning("shunted", item=recorded.item.name, why=why)
        if recorded.item.state is State.HELD:
            recorded = replace(
                recorded, item=self.ledger.change(recorded.item.id, Event.SHUNT, DESK, now, note=why).item
            )
        if self._own(recorded.item, arrival.file):
            self._file(recorded, arrival.file)

    def _own(self, item: Item, name: str) -> bool:
        """Tell whether a file is the item's; a second copy takes the place of one that is gone, else it is deleted."""
        if item.arrival.file == name:
            return True
        if item.state in OPEN and not self.mailbox.has(item.arrival.file):
            self.ledger.mark(item.id, file=name)
            self.log.warning("its file was gone; a second copy takes its place", item=item.name, file=name)
            return True
        self.log.warning("delivered twice into the hold mailbox", item=item.name)
        self.mailbox.remove(name)
        return False

    def _file(self, recorded: Recorded, name: str) -> None:
        """Bring a file where its item stands, which may have been decided about meanwhile."""
        item = recorded.item
        self.mailbox.move(name, folder_of(item.state))
        if recorded.outcome is Outcome.NEW:
            self.log.info("recorded", item=item.name, group=item.terms.group_address, state=item.state.value)
