"""A moderator's answer by mail: the milter has proven who wrote it, here it is put to the item that it names.

Automatic mail is dropped in silence, with an audit row. An answer that is read again, after a crash, changes nothing
and tells nobody anything. Raises `LedgerUnavailable` and `DirectoryUnknown`: the answer then stays in the mailbox and
is read again; as long as it waits for the directory, what it is about doesn't expire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action
from groupmilter.moderation.arrival import automatic
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.decision import Decisions, Problem
from groupmilter.moderation.entitlement import KEPT, GoesNowhere, MayNotDecide, Require
from groupmilter.moderation.item import Arrival, Event, Item, State, Way, Who
from groupmilter.moderation.ledger import Ledger, Letter
from groupmilter.moderation.quoting import own_text
from groupmilter.moderation.transitions import after

_EVENTS = {Action.APPROVE: Event.APPROVE, Action.REJECT: Event.REJECT}


class Others(Protocol):
    """What takes answers that aren't about held mail."""

    def consider(self, arrival: Arrival) -> bool:
        """Tell whether the directory lets the writer decide, as `Answers.consider` does."""

    def take(self, arrival: Arrival, octets: bytes, *, may: bool = True) -> bool:
        """Decide as an answer says; tell whether it was its business."""


class _Nobody:
    """Takes nothing."""

    def consider(self, _: Arrival) -> bool:
        """See `Others`."""
        return True

    def take(self, _: Arrival, __: bytes, *, may: bool = True) -> bool:  # noqa: ARG002 - the protocol's
        """See `Others`."""
        return False


@dataclass(frozen=True, slots=True)
class Answers:
    """What decisions by mail need.

    :param clock: seconds since 1970, UTC. ``require``: asks the directory whether somebody may decide.
    :param others: is handed what isn't about held mail.
    """

    ledger: Ledger
    lookups: Lookups
    decisions: Decisions
    clock: Callable[[], float]
    require: Require
    others: Others = _Nobody()

    def consider(self, arrival: Arrival) -> bool:
        """Tell whether the directory lets the writer of an answer decide; it is asked before the ledger is locked."""
        item = self.ledger.by_digest(arrival.group)
        if item is None:
            return self.others.consider(arrival)
        if not arrival.strength or after(item.state, Event.APPROVE) is None:
            return True
        try:
            with self.lookups.snapshot() as directory:
                person = directory.by_digest(arrival.sender)
            if isinstance(person, Person):
                self.require((item,), writer(person, arrival))
        except MayNotDecide:
            return False
        except DirectoryUnknown:
            self._keep(item)
            raise
        return True

    def _keep(self, item: Item) -> None:
        now = int(self.clock())
        if 0 < item.terms.expires < now + KEPT // 2:
            self.ledger.grant(now + KEPT, now, item.id)

    def take(self, arrival: Arrival, octets: bytes, *, may: bool = True) -> None:
        """Decide as an answer says.

        :param may: what `consider` has said of it.
        """
        if self.others.take(arrival, octets, may=may):
            return
        if not arrival.strength or automatic(octets):
            self._note("answer-ignored", Who(arrival.return_path, Way.MAIL, origin=arrival.message_id))
            return
        with self.lookups.snapshot() as directory:
            person = directory.by_digest(arrival.sender)
            item = self.ledger.by_digest(arrival.group)
            may = (
                may
                and isinstance(person, Person)
                and item is not None
                and self.decisions.may(person, item, directory)
            )
        if not isinstance(person, Person):
            self._note(f"token-{Problem.FOREIGN}", Who(arrival.return_path, Way.MAIL))
            return
        who = writer(person, arrival)
        if item is None or not may:
            self._invalid(Problem.GONE if item is None else Problem.FOREIGN, person, who)
        else:
            self._decide(item, person, who, arrival, octets)

    def _decide(self, item: Item, person: Person, who: Who, arrival: Arrival, octets: bytes) -> None:
        event = _EVENTS.get(Action(arrival.reason))
        if event is None:
            self._note("answer-ignored", who)
            return
        comment = own_text(octets) if event is Event.REJECT else ""
        try:
            changed = self.decisions.settle((item,), event, who, comment)[0]
        except GoesNowhere:
            self._invalid(Problem.NOWHERE, person, who)
            return
        if changed.missing:
            now = int(self.clock())
            self.ledger.letters.plan((letter("counted", item.id, person, now, str(changed.missing)),))
            return
        if changed.happened:
            return
        self.ledger.note("decided-before", who, int(self.clock()), item_id=item.id)
        if not _wanted(changed.item, event, who):
            self.ledger.letters.plan((letter("decided", item.id, person, int(self.clock())),))

    def _invalid(self, problem: Problem, person: Person, who: Who) -> None:
        now = int(self.clock())
        self.decisions.refused(problem, who)
        self.ledger.letters.plan((letter("invalid", 0, person, now, problem.value),))

    def _note(self, action: str, who: Who) -> None:
        self.ledger.note(action, who, int(self.clock()))


def writer(person: Person, arrival: Arrival) -> Who:
    """Return who has written an answer."""
    return Who(person.address, Way.MAIL, person.uuid, arrival.message_id)


def _wanted(item: Item, event: Event, who: Who) -> bool:
    """Tell whether what stands is what this person has decided himself: the same answer read again, or sent twice."""
    rejected = item.state is State.REJECTED
    return item.decided_by == who.name and item.way == Way.MAIL and rejected is (event is Event.REJECT)


def letter(kind: str, item_id: int, person: Person, now: int, detail: str = "") -> Letter:
    """Return a letter to a person, to be planned."""
    return Letter(0, item_id, kind, person.address, person.name, person.language, person.uuid, 0, now, detail)
