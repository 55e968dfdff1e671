"""The mirror's read side: one consistent generation of the directory, for as long as one question takes.

A snapshot is one read transaction on a connection from a small pool; libmilter moves sessions between OS threads, so
nothing here belongs to a thread. What was read is kept by file and generation and shared by all snapshots of the
process, so an unchanged directory is read once, and a change is seen by the next snapshot. Whatever goes wrong (no
file, never loaded, too old, another layout, damaged, too slow) is `DirectoryUnknown`: the caller can only defer.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from groupmilter.directory.mirror_rows import group as group_of
from groupmilter.directory.mirror_rows import person as person_of
from groupmilter.directory.mirror_schema import DISABLED, MEMBERSHIP, SCHEMA, identity
from groupmilter.directory.snapshot_cache import Cache
from groupmilter.directory.snapshot_connection import Connection, State
from groupmilter.groups.directory import DirectoryMoved, DirectoryUnknown, Member, Members
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Node, Person

_MOST_IDLE = 8
_LOOK_SECONDS = 1.0
_ENTRY = (
    "SELECT e.node, e.kind, e.flags, e.version, e.address, d.uuid, d.dn, d.body"
    " FROM entry e JOIN detail d ON d.node = e.node WHERE e.node = ?"
)
_CLAIMS = (
    "SELECT a.node, e.kind, a.rank FROM address a CROSS JOIN entry e ON e.node = a.node WHERE a.canonical = ?"
)
_MEMBERS = (
    "SELECT DISTINCT l.target, e.kind, e.flags, e.address FROM link l LEFT JOIN entry e ON e.node = l.target"
    " WHERE l.source = ? AND l.field < ?"
)
_CONTAINING = """
WITH RECURSIVE up(node) AS (
    SELECT l.source FROM link l WHERE l.target = ? AND l.field < ?
    UNION
    SELECT l.source FROM up CROSS JOIN link l ON l.target = up.node AND l.field < ?)
SELECT up.node FROM up JOIN entry e ON e.node = up.node WHERE e.kind = 1"""


class Reader:
    """Gives snapshots of a mirror; one for each process, for any of its threads.

    :param path: the mirror's file; it need not exist yet.
    :param max_age: seconds since mirror and directory were last equal, past which nothing is known.
    :param fingerprint: of the `MirrorSettings` that are wanted; empty accepts any.
    :param patience: seconds that one snapshot's queries may take together.
    :param freshness: seconds for which it isn't asked again whether anybody has written; 0 asks each time.
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._max_age = max_age
        self._fingerprint = fingerprint
        self._patience = patience
        self._freshness = freshness
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
        clock, seen, connection = self._clock(), self._seen, None
        if seen is None or clock >= seen[0]:
            connection, seen = self._looked_at(clock)
        try:
            generation = self._checked(seen[2], now)
        except DirectoryUnknown:
            self.give_back(connection, sound=True)
            raise
        cache = self._cache_of((seen[1], generation))
        return Snapshot(self, connection, generation, cache, _Deadline(self._clock, clock + self._patience))

    def _looked_at(self, clock: float) -> tuple[Connection, tuple[float, tuple[int, int], State]]:
        """Return a connection and the mirror's state now, which holds good for a moment."""
        connection = self.borrowed()
        try:
            with _as_unknown():
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


class _Deadline:
    """When a snapshot's patience ends; asked before each query, since none may be interrupted."""

    __slots__ = ("_clock", "_end")

    def __init__(self, clock: Callable[[], float], end: float) -> None:
        self._clock = clock
        self._end = end

    def check(self) -> None:
        if self._clock() > self._end:
            raise DirectoryUnknown("the mirror is too slow")


@contextmanager
def _as_unknown(deadline: _Deadline | None = None) -> Iterator[None]:
    try:
        if deadline is not None:
            deadline.check()
        yield
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise DirectoryUnknown(f"the mirror can't be read: {error}") from error


class Snapshot:
    """A `groups.directory.Directory` over one generation of the mirror.

    What the process already knows of the generation is answered without SQLite; the first question beyond that
    begins the transaction, and is `DirectoryMoved` where another generation has come meanwhile.
    """

    __slots__ = ("_cache", "_deadline", "_generation", "_reader", "connection")

    def __init__(
        self,
        reader: Reader,
        connection: Connection | None,
        generation: int,
        cache: Cache,
        deadline: _Deadline,
    ) -> None:
        self._reader = reader
        self.connection = connection
        self._generation = generation
        self._cache = cache
        self._deadline = deadline

    @property
    def _sqlite(self) -> sqlite3.Connection:
        """The connection, within the transaction of this snapshot."""
        if self.connection is None:
            self.connection = self._reader.borrowed()
        sqlite = self.connection.sqlite
        if not sqlite.in_transaction:
            sqlite.execute("BEGIN")
            if sqlite.execute("SELECT generation FROM state").fetchone()[0] != self._generation:
                self._reader.moved()
                raise DirectoryMoved("the directory changed while it was asked")
        return sqlite

    @property
    def generation(self) -> int:
        """The number of the batch of changes that this snapshot ends with."""
        return self._generation

    def find(self, address: str) -> Group | Person | None:
        """Return whose canonical address this is, None for nobody's.

        A group comes before a person, a primary address before an alias. Of two groups with equal claim nobody
        can tell which is meant: `DirectoryUnknown`. Of two persons neither is: mail for them is none of ours, and
        no right may hang on such an address.
        """
        kept = self._cache.addresses
        if address in kept:
            return self._entry(kept[address])
        node = self._claimed(address)
        self._cache.keep_address(address, node)
        return self._entry(node)

    def _claimed(self, address: str) -> int:
        """Return the node that an address belongs to, 0 for none."""
        with _as_unknown(self._deadline):
            claims = self._sqlite.execute(_CLAIMS, (address,)).fetchall()
        if not claims:
            return 0
        ordered = sorted((-kind, bool(rank), node) for node, kind, rank in claims)
        if len(ordered) > 1 and ordered[0][:2] == ordered[1][:2]:
            if ordered[0][0]:
                raise DirectoryUnknown(f"{address} belongs to several groups")
            return 0
        return int(ordered[0][2])

    def person_by_login(self, login: str) -> Person | None:
        """Return the person who authenticates under this name (any case); None for nobody or more than one."""
        name = login.strip().casefold()
        node = self._cache.logins.get(name)
        if node is None:
            with _as_unknown(self._deadline):
                nodes = self._sqlite.execute(
                    "SELECT node FROM login WHERE login = ? LIMIT 2", (name,)
                ).fetchall()
            node = nodes[0][0] if len(nodes) == 1 else 0
            self._cache.keep_login(name, node)
        return self.person(Node(node))

    def by_digest(self, digest: int) -> Group | Person | None:
        """Return the entry that a ticket names by 56 bits (`groups.ticket.digest`); None for none or several."""
        with _as_unknown(self._deadline):
            nodes = self._sqlite.execute(
                "SELECT node FROM detail WHERE short = ? LIMIT 2", (digest,)
            ).fetchall()
        return self._entry(nodes[0][0]) if len(nodes) == 1 else None

    def group(self, node: Node) -> Group | None:
        """Return the group at a node, None where none stands there."""
        entry = self._entry(node)
        return entry if isinstance(entry, Group) else None

    def person(self, node: Node) -> Person | None:
        """Return the person at a node, None where none stands there."""
        entry = self._entry(node)
        return entry if isinstance(entry, Person) else None

    def _entry(self, node: int) -> Group | Person | None:
        if not node:
            return None
        kept = self._cache.entries
        if node in kept:
            return kept[node]
        with _as_unknown(self._deadline):
            found = self._read(node)
        self._cache.keep_entry(node, found)
        return found

    def _read(self, node: int) -> Group | Person | None:
        row = self._sqlite.execute(_ENTRY, (node,)).fetchone()
        if row is None:
            return None
        _, kind, flags, version, address, uuid, dn, body = row
        if not kind:
            return person_of(node, flags, address, uuid, dn, body)
        rights = self._sqlite.execute(
            "SELECT field, target FROM link WHERE source = ? AND field > ?", (node, MEMBERSHIP)
        )
        return group_of(node, version, uuid, dn, body, rights)

    def members(self, node: Node) -> Members:
        """Return the direct members of the group at a node; none where none stands there.

        Persons that are locked and persons without a usable address are left out, with a sentence, and so is what
        stands nowhere.
        """
        kept = self._cache.members.get(node)
        if kept is not None:
            return kept
        with _as_unknown(self._deadline):
            found = self._members(node)
        self._cache.keep_members(node, found)
        return found

    def _members(self, node: int) -> Members:
        rows = self._sqlite.execute(_MEMBERS, (node, MEMBERSHIP)).fetchall()
        people: list[Member] = []
        groups: list[Node] = []
        left_out: list[int] = []
        for target, kind, flags, address in rows:
            if kind == 1:
                groups.append(target)
            elif kind is None or not address or flags & DISABLED:
                left_out.append(target)
            else:
                people.append(Member(address, target))
        people += map(Member, self._outside(node))
        return Members(tuple(people), tuple(groups), tuple(map(self._reason, left_out)))

    def _outside(self, node: int) -> list[str]:
        row = self._sqlite.execute("SELECT outside FROM detail WHERE node = ?", (node,)).fetchone()
        return json.loads(row[0]) if row is not None and row[0] else []

    def _reason(self, node: int) -> str:
        """Say why a member gets no mail."""
        dn, flags = self._sqlite.execute(
            "SELECT n.dn, e.flags FROM node n LEFT JOIN entry e ON e.node = n.id WHERE n.id = ?", (node,)
        ).fetchone()
        if flags is None:
            return f"{dn} is neither a person nor a group with mail"
        return f"{dn} is locked" if flags & DISABLED else f"{dn} has no address that mail can be sent to"

    def containing(self, node: Node) -> Nodes:
        """Return all groups that hold the node as a member at any depth; cycles are harmless."""
        kept = self._cache.containing.get(node)
        if kept is not None:
            return kept
        with _as_unknown(self._deadline):
            rows = self._sqlite.execute(_CONTAINING, (node, MEMBERSHIP, MEMBERSHIP)).fetchall()
        found = frozenset(Node(above) for (above,) in rows)
        self._cache.keep_containing(node, found)
        return found
