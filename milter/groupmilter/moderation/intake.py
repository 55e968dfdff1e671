"""Taking in what the MTA has delivered: recorded first, then moved, so that a crash only repeats it.

Whatever can't be read, wasn't sealed by us or came a second time with another content is shunted: shown to a human,
never deleted. Raises `LedgerUnavailable`, `DirectoryUnknown`, OSError: the file stays and is taken
again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.ticket import Keys, Kind
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.item import DESK, Arrival, Item, State, Terms
from groupmilter.moderation.ledger import Ledger, Outcome, Recorded
from groupmilter.moderation.mailbox import Folder, HoldMailbox, Missing
from groupmilter.moderation.terms import terms
from groupmilter.policy.settings import Settings

_STATES = {Kind.HOLD: State.HELD, Kind.SPLIT: State.APPROVED, Kind.REFUSE: State.APPROVED}


@dataclass(frozen=True, slots=True)
class Intake:
    """The way from the inbox into the ledger.

    :param answer: what becomes of a moderator's answer.
    :param held: told of each item that somebody has to decide about.
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
        """Take in one file of the inbox."""
        try:
            octets = self.mailbox.read(name)
        except Missing:
            return
        except OSError as error:
            self.log.error("can't read held mail", file=name, why=str(error))
            return
        arrival = read_arrival(octets, name, self.keys, self.settings.service_domain)
        if arrival.kind is Kind.ANSWER:
            self.answer(arrival, octets)
            self.mailbox.remove(name)
            return
        if arrival.kind in _STATES:
            self._record(arrival)
        else:
            self._shunt(arrival, f"no ticket of ours: {arrival.recipient or 'no recipient'}")

    def _record(self, arrival: Arrival) -> None:
        now = int(self.clock())
        with self.lookups.snapshot() as directory:
            meant = terms(arrival, directory, self.settings, now)
        if not meant.group_uuid:
            self._shunt(arrival, "its group is gone", meant)
            return
        assert arrival.kind is not None
        recorded = self.ledger.record(arrival, meant, _STATES[arrival.kind], now)
        if recorded.outcome is Outcome.CONFLICT:
            # The ticket is spoken for by another content: this one is recorded by its content alone.
            self._shunt(replace(arrival, ticket=""), "a ticket that was used for another message", meant)
            return
        self._place(recorded, arrival)

    def _place(self, recorded: Recorded, arrival: Arrival) -> None:
        item = recorded.item
        if item.arrival.file != arrival.file:
            self.log.warning("delivered twice into the hold mailbox", item=item.name)
            self.mailbox.remove(arrival.file)
            return
        if item.state is State.HELD:
            self.held(item)
        self.mailbox.move(arrival.file, Folder.SHUNTED if item.state is State.SHUNTED else Folder.HELD)
        if recorded.outcome is Outcome.NEW:
            self.log.info("recorded", item=item.name, group=item.terms.group_address, state=item.state.value)

    def _shunt(self, arrival: Arrival, why: str, meant: Terms | None = None) -> None:
        recorded = self.ledger.record(
            arrival, meant or Terms(why="unknown"), State.SHUNTED, int(self.clock()), why
        )
        self.mailbox.move(arrival.file, Folder.SHUNTED)
        if recorded.outcome is Outcome.NEW:
            self.log.warning("shunted", item=recorded.item.name, why=why, by=DESK.name)
