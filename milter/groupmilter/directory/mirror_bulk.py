"""Rows on their way into the mirror: at once, or many together for its first load. A `sqlite3.Error` comes through."""

from __future__ import annotations

import sqlite3

from groupmilter.directory.mirror_schema import INDEXES

_ROWS_KEPT_BACK = 5_000


class Bulk:
    """Row inserts: at once, or for the first load of an empty mirror in bulk and with the indexes made last.

    :param empty: whether nothing is in the mirror, so that only what this batch put there can be there.
    """

    def __init__(self, connection: sqlite3.Connection, *, empty: bool) -> None:
        self._connection = connection
        self._empty = empty
        self._there: set[str | int] = set()
        self._rows: dict[str, list[tuple[object, ...]]] = {}
        self._kept_back = 0
        if empty:
            for name in INDEXES:
                connection.execute(f"DROP INDEX {name}")

    def lacks(self, key: str | int) -> bool:
        """Tell whether the mirror certainly has no entry with this UUID, or at this node."""
        return self._empty and key not in self._there

    def note(self, uuid: str, node: int) -> None:
        """Note that an entry is there."""
        if self._empty:
            self._there.update((uuid, node))

    def insert(self, statement: str, row: tuple[object, ...]) -> None:
        """Insert a row, or keep it back for a while."""
        if not self._empty:
            self._connection.execute(statement, row)
            return
        self._rows.setdefault(statement, []).append(row)
        self._kept_back += 1
        if self._kept_back > _ROWS_KEPT_BACK:
            self.flush()

    def flush(self) -> None:
        """Write the rows kept back; needed before anything is read or deleted."""
        if self._kept_back:
            for statement, rows in self._rows.items():
                self._connection.executemany(statement, rows)
            self._rows = {}
            self._kept_back = 0

    def finish(self) -> None:
        """Write everything, and make the indexes."""
        self.flush()
        if self._empty:
            for statement in INDEXES.values():
                self._connection.execute(statement)


def is_empty(connection: sqlite3.Connection) -> bool:
    """Tell whether a mirror has no entry yet."""
    return connection.execute("SELECT 1 FROM detail LIMIT 1").fetchone() is None
