"""Looking at the ledger from above, for pages: lists in pages, counts, how many a day. Raises `LedgerUnavailable`.

Who may see what hangs on an item's group and on whom a site rule has decide instead of its moderators; the pairs of the
two are few, however many items there are, so rights are asked once for each pair.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, RowMapping, and_, case, func, or_, select, tuple_

from groupmilter.groups.ticket import Kind
from groupmilter.moderation.database import Database
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.rows import item_of
from groupmilter.moderation.schema import ITEM, LETTER
from groupmilter.moderation.transitions import WAITING

_HELD = ITEM.c.kind == int(Kind.HOLD)
_PAIR = (ITEM.c.group, ITEM.c.moderators)

Scope = tuple[int, str]
"""A group's digest, and who decides instead of its moderators, as the ledger has them."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items are looked at.

    :param scopes: only those; None: all. ``group``: canonical address, or empty for all.
    :param aside: whether what was put aside is among them, whatever it is and to whomever it was addressed.
    :param claimed_by: UUID of who deals with them; empty: with which nobody deals; None: all.
    """

    states: frozenset[State]
    scopes: tuple[Scope, ...] | None = None
    group: str = ""
    claimed_by: str | None = None
    aside: bool = False

    def covers(self, scope: Scope, item: Item) -> bool:
        """Tell whether an item is among them by kind, scope and state, as `_conditions` has the ledger tell it."""
        among = item.arrival.kind is Kind.HOLD and (self.scopes is None or scope in self.scopes)
        return item.state in self.states and (among or (self.aside and item.state is State.SHUNTED))


@dataclass(frozen=True, slots=True)
class Wait:
    """Messages that wait and are alike in scope, state and kind: one of them, and how many."""

    scope: Scope
    item: Item
    many: int


@dataclass(frozen=True, slots=True)
class Day:
    """What was decided on one day.

    :param number: of the day: seconds since 1970 by 86,400, in the zone that was asked for.
    """

    number: int
    approved: int = 0
    rejected: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True)
class Crowd:
    """How many messages waited in some time: at its end, and the most that did so at once."""

    waiting: int
    most: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """Letters that haven't left yet.

    :param oldest: when the one that waits longest was planned, 0 for none. ``failed``: how many were tried in vain.
    """

    letters: int = 0
    oldest: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """What waits for one group; ``oldest``: since when the first of it does, seconds since 1970, UTC."""

    group: str
    count: int
    oldest: int


class Overview:
    """Questions to a ledger that change nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def scopes(self, states: Collection[State]) -> tuple[tuple[Scope, Item], ...]:
        """Return the pairs that items in some states have, each with one of those items."""
        one = (
            select(func.min(ITEM.c.id))
            .where(ITEM.c.state.in_([state.value for state in states]), _HELD)
            .group_by(*_PAIR)
        )
        with self._database.reading() as connection:
            rows = connection.execute(select(ITEM).where(ITEM.c.id.in_(one))).mappings().all()
        return tuple((_scope(row), item_of(row)) for row in rows)

    def waits(self) -> tuple[Wait, ...]:
        """Return how many messages wait, by scope, state and kind: one query."""
        alike = (
            select(func.min(ITEM.c.id).label("one"), func.count().label("many"))
            .where(ITEM.c.state.in_([state.value for state in WAITING]))
            .group_by(*_PAIR, ITEM.c.state, ITEM.c.kind)
            .subquery()
        )
        with self._database.reading() as connection:
            rows = connection.execute(select(ITEM, alike.c.many).join(alike, ITEM.c.id == alike.c.one))
            return tuple(Wait(_scope(row), item_of(row), int(row["many"])) for row in rows.mappings())

    def page(
        self, wanted: Wanted, *, first: int = 0, limit: int = 50, oldest: bool = True
    ) -> tuple[Item, ...]:
        """Return some items.

        :param first: how many come before them. ``oldest``: in which order.
        """
        order = ITEM.c.id if oldest else ITEM.c.id.desc()
        chosen = select(ITEM).where(*_conditions(wanted)).order_by(order).offset(first).limit(limit)
        with self._database.reading() as connection:
            return tuple(item_of(row) for row in connection.execute(chosen).mappings())

    def count(self, wanted: Wanted) -> int:
        """Return how many items there are."""
        counted = select(func.count()).select_from(ITEM).where(*_conditions(wanted))
        with self._database.reading() as connection:
            return int(connection.execute(counted).scalar() or 0)

    def by_group(self, wanted: Wanted) -> Mapping[str, int]:
        """Return how many items each group has, by its address."""
        counted = (
            select(ITEM.c.group_address, func.count())
            .where(*_conditions(wanted))
            .group_by(ITEM.c.group_address)
            .order_by(ITEM.c.group_address)
        )
        with self._database.reading() as connection:
            return {str(group): int(number) for group, number in connection.execute(counted)}

    def queue(self, wanted: Wanted) -> tuple[Queue, ...]:
        """Return what each group's messages are and since when, the longest waiting group first."""
        oldest = func.min(ITEM.c.recorded)
        counted = (
            select(ITEM.c.group_address, func.count(), oldest)
            .where(*_conditions(wanted))
            .group_by(ITEM.c.group_address)
            .order_by(oldest, ITEM.c.group_address)
        )
        with self._database.reading() as connection:
            return tuple(
                Queue(str(group), int(count), int(at)) for group, count, at in connection.execute(counted)
            )

    def days(self, since: int, offset: int) -> tuple[Day, ...]:
        """Return what was decided each day since a time, without the days on which nothing was.

        :param offset: seconds that the zone of the days is before UTC.
        """
        number = (ITEM.c.decided + offset) / 86_400
        counted = (
            select(func.floor(number), ITEM.c.state, func.count())
            .where(ITEM.c.decided >= since, _HELD)
            .group_by(func.floor(number), ITEM.c.state)
        )
        found: dict[int, dict[str, int]] = {}
        with self._database.reading() as connection:
            for day, state, count in connection.execute(counted):
                name = _DECIDED.get(str(state), "approved")
                tally = found.setdefault(int(day), {})
                tally[name] = tally.get(name, 0) + int(count)
        return tuple(Day(day, **found[day]) for day in sorted(found))

    def waited(self, times: Sequence[int]) -> tuple[Crowd, ...]:
        """Return how many messages waited for a decision between each of some times and the next.

        :param times: seconds since 1970, in order; so there is one less of what is returned.
        """
        if not times:
            return ()
        left = case((ITEM.c.state.in_([state.value for state in WAITING]), 0), else_=ITEM.c.decided)
        chosen = select(ITEM.c.recorded, left).where(_HELD, (left == 0) | (left > times[0]))
        with self._database.reading() as connection:
            spans = connection.execute(chosen).all()
        # Of one second, who comes is there before anybody goes.
        moves = sorted((at, -step) for span in spans for at, step in zip(span, (1, -1), strict=True) if at)
        return tuple(_crowds(moves, times))

    def letters(self) -> Waiting:
        """Return how many letters wait to be sent."""
        counted = select(
            func.count(), func.min(LETTER.c.planned), func.count().filter(LETTER.c.attempts > 0)
        ).where(LETTER.c.sent == 0)
        with self._database.reading() as connection:
            letters, oldest, failed = connection.execute(counted).one()
        return Waiting(int(letters), int(oldest or 0), int(failed))


def _crowds(moves: Sequence[tuple[int, int]], times: Sequence[int]) -> Iterator[Crowd]:
    """Yield what was there between times, from who came (-1) and went (+1) when."""
    number = count = most = 0
    for until in times:
        most = count
        while number < len(moves) and moves[number][0] <= until:
            count -= moves[number][1]
            most = max(most, count)
            number += 1
        if until != times[0]:
            yield Crowd(count, most)


_DECIDED = {State.REJECTED.value: "rejected", State.EXPIRED.value: "expired"}


def _scope(row: RowMapping) -> Scope:
    return int(row["group"]), str(row["moderators"])


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    among = _HELD if wanted.scopes is None else and_(_HELD, tuple_(*_PAIR).in_(wanted.scopes))
    if wanted.aside:
        among = or_(among, ITEM.c.state == State.SHUNTED.value)
    found: list[ColumnElement[bool]] = [ITEM.c.state.in_([state.value for state in wanted.states]), among]
    if wanted.group:
        found.append(ITEM.c.group_address == wanted.group)
    if wanted.claimed_by is not None:
        found.append(ITEM.c.claimer == wanted.claimed_by)
    return found
