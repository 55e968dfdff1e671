"""Release tickets and batches in the ledger: what may come back through the MTA, and how far each release has come.

Raises `LedgerUnavailable`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import bindparam, delete, func, insert, select, update

from groupmilter.groups.directory import Member
from groupmilter.moderation.database import Database
from groupmilter.moderation.rows import Batch, members_of, members_text
from groupmilter.moderation.schema import BATCH, LEFT_OUT, RELEASE

# Made once: putting a statement together costs more than running it.
_THIS = (BATCH.c.item_id == bindparam("of_item"), BATCH.c.number == bindparam("of_number"))
_KNOWN = select(BATCH.c.number).where(*_THIS)
_CHANGE, _NEW_BATCH, _NEW_TICKET = update(BATCH).where(*_THIS), insert(BATCH), insert(RELEASE)
_SPEND = update(RELEASE).where(RELEASE.c.ticket == bindparam("wanted"), RELEASE.c.spent == 0)
_SPENT = select(RELEASE.c.spent).where(RELEASE.c.ticket == bindparam("wanted"))
_EARLIER = delete(RELEASE).where(
    RELEASE.c.item_id == bindparam("of_item"),
    RELEASE.c.number == bindparam("of_number"),
    RELEASE.c.spent == 0,
)
_OF_TICKET = (
    select(BATCH)
    .join(RELEASE, (RELEASE.c.item_id == BATCH.c.item_id) & (RELEASE.c.number == BATCH.c.number))
    .where(RELEASE.c.ticket == bindparam("wanted"))
)
_NEWEST = (
    select(func.max(RELEASE.c.ticket))
    .where(RELEASE.c.item_id == BATCH.c.item_id, RELEASE.c.number == BATCH.c.number)
    .scalar_subquery()
)
_BATCHES = (
    select(BATCH, _NEWEST.label("ticket"))
    .where(BATCH.c.item_id == bindparam("of_item"))
    .order_by(BATCH.c.number)
)


class ReleaseBook:
    """The releases of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prepare(self, item_id: int, ticket: str, number: int = 0) -> None:
        """Note a release ticket before it is submitted; one that isn't noted opens nothing.

        Nor does an earlier one of the same transaction any more: the MTA may still come with it after its session was
        given up. What was not divided into transactions goes in one, for which the milter expands the group.
        """
        with self._database.writing() as connection:
            this, row = {"of_item": item_id, "of_number": number}, {"item_id": item_id, "number": number}
            if connection.execute(_KNOWN, this).first() is None:
                connection.execute(_NEW_BATCH, {**row, "members": ""})
            connection.execute(_EARLIER, this)
            connection.execute(_NEW_TICKET, {**row, "ticket": ticket})

    def spend(self, ticket: str, now: int) -> Batch | None:
        """Spend a ticket; return its batch, None where it is unknown or was spent before."""
        with self._database.writing() as connection:
            if connection.execute(_SPEND, {"wanted": ticket, "spent": now}).rowcount != 1:
                return None
            row = connection.execute(_OF_TICKET, {"wanted": ticket}).mappings().one()
            connection.execute(_CHANGE, {"of_item": row["item_id"], "of_number": row["number"], "spent": now})
            return Batch(
                row["item_id"], row["number"], members_of(row["members"]), ticket, now, row["accepted"]
            )

    def was_spent(self, ticket: str) -> bool:
        """Tell whether a ticket that was noted has been spent: whether the milter has seen what was submitted."""
        with self._database.reading() as connection:
            return bool(connection.execute(_SPENT, {"wanted": ticket}).scalar())

    def set_batches(self, item_id: int, batches: Sequence[Sequence[Member]]) -> None:
        """Note the transactions of a copy and whom each is for, all at once; none where nobody is left.

        What was noted before of the same copy is forgotten, and its tickets open nothing any more.
        """
        rows = [
            {"item_id": item_id, "number": number, "members": members_text(batch)}
            for number, batch in enumerate(batches)
        ]
        with self._database.writing() as connection:
            unspent = (RELEASE.c.item_id == item_id, RELEASE.c.spent == 0)
            connection.execute(delete(RELEASE).where(*unspent))
            connection.execute(delete(BATCH).where(BATCH.c.item_id == item_id))
            if rows:
                connection.execute(insert(BATCH), rows)

    def batches(self, item_id: int) -> tuple[Batch, ...]:
        """Return the transactions of a release, in order; none before it has begun."""
        with self._database.reading() as connection:
            return tuple(
                Batch(
                    item_id, row["number"], members_of(row["members"]), row["ticket"] or "", row["spent"],
                    row["accepted"],
                )
                for row in connection.execute(_BATCHES, {"of_item": item_id}).mappings()
            )  # fmt: skip

    def refused(self, item_id: int, number: int) -> None:
        """Note that the MTA has refused a transaction: the next try of it repeats nothing."""
        with self._database.writing() as connection:
            connection.execute(_CHANGE, {"of_item": item_id, "of_number": number, "spent": 0})

    def leave_out(self, ticket: str, addresses: Sequence[str], now: int) -> None:
        """Note whom the split copy with a ticket need not reach: others of its delivery have reached them."""
        values = {"ticket": ticket, "addresses": json.dumps(list(addresses)), "at": now}
        with self._database.writing() as connection:
            connection.execute(delete(LEFT_OUT).where(LEFT_OUT.c.ticket == ticket))
            connection.execute(insert(LEFT_OUT).values(**values))

    def left_out(self, ticket: str) -> tuple[str, ...]:
        """Return what was noted for a ticket."""
        with self._database.reading() as connection:
            text = connection.execute(
                select(LEFT_OUT.c.addresses).where(LEFT_OUT.c.ticket == ticket)
            ).scalar()
        return tuple(json.loads(text)) if text else ()

    def forget_left_out(self, before: int) -> None:
        """Forget what was noted before a time: no copy waits that long."""
        with self._database.writing() as connection:
            connection.execute(delete(LEFT_OUT).where(LEFT_OUT.c.at < before))

    def accepted(self, item_id: int, number: int, now: int) -> None:
        """Note that the MTA has answered 250 for a transaction."""
        with self._database.writing() as connection:
            connection.execute(_CHANGE, {"of_item": item_id, "of_number": number, "accepted": now})
