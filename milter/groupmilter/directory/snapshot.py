"""The mirror's read side: one consistent generation of the directory, for as long as one question takes.

A snapshot is one read transaction on a connection from a small pool; libmilter moves sessions between OS threads, so
nothing here belongs to a thread. What was read is kept by file and generation and shared by all snapshots of the
process, so an unchanged directory is read once, and a change is seen by the next snapshot. Whatever goes wrong (no
file, never loaded, too old, another layout, damaged, too slow) is `DirectoryUnknown`: the caller can only defer.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

from groupmilter.directory.mirror_schema import SCHEMA, identity
from groupmilter.directory.snapshot_cache import Cache
from groupmilter.directory.snapshot_connection import Connection, State
from groupmilter.directory.snapshot_view import Deadline, Snapshot, as_unknown
from groupmilter.groups.directory import DirectoryMoved, DirectoryUnknown

__all__ = ["Lease", "Reader", "Snapshot"]

_MOST_IDLE = 8
_LOOK_SECONDS = 1.0
_MOVED_OFTEN = 10


class Reader:
    """Gives snapshots of a mirror; one for each process, for any of its threads.

    :param path: the mirror's file; it need not exist yet.
    :param max_age: seconds since mirror and directory were last equal, past which nothing is known.
    :param fingerprint: of the `MirrorSettings` that are wanted; empty accepts any.
    :param patience: seconds that one snapshot's queries may take together.
    :param freshness: seconds for which it isn't asked again whether anybody has written; 0 asks each time.
    :param steady: whether a snapshot begins its transaction at once, so that the directory never moves under it; else
        it does so with the first question that the process can't answer by itself (`DirectoryMoved` is possible then).
    :param clock: a monotonic clock.
    """

    def __init__(
        self,
        path: Path,
        max_age: float,
        *,
        fingerprint: str = "",
        patience: float = 5.0,
        freshness: float = 0.0,
        steady: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._max_age = max_age
        self._fingerprint = fingerprint
        self._patience = patience
        self._freshness = freshness
        self._steady = steady
        self._clock = clock
        self._seen: tuple[float, tuple[int, int], State] | None = None
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._cache = Cache(((0, 0), -1))
        self._file = (0, 0)
        self._looked = float("-inf")

    def snapshot(self, now: float) -> Lease:
        """Give the directory as it is, for the length of a ``with`` block.

        :param now: wall clock, seconds.
        :raises DirectoryUnknown: on entry, and from every method of the snapshot.
        """
        return Lease(self, now)

    def lease(self, now: float) -> Snapshot:
        """Open a snapshot; `Lease` closes it."""
        if not self._steady:
            return self._leased(now)
        for _ in range(_MOVED_OFTEN):
            snapshot = self._leased(now)
            try:
                snapshot.begin()
            except DirectoryUnknown as error:
                moved = isinstance(error, DirectoryMoved)
                self.give_back(snapshot.connection, sound=moved)
                if not moved:
                    raise
            else:
                return snapshot
        raise DirectoryUnknown("the directory changes faster than it can be asked")

    def _leased(self, now: float) -> Snapshot:
        clock, seen, connection = self._clock(), self._seen, None
        if seen is None or clock >= seen[0]:
            connection, seen = self._looked_at(clock)
        try:
            generation = self._checked(seen[2], now)
        except DirectoryUnknown:
            self.give_back(connection, sound=True)
            raise
        cache = self._cache_of((seen[1], generation))
        return Snapshot(self, connection, generation, cache, Deadline(self._clock, clock + self._patience))

    def _looked_at(self, clock: float) -> tuple[Connection, tuple[float, tuple[int, int], State]]:
        """Return a connection and the mirror's state now, which holds good for a moment."""
        connection = self.borrowed()
        try:
            with as_unknown():
                seen = (clock + self._freshness, connection.file, connection.refresh())
        except DirectoryUnknown:
            self.give_back(connection, sound=False)
            raise
        self._seen = seen
        return connection, seen

    def moved(self) -> None:
        """Forget what was seen: somebody found another generation."""
        self._seen = None

    def borrowed(self) -> Connection:
        """Take a connection from the pool, or open one; `give_back` ends its use."""
        try:
            file = self._identity()
            while self._idle:
                connection = self._take()
                if connection is not None and connection.file == file:
                    return connection
                if connection is not None:
                    connection.sqlite.close()
            return Connection(self._path)
        except (OSError, sqlite3.Error) as error:
            raise DirectoryUnknown(f"the mirror can't be opened: {error}") from error

    def _identity(self) -> tuple[int, int]:
        """Return which file is the mirror; looked up again each second, since a deleted mirror comes back."""
        now = self._clock()
        if now >= self._looked + _LOOK_SECONDS:
            self._file = identity(self._path)
            self._looked = now
        return self._file

    def _take(self) -> Connection | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _checked(self, state: State, now: float) -> int:
        schema, fingerprint, generation, synced_at = state
        if schema != SCHEMA or self._fingerprint not in ("", fingerprint):
            raise DirectoryUnknown("the mirror was made from other settings")
        if synced_at is None:
            raise DirectoryUnknown("the mirror has never been loaded completely")
        if now - synced_at > self._max_age:
            raise DirectoryUnknown(f"the mirror is {now - synced_at:.0f} s old")
        return int(generation)

    def _cache_of(self, key: tuple[tuple[int, int], int]) -> Cache:
        """Return what is known of this file's generation; a newer one replaces the cache."""
        cache = self._cache
        if cache.key == key:
            return cache
        fresh = Cache(key)
        if cache.key[0] != key[0] or cache.key[1] < key[1]:
            self._cache = fresh
        return fresh

    def give_back(self, connection: Connection | None, *, sound: bool) -> None:
        """End a snapshot's transaction, if it began one; keep the connection unless it failed."""
        if connection is None:
            return
        try:
            if connection.sqlite.in_transaction:
                connection.sqlite.execute("ROLLBACK")
        except sqlite3.Error:
            sound = False
        with self._lock:
            kept = sound and len(self._idle) < _MOST_IDLE
            if kept:
                self._idle.append(connection)
        if not kept:
            connection.sqlite.close()

    def close(self) -> None:
        """Close the idle connections; snapshots in use close theirs."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.sqlite.close()


class Lease:
    """A snapshot for the length of a ``with`` block."""

    __slots__ = ("_now", "_reader", "_snapshot")

    def __init__(self, reader: Reader, now: float) -> None:
        self._reader = reader
        self._now = now
        self._snapshot: Snapshot | None = None

    def __enter__(self) -> Snapshot:
        self._snapshot = self._reader.lease(self._now)
        return self._snapshot

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._snapshot is not None:
            self._reader.give_back(self._snapshot.connection, sound=kind is None)
            self._snapshot = None
