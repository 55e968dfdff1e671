"""Reading the journal: audit rows by who, what, about which group and when, in pages. Raises `LedgerUnavailable`."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select

from groupmilter.moderation.database import Database, parts
from groupmilter.moderation.rows import AuditRow
from groupmilter.moderation.schema import AUDIT

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; what is empty filters nothing.

    :param groups: only about groups whose entries have these UUIDs; None: about anything.
    :param uuid, address: about the group with this UUID, or with this address then; of both, either is enough.
    :param namesakes: whether rows count that bear the address and another UUID: another group had it then.
    :param actor: a part of the name of who did it, in any case. ``since``, ``until``: seconds since 1970, UTC; rows
        from the one on and before the other.
    """

    groups: frozenset[str] | None = None
    uuid: str = ""
    address: str = ""
    namesakes: bool = True
    actor: str = ""
    action: str = ""
    since: int = 0
    until: int = 0

    def namesake(self, row: AuditRow) -> bool:
        """Tell whether a row is about another group than the one that is meant, which had its address then."""
        return bool(self.uuid and self.address) and row.group_uuid not in ("", self.uuid)


class Journal:
    """The audit rows of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, wanted: Filter, *, first: int = 0, limit: int = 50) -> tuple[AuditRow, ...]:
        """Return some rows, the newest first.

        :param first: how many come before them.
        """
        return self._rows(_conditions(wanted), first, limit)

    def each(self, wanted: Filter, most: int) -> Iterator[AuditRow]:
        """Yield rows, the newest first, a page at a time."""
        left, last = most, 0
        conditions = _conditions(wanted)
        while left > 0:
            older = [*conditions, AUDIT.c.id < last] if last else conditions
            rows = self._rows(older, 0, min(left, _PAGE))
            yield from rows
            if not rows:
                return
            left, last = left - len(rows), rows[-1].id

    def count(self, wanted: Filter) -> int:
        """Return how many rows there are."""
        counted = select(func.count()).select_from(AUDIT).where(*_conditions(wanted))
        with self._database.reading() as connection:
            return int(connection.execute(counted).scalar() or 0)

    def those(self, ids: Collection[int]) -> tuple[AuditRow, ...]:
        """Return rows by their numbers, the newest first; unknown numbers are left out."""
        found: list[AuditRow] = []
        for some in parts(sorted(ids, reverse=True)):
            found += self._rows([AUDIT.c.id.in_(some)], 0, len(some))
        return tuple(found)

    def actions(self) -> tuple[str, ...]:
        """Return what has been done so far, each word once."""
        with self._database.reading() as connection:
            found = connection.execute(select(AUDIT.c.action).distinct().order_by(AUDIT.c.action))
            return tuple(found.scalars())

    def groups(self, uuid: str = "", address: str = "") -> tuple[str, ...]:
        """Return the groups about which there is anything, by UUID; of a group (see `Filter`) or of all."""
        chosen = select(AUDIT.c.group_uuid).where(
            AUDIT.c.group_uuid != "", *about(group=address, group_uuid=uuid)
        )
        with self._database.reading() as connection:
            return tuple(connection.execute(chosen.distinct()).scalars())

    def removals(self, uuids: Collection[str]) -> Iterator[AuditRow]:
        """Yield the rows in which groups with these UUIDs were removed, with all that they held."""
        removed = (AUDIT.c.action == "group-delete", AUDIT.c.before != "")
        for some in parts(sorted(uuids)):
            yield from self._rows([*removed, AUDIT.c.group_uuid.in_(some)], 0, len(some))

    def _rows(
        self, conditions: Collection[ColumnElement[bool]], first: int, limit: int
    ) -> tuple[AuditRow, ...]:
        chosen = select(AUDIT).where(*conditions).order_by(AUDIT.c.id.desc()).offset(first).limit(limit)
        with self._database.reading() as connection:
            return tuple(AuditRow(**row) for row in connection.execute(chosen).mappings())


def about(
    *, item: str = "", group: str = "", group_uuid: str = "", action: str = ""
) -> list[ColumnElement[bool]]:
    """Return the conditions for rows about an item, about a group (by address then or by UUID), of an action."""
    either = [
        column == value
        for column, value in ((AUDIT.c.group, group), (AUDIT.c.group_uuid, group_uuid))
        if value
    ]
    found = [column == value for column, value in ((AUDIT.c.item, item), (AUDIT.c.action, action)) if value]
    return [or_(*either), *found] if either else found


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found = about(group=wanted.address, group_uuid=wanted.uuid, action=wanted.action)
    if not wanted.namesakes:
        found.append(AUDIT.c.group_uuid.in_(("", wanted.uuid)))
    if wanted.groups is not None:
        named = sorted(wanted.groups)
        found.append(
            or_(*(AUDIT.c.group_uuid.in_(some) for some in parts(named))) if named else AUDIT.c.id < 0
        )
    if wanted.actor:
        found.append(AUDIT.c.actor.icontains(wanted.actor, autoescape=True))
    if wanted.since:
        found.append(AUDIT.c.at >= wanted.since)
    if wanted.until:
        found.append(AUDIT.c.at < wanted.until)
    return found
