"""What is shown of one group beside the group itself: what is wrong with it, names that lead nowhere, who names it.

Read-only, out of one snapshot of the mirror; what can't be read is `DirectoryUnknown`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from groupmilter.directory.dn import normalise
from groupmilter.directory.findings import Kind
from groupmilter.directory.mirror_schema import LINKS, REVERSE
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.person import Node

_FINDINGS = "SELECT kind, count(*) FROM finding WHERE node = :node GROUP BY kind"
_NAMES = "SELECT n.id, n.dn FROM json_each(:nodes) j CROSS JOIN node n ON n.id = j.value ORDER BY n.dn"

_NAMING = """
SELECT e.node, e.address, d.dn, l.field FROM node n CROSS JOIN link l ON l.target = n.id
  JOIN entry e ON e.node = l.source JOIN detail d ON d.node = e.node
 WHERE n.dn = :dn AND e.kind = 1 AND e.node <> n.id ORDER BY e.address, d.dn, l.field"""
_FIELDS = {number: field for field, number in LINKS.items()} | {REVERSE: "members"}


@dataclass(frozen=True, slots=True)
class Naming:
    """A group that names an entry, and in which field.

    :param node: of the group. ``address``: empty where it has none. ``dn``: of the group, as written.
    """

    node: Node
    address: str
    dn: str
    field: str


def findings(snapshot: Snapshot, group: Node) -> Mapping[Kind, int]:
    """Return what is wrong with a group: each kind, and how often."""
    rows = snapshot.rows(_FINDINGS, {"node": group})
    return {Kind(kind): int(count) for kind, count in rows}


def names(snapshot: Snapshot, nodes: Iterable[Node]) -> Mapping[Node, str]:
    """Return the DNs of nodes, normalised, also where no entry stands; in order."""
    return {Node(node): str(dn) for node, dn in snapshot.rows(_NAMES, {"nodes": json.dumps(list(nodes))})}


def naming(snapshot: Snapshot, dn: str) -> tuple[Naming, ...]:
    """Return which other groups have an entry among their members or in a right, by address; rules name nobody."""
    rows = snapshot.rows(_NAMING, {"dn": normalise(dn) or dn})
    return tuple(
        Naming(Node(node), address, name, _FIELDS[field])
        for node, address, name, field in rows
        if field in _FIELDS
    )
