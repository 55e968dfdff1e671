"""Which items the desk has to see to by now, in the order in which they were recorded. Raises `LedgerUnavailable`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Table, or_, select

from groupmilter.moderation.database import Database
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.rows import item_of
from groupmilter.moderation.schema import ITEM
from groupmilter.moderation.transitions import FINISHED

LONGEST_PAUSE = 1800
"""Seconds, at most, between two attempts to send an item out, or to write a request to the directory."""

_ASKED = (ITEM.c.state == State.HELD.value, ITEM.c.noticed > 0)


class Agenda:
    """What is due in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def due(self, state: State, now: int, limit: int = 100) -> tuple[Item, ...]:
        """Return items whose next attempt is due."""
        return self._all(ITEM.c.state == state.value, attempt_due(ITEM, now), limit=limit)

    def expiring(self, now: int, limit: int = 100) -> tuple[Item, ...]:
        """Return items about which somebody was asked and whose time is over."""
        return self._all(*_ASKED, ITEM.c.expires > 0, ITEM.c.expires <= now, limit=limit)

    def to_remind(self, now: int, limit: int = 100) -> tuple[Item, ...]:
        """Return items of which it is time to remind."""
        due = (ITEM.c.reminded == 0, ITEM.c.remind > 0, ITEM.c.remind <= now)
        return self._all(*_ASKED, *due, limit=limit)

    def finished_before(self, time: int, limit: int = 1000) -> tuple[Item, ...]:
        """Return items that ended before a time and whose mail is still kept."""
        ended = ITEM.c.state.in_([state.value for state in FINISHED])
        return self._all(
            ended, ITEM.c.purged.is_(False), ITEM.c.finished > 0, ITEM.c.finished < time, limit=limit
        )

    def _all(self, *conditions: ColumnElement[bool], limit: int) -> tuple[Item, ...]:
        wanted = select(ITEM).where(*conditions).order_by(ITEM.c.id).limit(limit)
        with self._database.reading() as connection:
            return tuple(item_of(row) for row in connection.execute(wanted).mappings())


def attempt_due(table: Table, now: int) -> ColumnElement[bool]:
    """Return the condition for an attempt that is due; what is put off for longer was so by a clock that was ahead."""
    return or_(table.c.next_attempt <= now, table.c.next_attempt > now + LONGEST_PAUSE)
