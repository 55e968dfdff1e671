"""The moderation desk: what comes into the hold mailbox is recorded, asked about, and goes where it was decided to.

One turn does everything that is due, in an order in which a crash at any point only repeats a step. A step that
fails is logged and tried again at the next turn; the others go on. What was decided elsewhere (panel, command line)
is seen in the ledger.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from structlog.typing import FilteringBoundLogger

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import Group, Notify
from groupmilter.groups.ticket import Kind
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.correspondence import ASKING, Correspondence
from groupmilter.moderation.intake import Intake
from groupmilter.moderation.item import DESK, Event, Item, State
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable, Letter
from groupmilter.moderation.mailbox import Folder, HoldMailbox, Missing, folder_of
from groupmilter.moderation.outgoing import Outgoing
from groupmilter.moderation.rebuilding import Rebuilding
from groupmilter.moderation.terms import told
from groupmilter.policy.facts import Strength
from groupmilter.policy.settings import Expiry, Settings

_TURN = 5.0
"""Seconds after which a turn is made though nothing seems to have happened."""

_LOOK = 0.1
"""Seconds between two looks at whether the ledger has changed."""

_TIDY = 3600
_DAY = 24 * 3600

_TOLD = {State.REJECTED: "rejected", State.EXPIRED: "expired"}
_SETTLED = frozenset({State.SHUNTED, State.REJECTED, State.EXPIRED, State.RELEASED, State.REPORTED})
_TROUBLE = (LedgerUnavailable, DirectoryUnknown, OSError)


@dataclass(slots=True)
class Desk:
    """The desk of one host.

    :param clock: seconds since 1970, UTC.
    """

    mailbox: HoldMailbox
    ledger: Ledger
    lookups: Lookups
    intake: Intake
    correspondence: Correspondence
    outgoing: Outgoing
    rebuilding: Rebuilding
    settings: Settings
    clock: Callable[[], float]
    log: FilteringBoundLogger
    _begun: bool = False
    _seen: int = 0
    _tidied: int = 0
    _troubles: dict[str, str] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop."""
        came = threading.Event()
        watching = threading.Thread(target=self._watch, args=(stop, came), name="hold mailbox", daemon=True)
        self._step("prepare", self.mailbox.prepare)
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
        steps: tuple[tuple[str, Callable[[], bool]], ...] = (
            ("begin", self._begin),
            ("take in", self._take_in),
            ("expire", self._expire),
            ("send out", self.outgoing.send_due),
            ("settle", self._settle_changed),
            ("remind", self._remind),
            ("letters", self.correspondence.send_due),
            ("tidy", self._tidy),
        )
        for name, step in steps:
            busy = self._step(name, step) or busy
        return busy

    def _step(self, name: str, step: Callable[[], bool | None]) -> bool:
        try:
            busy = bool(step())
        except _TROUBLE as trouble:
            if self._troubles.get(name) != str(trouble):
                self._troubles[name] = str(trouble)
                self.log.error("desk can't go on with a step", step=name, why=str(trouble))
            return False
        except Exception:
            self.log.exception("surprise at the desk", step=name)
            return False
        if self._troubles.pop(name, None):
            self.log.info("desk goes on", step=name)
        return busy

    def _watch(self, stop: threading.Event, came: threading.Event) -> None:
        while not stop.is_set():
            try:
                if self.mailbox.wait(stop, _TURN):
                    came.set()
            except OSError as error:
                self.log.error("can't watch the hold mailbox", why=str(error))
            # Who watches sees a file that is still there again at once: a moment lets the turn take it in.
            stop.wait(_LOOK)

    def _pause(self, stop: threading.Event, came: threading.Event) -> None:
        """Wait until something came, the ledger changed, or a turn is due anyway."""
        left = _TURN
        while left > 0 and not stop.is_set() and not came.wait(_LOOK):
            left -= _LOOK
            try:
                if self.ledger.newest() != self._seen:
                    return
            except LedgerUnavailable:
                continue

    # the steps

    def _take_in(self) -> bool:
        names = list(self.mailbox.names(Folder.INBOX))
        for name in names:
            self._step(f"take in {name}", partial(self.intake.take, name))
        return False

    def held(self, item: Item) -> None:
        """Plan the letters about an item that has come in; repeated, it plans nothing twice."""
        if item.noticed:
            return
        self.correspondence.ask(item)
        if self.settings.moderation.tell_held:
            self._tell(item, "held")

    def _expire(self) -> bool:
        now = int(self.clock())
        releases = self.settings.moderation.expiry is Expiry.RELEASE
        due = self.ledger.expiring(now)
        for item in due:
            note = "expired undecided"
            self.ledger.change(item.id, Event.APPROVE if releases else Event.EXPIRE, DESK, now, note=note)
            self.log.info("expired", item=item.name, released=releases)
        return bool(due)

    def _remind(self) -> bool:
        now = int(self.clock())
        due = self.ledger.to_remind(now)
        for item in due:
            self.correspondence.ask(item, "reminder")
            self.ledger.mark(item.id, reminded=now)
        return bool(due)

    def _settle_changed(self) -> bool:
        """Follow the audit rows: what was decided gets its folder, and its sender learns of it."""
        rows = self.ledger.audit(after=self._seen, limit=500)
        anew = {row.item for row in rows if row.action == "rebuild"}
        for name in dict.fromkeys(row.item for row in rows if row.item):
            item = self.ledger.by_name(name)
            if item is not None:
                self._settle(item)
                if name in anew and item.state is State.HELD:
                    self.held(item)
        self._seen = rows[-1].id if rows else self._seen
        return len(rows) == 500

    def _begin(self) -> bool:
        """Bring ledger and folders in step, once at the start; what doesn't work then is tried at the next turn."""
        self._begun = self._begun or self.settle_all()
        return False

    def settle_all(self) -> bool:
        """Bring every file into the folder of its item, and record what the ledger doesn't know.

        A crash may have come between, or the ledger been lost. Tell whether all of it could be done.
        """
        self._seen = self.ledger.newest()
        for folder in (Folder.HELD, Folder.INBOX):
            for item in self.rebuilding.known(folder):
                if item.state in _SETTLED:
                    self._settle(item)
        done = [
            self._step(f"record {name}", partial(self._record_anew, name, folder))
            for folder in (Folder.SHUNTED, Folder.HELD)
            for name in self.rebuilding.unknown(folder)
        ]
        for item in self.ledger.search.unasked():
            self.held(item)
        self._tell_unknown()
        return all(done)

    def _record_anew(self, name: str, folder: Folder) -> bool:
        self.rebuilding.take(name, folder)
        return True

    def _tell_unknown(self) -> None:
        """Say whether kept mail is unknown to the ledger: that hurries nobody, but it is never purged."""
        kept = (Folder.APPROVED, Folder.REJECTED, Folder.EXPIRED)
        count = sum(1 for folder in kept for _ in self.rebuilding.unknown(folder))
        if count:
            self.log.warning(
                "the ledger doesn't know all kept mail; see groupmilter held rebuild", files=count
            )

    def _settle(self, item: Item) -> None:
        if item.state is not State.HELD:
            self.ledger.letters.drop(item.id, ASKING)
        if item.state in _TOLD and item.arrival.kind is Kind.HOLD:
            self._tell(item, _TOLD[item.state])
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

    def _tidy(self) -> bool:
        now = int(self.clock())
        if 0 <= now - self._tidied < _TIDY:
            return False
        for item in self.ledger.finished_before(now - self.settings.moderation.keep_days * _DAY):
            try:
                self.mailbox.remove(item.arrival.file)
            except Missing:
                self.log.debug("no file any more", item=item.name)
            self.ledger.mark(item.id, purged=True)
        self._tidied = now
        return False
