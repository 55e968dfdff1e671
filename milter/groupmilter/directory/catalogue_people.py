"""Persons and groups to pick from, and what a person is in. Read-only; what can't be read is `DirectoryUnknown`."""

from __future__ import annotations

import json
from collections.abc import Iterable

from groupmilter.directory.catalogue_conditions import DECIDED, OWNED, Conditions
from groupmilter.directory.catalogue_groups import above
from groupmilter.directory.catalogue_rows import Choice, Involvement, Page, Viewer, Window
from groupmilter.directory.folding import folded
from groupmilter.directory.mirror_schema import DISABLED, MEMBERSHIP, MODERATED
from groupmilter.directory.snapshot_view import Snapshot
from groupmilter.groups.group import Nodes
from groupmilter.groups.person import Node

_FROM = f"FROM listed l CROSS JOIN entry e ON e.node = l.node WHERE (e.kind OR NOT e.flags & {DISABLED})"
# Who begins like it, then whose second name or address does, then the rest.
_BEST = """
ORDER BY CASE WHEN substr(l.text, 1, length(:whole)) = :whole THEN 0
              WHEN instr(' ' || replace(l.text, char(10), ' '), ' ' || :whole) THEN 1 ELSE 2 END, l.text, l.node
 LIMIT :limit OFFSET :offset"""
_ROWS = """
SELECT e.node, e.kind, json_extract(d.body, '$[0]'), e.address, d.dn
  FROM json_each(:nodes) j CROSS JOIN entry e ON e.node = j.value JOIN detail d ON d.node = e.node ORDER BY j.key"""
_GROUPS = "SELECT e.node FROM entry e WHERE e.kind = 1 AND e.node IN "
_UUIDS = "SELECT d.uuid FROM entry e JOIN detail d ON d.node = e.node WHERE e.kind = 1 AND e.node IN "
_DIRECT = f"SELECT source FROM link WHERE target = :person AND field < {MEMBERSHIP}"  # noqa: S608  a number


def choices(
    snapshot: Snapshot, viewer: Viewer, text: str, kinds: Iterable[int], window: Window
) -> Page[Choice]:
    """Return who can be picked: by words in name, address or log-in, the likeliest first.

    :param kinds: 1 for groups, also those without mail; 0 for persons, but not locked ones.
    """
    wanted = Conditions(parameters={"whole": folded(" ".join(text.split())), **window.bounded})
    wanted.require_words(text)
    wanted.require(f"e.kind IN ({', '.join(map(str, kinds))})")
    wanted.require_visible(viewer, above(snapshot, viewer))
    total = snapshot.rows(f"SELECT count(*) {_FROM}{wanted}", wanted.parameters)[0][0]
    found = snapshot.rows(f"SELECT l.node {_FROM}{wanted} {_BEST}", wanted.parameters)
    return Page(named(snapshot, (node for (node,) in found)), total, window)


def named(snapshot: Snapshot, nodes: Iterable[Node]) -> tuple[Choice, ...]:
    """Return what some nodes are called, in the order given; where nobody stands there is none."""
    rows = snapshot.rows(_ROWS, {"nodes": json.dumps(list(nodes))})
    return tuple(
        Choice(node, bool(group), name or "", address, dn) for node, group, name, address, dn in rows
    )


def involvement(snapshot: Snapshot, viewer: Viewer) -> Involvement:
    """Return what whoever looks is in."""
    inside = above(snapshot, viewer)
    about = Conditions(parameters={"person": viewer.person})
    about.of_person(viewer.person, inside)

    def those(groups: str, further: str = "") -> Nodes:
        rows = snapshot.rows(f"{_GROUPS}({groups}){further}", about.parameters)
        return frozenset(Node(node) for (node,) in rows)

    moderated = those(DECIDED, f" AND e.flags & {MODERATED}")
    return Involvement(inside, those(_DIRECT), those(OWNED), moderated)


def owned(snapshot: Snapshot, viewer: Viewer) -> frozenset[str]:
    """Return the UUIDs of the groups that whoever looks owns, himself or by a group."""
    about = Conditions()
    about.of_person(viewer.person, above(snapshot, viewer))
    return frozenset(uuid for (uuid,) in snapshot.rows(f"{_UUIDS}({OWNED})", about.parameters))
