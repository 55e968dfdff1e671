"""Changes of the directory as changes of the mirror's rows, inside the caller's transaction.

Notes on the way what else has to follow: whose dynamic memberships, which findings, which groups' versions. Past a
number of changes it notes *everything* instead, so a first load takes bounded memory. A `sqlite3.Error` comes
through; the caller rolls back.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from groupmilter.directory.dn import normalise
from groupmilter.directory.entry import Change, Entry, KeepOnly, Put, Remove
from groupmilter.directory.findings import stored
from groupmilter.directory.mirror_bulk import Bulk, is_empty
from groupmilter.directory.mirror_rows import Row, listed
from groupmilter.directory.mirror_schema import DISABLED, DYNAMIC, MEMBERSHIP, REVERSE, RIGHTS, SEARCHED
from groupmilter.directory.profile import Profile, Record
from groupmilter.directory.side_store import signature, values_of

_EXCLUDED, _ALLOWED = RIGHTS["excluded"], RIGHTS["allowed"]
_ENTRY = "INSERT INTO entry VALUES(?, ?, ?, ?, ?)"
_DETAIL = "INSERT INTO detail VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"
_ADDRESS = "INSERT INTO address VALUES(?, ?, ?)"
_LOGIN = "INSERT INTO login VALUES(?, ?)"
_LISTED = "INSERT INTO listed VALUES(?, ?, ?)"
_LINK = "INSERT OR IGNORE INTO link VALUES(?, ?, ?)"
_NODES_KEPT = 150_000
_CHANGES_NOTED = 20_000
_HELD = (
    "SELECT d.node, d.uuid, d.dn, d.short, d.digest, d.body, e.kind = 1, e.flags, e.address, d.urls"
    " FROM detail d JOIN entry e ON e.node = d.node"
)
_BY_UUID, _BY_NODE = f"{_HELD} WHERE d.uuid = ?", f"{_HELD} WHERE d.node = ?"
# RFC 4517 section 3.3.21: uniqueMember may carry a bit string after the DN.
_UNIQUE = re.compile(r"#'[01]*'[Bb]$")


@dataclass(slots=True)
class Changed:
    """What one batch has touched; ``everything`` replaces the sets where they would grow too large.

    :param entries: nodes whose entry is new, changed or gone.
    :param delivery: of these, the ones whose mail address, lock, kind or existence changed.
    :param groups: nodes whose group is new, changed or gone.
    :param urls: of these, the ones whose dynamic members must be found anew.
    :param nesting: whether a group came, went, says something else, or names other groups than before.
    :param addresses: canonical addresses that came or went; ``logins``, ``shorts`` (56-bit digests) likewise.
    """

    any: bool = False
    everything: bool = False
    nesting: bool = False
    entries: set[int] = field(default_factory=set)
    delivery: set[int] = field(default_factory=set)
    groups: set[int] = field(default_factory=set)
    urls: set[int] = field(default_factory=set)
    addresses: set[str] = field(default_factory=set)
    logins: set[str] = field(default_factory=set)
    shorts: set[int] = field(default_factory=set)

    def note(self, node: int, *, group: bool, delivery: bool) -> None:
        """Note one entry's change."""
        self.any = True
        if group:
            self.groups.add(node)
        if self.everything:
            return
        self.entries.add(node)
        if delivery:
            self.delivery.add(node)
        if len(self.entries) > _CHANGES_NOTED:
            self.everything = True
            for noted in (self.entries, self.delivery, self.addresses, self.logins, self.shorts):
                noted.clear()

    def claim(self, addresses: Iterable[str], logins: Iterable[str], short: int) -> None:
        """Note addresses, logins and digest that came or went."""
        if not self.everything:
            self.addresses.update(addresses)
            self.logins.update(logins)
            self.shorts.add(short)


@dataclass(frozen=True, slots=True)
class _Held:
    """What the mirror holds of an entry."""

    node: int
    uuid: str
    dn: str
    short: int
    digest: bytes
    body: str
    group: bool
    flags: int
    address: str
    urls: str | None


class Writer:
    """Writes entries, one batch long.

    :param rows: makes the row of a record.
    :param generation: the number that changed rows get.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        profile: Profile,
        rows: Callable[[Record], Row],
        placeholder: str,
        generation: int,
    ) -> None:
        self.changed = Changed()
        self._connection = connection
        self._profile = profile
        self._rows = rows
        self._placeholder = normalise(placeholder) or ""
        self._generation = generation
        self._nodes: dict[str, int] = {}
        self._bulk = Bulk(connection, empty=is_empty(connection))

    def perform(self, change: Change) -> None:
        """Bring one change into the tables."""
        match change:
            case Put(entry):
                self._put(entry)
            case Remove(uuid):
                self._remove(uuid)
            case KeepOnly(uuids):
                self._keep_only(uuids)

    def finish(self) -> Changed:
        """Write what is still kept back; return what has changed."""
        self._bulk.finish()
        return self.changed

    def node(self, name: str) -> int:
        """Return the number of a normalised DN, a new one where it has none."""
        return self._nodes.get(name) or self._numbered(name)[0]

    def _numbered(self, name: str) -> tuple[int, bool]:
        """Return the number of a DN, and whether it is a new one, so that nothing can stand there."""
        if len(self._nodes) >= _NODES_KEPT:
            self._nodes.clear()
        made = self._connection.execute("INSERT OR IGNORE INTO node(dn) VALUES(?)", (name,))
        if made.rowcount == 1:
            number = int(made.lastrowid or 0)
        else:
            found = self._connection.execute("SELECT id FROM node WHERE dn = ?", (name,)).fetchone()
            number = int(found[0])
        self._nodes[name] = number
        return number, made.rowcount == 1

    def _held(self, where: str, value: str | int) -> _Held | None:
        self._bulk.flush()
        found = self._connection.execute(where, (value,)).fetchone()
        return None if found is None else _Held(*found)

    def _put(self, entry: Entry) -> None:
        record = self._profile.read(entry)
        if record is None:
            self._remove(entry.uuid)
            self._clear(self.node(_name(entry.dn)))
            return
        new = self._rows(record)
        beside = signature(values_of(entry)) if new.group else b""
        # The rows may be the same, but what the mirror has of the side store isn't.
        digest = hashlib.blake2b(new.digest() + beside, digest_size=16).digest() if beside else new.digest()
        old = None if self._bulk.lacks(new.uuid) else self._held(_BY_UUID, new.uuid)
        if old is not None and old.digest == digest:
            return
        name = _name(new.dn)
        known = self._nodes.get(name)
        node, fresh = (known, False) if known is not None else self._numbered(name)
        searched: list[int] = []
        if old is not None and old.node != node:
            searched = self._searched(old.node)
            self._drop(old)
            old = None
        if old is None and not fresh and not self._bulk.lacks(node):
            self._clear(node)
        short = new.short
        self._note(node, new, short, old)
        self._write(node, new, (short, digest), old)
        if new.group or (old is not None and old.group):
            self._keep_side(new.uuid, beside)
        if searched:
            self._insert_links((group, SEARCHED, node) for group in searched)

    def _keep_side(self, uuid: str, beside: bytes) -> None:
        self._connection.execute("DELETE FROM side WHERE uuid = ?", (uuid,))
        if beside:
            self._connection.execute("INSERT INTO side VALUES(?, ?)", (uuid, beside))

    def _clear(self, node: int) -> None:
        """Take out another entry that bore this name: it was deleted or renamed, its change just comes later."""
        occupant = self._held(_BY_NODE, node)
        if occupant is not None:
            self._drop(occupant)

    def _note(self, node: int, new: Row, short: int, old: _Held | None) -> None:
        same = old is not None and (old.group, old.address) == (new.group, new.address)
        locked = old is not None and (old.flags ^ new.flags) & DISABLED
        group = new.group or (old is not None and old.group)
        self.changed.note(node, group=group, delivery=not same or bool(locked))
        self.changed.claim(new.addresses, new.logins, short)
        if group and (old is None or old.urls != new.urls):
            self.changed.urls.add(node)
        if group and not (old is not None and _says(old) == _says(new)):
            self.changed.nesting = True

    def _write(self, node: int, new: Row, digests: tuple[int, bytes], old: _Held | None) -> None:
        execute = self._connection.execute
        if old is not None:
            self._unclaim(old)
            for table in ("entry", "detail", "listed"):
                execute(f"DELETE FROM {table} WHERE node = ?", (node,))  # noqa: S608  literals
            execute("DELETE FROM finding WHERE node = ? AND target = 0", (node,))
        self._bulk.note(new.uuid, node)
        insert = self._bulk.insert
        insert(_ENTRY, (node, new.group, new.flags, self._generation, new.address))
        texts = (new.dn, new.body, new.outside, new.urls, new.search_values)
        insert(_DETAIL, (node, new.uuid, *digests, *texts))
        insert(_LISTED, (node, new.form, new.listed))
        for rank, address in enumerate(new.addresses):
            insert(_ADDRESS, (address, node, rank))
        for login in new.logins:
            insert(_LOGIN, (login, node))
        if new.group or (old is not None and old.group):
            self._own_links(node, new, old)
        if new.member_of or old is not None:
            self._reverse_links(node, new)
        for problem in new.problems:
            details = {"attribute": problem.attribute, "value": problem.value, "expected": problem.expected}
            execute("INSERT INTO finding VALUES(?, ?, 0, ?)", (node, problem.kind.value, stored(details)))

    def _unclaim(self, old: _Held) -> None:
        addresses, logins = listed(old.body, group=old.group)
        self.changed.claim(addresses, logins, old.short)
        for address in addresses:
            self._connection.execute(
                "DELETE FROM address WHERE canonical = ? AND node = ?", (address, old.node)
            )
        for login in logins:
            self._connection.execute("DELETE FROM login WHERE login = ? AND node = ?", (login, old.node))

    def _own_links(self, node: int, new: Row, old: _Held | None) -> None:
        """Write the links that the group's own attributes make; only the difference is touched."""
        held = set() if old is None else self._held_links(node)
        wanted = {
            (number, self.node(name))
            for number, names in new.names.items()
            for name in map(_name, names)
            if not self._is_placeholder(name)
        }
        if old is None:
            for number, target in sorted(wanted):
                self._bulk.insert(_LINK, (node, number, target))
            return
        differing = wanted ^ held
        if any(number == _EXCLUDED for number, _ in differing):
            self.changed.urls.add(node)
        self.changed.nesting = self.changed.nesting or any(
            number == _ALLOWED or (number < MEMBERSHIP and self._is_group(target))
            for number, target in differing
        )
        self._delete_links((node, *gone) for gone in held - wanted)
        self._insert_links((node, *come) for come in sorted(wanted - held))

    def _held_links(self, node: int) -> set[tuple[int, int]]:
        """Return field and target of a group's links, and remember the names: most are named again."""
        rows = self._connection.execute(
            "SELECT l.field, l.target, n.dn FROM link l JOIN node n ON n.id = l.target"
            " WHERE l.source = ? AND l.field NOT IN (?, ?, ?)",
            (node, REVERSE, DYNAMIC, SEARCHED),
        ).fetchall()
        self._nodes.update((name, target) for _, target, name in rows)
        return {(number, target) for number, target, _ in rows}

    def _is_group(self, node: int) -> bool:
        found = self._connection.execute("SELECT 1 FROM entry WHERE node = ? AND kind = 1", (node,))
        return found.fetchone() is not None

    def _is_placeholder(self, name: str) -> bool:
        """Tell whether a DN is the configured one, given in full or as the first RDNs of it."""
        placeholder = self._placeholder
        return bool(placeholder) and (name == placeholder or name.startswith(f"{placeholder},"))

    def _reverse_links(self, node: int, new: Row) -> None:
        self._bulk.flush()
        wanted = {self.node(_name(name)) for name in new.member_of}
        held = set(self._sources(node, REVERSE))
        self.changed.groups |= wanted ^ held
        self.changed.nesting = self.changed.nesting or (new.group and wanted != held)
        self._delete_links((group, REVERSE, node) for group in held - wanted)
        self._insert_links((group, REVERSE, node) for group in wanted - held)

    def _sources(self, node: int, number: int) -> list[int]:
        found = self._connection.execute(
            "SELECT source FROM link WHERE target = ? AND field = ?", (node, number)
        )
        return [source for (source,) in found]

    def _searched(self, node: int) -> list[int]:
        return self._sources(node, SEARCHED)

    def _insert_links(self, links: Iterable[tuple[int, int, int]]) -> None:
        self._connection.executemany(_LINK, links)

    def _delete_links(self, links: Iterable[tuple[int, int, int]]) -> None:
        self._connection.executemany("DELETE FROM link WHERE source = ? AND field = ? AND target = ?", links)

    def _remove(self, uuid: str) -> None:
        old = self._held(_BY_UUID, uuid)
        if old is not None:
            self._drop(old)

    def _drop(self, old: _Held) -> None:
        """Take an entry out; links of others to its name stay, dangling, and dynamic ones for `mirror_dynamic`."""
        self.changed.note(old.node, group=old.group, delivery=True)
        if old.group:
            self.changed.nesting = True
            self.changed.urls.add(old.node)
            self._connection.execute("DELETE FROM side WHERE uuid = ?", (old.uuid,))
        self._unclaim(old)
        self._touch_reverse(old.node)
        self.changed.groups.update(self._searched(old.node))
        execute = self._connection.execute
        for table in ("entry", "detail", "listed", "finding"):
            execute(f"DELETE FROM {table} WHERE node = ?", (old.node,))  # noqa: S608  literals
        execute("DELETE FROM link WHERE source = ? AND field <> ?", (old.node, REVERSE))
        execute("DELETE FROM link WHERE target = ? AND field IN (?, ?)", (old.node, REVERSE, SEARCHED))

    def _touch_reverse(self, node: int) -> None:
        self.changed.groups.update(self._sources(node, REVERSE))

    def _keep_only(self, uuids: frozenset[str]) -> None:
        self._bulk.flush()
        held = self._connection.execute("SELECT uuid FROM detail").fetchall()
        for (uuid,) in held:
            if uuid not in uuids:
                self._remove(uuid)


def _says(group: Row | _Held) -> tuple[object, ...]:
    """Return what groups around it and within it hang on, its links apart."""
    return group.group, group.dn, group.flags, group.address, group.body


def _name(dn: str) -> str:
    """Return the comparable form of a DN; what is no DN stands for itself, and dangles."""
    name = normalise(dn)
    if name is None:
        name = normalise(_UNIQUE.sub("", dn))
    return dn.strip().casefold() if name is None else name
