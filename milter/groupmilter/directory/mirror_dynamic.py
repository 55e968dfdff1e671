"""Dynamic members in the mirror's tables: found anew for whatever a batch has touched, in the same transaction.

One changed entry is put to all URLs through their index; groups with new URLs are evaluated in one pass over all
entries. Members that only a server can find (`Search`) are written by `set_searched`. Excluded members are never
written.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from groupmilter.directory.dynamic import MemberUrl, UrlError, UrlIndex, parse_url
from groupmilter.directory.filter import needs_server
from groupmilter.directory.mirror_rows import unpacked
from groupmilter.directory.mirror_schema import DYNAMIC, RIGHTS, SEARCHED
from groupmilter.directory.mirror_writer import Changed

_EXCLUDED = RIGHTS["excluded"]


@dataclass(frozen=True, slots=True)
class Search:
    """A member URL that only the server can evaluate: search it, hand the UUIDs to `Mirror.set_dynamic`.

    :param scope: ``base``, ``one`` or ``sub``.
    """

    group_uuid: str
    base: str
    scope: str
    filter: str


class DynamicMembers:
    """The member URLs of all groups, kept parsed as long as the mirror is open.

    :param known: the attributes that the mirror keeps of every entry.
    """

    def __init__(self, connection: sqlite3.Connection, known: frozenset[str]) -> None:
        self._connection = connection
        self._known = known
        self._index = UrlIndex()
        self._searched: dict[int, tuple[MemberUrl, ...]] = {}

    def load(self) -> None:
        """Read the URLs of all groups in the mirror."""
        self._index = UrlIndex()
        self._searched = {}
        found = self._connection.execute("SELECT node, urls FROM detail WHERE urls IS NOT NULL").fetchall()
        for node, urls in found:
            self._set(node, _usable(urls))

    def searches(self) -> tuple[Search, ...]:
        """Return what only the server can evaluate."""
        found = []
        for node, urls in sorted(self._searched.items()):
            row = self._connection.execute("SELECT uuid FROM detail WHERE node = ?", (node,)).fetchone()
            found += [Search(row[0], url.base, url.scope, url.text) for url in urls if row is not None]
        return tuple(found)

    def follow(self, changed: Changed) -> set[int]:
        """Find the dynamic members of what a batch changed; return the groups whose members changed."""
        renewed = UrlIndex()
        for node in changed.urls:
            self._renew(node, renewed)
        moved: set[int] = set()
        if changed.everything and len(self._index):
            return self._evaluate_all(self._index)
        if len(renewed):
            moved |= self._evaluate_all(renewed)
        if len(self._index):
            for node in changed.entries:
                moved |= self._evaluate(node)
        return moved

    def _renew(self, node: int, renewed: UrlIndex) -> None:
        """Read a changed group's URLs again."""
        row = self._connection.execute("SELECT urls FROM detail WHERE node = ?", (node,)).fetchone()
        had = node in self._searched or node in self._index
        if (row is None or row[0] is None) and not had:
            return
        self._set(node, () if row is None or row[0] is None else _usable(row[0]))
        renewed.replace(node, self._index.urls(node))
        self._forget(node, DYNAMIC, keep=node in self._index)
        self._forget(node, SEARCHED, keep=node in self._searched)

    def _set(self, node: int, urls: tuple[MemberUrl, ...]) -> None:
        """Remember URLs; a group with one that needs the server is searched as a whole."""
        searched = any(needs_server(url.filter, self._known) for url in urls)
        self._index.replace(node, () if searched else urls)
        self._searched.pop(node, None)
        if searched:
            self._searched[node] = urls

    def _forget(self, node: int, number: int, *, keep: bool) -> None:
        if not keep:
            self._connection.execute("DELETE FROM link WHERE source = ? AND field = ?", (node, number))

    def _evaluate_all(self, index: UrlIndex) -> set[int]:
        """Evaluate all URLs of an index on all entries; return the groups whose members changed."""
        members: dict[int, set[int]] = {group: set() for group in index}
        entries = self._connection.execute(
            "SELECT d.node, n.dn, d.search_values FROM detail d JOIN node n ON n.id = d.node"
        )
        for node, dn, values in entries:
            for group in index.groups_of(dn, unpacked(values)):
                members[group].add(node)
        return {group for group, found in members.items() if self.replace(group, found, DYNAMIC)}

    def replace(self, group: int, members: Iterable[int], number: int) -> bool:
        """Make these, less the excluded and itself, the dynamic members of a group; tell whether any changed."""
        wanted = set(members) - self._targets(group, _EXCLUDED) - {group}
        held = self._targets(group, number)
        self._delete((group, number, node) for node in held - wanted)
        self._insert((group, number, node) for node in sorted(wanted - held))
        return wanted != held

    def _targets(self, group: int, number: int) -> set[int]:
        found = self._connection.execute(
            "SELECT target FROM link WHERE source = ? AND field = ?", (group, number)
        )
        return {node for (node,) in found}

    def _evaluate(self, node: int) -> set[int]:
        """Put one changed entry to all URLs; return the groups that gained or lost it."""
        row = self._connection.execute(
            "SELECT n.dn, d.search_values FROM detail d JOIN node n ON n.id = d.node WHERE d.node = ?",
            (node,),
        ).fetchone()
        found = set() if row is None else self._index.groups_of(row[0], unpacked(row[1])) - {node}
        wanted = {group for group in found if not self._excludes(group, node)}
        held = {
            group
            for (group,) in self._connection.execute(
                "SELECT source FROM link WHERE target = ? AND field = ?", (node, DYNAMIC)
            )
        }
        self._delete((group, DYNAMIC, node) for group in held - wanted)
        self._insert((group, DYNAMIC, node) for group in wanted - held)
        return wanted ^ held

    def _excludes(self, group: int, node: int) -> bool:
        link = (group, _EXCLUDED, node)
        found = self._connection.execute(
            "SELECT 1 FROM link WHERE source = ? AND field = ? AND target = ?", link
        )
        return found.fetchone() is not None

    def _insert(self, links: Iterator[tuple[int, int, int]]) -> None:
        self._connection.executemany("INSERT OR IGNORE INTO link VALUES(?, ?, ?)", links)

    def _delete(self, links: Iterator[tuple[int, int, int]]) -> None:
        self._connection.executemany("DELETE FROM link WHERE source = ? AND field = ? AND target = ?", links)


def _usable(urls: str) -> tuple[MemberUrl, ...]:
    """Return the stored URLs that parse; the others are findings of the group's row already."""
    found = []
    for text in json.loads(urls):
        with suppress(UrlError):
            found.append(parse_url(text))
    return tuple(found)
