"""The ledger's approvals: who has approved of an item that needs several. Raises `LedgerUnavailable`."""

from __future__ import annotations

from sqlalchemy import select, update

from groupmilter.moderation.database import Database
from groupmilter.moderation.item import Event, Item
from groupmilter.moderation.quorum import Approval, added
from groupmilter.moderation.rows import approvals_text, item_of
from groupmilter.moderation.schema import ITEM
from groupmilter.moderation.transitions import after


class ApprovalBook:
    """Approvals in one ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, item_id: int, approval: Approval) -> tuple[Item, bool]:
        """Add somebody's approval, once for each person, as long as anybody may decide.

        :returns: the item as it stands now, and whether the approval is new.
        :raises LookupError: for an item that there is none of.
        """
        with self._database.writing() as connection:
            locked = select(ITEM).where(ITEM.c.id == item_id).with_for_update()
            row = connection.execute(locked).mappings().first()
            if row is None:
                raise LookupError(f"no item {item_id}")
            item = item_of(row)
            given = added(item.approved_by, approval)
            if after(item.state, Event.APPROVE) is None or given == item.approved_by:
                return item, False
            same = (ITEM.c.id == item_id, ITEM.c.approved_by == row["approved_by"])
            connection.execute(update(ITEM).where(*same).values(approved_by=approvals_text(given)))
            return item_of(connection.execute(locked).mappings().one()), True
