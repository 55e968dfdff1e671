"""Who is logged in to the panel: digests of tokens, never a token itself, so that nobody can use what stands here.

Raises `LedgerUnavailable`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, insert, or_, select, update

from groupmilter.moderation.database import Database, parts
from groupmilter.moderation.schema import SESSION

_BY_DIGEST = select(SESSION).where(SESSION.c.digest == bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One log-in that holds.

    :param digest: of the token, hexadecimal. ``person, dn``: UUID and name of the entry.
    :param csrf: what forms of this session must hold. ``client``: IP address at the log-in.
    :param opened, seen, until: begin, last use (to the minute), end at the latest; seconds since 1970, UTC.
    :param password: when its password had been set, by the directory's clock; 0 for unknown.
    """

    digest: str
    person: str
    dn: str
    csrf: str
    client: str
    opened: int
    seen: int
    until: int
    password: int = 0


class SessionBook:
    """The sessions of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: SessionRow) -> None:
        """Let a session begin."""
        with self._database.writing() as connection:
            connection.execute(insert(SESSION), asdict(row))

    def get(self, digest: str) -> SessionRow | None:
        """Return the session of a token's digest."""
        with self._database.reading() as connection:
            row = connection.execute(_BY_DIGEST, {"wanted": digest}).mappings().first()
        return None if row is None else SessionRow(**row)

    def of(self, person: str) -> tuple[SessionRow, ...]:
        """Return the sessions of a person, the latest first."""
        wanted = select(SESSION).where(SESSION.c.person == person).order_by(SESSION.c.opened.desc())
        with self._database.reading() as connection:
            return tuple(SessionRow(**row) for row in connection.execute(wanted).mappings())

    def used(self, digest: str, now: int) -> None:
        """Note that a session is in use."""
        with self._database.writing() as connection:
            connection.execute(update(SESSION).where(SESSION.c.digest == digest).values(seen=now))

    def remove(self, digest: str) -> bool:
        """End a session; tell whether there was one."""
        with self._database.writing() as connection:
            return connection.execute(delete(SESSION).where(SESSION.c.digest == digest)).rowcount > 0

    def remove_all(self, person: str) -> int:
        """End every session of a person; return how many there were."""
        with self._database.writing() as connection:
            return connection.execute(delete(SESSION).where(SESSION.c.person == person)).rowcount

    def forget(self, now: int, idle: int) -> tuple[SessionRow, ...]:
        """Forget what is over; return it.

        :param idle: seconds for which one lives unused.
        """
        over = or_(SESSION.c.until <= now, SESSION.c.seen <= now - idle)
        with self._database.writing() as connection:
            found = tuple(
                SessionRow(**row) for row in connection.execute(select(SESSION).where(over)).mappings()
            )
            # Not by the same condition: only what is told of is forgotten.
            for some in parts([row.digest for row in found]):
                connection.execute(delete(SESSION).where(SESSION.c.digest.in_(some)))
        return found
