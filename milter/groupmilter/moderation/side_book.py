"""The side store: canonical fields of groups that the directory can't hold, by the entry's UUID, value by value.

Values come and go one by one, as in the directory: a change whose values aren't as it takes them for isn't made at all.
An entry that has or had values leaves a trace until it has been gone from the directory for `KEPT_DAYS`. Raises
`SideStoreUnavailable` for whatever goes wrong at the database; nothing was changed then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from groupmilter.directory.side_store import (
    SideChange,
    SideStoreUnavailable,
    SideValues,
    digest_of,
    is_single,
)
from groupmilter.moderation.database import Database, LedgerUnavailable, parts
from groupmilter.moderation.schema import SIDE, SIDE_VALUE, storable

KEPT_DAYS = 90
"""How long the values of a group outlast it in the directory: an entry that is restored there has its UUID still."""

_DAY = 24 * 3600


class _Crossed(Exception):
    """Somebody else was faster; everything is taken back."""


class SideBook:
    """The side store of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, uuids: Iterable[str]) -> dict[str, SideValues]:
        """Return what is kept for entries, by UUID; only those for which there is something."""
        found: dict[str, SideValues] = {}
        with self._reading() as connection:
            for some in parts(list(dict.fromkeys(uuids))):
                found |= _values(connection, SIDE_VALUE.c.uuid.in_(some))
        return found

    def holding(self, fields: Sequence[str], values: Iterable[str]) -> frozenset[str]:
        """Return the UUIDs of the entries that have one of some values in one of some fields."""
        digests = list({digest_of(field, storable(value)) for value in values for field in fields})
        found: set[str] = set()
        with self._reading() as connection:
            for some in parts(digests):
                wanted = select(SIDE_VALUE.c.uuid).where(SIDE_VALUE.c.digest.in_(some))
                found.update(connection.execute(wanted).scalars())
        return frozenset(found)

    def having(self, fields: Sequence[str]) -> frozenset[str]:
        """Return the UUIDs of the entries that have any value in one of some fields."""
        wanted = select(SIDE_VALUE.c.uuid).where(SIDE_VALUE.c.label.in_(fields))
        with self._reading() as connection:
            return frozenset(connection.execute(wanted).scalars())

    def change(self, uuid: str, dn: str, changes: Sequence[SideChange]) -> bool:
        """Make all changes or none.

        None, and False, where a value to go isn't there, one to come is, or none is there of those that are to stay.

        :param dn: of the entry, for people who look at what is kept.
        """
        try:
            with self._writing() as connection:
                # First, so that whoever changes the same entry at once waits, in every database.
                _touch(connection, uuid, dn)
                for change in changes:
                    _change(connection, uuid, change)
        except _Crossed:
            return False
        return True

    def forget(self, uuid: str) -> None:
        """Take away everything that is kept for an entry that was deleted; the trace of it stays for a while."""
        with self._writing() as connection:
            gone = connection.execute(delete(SIDE_VALUE).where(SIDE_VALUE.c.uuid == uuid)).rowcount
            if gone:
                _touch(connection, uuid, "")

    # what the synchroniser follows

    def stirred(self) -> bool:
        """Tell whether anything may have changed since the last call; for one caller (`Database.stirred`)."""
        return self._database.stirred()

    def serial(self) -> int:
        """Return the number of the last change."""
        with self._reading() as connection:
            return _serial(connection)

    def everything(self) -> dict[str, SideValues]:
        """Return all values, by UUID; also the entries of which only a trace is left, with no values."""
        with self._reading() as connection:
            traces = connection.execute(select(SIDE.c.uuid)).scalars()
            return {uuid: {} for uuid in traces} | _values(connection)

    def since(self, serial: int) -> dict[str, SideValues]:
        """Return the same for entries changed after a number."""
        with self._reading() as connection:
            changed = list(connection.execute(select(SIDE.c.uuid).where(SIDE.c.changed > serial)).scalars())
            found: dict[str, SideValues] = {uuid: {} for uuid in changed}
            for some in parts(changed):
                found |= _values(connection, SIDE_VALUE.c.uuid.in_(some))
        return found

    # what is looked after

    def entries(self) -> dict[str, str]:
        """Return the DNs of all entries for which something is kept, as they were when it was changed, by UUID."""
        kept = select(SIDE.c.uuid, SIDE.c.dn).where(SIDE.c.uuid.in_(select(SIDE_VALUE.c.uuid)))
        with self._reading() as connection:
            return {row.uuid: row.dn for row in connection.execute(kept)}

    def counts(self) -> dict[str, int]:
        """Return for how many entries something is kept, by field."""
        wanted = select(SIDE_VALUE.c.label, SIDE_VALUE.c.uuid).distinct()
        found: dict[str, set[str]] = defaultdict(set)
        with self._reading() as connection:
            for label, uuid in connection.execute(wanted):
                found[label.partition(";")[0]].add(uuid)
        return {field: len(uuids) for field, uuids in sorted(found.items())}

    def gone(self) -> tuple[str, ...]:
        """Return the DNs of the entries for which something is kept and that the directory has no longer."""
        kept = SIDE.c.uuid.in_(select(SIDE_VALUE.c.uuid))
        with self._reading() as connection:
            wanted = select(SIDE.c.dn).where(SIDE.c.gone > 0, kept).order_by(SIDE.c.dn)
            return tuple(connection.execute(wanted).scalars())

    def settle(self, there: Collection[str], now: int) -> int:
        """Note which entries the directory has no longer, and forget those that have been gone for `KEPT_DAYS`.

        :param there: UUIDs that the directory has, of those in `everything`. :returns: how many were forgotten.
        """
        with self._reading() as connection:
            rows = connection.execute(select(SIDE.c.uuid, SIDE.c.gone))
            traces = {row.uuid: int(row.gone) for row in rows}
            kept = set(connection.execute(select(SIDE_VALUE.c.uuid).distinct()).scalars())
        away = {uuid: gone for uuid, gone in traces.items() if uuid not in there}
        back = [uuid for uuid, gone in traces.items() if gone and uuid in there]
        # One that went in the future went by a clock that was wrong: its time begins anew.
        left = [uuid for uuid, gone in away.items() if not gone or gone > now]
        old = [uuid for uuid, gone in away.items() if 0 < gone < now - KEPT_DAYS * _DAY and uuid in kept]
        # The trace stays as long again, for whoever still remembers the values.
        older = [uuid for uuid, gone in away.items() if 0 < gone < now - 2 * KEPT_DAYS * _DAY]
        if back or left or old or older:
            with self._writing() as connection:
                _mark(connection, back, gone=0)
                _mark(connection, left, gone=now)
                for some in parts(old):
                    connection.execute(delete(SIDE_VALUE).where(SIDE_VALUE.c.uuid.in_(some)))
                _mark(connection, old, changed=_serial(connection) + 1)
                for some in parts([uuid for uuid in older if uuid not in kept]):
                    connection.execute(delete(SIDE).where(SIDE.c.uuid.in_(some)))
        return len(old)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with _as_unknown(), self._database.reading() as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with _as_unknown(), self._database.writing() as connection:
            yield connection


@contextmanager
def _as_unknown() -> Iterator[None]:
    try:
        yield
    except LedgerUnavailable as error:
        raise SideStoreUnavailable(f"the side store: {error}") from error


def _values(connection: Connection, *conditions: ColumnElement[bool]) -> dict[str, SideValues]:
    columns = (SIDE_VALUE.c.uuid, SIDE_VALUE.c.label, SIDE_VALUE.c.value)
    rows = connection.execute(select(*columns).where(*conditions).order_by(SIDE_VALUE.c.id))
    found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
    for uuid, label, value in rows:
        found[uuid][label] = (*found[uuid].get(label, ()), value)
    return dict(found)


def _change(connection: Connection, uuid: str, change: SideChange) -> None:
    """Make one change; raise `_Crossed` where it meets something else than it was planned for."""
    mine = (SIDE_VALUE.c.uuid == uuid, SIDE_VALUE.c.label == change.label)
    for text in change.remove:
        digest = digest_of(change.label, storable(text))
        if connection.execute(delete(SIDE_VALUE).where(*mine, SIDE_VALUE.c.digest == digest)).rowcount != 1:
            raise _Crossed
    if change.stay and not _any(connection, mine, change):
        raise _Crossed
    digests = {digest_of(change.label, text): text for text in map(storable, change.add)}
    for some in parts(list(digests)):
        if connection.execute(select(SIDE_VALUE.c.id).where(*mine, SIDE_VALUE.c.digest.in_(some))).first():
            raise _Crossed
        rows = [
            {"uuid": uuid, "label": change.label, "digest": each, "value": digests[each]} for each in some
        ]
        connection.execute(insert(SIDE_VALUE), rows)
    if is_single(change.label) and change.add:
        held = connection.execute(select(func.count()).select_from(SIDE_VALUE).where(*mine)).scalar()
        if held != 1:
            raise _Crossed


def _any(connection: Connection, mine: Sequence[ColumnElement[bool]], change: SideChange) -> bool:
    """Tell whether one of the values that are to stay is there."""
    digests = [digest_of(change.label, text) for text in map(storable, change.stay)]
    return any(
        connection.execute(
            select(SIDE_VALUE.c.id).where(*mine, SIDE_VALUE.c.digest.in_(some)).limit(1)
        ).first()
        for some in parts(digests)
    )


def _serial(connection: Connection) -> int:
    return int(connection.execute(select(func.max(SIDE.c.changed))).scalar() or 0)


def _touch(connection: Connection, uuid: str, dn: str) -> None:
    """Give an entry the number of a new change; an empty DN leaves the one that is known."""
    row: dict[str, str | int] = {"changed": _serial(connection) + 1, "gone": 0} | ({"dn": dn} if dn else {})
    if connection.execute(update(SIDE).where(SIDE.c.uuid == uuid).values(**row)).rowcount == 0:
        connection.execute(insert(SIDE).values(uuid=uuid, **row))


def _mark(connection: Connection, uuids: Sequence[str], **values: int) -> None:
    for some in parts(uuids):
        connection.execute(update(SIDE).where(SIDE.c.uuid.in_(some)).values(**values))
