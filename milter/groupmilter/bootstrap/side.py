"""The side store of a configuration: tables of the state database, opened when something is first asked.

Raises `SideStoreUnavailable` for whatever the database can't do. Where there is no database yet nothing is kept, and
only a change makes one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from groupmilter.bootstrap.parts import ledger
from groupmilter.config.reload import Configuration
from groupmilter.directory.profile import Profile
from groupmilter.directory.searching import Searching
from groupmilter.directory.side_session import SideSession
from groupmilter.directory.side_store import SideChange, SideStore, SideStoreUnavailable, SideValues
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.moderation.side_book import SideBook

_TIMEOUT = 5.0
Answer = TypeVar("Answer")


def searching(connect: Callable[[], Searching], known: Profile, side: SideStore) -> Callable[[], Searching]:
    """Return what opens a session that shows the side store too, where the profile uses one."""
    if not known.beside:
        return connect
    return lambda: SideSession(connect(), side, known.uuid_attribute)


@dataclass(slots=True)
class Beside:
    """The side store for one process (not to be carried over a fork).

    :param patience: seconds to wait for another writer.
    """

    configuration: Configuration
    patience: float = _TIMEOUT
    _ledger: Ledger | None = None

    def close(self) -> None:
        """Close the database, if it was opened."""
        opened, self._ledger = self._ledger, None
        if opened is not None:
            opened.close()

    def of(self, uuids: Iterable[str]) -> Mapping[str, SideValues]:
        """Return what is kept for entries, by UUID."""
        return self._asked(lambda book: book.of(uuids), {})

    def holding(self, fields: Sequence[str], values: Iterable[str]) -> frozenset[str]:
        """Return the UUIDs of the entries that have one of some values in one of some fields."""
        return self._asked(lambda book: book.holding(fields, values), frozenset())

    def having(self, fields: Sequence[str]) -> frozenset[str]:
        """Return the UUIDs of the entries that have any value in one of some fields."""
        return self._asked(lambda book: book.having(fields), frozenset())

    def change(self, uuid: str, dn: str, changes: Sequence[SideChange]) -> bool:
        """Make all changes or none."""
        return self._book().change(uuid, dn, changes)

    def forget(self, uuid: str) -> None:
        """Take away everything that is kept for an entry that was deleted."""
        self._asked(lambda book: book.forget(uuid), None)

    def stirred(self) -> bool:
        """Tell whether anything may have changed since the last call."""
        return self._asked(lambda book: book.stirred(), default=False)

    def serial(self) -> int:
        """Return the number of the last change."""
        return self._asked(lambda book: book.serial(), 0)

    def everything(self) -> Mapping[str, SideValues]:
        """Return all values, by UUID."""
        return self._asked(lambda book: book.everything(), {})

    def since(self, serial: int) -> Mapping[str, SideValues]:
        """Return the values of entries changed after a number."""
        return self._asked(lambda book: book.since(serial), {})

    def counts(self) -> Mapping[str, int]:
        """Return for how many entries something is kept, by field."""
        return self._asked(lambda book: book.counts(), {})

    def gone(self) -> tuple[str, ...]:
        """Return the DNs of the entries with values that the directory has no longer."""
        return self._asked(lambda book: book.gone(), ())

    def entries(self) -> Mapping[str, str]:
        """Return the DNs of all entries for which something is kept, by UUID."""
        return self._asked(lambda book: book.entries(), {})

    def _asked(self, question: Callable[[SideBook], Answer], default: Answer) -> Answer:
        if self._ledger is None and not self.configuration.site.state.exists():
            return default
        return question(self._book())

    def _book(self) -> SideBook:
        if self._ledger is None:
            try:
                self._ledger = ledger(self.configuration, timeout=self.patience)
            except LedgerUnavailable as error:
                raise SideStoreUnavailable(f"the side store: {error}") from error
        return self._ledger.side
