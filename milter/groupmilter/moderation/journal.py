"""Reading the journal: audit rows by who, what, about which group and when, in pages. Raises `LedgerUnavailable`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import ColumnElement, and_, func, not_, or_, select

from groupmilter.moderation.database import Database, parts
from groupmilter.moderation.rows import AuditRow
from groupmilter.moderation.schema import AUDIT

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows are wanted; what is empty filters nothing.

    :param groups: only about groups with these addresses; None: about anything.
    :param actor: a part of the name of who did it, in any case. ``since``, ``until``: seconds since 1970, UTC; rows
        from the one on and before the other.
    :param ends: rows of these groups are wanted only beyond these numbers (`Journal.ends`).
    """

    groups: frozenset[str] | None = None
    actor: str = ""
    action: str = ""
    since: int = 0
    until: int = 0
    ends: Mapping[str, int] = field(default_factory=dict)


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

    def groups(self) -> tuple[str, ...]:
        """Return the groups about which there is anything, by address."""
        with self._database.reading() as connection:
            found = connection.execute(select(AUDIT.c.group).where(AUDIT.c.group != "").distinct())
            return tuple(found.scalars())

    def ends(self) -> Mapping[str, int]:
        """Return the numbers of the rows in which groups were removed, the last of each, by the group's address.

        Who has a group of the same address since then has nothing to do with what was before.
        """
        # One that was taken back in the moment in which it was made held nothing, and the address is another's.
        removed = (AUDIT.c.action == "group-delete", AUDIT.c.before != "")
        chosen = select(AUDIT.c.group, func.max(AUDIT.c.id)).where(*removed).group_by(AUDIT.c.group)
        with self._database.reading() as connection:
            return {str(group): int(last) for group, last in connection.execute(chosen)}

    def _rows(
        self, conditions: Collection[ColumnElement[bool]], first: int, limit: int
    ) -> tuple[AuditRow, ...]:
        chosen = select(AUDIT).where(*conditions).order_by(AUDIT.c.id.desc()).offset(first).limit(limit)
        with self._database.reading() as connection:
            return tuple(AuditRow(**row) for row in connection.execute(chosen).mappings())


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.groups is not None:
        named = sorted(wanted.groups)
        found.append(or_(*(AUDIT.c.group.in_(some) for some in parts(named))) if named else AUDIT.c.id < 0)
    for group, last in wanted.ends.items():
        if wanted.groups is None or group in wanted.groups:
            found.append(not_(and_(AUDIT.c.group == group, AUDIT.c.id <= last)))
    if wanted.actor:
        found.append(AUDIT.c.actor.icontains(wanted.actor, autoescape=True))
    if wanted.action:
        found.append(AUDIT.c.action == wanted.action)
    if wanted.since:
        found.append(AUDIT.c.at >= wanted.since)
    if wanted.until:
        found.append(AUDIT.c.at < wanted.until)
    return found
