"""Tokens for programs that act for a person: digests of them, never a token itself, so nobody can use what stands here.

Raises `LedgerUnavailable`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from groupmilter.moderation.database import Database
from groupmilter.moderation.schema import ACCESS_TOKEN

_BY_DIGEST = select(ACCESS_TOKEN).where(ACCESS_TOKEN.c.digest == bindparam("wanted"))


@dataclass(frozen=True, slots=True)
class AccessTokenRow:
    """One token that holds.

    :param digest: SHA-256 of the token, hexadecimal. ``name``: what its person calls it, once for each person.
    :param person, dn: UUID and name of the entry. ``scopes``: words, a space between them.
    :param made, used, until: seconds since 1970, UTC; ``used`` to the minute, 0 for never; ``until`` 0 for no end.
    """

    digest: str
    name: str
    person: str
    dn: str
    scopes: str
    made: int
    until: int = 0
    used: int = 0


class AccessTokenBook:
    """The tokens of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, row: AccessTokenRow) -> bool:
        """Let a token hold; False where the person has one of this name."""
        same = (ACCESS_TOKEN.c.person == row.person, ACCESS_TOKEN.c.name == row.name)
        with self._database.writing() as connection:
            if connection.execute(select(ACCESS_TOKEN.c.digest).where(*same)).first() is not None:
                return False
            connection.execute(insert(ACCESS_TOKEN), asdict(row))
            return True

    def get(self, digest: str) -> AccessTokenRow | None:
        """Return the token with a digest."""
        with self._database.reading() as connection:
            row = connection.execute(_BY_DIGEST, {"wanted": digest}).mappings().first()
        return None if row is None else AccessTokenRow(**row)

    def of(self, person: str = "") -> tuple[AccessTokenRow, ...]:
        """Return the tokens of a person, or all, by name."""
        wanted = select(ACCESS_TOKEN).order_by(ACCESS_TOKEN.c.dn, ACCESS_TOKEN.c.name)
        if person:
            wanted = wanted.where(ACCESS_TOKEN.c.person == person)
        with self._database.reading() as connection:
            return tuple(AccessTokenRow(**row) for row in connection.execute(wanted).mappings())

    def used(self, digest: str, now: int) -> None:
        """Note that a token is in use."""
        with self._database.writing() as connection:
            connection.execute(update(ACCESS_TOKEN).where(ACCESS_TOKEN.c.digest == digest).values(used=now))

    def remove(self, digest: str) -> bool:
        """End a token; tell whether there was one."""
        with self._database.writing() as connection:
            return (
                connection.execute(delete(ACCESS_TOKEN).where(ACCESS_TOKEN.c.digest == digest)).rowcount > 0
            )
