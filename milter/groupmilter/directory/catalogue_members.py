"""The direct members of one group, as lists for people: searched, by kind, a page at a time, 100,000 of them.

What the group's own lists name and what its member URLs find; whether each gets mail is told with it. Read-only; what
can't be read is `DirectoryUnknown`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from groupmilter.directory.catalogue_conditions import Conditions
from groupmilter.directory.catalogue_rows import MemberKind, MemberQuery, MemberRow, Page, Reason, Window
from groupmilter.directory.mirror_schema import (
    A_GROUP,
    DISABLED,
    DYNAMIC,
    MEMBER,
    MEMBERSHIP,
    MUTE,
    RIGHTS,
    SEARCHED,
)
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.person import Node

_ALONE = 0
"""How an address that stands by itself makes a member; the others are the mirror's kinds of links."""

# Whose an address of the list is, as `Snapshot.find` has it: of two persons with equal claim it is neither's.
_OWNER = """
CASE (SELECT count(*) FROM address a WHERE a.canonical = j.value)
  WHEN 0 THEN NULL
  WHEN 1 THEN (SELECT a.node FROM address a WHERE a.canonical = j.value)
  ELSE (SELECT node FROM (
      SELECT a.node, x.kind, a.rank > 0 AS less, count(*) OVER (PARTITION BY x.kind, a.rank > 0) AS equals
        FROM address a JOIN entry x ON x.node = a.node WHERE a.canonical = j.value
       ORDER BY x.kind DESC, less, a.node LIMIT 1) WHERE kind OR equals = 1)
END"""
# Each once, by the first of its links: `field` is the least (a group's own list comes before what is found otherwise).
_CALLED = f"""
SELECT target AS node, NULL AS alone, field AS how FROM link WHERE source = :group AND field = {MEMBER}
UNION ALL
SELECT target, NULL, field FROM link k
 WHERE source = :group AND field > {MEMBER} AND field < {MEMBERSHIP} AND NOT EXISTS (
       SELECT 1 FROM link f WHERE f.source = k.source AND f.target = k.target AND f.field < k.field)
UNION ALL
SELECT {_OWNER}, j.value, {_ALONE} FROM detail o, json_each(o.outside) j
 WHERE o.node = :group AND o.outside IS NOT NULL"""  # noqa: S608  numbers
_KIND = f"""
CASE WHEN c.node IS NULL THEN '{MemberKind.OUTSIDER}'
     WHEN coalesce(l.form, {MUTE}) = {MUTE} THEN '{MemberKind.LEFT_OUT}'
     WHEN c.how IN ({DYNAMIC}, {SEARCHED}) THEN '{MemberKind.DYNAMIC}'
     WHEN l.form = {A_GROUP} THEN '{MemberKind.GROUP}' ELSE '{MemberKind.PERSON}' END"""
_TEXT = "coalesce(l.text, lower(c.alone), (SELECT dn FROM node WHERE id = c.node))"
_FROM = f"FROM ({_CALLED}) c LEFT JOIN listed l ON l.node = c.node WHERE 1"
_EXCLUDED = f"SELECT target FROM link WHERE source = :group AND field = {RIGHTS['excluded']}"  # noqa: S608  a number
_COUNTS = f"SELECT {_KIND}, count(*) {_FROM} GROUP BY 1"
_ROWS = f"""
SELECT p.kind, p.node, p.alone, p.how, e.kind, e.flags, e.address, json_extract(d.body, '$[0]'), d.dn, n.dn
  FROM (SELECT c.node, c.alone, c.how, {_KIND} AS kind, {_TEXT} AS text {_FROM}{{wanted}}
         ORDER BY 5{{way}}, 1{{way}}, 2{{way}} LIMIT :limit OFFSET :offset) p
  LEFT JOIN entry e ON e.node = p.node LEFT JOIN detail d ON d.node = p.node LEFT JOIN node n ON n.id = p.node
 ORDER BY p.text, p.node, p.alone"""  # noqa: S608  our own


def counts(snapshot: Snapshot, group: Node) -> Mapping[MemberKind, int]:
    """Return how many members of each kind a group has; only the kinds there are."""
    return {MemberKind(kind): number for kind, number in snapshot.rows(_COUNTS, {"group": group})}


def members(
    snapshot: Snapshot, group: Node, query: MemberQuery, window: Window, total: int | None = None
) -> Page[MemberRow]:
    """Return a page of a group's direct members, by name; none where no group stands.

    :param total: how many there are, where that is known.
    """
    wanted = Conditions(parameters={"group": group})
    wanted.require_words(query.text, _TEXT, unfolded=True)
    if query.kind is not None:
        wanted.require(f"{_KIND} = :kind")
        wanted.parameters["kind"] = query.kind.value
    if total is None:
        total = int(snapshot.rows(f"SELECT count(*) {_FROM}{wanted}", wanted.parameters)[0][0])
    skipped, limit = (
        window.bounded["offset"],
        max(0, min(window.bounded["limit"], total - window.bounded["offset"])),
    )
    # What lies behind the middle is nearer from the end.
    behind = total - skipped - limit
    way, offset = (" DESC", behind) if behind < skipped else ("", skipped)
    rows = _ROWS.format(wanted=wanted, way=way)
    found = snapshot.rows(rows, {**wanted.parameters, "limit": limit, "offset": offset})
    return Page(tuple(_row(*row) for row in found), total, window)


def every(snapshot: Snapshot, group: Node) -> tuple[MemberRow, ...]:
    """Return all direct members of a group, by name, for a file."""
    found = snapshot.rows(_ROWS.format(wanted="", way=""), {"group": group, "limit": -1, "offset": 0})
    return tuple(_row(*row) for row in found)


def rules(snapshot: Snapshot, group: Node) -> tuple[tuple[str, ...], tuple[Node, ...]]:
    """Return a group's member URLs as written, and who is excluded from what they find."""
    urls = snapshot.rows("SELECT urls FROM detail WHERE node = :group AND urls IS NOT NULL", {"group": group})
    excluded = snapshot.rows(_EXCLUDED, {"group": group})
    written = tuple(str(each) for (text,) in urls for each in json.loads(text))
    return written, tuple(Node(node) for (node,) in excluded)


def _row(
    kind: str,
    node: Node | None,
    alone: str | None,
    how: int,
    group: int | None,
    flags: int | None,
    address: str | None,
    name: str | None,
    dn: str | None,
    nowhere: str | None,
) -> MemberRow:
    reason = None
    if kind == MemberKind.LEFT_OUT:
        locked = Reason.LOCKED if flags is not None and flags & DISABLED else Reason.NO_ADDRESS
        reason = Reason.NOWHERE if group is None else locked
    return MemberRow(
        MemberKind(kind),
        node,
        bool(group),
        name or "",
        (alone or "") if address is None else address,
        alone or dn or nowhere or "",
        how in (_ALONE, MEMBER),
        reason,
    )
