"""Taking in what the MTA has delivered: read, recorded, then moved, so that a crash only repeats it.

The three are apart so that many can be recorded in one transaction, without a file being read while others wait for
the ledger, and none is moved before that is on disk. Whatever can't be understood, wasn't sealed by us or came a
second time with another content is shunted: shown to a human, never deleted. Raises `LedgerUnavailable`,
`DirectoryUnknown`, OSError: the file stays and is taken again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Keys, Kind
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.bounce import Report, read_report
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.item import DESK, Arrival, Event, Item, State, Terms
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable, Outcome, Recorded
from groupmilter.moderation.mailbox import Folder, HoldMailbox, Missing, folder_of
from groupmilter.moderation.terms import addressed, terms
from groupmilter.moderation.transitions import OPEN
from groupmilter.policy.settings import Settings

_STATES = {Kind.HOLD: State.HELD, Kind.SPLIT: State.APPROVED, Kind.REFUSE: State.APPROVED}
_AGAIN = (LedgerUnavailable, DirectoryUnknown, OSError)


class Answering(Protocol):
    """`answers.Answers`, as far as it is needed here."""

    def consider(self, arrival: Arrival) -> bool:
        """Tell whether the writer of an answer may decide; nothing is locked meanwhile."""

    def take(self, arrival: Arrival, octets: bytes, *, may: bool = True) -> None:
        """Decide as an answer says."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A file that was read; the octets only of what the desk itself has to read.

    :param report: what a mail to a bounce address says. ``may``: of an answer, whether its writer may decide.
    """

    arrival: Arrival
    octets: bytes = field(default=b"", repr=False)
    report: Report = Report()
    may: bool = True


@dataclass(frozen=True, slots=True)
class Filing:
    """Where a recorded file belongs; nowhere: it has served its purpose."""

    name: str
    folder: Folder | None
    recorded: Recorded | None = None


@dataclass(frozen=True, slots=True)
class Intake:
    """The way from the inbox into the ledger.

    :param answers: what becomes of moderators' answers.
    :param held: told of each item that somebody has to decide about.
    :param bounced: what becomes of a mail to a bounce address: the folder for it, None where it isn't kept.
    :param clock: seconds since 1970, UTC.
    """

    mailbox: HoldMailbox
    ledger: Ledger
    lookups: Lookups
    keys: Keys
    settings: Settings
    answers: Answering
    held: Callable[[Item], None]
    bounced: Callable[[Arrival, Report], Folder | None]
    clock: Callable[[], float]
    log: FilteringBoundLogger

    def read(self, name: str) -> Taken | None:
        """Read a file of the inbox; None for one that is gone meanwhile."""
        try:
            octets = self.mailbox.read(name)
        except Missing:
            self.log.info("gone from the hold mailbox", file=name)
            return None
        arrival = read_arrival(octets, name, self.keys, self.settings.service_domain)
        if arrival.kind is Kind.BOUNCE:
            return Taken(arrival, report=read_report(octets))
        if arrival.kind is Kind.ANSWER:
            return Taken(arrival, octets, may=self.answers.consider(arrival))
        return Taken(arrival)

    def record(self, taken: Taken) -> Filing:
        """Record what was read; return where it belongs."""
        arrival = taken.arrival
        try:
            return self._sorted(taken)
        except _AGAIN:
            raise
        except Exception as surprise:
            self.log.exception("surprise at held mail", file=arrival.file)
            if arrival.kind is Kind.BOUNCE:
                # Never an item: somebody who lets a report through would tell a group of its hidden members.
                return Filing(arrival.file, Folder.REPORTS)
            return self._shunt(
                arrival, f"surprise: {type(surprise).__name__}: {surprise}", Terms(why="unknown")
            )

    def file(self, filing: Filing) -> None:
        """Bring a recorded file where it belongs."""
        if filing.folder is None:
            self.mailbox.remove(filing.name)
        else:
            with suppress(Missing):
                self.mailbox.move(filing.name, filing.folder)
        recorded = filing.recorded
        if recorded is not None and recorded.outcome is Outcome.NEW:
            item = recorded.item
            self.log.info("recorded", item=item.name, group=item.terms.group_address, state=item.state.value)

    def _sorted(self, taken: Taken) -> Filing:
        arrival = taken.arrival
        if arrival.kind is Kind.ANSWER:
            self.answers.take(arrival, taken.octets, may=taken.may)
            return Filing(arrival.file, None)
        if arrival.kind is Kind.BOUNCE:
            return Filing(arrival.file, self.bounced(arrival, taken.report))
        state = _STATES.get(arrival.kind) if arrival.kind is not None else None
        return self._unprocessed(arrival) if state is None else self._record(arrival, state)

    def _record(self, arrival: Arrival, state: State) -> Filing:
        meant = self._terms(arrival)
        if not meant.group_uuid:
            return self._shunt(arrival, "its group is gone", meant)
        recorded = self.ledger.record(arrival, meant, state, int(self.clock()))
        if recorded.outcome is Outcome.CONFLICT:
            # The ticket is spoken for by another content: this one is recorded as the file that it is.
            return self._shunt(
                replace(arrival, ticket=""), "a ticket that was used for another message", meant
            )
        filing = self._own(recorded, arrival.file)
        if filing.folder is not None and recorded.item.state is State.HELD:
            self.held(recorded.item)
        return filing

    def _unprocessed(self, arrival: Arrival) -> Filing:
        with self.lookups.snapshot() as directory:
            arrival = addressed(arrival, directory, self.settings.own_domains)
        why = f"no ticket of ours: {arrival.recipient or 'no recipient'}"
        return self._shunt(arrival, why, self._terms(arrival))

    def _terms(self, arrival: Arrival) -> Terms:
        with self.lookups.snapshot() as directory:
            return terms(arrival, directory, self.settings, int(self.clock()))

    def _shunt(self, arrival: Arrival, why: str, meant: Terms) -> Filing:
        now = int(self.clock())
        recorded = self.ledger.record(arrival, meant, State.SHUNTED, now, why)
        if recorded.outcome is Outcome.CONFLICT:
            self.log.error(
                "can't be told from another item", item=recorded.item.name, file=arrival.file, why=why
            )
            return Filing(arrival.file, Folder.SHUNTED)
        self.log.warning("shunted", item=recorded.item.name, why=why)
        if recorded.item.state is State.HELD:
            changed = self.ledger.change(recorded.item.id, Event.SHUNT, DESK, now, note=why)
            recorded = replace(recorded, item=changed.item)
        return self._own(recorded, arrival.file)

    def _own(self, recorded: Recorded, name: str) -> Filing:
        """Return where a file belongs: with its item, which may have been decided about meanwhile.

        A second copy takes the place of one that is gone from an open item; else it is deleted.
        """
        item = recorded.item
        if item.arrival.file == name:
            return Filing(name, folder_of(item.state), recorded)
        if item.state in OPEN and not self.mailbox.has(item.arrival.file):
            self.ledger.mark(item.id, file=name)
            self.log.warning("its file was gone; a second copy takes its place", item=item.name, file=name)
            return Filing(name, folder_of(item.state), recorded)
        self.log.warning("delivered twice into the hold mailbox", item=item.name)
        return Filing(name, None)
