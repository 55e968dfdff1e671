"""One snapshot of the mirror: the questions a decision asks, answered from what is known or by SQLite.

Made and ended by `snapshot.Reader`. Whatever goes wrong is `DirectoryUnknown`: the caller can only defer.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from groupmilter.directory.dn import normalise
from groupmilter.directory.mirror_rows import group as group_of
from groupmilter.directory.mirror_rows import person as person_of
from groupmilter.directory.mirror_schema import DISABLED, MEMBER, MEMBERSHIP
from groupmilter.directory.snapshot_cache import Cache
from groupmilter.directory.snapshot_connection import Connection
from groupmilter.groups.directory import DirectoryMoved, DirectoryUnknown, Member, Members
from groupmilter.groups.group import Group, Nodes
from groupmilter.groups.person import Node, Person
from groupmilter.groups.standing import Standing

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
_BARE = (
    "SELECT j.value, EXISTS (SELECT 1 FROM address a WHERE a.canonical = j.value)"
    " FROM detail d, json_each(d.outside) j WHERE d.node = ? AND d.outside IS NOT NULL"
)
_CONTAINING = """
WITH RECURSIVE up(node) AS (
    SELECT l.source FROM link l WHERE l.target = ? AND l.field < ?
    UNION
    SELECT l.source FROM up CROSS JOIN link l ON l.target = up.node AND l.field < ?)
SELECT up.node FROM up JOIN entry e ON e.node = up.node WHERE e.kind = 1"""
_HOW = "SELECT field FROM link WHERE target = ? AND field < ? AND source = ?"
_AMONG = (
    "SELECT 1 FROM detail d, json_each(d.outside) j, json_each(?) a"
    " WHERE d.node = ? AND d.outside IS NOT NULL AND j.value = a.value"
)
_INSIDE = (
    "SELECT DISTINCT l.target FROM json_each(?) j CROSS JOIN link l ON l.target = j.value AND l.field < ?"
    " WHERE l.source = ? ORDER BY l.target"
)


class Source(Protocol):
    """Where a snapshot gets its connection from, once it needs one."""

    def borrowed(self) -> Connection:
        """Return a connection; raise `DirectoryUnknown`."""

    def moved(self) -> None:
        """Note that the mirror has another generation than was last seen."""


class Deadline:
    """When a snapshot's patience ends; asked before each query, since none may be interrupted."""

    __slots__ = ("_clock", "_end")

    def __init__(self, clock: Callable[[], float], end: float) -> None:
        self._clock = clock
        self._end = end

    def check(self) -> None:
        """Raise `DirectoryUnknown` past the end."""
        if self._clock() > self._end:
            raise DirectoryUnknown("the mirror is too slow")


@contextmanager
def as_unknown(deadline: Deadline | None = None) -> Iterator[None]:
    """Turn whatever SQLite or an unexpected row raises into `DirectoryUnknown`."""
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

    __slots__ = ("_cache", "_deadline", "_generation", "_source", "connection")

    def __init__(
        self,
        source: Source,
        connection: Connection | None,
        generation: int,
        cache: Cache,
        deadline: Deadline,
    ) -> None:
        self._source = source
        self.connection = connection
        self._generation = generation
        self._cache = cache
        self._deadline = deadline

    @property
    def _sqlite(self) -> sqlite3.Connection:
        """The connection, within the transaction of this snapshot."""
        if self.connection is None:
            self.connection = self._source.borrowed()
        sqlite = self.connection.sqlite
        if not sqlite.in_transaction:
            sqlite.execute("BEGIN")
            if sqlite.execute("SELECT generation FROM state").fetchone()[0] != self._generation:
                self._source.moved()
                raise DirectoryMoved("the directory changed while it was asked")
        return sqlite

    def begin(self) -> None:
        """Begin the transaction, so that nothing moves from here on; raises `DirectoryMoved` where it has already."""
        with as_unknown(self._deadline):
            _ = self._sqlite

    @property
    def generation(self) -> int:
        """The number of the batch of changes that this snapshot ends with."""
        return self._generation

    def rows(self, statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        """Return what a statement finds in this generation, for `catalogue`, which bounds how much that is."""
        with as_unknown(self._deadline):
            return self._sqlite.execute(statement, parameters).fetchall()

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
        with as_unknown(self._deadline):
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
            with as_unknown(self._deadline):
                nodes = self._sqlite.execute(
                    "SELECT node FROM login WHERE login = ? LIMIT 2", (name,)
                ).fetchall()
            node = nodes[0][0] if len(nodes) == 1 else 0
            self._cache.keep_login(name, node)
        return self.person(Node(node))

    def by_digest(self, digest: int) -> Group | Person | None:
        """Return the entry that a ticket names by 56 bits (`groups.ticket.digest`); None for none or several."""
        with as_unknown(self._deadline):
            nodes = self._sqlite.execute(
                "SELECT node FROM detail WHERE short = ? LIMIT 2", (digest,)
            ).fetchall()
        return self._entry(nodes[0][0]) if len(nodes) == 1 else None

    def by_dn(self, dn: str) -> Group | Person | None:
        """Return the entry with a distinguished name, None for none."""
        with as_unknown(self._deadline):
            found = self._sqlite.execute("SELECT id FROM node WHERE dn = ?", (normalise(dn),)).fetchone()
        return self._entry(found[0]) if found else None

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
        with as_unknown(self._deadline):
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
        with as_unknown(self._deadline):
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
        known = {member.node for member in people}
        for address, entry in self._bare(node):
            if entry is None:
                people.append(Member(address))
            elif isinstance(entry, Group):
                groups.append(entry.node)
            elif entry.disabled or not entry.address:
                left_out.append(entry.node)
            elif entry.node not in known:
                known.add(entry.node)
                people.append(Member(entry.address, entry.node))
        return Members(tuple(people), tuple(dict.fromkeys(groups)), tuple(map(self._reason, left_out)))

    def _bare(self, node: int) -> Iterator[tuple[str, Group | Person | None]]:
        """Yield the group's bare member addresses, with whom each belongs to if the directory knows him."""
        for address, known in self._sqlite.execute(_BARE, (node,)).fetchall():
            yield address, self.find(address) if known else None

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
        with as_unknown(self._deadline):
            rows = self._sqlite.execute(_CONTAINING, (node, MEMBERSHIP, MEMBERSHIP)).fetchall()
        found = frozenset(Node(above) for (above,) in rows)
        self._cache.keep_containing(node, found)
        return found

    def standing(self, group: Node, person: Node | None, addresses: Collection[str]) -> Standing:
        """Return why somebody is a member of a group, without reading its other members.

        :param person: None for somebody without an entry. ``addresses``: his, canonical.
        """
        above = () if person is None else sorted(self.containing(person))
        with as_unknown(self._deadline):
            rows = self._sqlite.execute(_HOW, (person, MEMBERSHIP, group)).fetchall()
            fields = {field for (field,) in rows}
            among = self._sqlite.execute(_AMONG, (json.dumps(list(addresses)), group)).fetchone()
            inside = self._sqlite.execute(_INSIDE, (json.dumps(above), MEMBERSHIP, group)).fetchall()
        through = tuple(found for (node,) in inside if (found := self.group(Node(node))) is not None)
        return Standing(MEMBER in fields or among is not None, bool(fields - {MEMBER}), through)
