"""The directory synchroniser: keeps the mirror equal to the directory, whatever happens to either (spec 1.3).

It connects, finds out how this server can be followed, follows it, and when that breaks says so, waits a
little longer each time, and begins again. Meanwhile the mirror stays as it is and grows old. `run` raises
nothing that a directory, a network or a full disk can cause; `once` lets its caller see it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol, Self

from groupmilter.config.model import Sync
from groupmilter.directory.ldap_settings import LdapSettings, ReadFailed, Refused
from groupmilter.directory.ldif import LdifError, read_file
from groupmilter.directory.mirror import MirrorError
from groupmilter.directory.reader import LdapSession, Reader
from groupmilter.directory.side_store import SideFeed, SideStoreUnavailable
from groupmilter.directory.synchroniser_modes import Dynamic, Follower, Sides
from groupmilter.directory.synchroniser_settings import (
    Log,
    LostTooMuch,
    MirrorWriter,
    Status,
    Stop,
    Stopped,
    SyncSettings,
)
from groupmilter.directory.synchroniser_side import Beside
from groupmilter.directory.synchroniser_sources import SLICE, Cookies, RefreshRequired, whole
from groupmilter.directory.synchroniser_writer import Writer

Clock = Callable[[], float]

# What `run` survives.
FAILURES = (ReadFailed, LostTooMuch, MirrorError, LdifError, SideStoreUnavailable)

# unavailableCriticalExtension, unwillingToPerform: the control is listed, but not for us.
_NO_SYNCHRONISATION = frozenset({12, 53})

# Far more than the tick of any file system's clock, in seconds.
_TICK = 0.05


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a synchroniser takes from outside.

    :param wall: the time of day in seconds.
    :param clock: seconds that only ever grow, for deadlines and pauses.
    :param jitter: returns a number from 0 up to 1, another one each time, so that many hosts don't return at
        once.
    :param on_applied: is told each new generation, and the first one after a start: to build the address map.
    :param beside: the side store; None where none is used.
    """

    log: Log
    wall: Clock
    clock: Clock
    jitter: Callable[[], float]
    on_applied: Callable[[int], None]
    beside: SideFeed | None = None


@dataclass(slots=True)
class Standing:
    """How the source stands; `Status` is its picture."""

    mode: str = ""
    source: str = ""
    connected: bool = False
    error: str = ""
    failures: int = 0

    def began(self, mode: str, source: str) -> None:
        """Note what is being read."""
        self.mode, self.source = mode, source

    def holds(self) -> None:
        """Note a success."""
        self.connected, self.error, self.failures = True, "", 0

    def broke(self, error: Exception) -> None:
        """Note a failure."""
        self.connected, self.error = False, str(error)
        self.failures += 1


class Source(Protocol):
    """A directory that a mirror can follow."""

    def follow(self, stop: Stop) -> None:
        """Keep the mirror equal to the directory until told to stop; raise one of `FAILURES`."""

    def load(self, stop: Stop) -> None:
        """Make the mirror equal to the directory once; raise one of `FAILURES`."""


@dataclass(slots=True)
class LdapSource:
    """An LDAP directory."""

    reader: Reader
    writer: Writer
    settings: SyncSettings
    standing: Standing
    around: Surroundings
    dynamic: Dynamic
    sides: Sides
    cookies: Cookies
    _reload_only: bool = field(default=False)

    def follow(self, stop: Stop) -> None:
        """Connect and follow, in the best way that settings and server allow."""
        with self.reader.connect() as session:
            mode = self._begin(session)
            follower = self._follower(session, stop)
            self._repeating(self._way(follower, mode))
        if mode is not Sync.PERSIST:
            self._rest(stop, self.settings.poll if mode is Sync.POLL else self.settings.reload)

    def load(self, stop: Stop) -> None:
        """Connect, read what the mirror lacks, and disconnect."""
        with self.reader.connect() as session:
            mode = self._begin(session)
            follower = self._follower(session, stop)
            self._repeating(follower.reload if mode is Sync.RELOAD else follower.poll)
        self.sides.when_due(self.standing.source)
        self.standing.holds()

    def _rest(self, stop: Stop, seconds: float) -> None:
        """Wait, with an eye on the side store where there is one."""
        if self.around.beside is None:
            stop.wait(seconds)
            return
        until = self.around.clock() + seconds
        while (left := until - self.around.clock()) > 0 and not stop.wait(min(left, SLICE)):
            self.sides.when_due(self.standing.source)

    def _begin(self, session: LdapSession) -> Sync:
        mode = self.settings.mode
        if mode is Sync.AUTO:
            able = not self._reload_only and session.capabilities().synchronises
            mode = Sync.PERSIST if able else Sync.RELOAD
        if not self.standing.connected or self.standing.source != session.url:
            self.around.log.info("directory_connected", url=session.url, mode=mode.value)
        self.standing.began(mode.value, session.url)
        return mode

    def _follower(self, session: LdapSession, stop: Stop) -> Follower:
        clock = self.around.clock
        dynamic, sides = self.dynamic, self.sides
        return Follower(session, self.writer, dynamic, sides, self.settings, self.cookies, clock, stop)

    def _way(self, follower: Follower, mode: Sync) -> Callable[[], None]:
        if mode is Sync.PERSIST:
            return lambda: follower.persist(self.standing.holds)
        once = follower.poll if mode is Sync.POLL else follower.reload

        def step() -> None:
            once()
            self.standing.holds()

        return step

    def _repeating(self, step: Callable[[], None]) -> None:
        """Do a step; learn from the server's refusal what the next attempt has to be like."""
        try:
            step()
        except RefreshRequired as error:
            self.writer.mirror.forget_cookie()
            self.around.log.warning("directory_full_refresh", reason=str(error))
            raise
        except Refused as error:
            if self.settings.mode is Sync.AUTO and error.code in _NO_SYNCHRONISATION:
                self._reload_only = True
                self.around.log.warning("directory_without_synchronisation", error=str(error))
            raise


@dataclass(slots=True)
class LdifSource:
    """An LDIF file in place of a server; read again when it isn't as it was read.

    Two changes within one tick of the file system's clock look the same: what was changed just now is read once more.
    """

    path: Path
    base: str
    writer: Writer
    settings: SyncSettings
    standing: Standing
    around: Surroundings
    _read: tuple[int, ...] | None = field(default=None)

    def follow(self, stop: Stop) -> None:
        """Read the file if it changed; look again a little later."""
        if self._read is None or self._stamp() != self._read or self.writer.beside.look():
            self.load(stop)
        else:
            self.writer.equal()
        until = self.around.clock() + min(self.settings.poll, self.settings.keepalive)
        while (left := until - self.around.clock()) > 0 and not stop.wait(min(left, SLICE)):
            if self.writer.beside.look():
                return

    def load(self, stop: Stop) -> None:
        """Read the file."""
        self.standing.began("ldif", f"ldif:{self.path}")
        stamp = self._stamp()
        settled = abs(self.around.wall() - stamp[0] / 1e9) > _TICK
        self.writer.load(whole(read_file(self.path, self.base), stop), lambda: None)
        # The whole file was read: what still waits isn't in it.
        self.writer.beside.arrived(self.writer.beside.waiting)
        self._read = stamp if settled else None
        self.standing.holds()

    def _stamp(self) -> tuple[int, ...]:
        """Return what tells one content from another: first when it changed, as nobody can set it (stat(2), ctime)."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise LdifError(f"{self.path}: {error.strerror}") from error
        return status.st_ctime_ns, status.st_mtime_ns, status.st_size, status.st_dev, status.st_ino


class Synchroniser:
    """Runs one source into one mirror. One thread runs it; `status` and `force` may be called from any."""

    def __init__(
        self, source: Source, writer: Writer, settings: SyncSettings, standing: Standing, around: Surroundings
    ) -> None:
        self._source = source
        self._writer = writer
        self._settings = settings
        self._standing = standing
        self._around = around

    @classmethod
    def of_ldap(
        cls, ldap: LdapSettings, mirror: MirrorWriter, settings: SyncSettings, around: Surroundings
    ) -> Self:
        """Return the synchroniser of an LDAP directory."""
        reader, writer = Reader(ldap, around.clock), _writer(mirror, settings, around)
        dynamic = Dynamic(reader, writer, settings, around.log, around.clock)
        sides = Sides(reader, writer, settings, around.log, around.clock)
        standing = Standing()
        cookies = Cookies.of(ldap, settings)
        source = LdapSource(reader, writer, settings, standing, around, dynamic, sides, cookies)
        return cls(source, writer, settings, standing, around)

    @classmethod
    def of_ldif(
        cls, path: Path, base: str, mirror: MirrorWriter, settings: SyncSettings, around: Surroundings
    ) -> Self:
        """Return the synchroniser of an LDIF file."""
        writer, standing = _writer(mirror, settings, around), Standing()
        source = LdifSource(path, base, writer, settings, standing, around)
        return cls(source, writer, settings, standing, around)

    def run(self, stop: Stop) -> None:
        """Keep the mirror equal to the directory until told to stop."""
        while not stop.is_set():
            try:
                self._source.follow(stop)
            except Stopped:
                return
            except RefreshRequired:
                continue
            except FAILURES as error:
                self._failed(error)
                stop.wait(self.pause())

    def once(self, *, force: bool = False) -> int:
        """Make the mirror equal to the directory now and return its generation; raise one of `FAILURES`.

        :param force: apply a load even if it lacks most of the groups.
        """
        self._writer.forced = force
        try:
            self._load()
        except FAILURES as error:
            self._failed(error)
            raise
        finally:
            self._writer.forced = False
        return self._writer.mirror.generation

    def force(self) -> None:
        """Let the next full load be applied even if it lacks most of the groups."""
        self._writer.forced = True

    def status(self) -> Status:
        """Return how things are."""
        standing, writer = self._standing, self._writer
        synced_at = writer.synced_at
        return Status(
            mode=standing.mode,
            source=standing.source,
            connected=standing.connected,
            error=standing.error,
            failures=standing.failures,
            age=None if synced_at is None else max(0.0, writer.wall() - synced_at),
            generation=writer.generation,
            loads=writer.loads,
            batches=writer.batches,
        )

    def pause(self) -> float:
        """Return the seconds to wait before the next attempt: doubled each time, bounded, and never quite
        alike.
        """
        settings = self._settings
        doublings = min(max(self._standing.failures - 1, 0), 32)
        longest = min(settings.first_pause * 2.0**doublings, settings.longest_pause)
        return longest * (0.5 + 0.5 * self._around.jitter())

    def _load(self) -> None:
        try:
            self._source.load(Event())
        except RefreshRequired:
            # The cookie is forgotten: this time everything is read.
            self._source.load(Event())

    def _failed(self, error: Exception) -> None:
        self._standing.broke(error)
        self._around.log.error("directory_failed", error=str(error), failures=self._standing.failures)


def _writer(mirror: MirrorWriter, settings: SyncSettings, around: Surroundings) -> Writer:
    beside = Beside(around.beside, mirror.sides, settings.most_lost, around.log)
    writer = Writer(mirror, around.wall, around.on_applied, around.log, settings.most_lost, beside)
    writer.generation, writer.synced_at = mirror.generation, mirror.synced_at
    return writer
