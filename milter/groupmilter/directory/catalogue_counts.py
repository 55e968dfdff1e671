"""How much there is in the mirror. Read-only; what can't be read is `DirectoryUnknown`."""

from __future__ import annotations

from groupmilter.directory.catalogue_rows import Counts
from groupmilter.directory.findings import Kind
from groupmilter.directory.snapshot_view import Snapshot

# What is wrong with a group's links is told once for each group (`Findings.read`).
_LINKED = frozenset({Kind.DANGLING, Kind.DISABLED_MEMBER})
_ENTRIES = "SELECT kind, address <> '', count(*) FROM entry GROUP BY 1, 2"
_FINDINGS = "SELECT kind, count(*), count(DISTINCT node) FROM finding GROUP BY kind"
_STATE = "SELECT generation, synced_at FROM state"


def counts(snapshot: Snapshot) -> Counts:
    """Return how much there is of everything."""
    entries: dict[tuple[int, int], int] = {}
    for kind, addressed, number in snapshot.rows(_ENTRIES, {}):
        entries[kind, addressed] = number
    findings = {
        Kind(kind): groups if kind in _LINKED else number
        for kind, number, groups in snapshot.rows(_FINDINGS, {})
    }
    ((generation, synced_at),) = snapshot.rows(_STATE, {})
    people = entries.get((0, 0), 0) + entries.get((0, 1), 0)
    return Counts(entries.get((1, 1), 0), entries.get((1, 0), 0), people, findings, generation, synced_at)
