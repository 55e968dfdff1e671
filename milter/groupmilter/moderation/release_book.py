"""Release tickets and batches in the ledger: what may come back through the MTA, and how far each release has come.

Raises `LedgerUnavailable`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import delete, func, insert, select, update

from groupmilter.groups.directory import Member
from groupmilter.moderation.database import Database
from groupmilter.moderation.rows import Batch, members_of, members_text
from groupmilter.moderation.schema import BATCH, LEFT_OUT, RELEASE


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
            same = (BATCH.c.item_id == item_id, BATCH.c.number == number)
            if connection.execute(select(BATCH.c.number).where(*same)).first() is None:
                connection.execute(insert(BATCH).values(item_id=item_id, number=number, members=""))
            earlier = (RELEASE.c.item_id == item_id, RELEASE.c.number == number, RELEASE.c.spent == 0)
            connection.execute(delete(RELEASE).where(*earlier))
            connection.execute(insert(RELEASE).values(ticket=ticket, item_id=item_id, number=number))

    def spend(self, ticket: str, now: int) -> Batch | None:
        """Spend a ticket; return its batch, None where it is unknown or was spent before."""
        with self._database.writing() as connection:
            unspent = update(RELEASE).where(RELEASE.c.ticket == ticket, RELEASE.c.spent == 0)
            if connection.execute(unspent.values(spent=now)).rowcount != 1:
                return None
            row = (
                connection.execute(
                    select(BATCH)
                    .join(
                        RELEASE, (RELEASE.c.item_id == BATCH.c.item_id) & (RELEASE.c.number == BATCH.c.number)
                    )
                    .where(RELEASE.c.ticket == ticket)
                )
                .mappings()
                .one()
            )
            same = (BATCH.c.item_id == row["item_id"], BATCH.c.number == row["number"])
            connection.execute(update(BATCH).where(*same).values(spent=now))
            return Batch(
                row["item_id"], row["number"], members_of(row["members"]), ticket, now, row["accepted"]
            )

    def was_spent(self, ticket: str) -> bool:
        """Tell whether a ticket that was noted has been spent: whether the milter has seen what was submitted."""
        with self._database.reading() as connection:
            return bool(
                connection.execute(select(RELEASE.c.spent).where(RELEASE.c.ticket == ticket)).scalar()
            )

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
        newest = (
            select(func.max(RELEASE.c.ticket))
            .where(RELEASE.c.item_id == BATCH.c.item_id, RELEASE.c.number == BATCH.c.number)
            .scalar_subquery()
        )
        wanted = select(BATCH, newest.label("ticket")).where(BATCH.c.item_id == item_id)
        with self._database.reading() as connection:
            return tuple(
                Batch(
                    item_id, row["number"], members_of(row["members"]), row["ticket"] or "", row["spent"],
                    row["accepted"],
                )
                for row in connection.execute(wanted.order_by(BATCH.c.number)).mappings()
            )  # fmt: skip

    def refused(self, item_id: int, number: int) -> None:
        """Note that the MTA has refused a transaction: the next try of it repeats nothing."""
        same = (BATCH.c.item_id == item_id, BATCH.c.number == number)
        with self._database.writing() as connection:
            connection.execute(update(BATCH).where(*same).values(spent=0))

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
        same = (BATCH.c.item_id == item_id, BATCH.c.number == number)
        with self._database.writing() as connection:
            connection.execute(update(BATCH).where(*same).values(accepted=now))
