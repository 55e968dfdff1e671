"""The side store as the synchroniser follows it: what it holds is put into each entry on its way to the mirror.

An entry whose values have changed is read from the directory once more, and goes the same way. What was read once is
remembered: with the side store out of reach the directory's own changes go on, with the values as they were last known.
Without ever having read it nothing goes into the mirror (`SideStoreUnavailable`), nor where most of the values that the
mirror knows of are gone without a trace (`LostTooMuch`): a lost database must not open all groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from groupmilter.directory.entry import Change, Put
from groupmilter.directory.reader import uuid_asserted
from groupmilter.directory.side_store import (
    NOTHING,
    SideFeed,
    SideStoreUnavailable,
    SideValues,
    merged,
    signature,
)
from groupmilter.directory.synchroniser_settings import Log, LostTooMuch

_AT_ONCE = 50


@dataclass(slots=True)
class Beside:
    """What the side store holds, and the entries that the mirror has still to get with it.

    :param feed: None where no side store is used.
    :param known: what the mirror has, as UUID and `signature`. ``most_lost``: the share that may go without a trace.
    """

    feed: SideFeed | None
    known: Callable[[], Mapping[str, bytes]]
    most_lost: float
    log: Log
    forced: bool = False
    _values: dict[str, SideValues] = field(default_factory=dict)
    _serial: int = -1
    _waiting: set[str] = field(default_factory=set)
    _passed: list[str] = field(default_factory=list)
    _trouble: str = ""

    @property
    def waiting(self) -> tuple[str, ...]:
        """UUIDs of entries whose values have changed since they were put into the mirror."""
        return tuple(self._waiting)

    def look(self) -> bool:
        """Find out what has changed; tell whether any entry waits. Cheap where nothing has."""
        if self.feed is None or not (self._serial < 0 or self._trouble or self.feed.stirred()):
            return bool(self._waiting)
        try:
            self._read(self.feed)
        except (SideStoreUnavailable, LostTooMuch) as error:
            if self._serial < 0:
                raise
            self._tell(str(error))
        else:
            self._tell("")
        return bool(self._waiting)

    def through(self, changes: Iterable[Change]) -> Iterator[Change]:
        """Pass changes on, entries with what the side store holds of them."""
        self.look()
        self._passed.clear()
        for change in changes:
            if not isinstance(change, Put):
                yield change
                continue
            uuid = change.entry.uuid
            if uuid in self._waiting:
                self._passed.append(uuid)
            values = self._values.get(uuid)
            yield Put(merged(change.entry, values)) if values else change

    def arrived(self, gone: Iterable[str] = ()) -> None:
        """Note that the mirror has what was passed on last; ``gone``: what the directory doesn't have."""
        self._waiting.difference_update(self._passed, gone)
        self._passed.clear()

    def _read(self, feed: SideFeed) -> None:
        serial = feed.serial()
        if serial == self._serial:
            return
        if 0 <= self._serial < serial:
            fresh = feed.since(self._serial)
            self._values |= fresh
            self._waiting |= fresh.keys()
        else:
            self._begin(feed)
        self._serial = serial

    def _begin(self, feed: SideFeed) -> None:
        """Read everything, and find what the mirror has otherwise."""
        values, known = dict(feed.everything()), self.known()
        lost = known.keys() - values.keys()
        if lost and len(lost) > self.most_lost * len(known) and not self.forced:
            said = f"the side store knows nothing of {len(lost)} of the {len(known)} groups that had values there"
            raise LostTooMuch(f"{said}; not applied without force")
        there = values.keys() | known.keys()
        self._waiting = {u for u in there if signature(values.get(u, NOTHING)) != known.get(u, b"")}
        self._values = values

    def _tell(self, trouble: str) -> None:
        """Log once that it can't be read, and once that it can again."""
        before, self._trouble = self._trouble, trouble
        if trouble and not before:
            self.log.error("side_store_unread", error=trouble)
        elif before and not trouble:
            self.log.info("side_store_read_again")


def queries(uuids: Iterable[str], attribute: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield filters that find entries by their UUIDs, some at once, each with those that it asks for.

    :param attribute: of the directory, such as ``entryUUID``, ``objectGUID`` or ``nsUniqueId``.
    """
    every = sorted(uuids)
    for start in range(0, len(every), _AT_ONCE):
        some = tuple(every[start : start + _AT_ONCE])
        terms = "".join(f"({attribute}={uuid_asserted(attribute, uuid)})" for uuid in some)
        yield some, f"(|{terms})"
