"""What the pages of one group show beside the group itself: what is wrong with it, and names that lead nowhere.

Read-only, out of one snapshot of the mirror; what can't be read is `DirectoryUnknown`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from groupmilter.directory.findings import Kind
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.person import Node

_FINDINGS = "SELECT kind, count(*) FROM finding WHERE node = :node GROUP BY kind"
_NAMES = "SELECT n.id, n.dn FROM json_each(:nodes) j CROSS JOIN node n ON n.id = j.value ORDER BY n.dn"


def findings(snapshot: Snapshot, group: Node) -> Mapping[Kind, int]:
    """Return what is wrong with a group: each kind, and how often."""
    rows = snapshot.rows(_FINDINGS, {"node": group})
    return {Kind(kind): int(count) for kind, count in rows}


def names(snapshot: Snapshot, nodes: Iterable[Node]) -> Mapping[Node, str]:
    """Return the DNs of nodes, normalised, also where no entry stands; in order."""
    return {Node(node): str(dn) for node, dn in snapshot.rows(_NAMES, {"nodes": json.dumps(list(nodes))})}
