"""Letters in the ledger: planned with what makes them due, sent or tried again. Raises `LedgerUnavailable`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict

from sqlalchemy import delete, func, insert, select, update

from groupmilter.moderation.database import Database
from groupmilter.moderation.rows import Letter
from groupmilter.moderation.schema import LETTER

_COLUMNS = [LETTER.c[name] for name in Letter.__slots__]


class LetterQueue:
    """The letters of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, letters: Iterable[Letter]) -> int:
        """Plan letters, each once for an item, kind and address; return how many are new.

        What is about no item (``item_id`` 0) is planned each time.
        """
        new = 0
        with self._database.writing() as connection:
            for letter in letters:
                same = (
                    LETTER.c.item_id == letter.item_id,
                    LETTER.c.kind == letter.kind,
                    LETTER.c.address == letter.address,
                )
                known = letter.item_id and connection.execute(select(LETTER.c.id).where(*same)).first()
                if known:
                    continue
                values = asdict(letter)
                del values["id"]
                connection.execute(insert(LETTER).values(**values))
                new += 1
        return new

    def due(self, now: int, limit: int = 200) -> tuple[Letter, ...]:
        """Return letters that may be tried now, the oldest first."""
        wanted = (
            select(*_COLUMNS)
            .where(LETTER.c.sent == 0, LETTER.c.next_attempt <= now)
            .order_by(LETTER.c.next_attempt, LETTER.c.id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return tuple(Letter(**row) for row in connection.execute(wanted).mappings())

    def sent(self, ids: Collection[int], now: int) -> None:
        """Note letters as sent, those of one call as one piece of mail."""
        with self._database.writing() as connection:
            values = {"sent": now, "bundle": min(ids, default=0)}
            connection.execute(update(LETTER).where(LETTER.c.id.in_(ids)).values(**values))

    def failed(self, letter_id: int, next_attempt: int, why: str) -> None:
        """Note that a letter could not be sent, and when it is tried again."""
        values = {"next_attempt": next_attempt, "why": why, "attempts": LETTER.c.attempts + 1}
        with self._database.writing() as connection:
            connection.execute(update(LETTER).where(LETTER.c.id == letter_id).values(**values))

    def drop(self, item_id: int, kinds: Collection[str]) -> int:
        """Forget letters about an item that were not sent; return how many."""
        unsent = (LETTER.c.item_id == item_id, LETTER.c.kind.in_(kinds), LETTER.c.sent == 0)
        with self._database.reading() as connection:
            if connection.execute(select(LETTER.c.id).where(*unsent)).first() is None:
                return 0
        with self._database.writing() as connection:
            return connection.execute(delete(LETTER).where(*unsent)).rowcount

    def sent_since(self, address: str, since: int) -> int:
        """Return how many pieces of mail asked somebody to decide since a time; a summary is one."""
        asking = LETTER.c.kind.in_(("request", "reminder"))
        wanted = select(func.count(LETTER.c.bundle.distinct())).where(
            LETTER.c.address == address, LETTER.c.sent > since, LETTER.c.sent > 0, asking
        )
        with self._database.reading() as connection:
            return int(connection.execute(wanted).scalar() or 0)
