"""Finding items and what happened to them: by name, by file, by mail, in pages. Raises `LedgerUnavailable`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from sqlalchemy import ColumnElement, func, select

from groupmilter.moderation.database import Database
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.journal import about
from groupmilter.moderation.rows import AuditRow, Posted, item_of
from groupmilter.moderation.schema import AUDIT, ITEM, LETTER

_PAGE = 500
_SENT_OUT = ("release", "report")


class Search:
    """Questions to a ledger that change nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def named(self, beginning: str, limit: int = 20) -> tuple[Item, ...]:
        """Return the items whose name for people begins so; one whose whole name it is comes alone."""
        beginning = beginning.lower()
        found = self._items(ITEM.c.name.startswith(beginning, autoescape=True), limit=limit)
        exact = tuple(item for item in found if item.name == beginning)
        return exact or found

    def by_files(self, names: Collection[str]) -> Mapping[str, Item]:
        """Return the items of files of the hold mailbox, by the file's name; a few hundred at a time."""
        return {item.arrival.file: item for item in self._items(ITEM.c.file.in_(names), limit=len(names))}

    def known_files(self, names: Collection[str]) -> frozenset[str]:
        """Return which of some files of the hold mailbox have an item; a few hundred at a time."""
        with self._database.reading() as connection:
            return frozenset(connection.execute(select(ITEM.c.file).where(ITEM.c.file.in_(names))).scalars())

    def each(self, states: Collection[State], *, group: str = "", newest: int = 0) -> Iterator[Item]:
        """Yield all items in some states in the order in which they were recorded, a page at a time.

        :param group: canonical address, or all. ``newest``: none with a higher number.
        """
        last = 0
        conditions = self._in(states, group)
        if newest:
            conditions.append(ITEM.c.id <= newest)
        while page := self._items(*conditions, ITEM.c.id > last, limit=_PAGE):
            yield from page
            last = page[-1].id

    def unasked(self) -> Iterator[Item]:
        """Yield held items about which nobody was written to yet."""
        last = 0
        unasked = (ITEM.c.state == State.HELD.value, ITEM.c.noticed == 0)
        while page := self._items(*unasked, ITEM.c.id > last, limit=_PAGE):
            yield from page
            last = page[-1].id

    def counts(self, *, group: str = "") -> Mapping[State, int]:
        """Return how many items there are in each state."""
        wanted = select(ITEM.c.state, func.count()).group_by(ITEM.c.state)
        if group:
            wanted = wanted.where(ITEM.c.group_address == group)
        with self._database.reading() as connection:
            return {State(state): int(count) for state, count in connection.execute(wanted)}

    def newest(self) -> int:
        """Return the number of the newest item; 0 where there is none."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.max(ITEM.c.id))).scalar() or 0)

    def sent_out_as(self, queue_id: str) -> tuple[Item, ...]:
        """Return the items that came back to the MTA, or were reported, under a queue id."""
        wanted = (
            select(AUDIT.c.item)
            .where(AUDIT.c.action.in_(_SENT_OUT), AUDIT.c.detail.contains(queue_id, autoescape=True))
            .distinct()
        )
        return self._items(ITEM.c.name.in_(wanted), limit=_PAGE)

    def of_mail(self, *, message_id: str = "", queue_id: str = "") -> tuple[Item, ...]:
        """Return the items of a mail, one for each moderated group."""
        wanted = ITEM.c.message_id == message_id if message_id else ITEM.c.queue_id == queue_id
        return self._items(wanted, limit=_PAGE)

    def letters_about(self, item_id: int) -> tuple[Posted, ...]:
        """Return what was, or is to be, written to people about an item."""
        columns = [LETTER.c[name] for name in Posted.__slots__]
        wanted = select(*columns).where(LETTER.c.item_id == item_id).order_by(LETTER.c.id)
        with self._database.reading() as connection:
            return tuple(Posted(**row) for row in connection.execute(wanted).mappings())

    def history(self, item: Item) -> tuple[AuditRow, ...]:
        """Return everything that happened to an item."""
        wanted = select(AUDIT).where(AUDIT.c.item == item.name).order_by(AUDIT.c.id)
        with self._database.reading() as connection:
            return tuple(AuditRow(**row) for row in connection.execute(wanted).mappings())

    def newest_audit(
        self, *, since: int = 0, item: str = "", group: str = "", group_uuid: str = "", action: str = "",
        limit: int = 1000,
    ) -> tuple[AuditRow, ...]:  # fmt: skip
        """Return the newest audit rows, in the order in which they were written.

        :param since: only those from this time on. ``group, group_uuid``: as for `Ledger.audit`.
        """
        chosen = about(item=item, group=group, group_uuid=group_uuid, action=action)
        conditions = [AUDIT.c.at >= since, *chosen]
        wanted = select(AUDIT).where(*conditions).order_by(AUDIT.c.id.desc()).limit(limit)
        with self._database.reading() as connection:
            rows = [AuditRow(**row) for row in connection.execute(wanted).mappings()]
        return tuple(reversed(rows))

    def _in(self, states: Collection[State], group: str) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = [ITEM.c.state.in_([state.value for state in states])]
        if group:
            conditions.append(ITEM.c.group_address == group)
        return conditions

    def _items(self, *conditions: ColumnElement[bool], limit: int) -> tuple[Item, ...]:
        wanted = select(ITEM).where(*conditions).order_by(ITEM.c.id).limit(limit)
        with self._database.reading() as connection:
            return tuple(item_of(row) for row in connection.execute(wanted).mappings())
