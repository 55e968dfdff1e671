"""The ways of following an LDAP directory on an open session: persist, poll, reload, and the searches beside
them.

Each works until told to stop or until something fails; what fails is for `synchroniser` to deal with. The
mirror is changed through `Writer` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from groupmilter.directory.entry import Change
from groupmilter.directory.ldap_settings import ReadFailed, Refused, Unreachable, Unusable
from groupmilter.directory.ldap_syncrepl import Event, Finished, Mode
from groupmilter.directory.reader import LdapSession, Reader, SyncStream
from groupmilter.directory.refresh import Refresh
from groupmilter.directory.synchroniser_settings import Log, Stop, SyncSettings
from groupmilter.directory.synchroniser_side import queries
from groupmilter.directory.synchroniser_sources import SLICE, Cookies, Refreshing, checked, whole
from groupmilter.directory.synchroniser_writer import Writer

Clock = Callable[[], float]

# Changes that arrive without a pause still come into force this often, in seconds.
_LONGEST_BATCH = 0.25
# Member URLs are not searched more often than this, however much changes, in seconds.
_DYNAMIC_PAUSE = 1.0
# After a failure to read what the side store has changed, in seconds.
_SIDE_PAUSE = 1.0


@dataclass(slots=True)
class Dynamic:
    """The member URLs that only the server can evaluate."""

    reader: Reader
    writer: Writer
    settings: SyncSettings
    log: Log
    clock: Clock
    _last: float | None = None

    def when_due(self) -> None:
        """Evaluate them after changes, and once in a while."""
        now = self.clock()
        pause = _DYNAMIC_PAUSE if self.writer.changed else self.settings.dynamic
        if self._last is None or now - self._last >= pause:
            self.evaluate()

    def evaluate(self) -> None:
        """Search each on a connection of its own; one that fails keeps its members and costs a log line."""
        self._last = self.clock()
        self.writer.changed = False
        searches = self.writer.mirror.searches()
        if not searches:
            return
        try:
            with self.reader.connect() as session:
                for search in searches:
                    self._one(session, search.group_uuid, search.base, search.scope, search.filter)
        except ReadFailed as error:
            self.log.warning("member_urls_not_searched", error=str(error))
        # Its own results are no reason to search again.
        self.writer.changed = False

    def _one(self, session: LdapSession, group_uuid: str, base: str, scope: str, query: str) -> None:
        try:
            uuids = [entry.uuid for entry in session.search(base, scope, query, ())]
        except (Refused, Unusable) as error:
            self.log.warning(
                "member_url_refused", group=group_uuid, base=base, filter=query, error=str(error)
            )
        else:
            self.writer.dynamic(group_uuid, uuids)


@dataclass(slots=True)
class Sides:
    """The entries whose values in the side store have changed."""

    reader: Reader
    writer: Writer
    settings: SyncSettings
    log: Log
    clock: Clock
    _not_before: float = 0.0

    def when_due(self, url: str) -> None:
        """Read them again where something has changed; a failure costs a log line, and is tried again soon.

        :param url: of the server that is followed: another one may be behind it.
        """
        if not self.writer.beside.look() or self.clock() < self._not_before:
            return
        self._not_before = self.clock() + _SIDE_PAUSE
        reader = Reader(replace(self.reader.settings, urls=(url,)), self.clock)
        try:
            with reader.connect() as session:
                for some, query in queries(self.writer.beside.waiting, self.settings.uuid):
                    self._read(session, some, query)
        except ReadFailed as error:
            self.log.warning("side_store_not_merged", error=str(error))
        else:
            self._not_before = 0.0

    def _read(self, session: LdapSession, some: tuple[str, ...], query: str) -> None:
        limits = self.reader.settings
        whole_query = f"(&{limits.query(self.settings.query)}{query})"
        self.writer.again(
            some, tuple(session.search(limits.base, "sub", whole_query, self.settings.attributes))
        )


@dataclass(slots=True)
class Follower:
    """The three ways, on one session."""

    session: LdapSession
    writer: Writer
    dynamic: Dynamic
    sides: Sides
    settings: SyncSettings
    cookies: Cookies
    clock: Clock
    stop: Stop

    def reload(self) -> None:
        """Read everything, once."""
        limits = self.dynamic.reader.settings
        query = limits.query(self.settings.query)
        entries = self.session.search(limits.base, "sub", query, self.settings.attributes)
        self.writer.load(whole(entries, self.stop), lambda: None)
        self.dynamic.evaluate()

    def poll(self) -> None:
        """Read what has changed since the last time, once (RFC 4533 section 1.3.1, refreshOnly)."""
        self._refresh(Mode.REFRESH_ONLY)
        self.dynamic.evaluate()

    def persist(self, on_loaded: Callable[[], None]) -> None:
        """Read what has changed, then each change as it happens (RFC 4533 section 1.3.2), until told to
        stop.
        """
        stream, state = self._refresh(Mode.REFRESH_AND_PERSIST)
        on_loaded()
        alive = Alive(stream, self.settings, self.clock, self.clock())
        while not self.stop.is_set():
            event = stream.receive(SLICE)
            if event is not None:
                self._batch(stream, state, event)
            if alive.tick():
                self.writer.equal()
            self.sides.when_due(stream.url)
            self.dynamic.when_due()

    def _refresh(self, mode: Mode) -> tuple[SyncStream, Refresh]:
        limits = self.dynamic.reader.settings
        cookie = self.cookies.opened(self.writer.mirror.cookie)
        query = limits.query(self.settings.query)
        stream = self.session.synchronise(mode, query, self.settings.attributes, cookie)
        state = Refresh(initial=cookie is None)
        changes = Refreshing(stream, state, limits, self.stop, self.clock).changes()
        self.writer.load(changes, lambda: self.cookies.framed(state.cookie))
        return stream, state

    def _batch(self, stream: SyncStream, state: Refresh, event: Event | None) -> None:
        """Apply an event and those that come right behind it."""
        until = self.clock() + _LONGEST_BATCH
        changes: list[Change] = []
        while event is not None:
            if isinstance(checked(event, state, stream.url), Finished):
                raise Unreachable(f"{stream.url}: the server ended the synchronisation")
            changes += state.step(event)
            if len(changes) >= self.settings.batch or self.clock() >= until:
                break
            event = stream.receive(self.settings.linger)
        cookie = self.cookies.framed(state.cookie)
        if changes:
            self.writer.batch(changes, cookie)
        else:
            self.writer.equal(cookie)


@dataclass(slots=True)
class Alive:
    """The questions that tell a quiet server from a frozen one."""

    stream: SyncStream
    settings: SyncSettings
    clock: Clock
    last: float
    seen: int = 0

    def tick(self) -> bool:
        """Ask when it is time; tell whether an answer came since the last tick; `Unreachable` after
        silence.
        """
        now = self.clock()
        answered = self.stream.answered > self.seen
        self.seen = self.stream.answered
        if self.stream.asked > self.stream.answered:
            if now - self.last > self.settings.silence:
                raise Unreachable(f"{self.stream.url}: the server is silent")
        elif now - self.last >= self.settings.keepalive:
            self.last = now
            self.stream.ping()
        return answered
