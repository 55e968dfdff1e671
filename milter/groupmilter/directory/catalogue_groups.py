"""Lists of groups out of the mirror: searched, sorted, filtered, a page at a time. Read-only.

Three statements of one snapshot for a page; what can't be read is `DirectoryUnknown`. A search looks through what each
group is found by: 10,000 of them take a few milliseconds, and nothing has to be kept in order for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from groupmilter.directory.catalogue_conditions import DECIDED, INSIDE, OWNED, Conditions
from groupmilter.directory.catalogue_rows import Flag, GroupQuery, GroupRow, Page, Scope, Sort, Viewer, Window
from groupmilter.directory.findings import Kind
from groupmilter.directory.mirror_schema import (
    EXTERNAL,
    HIDDEN,
    JOINABLE,
    MEMBER,
    MEMBERSHIP,
    MODERATED,
    OUTSIDERS,
    STOPPED,
)
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.group import Nodes
from groupmilter.groups.person import Node
from groupmilter.mail.address import domain_of

_NONE: Nodes = frozenset()
_BITS = {Flag.OPEN: EXTERNAL, Flag.MODERATED: MODERATED, Flag.DISABLED: STOPPED, Flag.HIDDEN: HIDDEN}
_FOUND = {
    Flag.OWNERLESS: f"EXISTS (SELECT 1 FROM finding f WHERE f.node = e.node AND f.kind = '{Kind.OWNERLESS}')",  # noqa: S608  a word
    Flag.DYNAMIC: "EXISTS (SELECT 1 FROM detail u WHERE u.node = e.node AND u.urls IS NOT NULL)",
}
_SCOPES = {
    Scope.ALL: "1",
    Scope.MINE: f"l.node IN ({INSIDE})",
    Scope.OWNED: f"l.node IN ({OWNED})",
    Scope.MODERATED: f"e.flags & {MODERATED} AND l.node IN ({DECIDED})",
    Scope.JOINABLE: f"e.flags & {JOINABLE} AND l.node NOT IN ({INSIDE})",
}
_MEMBERS = f"""
(SELECT count(*) FROM link WHERE source = e.node AND field = {MEMBER})
 + (SELECT count(*) FROM link k WHERE source = e.node AND field > {MEMBER} AND field < {MEMBERSHIP} AND NOT EXISTS (
           SELECT 1 FROM link f WHERE f.source = k.source AND f.target = k.target AND f.field < k.field))
 + CASE WHEN e.flags & {OUTSIDERS}
        THEN (SELECT json_array_length(o.outside) FROM detail o WHERE o.node = e.node) ELSE 0 END"""  # noqa: S608  numbers
_FROM = "FROM entry e CROSS JOIN listed l ON l.node = e.node WHERE e.kind = 1 AND e.address <> ''"
_ROWS = f"""
SELECT e.node, d.uuid, json_extract(d.body, '$[0]'), e.address, e.flags,
       {_FOUND[Flag.OWNERLESS]}, d.urls IS NOT NULL, {_MEMBERS}
  FROM json_each(:nodes) j CROSS JOIN entry e ON e.node = j.value AND e.kind = 1 JOIN detail d ON d.node = e.node
 ORDER BY j.key"""  # noqa: S608  our own
_BY = {Sort.NAME: "l.text", Sort.ADDRESS: "e.address", Sort.MEMBERS: _MEMBERS}


def groups(snapshot: Snapshot, viewer: Viewer, query: GroupQuery, window: Window) -> Page[GroupRow]:
    """Return a page of the groups with mail that somebody may see."""
    wanted = _conditions(snapshot, viewer, query)
    total = snapshot.rows(f"SELECT count(*) {_FROM}{wanted}", wanted.parameters)[0][0]
    way = "DESC" if query.descending else "ASC"
    order = f"ORDER BY {_BY[query.sort]} {way}, l.text {way}, l.node LIMIT :limit OFFSET :offset"
    found = snapshot.rows(f"SELECT l.node {_FROM}{wanted} {order}", {**wanted.parameters, **window.bounded})
    return Page(tuple(group_rows(snapshot, [node for (node,) in found])), total, window)


def _conditions(snapshot: Snapshot, viewer: Viewer, query: GroupQuery) -> Conditions:
    wanted = Conditions()
    wanted.require_words(query.text)
    wanted.require(_SCOPES[query.scope])
    if query.domains:
        wanted.require_domains(query.domains)
    for flag in query.flags:
        wanted.require(f"e.flags & {_BITS[flag]}" if flag in _BITS else _FOUND[flag])
    wanted.require_visible(viewer, above(snapshot, viewer))
    return wanted


def above(snapshot: Snapshot, viewer: Viewer) -> Nodes:
    """Return the groups that hold whoever looks."""
    return _NONE if viewer.person is None else snapshot.containing(viewer.person)


def may_see(snapshot: Snapshot, viewer: Viewer, group: Node) -> bool:
    """Tell whether a group is there, with or without mail, and somebody may know of it."""
    wanted = Conditions(parameters={"group": group})
    wanted.require_visible(viewer, above(snapshot, viewer))
    asked = f"SELECT 1 FROM entry e WHERE e.node = :group AND e.kind = 1{wanted}"  # noqa: S608  our own
    return bool(snapshot.rows(asked, wanted.parameters))


def domains(snapshot: Snapshot, viewer: Viewer) -> tuple[str, ...]:
    """Return the domains of the addresses of the groups that somebody may see."""
    wanted = _conditions(snapshot, viewer, GroupQuery())
    behind = f"SELECT DISTINCT substr(e.address, instr(e.address, '@')) {_FROM}{wanted}"
    return tuple(sorted({domain_of(text) for (text,) in snapshot.rows(behind, wanted.parameters)}))


def group_rows(snapshot: Snapshot, nodes: Iterable[Node]) -> Iterator[GroupRow]:
    """Yield the rows of some groups in the order given; where no group stands there is none."""
    for row in snapshot.rows(_ROWS, {"nodes": json.dumps(list(nodes))}):
        node, uuid, name, address, bits, ownerless, dynamic, members = row
        flags = {flag for flag, bit in _BITS.items() if bits & bit}
        flags |= {flag for flag, true in ((Flag.OWNERLESS, ownerless), (Flag.DYNAMIC, dynamic)) if true}
        yield GroupRow(node, uuid, name or "", address, frozenset(flags), members)
