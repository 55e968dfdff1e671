"""What a milter worker asks of the state: how much is held, whose delivery is suspended, whether a release ticket is
unspent.

Asked aside (`mta.aside`), so that a database that hangs defers a message and never hangs a callback.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from groupmilter.bootstrap.parts import ledger
from groupmilter.config.reload import Configuration
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.mta.aside import Aside, Remembered
from groupmilter.mta.site import ReleaseDoor
from groupmilter.policy.facts import Batch, Waiting
from groupmilter.policy.sighting import Seen, Sighting

_SUSPENDED_SECONDS = 5.0
"""How long a worker remembers whose delivery is suspended."""

_AUDITED = 60
"""Rows a minute that one worker writes of tokens that decide nothing: whoever guesses doesn't fill the disk."""


@dataclass(slots=True)
class State:
    """The state as one worker sees it; the ledger is opened with the first question, in the thread aside.

    :param clock: `time.monotonic`, by which an answer grows old.
    """

    open: Callable[[], Ledger]
    daemon_name: str
    login: str
    log: FilteringBoundLogger
    aside: Aside = field(default_factory=Aside)
    clock: Callable[[], float] = time.monotonic
    _ledger: Ledger | None = None
    _minute: int = 0
    _rows: int = 0
    _trouble: str = ""

    @property
    def waiting(self) -> Callable[[], Waiting | None]:
        """Return what tells how much is held; None where nobody can tell."""
        return Remembered(self._waiting, clock=self.clock)

    @property
    def suspended(self) -> Callable[[], frozenset[str]]:
        """Return what tells which members are left out; nobody is where that can't be told: it harms nobody."""
        asked = Remembered(self._suspended, _SUSPENDED_SECONDS, self.clock)
        return lambda: asked() or frozenset()

    @property
    def release(self) -> ReleaseDoor:
        """Return how approved messages come back."""
        return ReleaseDoor(self.daemon_name, self.login, self._spend)

    def leave_out(self, ticket: str, addresses: tuple[str, ...]) -> None:
        """Remember whom a split copy need not reach; raises `DirectoryUnknown` where that can't be."""
        try:
            self.aside.ask(lambda: self._opened().releases.leave_out(ticket, addresses, int(time.time())))
        except (LedgerUnavailable, TimeoutError) as error:
            raise DirectoryUnknown(f"the state can't be written: {error}") from error

    def seen(self, sighting: Sighting) -> Mapping[str, Seen] | None:
        """Return which groups have taken a message before; None where nobody can tell."""
        try:
            return self.aside.ask(lambda: self._opened().sightings.seen(sighting, int(time.time())))
        except (LedgerUnavailable, TimeoutError) as error:
            self._tell(str(error))
            return None

    def remember(self, sighting: Sighting) -> None:
        """Remember that groups have taken a message; raises `DirectoryUnknown` where that can't be."""
        try:
            fresh = self.aside.ask(lambda: self._opened().sightings.record(sighting, int(time.time())))
        except (LedgerUnavailable, TimeoutError) as error:
            raise DirectoryUnknown(f"the state can't be written: {error}") from error
        if not fresh:
            raise DirectoryUnknown("another copy of the message came at the same time")

    def audit(self, action: str, sender: str, client: str, detail: str) -> None:
        """Have an audit row written, some time soon; beyond so many a minute none."""
        minute = int(time.time() // 60)
        if minute != self._minute:
            self._minute, self._rows = minute, 0
        self._rows += 1
        if self._rows <= _AUDITED:
            who = Who(sender, Way.MAIL, origin=client)
            self.aside.tell(lambda: self._note(action, who, detail))

    def _note(self, action: str, who: Who, detail: str) -> None:
        try:
            self._opened().note(action, who, int(time.time()), detail=detail)
        except LedgerUnavailable as error:
            self.log.warning(
                "no audit row", action=action, sender=who.name, client=who.origin, why=str(error)
            )

    def _waiting(self) -> Waiting | None:
        try:
            waiting = self.aside.ask(lambda: self._opened().waiting())
        except (LedgerUnavailable, TimeoutError) as error:
            self._tell(str(error))
            return None
        self._tell("")
        return waiting

    def _suspended(self) -> frozenset[str]:
        try:
            return self.aside.ask(lambda: self._opened().bounces.suspended())
        except (LedgerUnavailable, TimeoutError):
            # Logged by the other question, which more hangs on.
            return frozenset()

    def _tell(self, trouble: str) -> None:
        """Log once that the state can't be asked, and once that it can again."""
        before, self._trouble = self._trouble, trouble
        if trouble and not before:
            self.log.error("the state can't be asked: nothing more is held", why=trouble)
        elif before and not trouble:
            self.log.info("the state can be asked again")

    def _spend(self, ticket: str) -> Batch | None:
        spent = self.aside.ask(lambda: self._opened().releases.spend(ticket, int(time.time())))
        return None if spent is None else Batch(spent.number, spent.members)

    def _opened(self) -> Ledger:
        if self._ledger is None:
            self._ledger = self.open()
        return self._ledger


def state_of(configuration: Configuration, log: FilteringBoundLogger) -> State:
    """Return a worker's view of the state."""
    release = configuration.site.service.release
    return State(lambda: ledger(configuration, timeout=4.0), release.daemon_name, release.login, log)
