"""Where changes come from: a running refresh, a full search, an LDIF file.

Each is an iterator that ends only when all has been read, and fails otherwise (`ReadFailed`,
`RefreshRequired`, `Stopped`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from groupmilter.directory.entry import Change, Entry, KeepOnly, Put
from groupmilter.directory.ldap_settings import Incomplete, LdapSettings, Refused, Unreachable
from groupmilter.directory.ldap_syncrepl import REFRESH_REQUIRED, Changed, Event, Finished
from groupmilter.directory.reader import SyncStream
from groupmilter.directory.refresh import Refresh
from groupmilter.directory.synchroniser_settings import Stop, Stopped, SyncSettings

Clock = Callable[[], float]

# How soon a wish to stop is noticed while the server is silent, in seconds.
SLICE = 0.25

_UNWILLING = 53
_DIGEST = 8


class RefreshRequired(Exception):
    """The server can't go on from our cookie: load everything."""


@dataclass(frozen=True, slots=True)
class Cookies:
    """Cookies as the mirror keeps them: with a digest of the search that they belong to (RFC 4533 section
    3.1).

    A cookie of another search would let the server leave out entries that we never asked for before.
    """

    digest: bytes

    @classmethod
    def of(cls, ldap: LdapSettings, settings: SyncSettings) -> Cookies:
        """Return the frame for one search."""
        search = "\0".join((ldap.base, ldap.query(settings.query), *settings.attributes))
        return cls(hashlib.sha256(search.encode()).digest()[:_DIGEST])

    def framed(self, cookie: bytes | None) -> bytes | None:
        """Return a cookie of the server as the mirror keeps it."""
        return None if cookie is None else self.digest + cookie

    def opened(self, kept: bytes | None) -> bytes | None:
        """Return the cookie for the server, None where there is none for this search."""
        if kept is None or not kept.startswith(self.digest):
            return None
        return kept.removeprefix(self.digest)


@dataclass(frozen=True, slots=True)
class Refreshing:
    """The refresh stage of a synchronisation, as changes."""

    stream: SyncStream
    state: Refresh
    limits: LdapSettings
    stop: Stop
    clock: Clock

    def changes(self) -> Iterator[Change]:
        """Yield what the refresh brings; ends when it has ended as it should."""
        began = heard = self.clock()
        count = 0
        while not self.state.finished:
            if self.stop.is_set():
                raise Stopped
            event = self.stream.receive(SLICE)
            if event is None:
                self._patient(began, heard)
                continue
            heard = self.clock()
            count += isinstance(event, Changed)
            if count > self.limits.max_entries:
                raise Incomplete(f"{self.stream.url}: more than {self.limits.max_entries} entries")
            yield from self.state.step(checked(event, self.state, self.stream.url))

    def _patient(self, began: float, heard: float) -> None:
        now = self.clock()
        if now - heard > self.limits.operation_timeout or now - began > self.limits.load_timeout:
            raise Unreachable(f"{self.stream.url}: the refresh did not end in time")


def checked(event: Event, state: Refresh, url: str) -> Event:
    """Return the event; raise what the end of a synchronisation with another result than success means."""
    if not isinstance(event, Finished) or event.code == 0:
        return event
    # OpenLDAP is "unwilling" where our cookie is newer than all it has: it was restored, or is another one.
    if not state.initial and event.code in (REFRESH_REQUIRED, _UNWILLING):
        raise RefreshRequired(event.text or f"result code {event.code}")
    raise Refused(f"{url}: synchronisation", event.code, event.text)


def whole(entries: Iterable[Entry], stop: Stop) -> Iterator[Change]:
    """Yield all entries of a complete reading, then that nothing else is there."""
    seen: set[str] = set()
    for entry in entries:
        if stop.is_set():
            raise Stopped
        seen.add(entry.uuid)
        yield Put(entry)
    yield KeepOnly(frozenset(seen))
