"""The door: who somebody is, by log-in name and password, and what is said to whom it doesn't open.

`Doorman` is what the pages know; `DirectoryDoorman` asks the directory. Another way in (OpenID Connect) is another
doorman. An unknown name and a wrong password get the same answer after the same time. Raises `DirectoryUnknown` where
nobody can be asked: that is not a wrong password.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

from groupmilter.directory.binding import Attempt, Binding, Outcome
from groupmilter.groups.login import login_name
from groupmilter.groups.person import Person
from groupmilter.language.catalogue import marked
from groupmilter.mail.address import canonical
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.item import Way, Who
from groupmilter.panel.login_throttle import LoginThrottle
from groupmilter.panel.session import Journal, person_of

_AT_ONCE = 8
_LONGEST_WAY = 2000
_ROOM = 3.0
"""Seconds that a log-in waits for its turn."""
_FLOOR = 0.5
"""Seconds that a log-in which fails takes at least: longer than a server's look at a password."""


class Reason(StrEnum):
    """Why somebody isn't let in."""

    EMPTY = "empty"
    WRONG = "wrong"
    SLOW = "slow"
    EXPIRED = "expired"
    MUST_CHANGE = "must-change"
    UNSEEN = "unseen"
    FILE = "file"


_SENTENCES = {
    Reason.EMPTY: marked("Give your log-in name and your password."),
    Reason.WRONG: marked("The log-in name or the password is wrong."),
    Reason.SLOW: marked("Too many attempts. Please wait {seconds} s before the next one."),
    Reason.EXPIRED: marked("Your password has expired. Change it where you usually do, then log in here."),
    Reason.MUST_CHANGE: marked(
        "Your password was set by somebody else. Change it where you usually do, then log in here."
    ),
    Reason.UNSEEN: marked("Your account is new, and not known here yet. Please try again in a minute."),
    Reason.FILE: marked("The directory is a file, which knows no passwords: nobody can log in."),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Somebody isn't let in.

    :param seconds: after which the next attempt is taken; 0 for at once.
    """

    reason: Reason
    seconds: int = 0

    @property
    def sentence(self) -> str:
        """What to say, for translation; it may name ``seconds``."""
        return _SENTENCES[self.reason]


class Doorman(Protocol):
    """Tells who somebody is."""

    def admit(self, login: str, password: str, client: str) -> Person | Refusal:
        """Return the person with this log-in name and password, or why nobody is let in.

        :param client: IP address. :raises DirectoryUnknown: where nobody can be asked.
        """


@dataclass(frozen=True, slots=True)
class DirectoryDoorman:
    """Asks the directory, with bounds: how often, how many at once, how fast a failure is told.

    :param journal: hears of each attempt that was made. ``clock``, ``sleep``: seconds from any start.
    """

    binding: Binding
    lookups: Lookups
    throttle: LoginThrottle
    journal: Journal
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    room: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(_AT_ONCE))

    def admit(self, login: str, password: str, client: str) -> Person | Refusal:
        """See `Doorman`."""
        if not login.strip() or not password:
            return Refusal(Reason.EMPTY)
        if not self.binding.possible:
            return Refusal(Reason.FILE)
        began = self.clock()
        if not self.room.acquire(timeout=_ROOM):
            return Refusal(Reason.SLOW, 1)
        try:
            found = self._attempted(login, password, client)
        finally:
            self.room.release()
        if isinstance(found, Refusal) and found.reason is not Reason.SLOW:
            self.sleep(max(0.0, _FLOOR - (self.clock() - began)))
        return found

    def _attempted(self, login: str, password: str, client: str) -> Person | Refusal:
        name = self._counted(login)
        if (wait := self.throttle.begin(name, client)) > 0:
            return Refusal(Reason.SLOW, wait)
        try:
            attempt = self.binding.attempt(login, password)
            person = self._person(attempt)
        except BaseException:
            self.throttle.undecided(name, client)
            raise
        if isinstance(person, Person):
            self.throttle.succeeded(name, client)
            self.journal("log-in", Who(person.address or person.name, Way.PANEL, person.uuid, client))
            return person
        # What was typed as a name is told only where it is one: people type passwords there.
        self.journal(
            "log-in-failed",
            Who(login.strip() if attempt.uuid else "", Way.PANEL, attempt.uuid, client),
            person.reason,
        )
        return person

    def _counted(self, login: str) -> str:
        """Return under which name attempts count: whatever a person calls himself, they are tries at one password."""
        name = login_name(login, self.binding.realms)
        address = canonical(login, self.binding.own_domains)
        with self.lookups.snapshot() as directory:
            found = directory.person_by_login(name) or (directory.find(address) if address else None)
        return found.uuid if isinstance(found, Person) else name

    def _person(self, attempt: Attempt) -> Person | Refusal:
        if attempt.outcome is not Outcome.PROVEN:
            return Refusal(Reason(attempt.outcome.value))
        with self.lookups.snapshot() as directory:
            found = person_of(attempt.uuid, attempt.dn, directory)
        if found is None or found.disabled:
            return Refusal(Reason.UNSEEN)
        # The mirror may not have the new password's time yet, and would end the session once it has.
        return replace(found, password_changed=max(found.password_changed, attempt.password_changed))


def onward(wanted: str) -> str:
    r"""Return where to go after the log-in: a page of ours, whatever the link asks for.

    A browser takes ``//host`` and ``/\host`` for another host, and drops tabs and line breaks wherever they stand.
    """
    plain = all(" " < each <= "~" for each in wanted) and len(wanted) <= _LONGEST_WAY
    if not plain or not wanted.startswith("/") or wanted[1:2] in {"/", "\\"} or "\\" in wanted:
        return "/"
    parts = urlsplit(wanted)
    return wanted if not parts.scheme and not parts.netloc else "/"
