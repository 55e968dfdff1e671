"""Which messages of unauthenticated senders each group has taken lately: digests alone, nothing of what stood in them.

Raises `LedgerUnavailable`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from groupmilter.moderation.database import Database, parts
from groupmilter.moderation.schema import SIGHTING
from groupmilter.policy.sighting import Seen, Sighting

# Made once: putting a statement together costs more than running it.
_KNOWN = select(SIGHTING).where(
    SIGHTING.c.digest.in_(bindparam("digests", expanding=True)), SIGHTING.c.at > bindparam("since")
)
_THOSE = delete(SIGHTING).where(SIGHTING.c.digest.in_(bindparam("digests", expanding=True)))
_NEW = insert(SIGHTING)


class SightingBook:
    """The sightings of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def seen(self, sighting: Sighting, now: int) -> dict[str, Seen]:
        """Return the groups that have taken the message within its window, by UUID."""
        keys = _keys(sighting)
        with self._database.reading() as connection:
            origins = _origins(connection, keys, now - sighting.window)
        found: dict[str, Seen] = {}
        for digest, origin in origins.items():
            group = keys[digest]
            same = origin == sighting.origin and found.get(group) is not Seen.REPEATED
            found[group] = Seen.RETRY if same else Seen.REPEATED
        return found

    def record(self, sighting: Sighting, now: int) -> bool:
        """Remember that the groups have taken the message.

        :returns: False, and nothing is remembered, where one of them has taken it in the meantime: two copies at once.
        """
        keys = _keys(sighting)
        with self._database.writing() as connection:
            if _origins(connection, keys, now - sighting.window):
                return False
            for some in parts(list(keys)):
                connection.execute(_THOSE, {"digests": some})
                rows = [{"digest": digest, "at": now, "origin": sighting.origin} for digest in some]
                connection.execute(_NEW, rows)
        return True

    def forget(self, now: int, window: int) -> None:
        """Forget what is older than a window; or further ahead than that, by a clock that was wrong."""
        old = or_(SIGHTING.c.at < now - window, SIGHTING.c.at > now + window)
        with self._database.writing() as connection:
            connection.execute(delete(SIGHTING).where(old))


def _keys(sighting: Sighting) -> dict[str, str]:
    """Return the group's UUID by each digest of a group and a fingerprint."""
    return {_key(group, one): group for group in sighting.groups for one in sighting.fingerprints}


def _key(group: str, fingerprint: bytes) -> str:
    return hashlib.sha256(group.encode() + b"\0" + fingerprint).hexdigest()[:32]


def _origins(connection: Connection, digests: Iterable[str], since: int) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in parts(list(digests)):
        rows = connection.execute(_KNOWN, {"digests": some, "since": since}).mappings()
        found.update((row["digest"], row["origin"]) for row in rows)
    return found
