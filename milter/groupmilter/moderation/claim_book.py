"""The ledger's claims: who is dealing with which message that waits. Raises `LedgerUnavailable`."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select, update

from groupmilter.moderation.claim import Claim
from groupmilter.moderation.database import Database
from groupmilter.moderation.item import Item
from groupmilter.moderation.rows import UNCLAIMED, claim_columns, item_of
from groupmilter.moderation.schema import ITEM
from groupmilter.moderation.transitions import WAITING


class ClaimBook:
    """Claims in one ledger. Whatever becomes of an item ends the claim on it (`Ledger.change`)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, item_id: int, claim: Claim) -> tuple[Item, bool]:
        """Let somebody deal with an item that waits and with which nobody deals: the first claim stands.

        :returns: the item as it stands now, and whether the claim is new.
        :raises LookupError: for an item that there is none of.
        """
        free = (ITEM.c.claimed == 0, ITEM.c.state.in_([state.value for state in WAITING]))
        return self._set(item_id, claim, *free)

    def end(self, item_id: int, person: str) -> tuple[Item, bool]:
        """End somebody's claim on an item; see `take` for what is returned."""
        return self._set(item_id, None, ITEM.c.claimed > 0, ITEM.c.claimer == person)

    def standing(self) -> tuple[Item, ...]:
        """Return the items with which somebody deals."""
        with self._database.reading() as connection:
            rows = connection.execute(select(ITEM).where(ITEM.c.claimed > 0).order_by(ITEM.c.id)).mappings()
            return tuple(map(item_of, rows))

    def _set(self, item_id: int, claim: Claim | None, *same: ColumnElement[bool]) -> tuple[Item, bool]:
        values = UNCLAIMED if claim is None else claim_columns(claim)
        with self._database.writing() as connection:
            done = connection.execute(update(ITEM).where(ITEM.c.id == item_id, *same).values(**values))
            row = connection.execute(select(ITEM).where(ITEM.c.id == item_id)).mappings().first()
            if row is None:
                raise LookupError(f"no item {item_id}")
            return item_of(row), done.rowcount == 1
