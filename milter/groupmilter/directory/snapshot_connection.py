"""One reading connection to the mirror, and what it last saw of the mirror's state.

It knows without a query's cost whether anybody has written since (SQLite's ``data_version``). What can't be opened or
read raises `sqlite3.Error`, `OSError` or `TypeError`; `snapshot` says what that means.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from groupmilter.directory.mirror_schema import identity, open_for_reading

_STATE = "SELECT schema, fingerprint, generation, synced_at FROM state"


class State(NamedTuple):
    """The mirror's one row about itself."""

    schema: int
    fingerprint: str
    generation: int
    synced_at: float | None


class Connection:
    """One pooled connection, the file it reads, and the state of the mirror as it last saw it.

    It has no progress handler, nor anything else that SQLite calls back: the callback would attach a thread state of
    the OS thread it runs on, while libmilter moves Python's thread states between OS threads, and the process dies.
    """

    __slots__ = ("_version", "file", "sqlite", "state")

    def __init__(self, path: Path) -> None:
        self.file = identity(path)
        self.sqlite = open_for_reading(path)
        self.state: State | None = None
        self._version = -1

    def refresh(self) -> State:
        """Return the mirror's state now; read again only where anybody has written since."""
        version = self.sqlite.execute("PRAGMA data_version").fetchone()[0]
        if self.state is None or version != self._version:
            self.state = State(*self.sqlite.execute(_STATE).fetchone())
            self._version = version
        return self.state
