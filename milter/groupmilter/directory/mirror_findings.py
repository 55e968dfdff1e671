"""Findings in the mirror's tables: computed for what a batch has touched, in the same transaction.

Each kind is one or two statements over a temporary table of the groups, entries, addresses or digests concerned; a
first load puts everything there. Cycles, depth and what nested groups refuse look at the edges between groups only,
which the reverse index finds without reading anybody's members.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from groupmilter.directory.findings import Finding, Kind, finding, restored, stored
from groupmilter.directory.mirror_cycles import Graph, components, deepest, turned
from groupmilter.directory.mirror_refusals import PLAIN, Comparison, Limits, Reasons, refusals
from groupmilter.directory.mirror_rows import group as group_of
from groupmilter.directory.mirror_schema import (
    DISABLED,
    MEMBERSHIP,
    MODERATED,
    OPEN,
    OUTSIDERS,
    RIGHTS,
    RULED,
)
from groupmilter.directory.mirror_writer import Changed
from groupmilter.groups.group import Group
from groupmilter.language.catalogue import marked
from groupmilter.language.spoken import Fact, Sentence, worded
from groupmilter.mail.address import Pattern

_SHOWN = 5
_TOLD = 50
_NUMBERS = {
    "disabled": DISABLED,
    "open": OPEN,
    "moderated": MODERATED,
    "outsiders": OUTSIDERS,
    "ruled": RULED,
    "membership": MEMBERSHIP,
    "owners": RIGHTS["owners"],
    "moderators": RIGHTS["moderators"],
    "allowed": RIGHTS["allowed"],
    **{kind.name.lower(): kind.value for kind in Kind if kind is not Kind.DISABLED_MEMBER},
    "locked": Kind.DISABLED_MEMBER.value,
}
# A live link: from group e to an entry that is there and not locked.
_VIEW = """
CREATE TEMP VIEW live AS SELECT l.source, l.field FROM link l JOIN entry t ON t.node = l.target WHERE NOT t.flags & 1
"""
_GROUP_RULES = (
    """
INSERT INTO finding SELECT e.node, :ownerless, 0, '{}'
  FROM concerned c CROSS JOIN entry e ON e.node = c.id AND e.kind = 1 AND e.address <> ''
 WHERE NOT EXISTS (SELECT 1 FROM live WHERE source = e.node AND field = :owners)""",
    """
INSERT INTO finding SELECT e.node, :open_to_internet, 0, '{}'
  FROM concerned c CROSS JOIN entry e ON e.node = c.id AND e.kind = 1 AND e.address <> ''
 WHERE e.flags & :open AND NOT EXISTS (SELECT 1 FROM link WHERE source = e.node AND field = :allowed)""",
    """
INSERT INTO finding SELECT e.node, :nobody_decides, 0, '{}'
  FROM concerned c CROSS JOIN entry e ON e.node = c.id AND e.kind = 1 AND e.address <> ''
 WHERE e.flags & :moderated AND NOT EXISTS (
       SELECT 1 FROM live WHERE source = e.node AND field = CASE
         WHEN EXISTS (SELECT 1 FROM link WHERE source = e.node AND field = :moderators)
         THEN :moderators ELSE :owners END)""",
    """
INSERT INTO finding SELECT e.node, :empty, 0, '{}'
  FROM concerned c CROSS JOIN entry e ON e.node = c.id AND e.kind = 1 AND e.address <> ''
 WHERE NOT e.flags & :outsiders
   AND NOT EXISTS (SELECT 1 FROM live WHERE source = e.node AND field < :membership)""",
)
_FORGET_GROUPS = """
DELETE FROM finding WHERE node IN (SELECT id FROM concerned) AND target = 0
   AND kind IN (:ownerless, :open_to_internet, :nobody_decides, :empty, :over_limit)"""
_TOO_MANY = """
SELECT l.source, count(*) FROM concerned c CROSS JOIN link l ON l.source = c.id AND l.field < :membership
 GROUP BY l.source HAVING count(*) > :most"""
_FORGET_LINKS = (
    "DELETE FROM finding WHERE kind IN (:dangling, :locked) AND node IN (SELECT id FROM linking)",
    "DELETE FROM finding WHERE kind IN (:dangling, :locked) AND target IN (SELECT id FROM linked)",
)
_WRONG_LINKS = (
    """
INSERT INTO finding
SELECT DISTINCT l.source, CASE WHEN t.node IS NULL THEN :dangling ELSE :locked END, l.target, '{}'
  FROM linking c CROSS JOIN link l ON l.source = c.id JOIN entry e ON e.node = l.source AND e.kind = 1
  LEFT JOIN entry t ON t.node = l.target WHERE t.node IS NULL OR t.flags & :disabled""",
    """
INSERT INTO finding
SELECT DISTINCT l.source, CASE WHEN t.node IS NULL THEN :dangling ELSE :locked END, l.target, '{}'
  FROM linked c CROSS JOIN link l ON l.target = c.id JOIN entry e ON e.node = l.source AND e.kind = 1
  LEFT JOIN entry t ON t.node = l.target WHERE (t.node IS NULL OR t.flags & :disabled)
   AND l.source NOT IN (SELECT id FROM linking)""",
)
_ALL = """
SELECT f.node, f.kind, n.dn, f.details FROM finding f LEFT JOIN node n ON n.id = f.target
 ORDER BY f.node, f.kind, n.dn"""
_GROUP_EDGES = """
SELECT l.source, l.target FROM entry g CROSS JOIN link l ON l.target = g.node AND l.field < :membership
  JOIN entry s ON s.node = l.source AND s.kind = 1 WHERE g.kind = 1"""
_GROUPS = "SELECT node, address <> '' FROM entry WHERE kind = 1"
_RULED_GROUPS = """
SELECT e.node, e.version, d.uuid, d.dn, d.body FROM entry e JOIN detail d ON d.node = e.node
 WHERE e.kind = 1 AND e.flags & :ruled AND e.address <> ''"""
_ALLOWED = "SELECT field, target FROM link WHERE source = ? AND field = ?"


@dataclass(frozen=True, slots=True)
class _Shared:
    """How to find what several entries share though it should be one entry's."""

    kind: Kind
    values: str
    names: str


_SHARED_ADDRESSES = _Shared(
    Kind.DUPLICATE_ADDRESS,
    "SELECT canonical FROM address GROUP BY canonical HAVING count(*) > 1",
    "SELECT d.dn FROM address t JOIN detail d ON d.node = t.node WHERE t.canonical = ? ORDER BY d.dn",
)
_SHARED_LOGINS = _Shared(
    Kind.DUPLICATE_LOGIN,
    "SELECT login FROM login GROUP BY login HAVING count(*) > 1",
    "SELECT d.dn FROM login t JOIN detail d ON d.node = t.node WHERE t.login = ? ORDER BY d.dn",
)
_SHARED_DIGESTS = _Shared(
    Kind.DIGEST_COLLISION,
    "SELECT short FROM detail GROUP BY short HAVING count(*) > 1",
    "SELECT dn FROM detail WHERE short = ? ORDER BY dn",
)


class Findings:
    """Keeps the finding table in step with the others.

    :param own_domains: an allowed list that names them all leaves out nobody who is authenticated.
    """

    def __init__(
        self, connection: sqlite3.Connection, limits: Limits, own_domains: frozenset[str] = frozenset()
    ) -> None:
        self._connection = connection
        self._limits = limits
        self._own_domains = own_domains
        self._nested = False

    def forget(self) -> None:
        """Begin anew with how groups are nested: what was found is rolled back."""
        self._nested = False

    def follow(self, changed: Changed, moved: set[int]) -> None:
        """Compute anew what a batch may have changed; ``moved``: groups whose dynamic members changed."""
        everything = changed.everything
        self._connection.execute(_VIEW)
        for name, values in (
            ("concerned", changed.groups | moved),
            ("linking", changed.groups),
            ("linked", changed.delivery),
        ):
            self._temporary(name, values)
        self._widen(everything=everything)
        self._of_groups()
        for statement in (*_FORGET_LINKS, *_WRONG_LINKS):
            self._connection.execute(statement, _NUMBERS)
        self._shared(_SHARED_ADDRESSES, None if everything else changed.addresses)
        self._shared(_SHARED_LOGINS, None if everything else changed.logins)
        self._shared(_SHARED_DIGESTS, None if everything else changed.shorts)
        # Of many groups it takes long, and most changes are of people; limits may be others than before the start.
        if changed.nesting or moved or everything or (changed.groups and not self._nested):
            self._nesting()
            self._nested = True
        for name in ("concerned", "linking", "linked"):
            self._connection.execute(f"DROP TABLE {name}")
        self._connection.execute("DROP VIEW live")

    def _temporary(self, name: str, values: Iterable[int]) -> None:
        self._connection.execute(f"CREATE TEMP TABLE {name}(id INTEGER PRIMARY KEY)")
        insert = f"INSERT OR IGNORE INTO {name} VALUES(?)"
        self._connection.executemany(insert, ((value,) for value in values))

    def _widen(self, *, everything: bool) -> None:
        """Add the groups that name an entry which came, went or was locked; or all groups to all sets."""
        if everything:
            for name in ("concerned", "linking"):
                groups = f"INSERT OR IGNORE INTO {name} SELECT node FROM entry WHERE kind = 1"  # noqa: S608  a literal
                self._connection.execute(groups)
        self._connection.execute(
            "INSERT OR IGNORE INTO concerned"
            " SELECT l.source FROM linked c CROSS JOIN link l ON l.target = c.id"
        )

    def _of_groups(self) -> None:
        for statement in (_FORGET_GROUPS, *_GROUP_RULES):
            self._connection.execute(statement, _NUMBERS)
        most = {"membership": MEMBERSHIP, "most": self._limits.members}
        limit = str(self._limits.members)
        for node, count in self._connection.execute(_TOO_MANY, most).fetchall():
            self._add(node, Kind.OVER_LIMIT, 0, count=str(count), what=worded(marked("members")), limit=limit)

    def _add(self, node: int, kind: Kind, target: int, **details: Fact) -> None:
        self._connection.execute(
            "INSERT INTO finding VALUES(?, ?, ?, ?)", (node, kind.value, target, stored(details))
        )

    def _shared(self, shared: _Shared, touched: Iterable[str | int] | None) -> None:
        """Find values that several entries have; the finding is about no single entry (node 0)."""
        execute = self._connection.execute
        if touched is None:
            execute("DELETE FROM finding WHERE node = 0 AND kind = ?", (shared.kind,))
            touched = [value for (value,) in execute(shared.values)]
        for value in touched:
            execute(
                "DELETE FROM finding WHERE node = 0 AND kind = ? AND json_extract(details, '$.address') = ?",
                (shared.kind, str(value)),
            )
            names = [dn for (dn,) in execute(shared.names, (value,))]
            if len(names) > 1:
                self._add(0, shared.kind, 0, address=str(value), count=str(len(names)), names=_some(names))

    def _nesting(self) -> None:
        """Find cycles, groups nested too deeply, and what nested groups refuse, from the edges between groups."""
        execute = self._connection.execute
        execute("DELETE FROM finding WHERE kind IN (?, ?)", (Kind.CYCLE, Kind.NESTED_REFUSES))
        execute("DELETE FROM finding WHERE kind = ? AND target = 1", (Kind.OVER_LIMIT,))
        inside: dict[int, set[int]] = {}
        for source, target in execute(_GROUP_EDGES, _NUMBERS).fetchall():
            inside.setdefault(source, set()).add(target)
        found = components(inside)
        for ring in found:
            if len(ring) > 1 or ring[0] in inside.get(ring[0], ()):
                # By name, then DN: a node's number tells only when the mirror first met it.
                named = sorted((self._subject(node), node) for node in ring)
                groups = _some([name for (name, _), _ in named])
                self._add(named[0][1], Kind.CYCLE, 0, groups=groups, count=str(len(ring)))
        for node, depth in deepest(inside, found).items():
            if depth > self._limits.depth:
                limit = str(self._limits.depth)
                what = worded(marked("levels of nesting"))
                self._add(node, Kind.OVER_LIMIT, 1, count=str(depth), what=what, limit=limit)
        if inside:
            self._refusals(inside)

    def _refusals(self, inside: Graph) -> None:
        """Tell each group of the first groups inside it that refuse what it takes, and how many more there are."""
        groups: dict[int, int] = dict(self._connection.execute(_GROUPS).fetchall())
        rules = self._rules(node for node, mail in groups.items() if mail)
        house = tuple(Pattern("", domain, below=False) for domain in self._own_domains)
        comparison = Comparison(turned(inside), groups.keys(), house, self._limits)
        names: dict[int, tuple[str, str]] = {}
        for node, refusing in refusals(inside, rules, comparison):
            names.update((inner, self._subject(inner)) for inner in refusing if inner not in names)
            named = sorted((names[inner], inner) for inner in refusing)
            for (name, _), inner in named[:_TOLD]:
                self._refusal(node, inner, name, refusing[inner])
            rest = [refusing[inner] for _, inner in named[_TOLD:]]
            if rest:
                likewise = {rule: worded(marked("do likewise")) for reasons in rest for rule in reasons}
                self._refusal(node, 0, worded(marked("{count} more groups"), count=str(len(rest))), likewise)

    def _rules(self, nodes: Iterable[int]) -> dict[int, Group]:
        """Return what these groups with mail say of their senders; most say nothing."""
        execute = self._connection.execute
        rules = dict.fromkeys(nodes, PLAIN)
        for node, version, uuid, dn, body in execute(_RULED_GROUPS, _NUMBERS).fetchall():
            allowed = execute(_ALLOWED, (node, RIGHTS["allowed"]))
            rules[node] = group_of(node, version, uuid, dn, body, allowed)
        return rules

    def _refusal(self, node: int, inner: int, nested: Fact, reasons: Reasons) -> None:
        why = reduce(_and, dict.fromkeys(reasons.values()))
        rules = " ".join(sorted(reasons))
        self._add(node, Kind.NESTED_REFUSES, inner, nested=nested, rules=rules, reasons=why)

    def _subject(self, node: int) -> tuple[str, str]:
        """Return what to call an entry, and its DN."""
        row = self._connection.execute(
            "SELECT e.address, d.dn FROM entry e JOIN detail d ON d.node = e.node WHERE e.node = ?", (node,)
        ).fetchone()
        return ("", "") if row is None else (row[0] or row[1], row[1])

    def read(self) -> tuple[Finding, ...]:
        """Return all findings, the ones about links counted together for each group."""
        rows = self._connection.execute(_ALL).fetchall()
        found: list[Finding] = []
        linked: dict[tuple[int, str], list[str]] = {}
        for node, kind, target, details in rows:
            if kind in (Kind.DANGLING, Kind.DISABLED_MEMBER):
                linked.setdefault((node, kind), []).append(target)
            else:
                found.append(finding(Kind(kind), *self._subject(node), restored(details)))
        for (node, kind), names in linked.items():
            facts: dict[str, Fact] = {"count": str(len(names)), "names": _some(names)}
            found.append(finding(Kind(kind), *self._subject(node), facts))
        return tuple(sorted(found, key=lambda one: (one.subject, one.kind, one.text, one.dn)))


def _some(names: list[str]) -> Fact:
    """Return the first few names, and how many more there are."""
    first = "; ".join(names[:_SHOWN])
    if len(names) <= _SHOWN:
        return first
    return worded(marked("{names} and {count} more"), names=first, count=str(len(names) - _SHOWN))


def _and(first: Sentence, other: Sentence) -> Sentence:
    return worded(marked("{first}, {other}"), first=first, other=other)
