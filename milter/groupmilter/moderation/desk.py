"""The moderation desk: what comes into the hold mailbox is recorded, asked about, and goes where it was decided to.

One turn does everything that is due, in an order in which a crash at any point only repeats a step. What fails is
logged once and tried again at the next turn; everything else goes on (`attempts`). What was decided elsewhere (panel,
command line) is seen in the ledger.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.group import Group, Notify
from groupmilter.groups.ticket import Kind
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.bouncing import Bouncing
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.correspondence import ASKING, Correspondence
from groupmilter.moderation.intake import Intake
from groupmilter.moderation.item import DESK, Event, Item, State
from groupmilter.moderation.ledger import Ledger, Letter
from groupmilter.moderation.mailbox import Folder, HoldMailbox, Missing, folder_of
from groupmilter.moderation.outgoing import Outgoing
from groupmilter.moderation.rebuilding import Rebuilding
from groupmilter.moderation.terms import told
from groupmilter.moderation.tidying import Tidying
from groupmilter.moderation.weekly import Weekly
from groupmilter.policy.facts import Strength
from groupmilter.policy.settings import Expiry, Settings

Step = tuple[str, Callable[[], bool]]
"""One thing to be done at a turn: what it is called in the log, and what tells whether there is more of it."""

_TURN = 5.0
"""Seconds after which a turn is made though nothing seems to have happened."""

_LOOK = 0.1
"""Seconds between two looks at whether the ledger has changed."""

_TOLD = {State.REJECTED: "rejected", State.EXPIRED: "expired"}
_SETTLED = frozenset({State.SHUNTED, State.REJECTED, State.EXPIRED, State.RELEASED, State.REPORTED})
_UNDECIDED = (Folder.HELD, Folder.INBOX)
_PAGE = 500
_AT_ONCE = 100
"""Files that are taken in between two looks at everything else; written to disk together."""


@dataclass(slots=True)
class Desk:
    """The desk of one host.

    :param clock: seconds since 1970, UTC.
    :param further: steps of others, made at each turn before letters are sent.
    """

    mailbox: HoldMailbox
    ledger: Ledger
    lookups: Lookups
    intake: Intake
    correspondence: Correspondence
    outgoing: Outgoing
    rebuilding: Rebuilding
    bouncing: Bouncing
    weekly: Weekly
    tidying: Tidying
    settings: Settings
    clock: Callable[[], float]
    log: FilteringBoundLogger
    attempts: Attempts
    further: tuple[Step, ...] = ()
    _begun: bool = False
    _seen: int = 0
    _unsettled: set[str] = field(default_factory=set)
    _failed: dict[str, int] = field(default_factory=dict)
    _turns: int = 0

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        came = threading.Event()
        watching = threading.Thread(target=self._watch, args=(stop, came), name="hold mailbox", daemon=True)
        # Before it is watched there has to be a mailbox.
        self.attempts.step("begin", self._begin)
        watching.start()
        while not stop.is_set():
            came.clear()
            busy = self.turn()
            if not busy:
                self._pause(stop, came)
        watching.join(5.0)

    def turn(self) -> bool:
        """Do everything that is due, once; tell whether there may be more of it."""
        busy = False
        steps: tuple[Step, ...] = (
            ("begin", self._begin),
            ("take in", self._take_in),
            ("expire", self._expire),
            ("send out", self.outgoing.send_due),
            ("settle", self._settle_changed),
            ("remind", self._remind),
            *self.further,
            ("try suspended addresses", self.bouncing.retry),
            ("sum up the week", self.weekly.plan),
            ("letters", self.correspondence.send_due),
            ("tidy", self.tidying.mail),
            ("look after the side store", self.tidying.beside),
        )
        for name, step in steps:
            busy = bool(self.attempts.step(name, step)) or busy
        return busy

    def _watch(self, stop: threading.Event, came: threading.Event) -> None:
        while not stop.is_set():
            found = self.attempts.step("watch", lambda: self.mailbox.wait(stop, _TURN))
            if found:
                came.set()
            elif found is None:
                stop.wait(_TURN)

    def _pause(self, stop: threading.Event, came: threading.Event) -> None:
        """Wait until something came, the ledger changed, or a turn is due anyway."""
        left = _TURN
        while left > 0 and not stop.is_set() and not came.wait(_LOOK):
            left -= _LOOK
            if not self.ledger.stirred():
                continue
            if self.attempts.step("look", self.ledger.newest) not in {None, self._seen}:
                return

    # the steps

    def _begin(self) -> bool:
        """Bring ledger and folders in step, once at the start; what doesn't work then is tried at the next turn."""
        if not self._begun:
            self.mailbox.prepare()
            self._begun = self.settle_all()
        return False

    def _take_in(self) -> bool:
        """Take in what has come, so many at a time, those that failed before last; tell whether there is more."""
        self._turns += 1
        there = list(self.mailbox.names(Folder.INBOX))
        names = sorted(there, key=lambda name: self._failed.get(name, 0))[:_AT_ONCE]
        read = self.attempts.each("read a file", names, self.intake.read)
        taken = {name: one for name, one in read.items() if one is not None}
        with self.ledger.together():
            filings = self.attempts.each("record a file", taken, lambda name: self.intake.record(taken[name]))
        done = self.attempts.each("file a message", filings, lambda name: self.intake.file(filings[name]))
        failed = self._failed | dict.fromkeys(names, self._turns)
        self._failed = {name: failed[name] for name in failed.keys() & there - done.keys()}
        return len(there) > _AT_ONCE and bool(done)

    def held(self, item: Item) -> None:
        """Plan the letters about an item that has come in; repeated, it plans nothing twice."""
        if item.noticed:
            return
        self.correspondence.ask(item)
        if self.settings.moderation.tell_held:
            self._tell(item, "held")

    def _expire(self) -> bool:
        due = self.ledger.agenda.expiring(int(self.clock()))
        event = Event.APPROVE if self.settings.moderation.expiry is Expiry.RELEASE else Event.EXPIRE
        numbers = [item.id for item in due]
        note = "expired undecided"
        for changed in self.ledger.change_each(numbers, event, DESK, int(self.clock()), note=note):
            self.log.info("expired", item=changed.item.name, state=changed.item.state.value)
        return bool(due)

    def _remind(self) -> bool:
        due = {item.name: item for item in self.ledger.agenda.to_remind(int(self.clock()))}
        return bool(self.attempts.each("remind of an item", due, lambda name: self._remind_of(due[name])))

    def _remind_of(self, item: Item) -> None:
        self.correspondence.ask(item, "reminder")
        self.ledger.mark(item.id, reminded=int(self.clock()))

    def _settle_changed(self) -> bool:
        """Follow the audit rows: what was decided gets its folder, and its sender learns of it."""
        rows = self.ledger.audit(after=self._seen, limit=_PAGE)
        changed = dict.fromkeys(row.item for row in rows if row.before or row.action == "rebuild")
        self._unsettled |= changed.keys()
        self._seen = rows[-1].id if rows else self._seen
        items = self.ledger.by_names(self._unsettled)
        with self.ledger.together():
            self.ledger.letters.drop(
                [one.id for one in items.values() if one.state is not State.HELD], ASKING
            )
            told = self.attempts.each("tell of an item", items, lambda name: self._tell_of(items[name]))
        # Only once that is on disk, and only of whom it could be told: after a restart nobody looks at what is filed.
        filed = self.attempts.each("file an item", told, lambda name: self._file(items[name]))
        self._unsettled = items.keys() - filed.keys()
        return len(rows) == _PAGE

    def settle_all(self) -> bool:
        """Bring every file into the folder of its item, and record what the ledger doesn't know.

        A crash may have come between, or the ledger been lost. Tell whether all of it could be done.
        """
        self._seen = self.ledger.newest()
        known = [item for folder in _UNDECIDED for item in self.rebuilding.known(folder)]
        astray = {item.name: item for item in known if item.state in _SETTLED}
        unknown = {
            name: folder
            for folder in (Folder.SHUNTED, Folder.HELD)
            for name in self.rebuilding.unknown(folder)
        }
        settled = self.attempts.each("settle an item", astray, lambda name: self._settle(astray[name]))
        recorded = self.attempts.each(
            "record a file anew", unknown, lambda name: self.rebuilding.take(name, unknown[name])
        )
        unasked = {item.name: item for item in self.ledger.search.unasked()}
        asked = self.attempts.each("ask about an item", unasked, lambda name: self.held(unasked[name]))
        self._tell_unknown()
        return len(settled) + len(recorded) + len(asked) == len(astray) + len(unknown) + len(unasked)

    def _tell_unknown(self) -> None:
        """Say whether kept mail is unknown to the ledger: that hurries nobody, but it is never purged."""
        kept = (Folder.APPROVED, Folder.REJECTED, Folder.EXPIRED)
        count = sum(1 for folder in kept for _ in self.rebuilding.unknown(folder))
        if count:
            self.log.warning(
                "the ledger doesn't know all kept mail; see groupmilter held rebuild", files=count
            )

    def _settle(self, item: Item) -> None:
        self._tell_of(item)
        self._file(item)

    def _tell_of(self, item: Item) -> None:
        if item.state is State.HELD:
            self.held(item)
        elif item.state in _TOLD and item.arrival.kind is Kind.HOLD:
            self._tell(item, _TOLD[item.state])

    def _file(self, item: Item) -> None:
        try:
            self.mailbox.move(item.arrival.file, folder_of(item.state))
        except Missing:
            self.log.debug("no file any more", item=item.name)

    def _tell(self, item: Item, kind: str) -> None:
        """Plan a letter to the sender, if he is proven and the group wants him to know."""
        with self.lookups.snapshot() as directory:
            group = directory.by_digest(item.arrival.group)
            address = told(item.arrival, directory)
            person = directory.find(address.lower()) if address else None
        notify = group.notify if isinstance(group, Group) else Notify.NEVER
        internal = item.arrival.strength >= Strength.NETWORK
        if not address or notify is Notify.NEVER or (notify is Notify.INTERNAL and not internal):
            return
        language = getattr(person, "language", "")
        planned = Letter(0, item.id, kind, address, "", language, "", 0, int(self.clock()), "")
        self.ledger.letters.plan((planned,))
