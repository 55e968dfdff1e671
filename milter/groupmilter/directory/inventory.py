"""What the mirror holds, for people who look at it: its age, its groups, its findings. Read-only, beside the writer.

Never on the path of mail, which asks single questions of `snapshot`. Whatever goes wrong is `DirectoryUnknown`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from groupmilter.directory.findings import Finding
from groupmilter.directory.mirror_findings import Findings
from groupmilter.directory.mirror_refusals import Limits
from groupmilter.directory.mirror_schema import MEMBERSHIP, SCHEMA, open_for_reading
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Node

_COUNTS = "SELECT coalesce(sum(kind), 0), coalesce(sum(1 - kind), 0) FROM entry"
_GROUPS = """
SELECT e.node, (SELECT count(DISTINCT l.target) FROM link l WHERE l.source = e.node AND l.field < ?)
       + coalesce((SELECT json_array_length(o.outside) FROM detail o WHERE o.node = e.node), 0)
  FROM entry e WHERE e.kind = 1 AND e.address <> '' ORDER BY e.address"""


@dataclass(frozen=True, slots=True)
class Inventory:
    """One look at a mirror.

    :param synced_at: wall clock, seconds, at which it last equalled the directory; None: never yet.
    :param people, groups: entries of each kind, groups without mail included.
    :param cookie: whether the next load can go on where the last one ended (RFC 4533).
    """

    generation: int
    synced_at: float | None
    people: int
    groups: int
    cookie: bool
    findings: tuple[Finding, ...]

    def age(self, now: float) -> float | None:
        """Return the seconds since it equalled the directory, None where it never did; ``now``: wall clock."""
        return None if self.synced_at is None else max(0.0, now - self.synced_at)


@dataclass(frozen=True, slots=True)
class Listed:
    """A group with mail, and how many direct members it has, people from outside among them."""

    node: Node
    members: int


def inventory(path: Path) -> Inventory:
    """Look at the mirror; raise `DirectoryUnknown` where there is none that can be read."""
    with _opened(path) as connection:
        generation, synced_at, cookie = connection.execute(
            "SELECT generation, synced_at, cookie IS NOT NULL FROM state"
        ).fetchone()
        groups, people = connection.execute(_COUNTS).fetchone()
        found = Findings(connection, Limits()).read()
    return Inventory(int(generation), synced_at, int(people), int(groups), bool(cookie), found)


def synced_at(path: Path) -> float | None:
    """Return when the mirror last equalled the directory, wall clock in seconds; None: never. `DirectoryUnknown`."""
    with _opened(path) as connection:
        found = connection.execute("SELECT synced_at FROM state").fetchone()[0]
    return None if found is None else float(found)


def groups(path: Path) -> tuple[Listed, ...]:
    """Return every group with mail, by address; raise `DirectoryUnknown`."""
    with _opened(path) as connection:
        rows = connection.execute(_GROUPS, (MEMBERSHIP,)).fetchall()
    return tuple(Listed(Node(node), int(members)) for node, members in rows)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(open_for_reading(path)) as connection:
            connection.execute("BEGIN")
            if connection.execute("SELECT schema FROM state").fetchone()[0] != SCHEMA:
                raise DirectoryUnknown(f"{path}: a mirror of another version")
            yield connection
    except (OSError, sqlite3.Error, TypeError, ValueError) as error:
        raise DirectoryUnknown(f"{path}: the mirror can't be read: {error}") from error
