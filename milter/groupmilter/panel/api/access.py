"""Access tokens: with one a program acts for a person, within scopes, until an end. Only the digest of it is stored.

A token ends at its time, when it is revoked, and when its person is gone from the directory or locked; it never gives
more than the person's own rights, which are asked for at each call. Raises `LedgerUnavailable`, `DirectoryUnknown`
where nobody can tell whether the person is still there (the token stays then), `BadToken` for one that can't be made.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from groupmilter.groups.person import Person
from groupmilter.language.catalogue import marked
from groupmilter.moderation.access_token_book import AccessTokenRow
from groupmilter.moderation.circle import Lookups
from groupmilter.moderation.item import DESK, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.panel.session import person_of

PREFIX = "gm_"
"""What every token begins with, so that scanners of sources can tell one."""

LONGEST_NAME = 64
LONGEST_DAYS = 3650
_OCTETS = 32
_LONGEST = 64
_MOST = 50
_DAY = 86_400
_MINUTE = 60


class Scope(StrEnum):
    """What a token is good for: seeing; changing groups and memberships; deciding about mail and requests."""

    READ = "read"
    WRITE = "write"
    DECIDE = "decide"


class BadToken(Exception):
    """A token can't be made so: the field, and a sentence of the catalogue with its values."""

    def __init__(self, field: str, sentence: str, **values: object) -> None:
        super().__init__(sentence.format(**values))
        self.field = field
        self.sentence = sentence
        self.values = values


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a token stands for.

    :param person: as the mirror has him now. ``digest``: of the token. ``until``: seconds since 1970, UTC; 0: no end.
    """

    person: Person
    name: str
    scopes: frozenset[Scope]
    digest: str
    until: int


@dataclass(frozen=True, slots=True)
class AccessTokens:
    """All tokens; for any thread.

    :param lookups: the mirror. ``now``: seconds since 1970, UTC.
    """

    ledger: Ledger
    lookups: Lookups
    now: Callable[[], float]

    def make(self, person: Person, name: str, scopes: Iterable[Scope], days: int, who: Who) -> str:
        """Return a new token, which nobody can see again.

        :param name: what the person calls it. ``days``: until its end; 0 for none. ``who``: whoever makes it.
        :raises BadToken: for what can't be.
        """
        name = name.strip()
        given = frozenset(scopes)
        self._check(person, name, given, days)
        now, token = int(self.now()), PREFIX + secrets.token_urlsafe(_OCTETS)
        words = " ".join(scope.value for scope in Scope if scope in given)
        until = now + days * _DAY if days else 0
        row = AccessTokenRow(_digest(token), name, person.uuid, person.dn, words, now, until)
        with self.ledger.together():
            if not self.ledger.access_tokens.add(row):
                raise BadToken("name", marked("You have a token of this name already."))
            detail = f"{name} for {person.address or person.dn}: {words}"
            self.ledger.note("access-token-create", who, now, detail=detail)
        return token

    def _check(self, person: Person, name: str, scopes: frozenset[Scope], days: int) -> None:
        if not name or len(name) > LONGEST_NAME or any(unicodedata.category(c)[0] == "C" for c in name):
            raise BadToken("name", marked("Give it a name of 1 to {number} characters."), number=LONGEST_NAME)
        if not scopes:
            raise BadToken("scopes", marked("Choose at least one thing that the token may be used for."))
        if not 0 <= days <= LONGEST_DAYS:
            raise BadToken(
                "days", marked("A number of days from 0 to {number} is wanted."), number=LONGEST_DAYS
            )
        if len(self.of(person.uuid)) >= _MOST:
            raise BadToken("name", marked("You have {number} tokens; revoke one first."), number=_MOST)

    def of(self, person: str = "") -> tuple[AccessTokenRow, ...]:
        """Return the tokens of a person (by UUID), or all."""
        return self.ledger.access_tokens.of(person)

    def revoke(self, row: AccessTokenRow, who: Who) -> bool:
        """End a token; False where it had ended already."""
        return self._end(row, "access-token-revoke", who, f"{row.name} of {row.dn}")

    def holder(self, token: str) -> Holder | None:
        """Return whom a token stands for; None for one that doesn't hold, which is forgotten then."""
        row = self.ledger.access_tokens.get(_digest(token)) if _plausible(token) else None
        if row is None:
            return None
        now = int(self.now())
        person = self._person(row)
        if person is None or 0 < row.until <= now:
            why = "its time is over" if person is not None else "its person is gone or locked"
            self._end(row, "access-token-end", DESK, f"{row.name} of {row.dn}: {why}")
            return None
        # To the minute: a program asks often.
        if now - row.used >= _MINUTE:
            self.ledger.access_tokens.used(row.digest, now)
        known = {scope.value for scope in Scope}
        scopes = frozenset(Scope(word) for word in row.scopes.split() if word in known)
        return Holder(person, row.name, scopes, row.digest, row.until)

    def _end(self, row: AccessTokenRow, action: str, who: Who, detail: str) -> bool:
        with self.ledger.together():
            gone = self.ledger.access_tokens.remove(row.digest)
            if gone:
                self.ledger.note(action, who, int(self.now()), detail=detail)
        return gone

    def _person(self, row: AccessTokenRow) -> Person | None:
        with self.lookups.snapshot() as directory:
            person = person_of(row.person, row.dn, directory)
        return None if person is None or person.disabled else person


def _plausible(token: str) -> bool:
    return token.startswith(PREFIX) and len(token) <= _LONGEST and token.isascii()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
