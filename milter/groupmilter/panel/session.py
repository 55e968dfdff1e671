"""Sessions: who is logged in, by a cookie that holds a random token of which only the digest is stored.

A session ends when it isn't used, when its time is over, at the log-out, at the log-out everywhere, and when its person
is gone from the directory or locked, or has another password (where the directory tells when that was set); each end
has a row in the audit. Raises `LedgerUnavailable`, or `DirectoryUnknown` where nobody can tell whether the person is
still there; the session stays then.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from groupmilter.groups.person import Person
from groupmilter.groups.ticket import digest
from groupmilter.moderation.circle import Lookup, Lookups
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.session_book import SessionBook, SessionRow

_OCTETS = 32
_LONGEST = 64
"""Characters of a token, at most: nothing longer is looked for."""
_MINUTE = 60


class Over(StrEnum):
    """Why a session ended that nobody has logged out of."""

    TIME = "time"
    REPLACED = "replaced"
    GONE = "gone"
    PASSWORD = "password"  # noqa: S105 - a word of the audit


@dataclass(frozen=True, slots=True)
class Session:
    """A visitor who is logged in.

    :param person: as the mirror has him now. ``csrf``: what his forms must hold.
    :param opened, until: seconds since 1970, UTC. ``client``: IP address at the log-in.
    """

    person: Person
    csrf: str
    opened: int
    until: int
    client: str

    def proves(self, given: str) -> bool:
        """Tell whether a form's ``csrf``, or the header ``X-CSRF-Token``, is this session's."""
        return same(self.csrf, given)


class Journal(Protocol):
    """Adds an audit row."""

    def __call__(self, action: str, who: Who, detail: str = "") -> None:
        """Add the row; ``detail``: why."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """All sessions; for any thread.

    :param lookups: the mirror. ``idle``, ``longest``: seconds that one lives unused, and at all.
    :param journal: hears of each session that ends.
    """

    book: SessionBook
    lookups: Lookups
    journal: Journal
    idle: int = 3600
    longest: int = 43_200

    def open(self, person: Person, client: str, now: int, replaced: str = "") -> str:
        """Begin a session; return its token.

        :param replaced: the token that the browser had before, whose session ends: it may be somebody else's.
        """
        before = self.book.get(_digest(replaced)) if _plausible(replaced) else None
        if before is not None:
            self._end(before, Over.REPLACED)
        for row in self.book.forget(now, self.idle):
            self._tell(row, Over.TIME)
        token = secrets.token_urlsafe(_OCTETS)
        csrf = secrets.token_urlsafe(_OCTETS)
        times = (now, now, now + self.longest)
        self.book.add(
            SessionRow(_digest(token), person.uuid, person.dn, csrf, client, *times, person.password_changed)
        )
        return token

    def visitor(self, token: str, now: int) -> Session | None:
        """Return the session of a token; None where there is none, or it is over: that is forgotten then."""
        row = self.book.get(_digest(token)) if _plausible(token) else None
        if row is None:
            return None
        person = self._person(row) if self._lives(row, now) else Over.TIME
        if isinstance(person, Over):
            self._end(row, person)
            return None
        # Not at each request: a page is many.
        if now - row.seen >= _MINUTE:
            self.book.used(row.digest, now)
        return Session(person, row.csrf, row.opened, row.until, row.client)

    def close(self, token: str, who: Who) -> None:
        """End the session of a token, if there is one, on behalf of whose it is."""
        if _plausible(token) and self.book.remove(_digest(token)):
            self.journal("log-out", who)

    def close_all(self, who: Who) -> int:
        """End every session of a person, on his behalf; return how many there were."""
        ended = self.book.remove_all(who.uuid)
        self.journal("log-out-everywhere", who, f"sessions: {ended}")
        return ended

    def _end(self, row: SessionRow, why: Over) -> None:
        if self.book.remove(row.digest):
            self._tell(row, why)

    def _tell(self, row: SessionRow, why: Over) -> None:
        self.journal("session-end", Who(row.dn, Way.DESK, row.person, row.client), why.value)

    def _lives(self, row: SessionRow, now: int) -> bool:
        # A clock that was set back makes nobody a guest for longer.
        return row.opened - _MINUTE <= now < row.until and now - row.seen < self.idle

    def _person(self, row: SessionRow) -> Person | Over:
        """Return the person of a session, or why it is over."""
        with self.lookups.snapshot() as directory:
            person = person_of(row.person, row.dn, directory)
        if person is None or person.disabled:
            return Over.GONE
        # Where nothing was known at the log-in, a password that was set before it is the one that was given.
        return Over.PASSWORD if person.password_changed > (row.password or row.opened) else person


def person_of(uuid: str, dn: str, directory: Lookup) -> Person | None:
    """Return the person with a UUID, wherever his entry has moved to.

    :param dn: where the entry was last seen.
    """
    for found in (directory.by_digest(digest(uuid)), directory.by_dn(dn)):
        if isinstance(found, Person) and found.uuid == uuid:
            return found
    return None


def same(wanted: str, given: str) -> bool:
    """Compare in a time that doesn't tell where they differ; nothing equals an empty one."""
    return bool(wanted) and hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))


def _plausible(token: str) -> bool:
    return 0 < len(token) <= _LONGEST and token.isascii()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
