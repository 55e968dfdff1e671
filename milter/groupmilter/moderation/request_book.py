"""Requests in the ledger: recorded once while they are open, changed by compare and set, each with its audit row.

Raises `LedgerUnavailable` for anything wrong with the database: nothing has happened then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, func, insert, or_, select, update

from groupmilter.moderation.agenda import LONGEST_PAUSE, attempt_due
from groupmilter.moderation.database import Database
from groupmilter.moderation.item import Who, name_of
from groupmilter.moderation.request import (
    DECIDING,
    ENDED,
    OPEN,
    Change,
    Draft,
    Request,
    Stage,
    Turn,
    Turned,
    Wanted,
    after,
)
from groupmilter.moderation.rows import audit_row
from groupmilter.moderation.schema import AUDIT, REQUEST

_COLUMNS = [field.name for field in fields(Request)]
_NOTHING = Change()
_STAGES = sorted(stage.value for stage in OPEN)


class RequestBook:
    """The requests of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, draft: Draft, stage: Stage, who: Who, now: int) -> Turned:
        """Record a request; an open one for the same thing stands in its place, and nothing happens.

        :param stage: where it begins. ``who``: on whose behalf it is recorded, who has decided where it is decided.
        """
        with self._database.writing() as connection:
            same = (
                REQUEST.c.group_uuid == draft.group_uuid,
                REQUEST.c.address == draft.address,
                REQUEST.c.kind == draft.kind.value,
                REQUEST.c.stage.in_(_STAGES),
            )
            row = connection.execute(select(REQUEST).where(*same)).mappings().first()
            if row is not None:
                return Turned(_request(row), happened=False)
            values = asdict(draft) | {
                "kind": draft.kind.value, "stage": stage.value, "name": name_of(draft.digest), "asked": now,
            }  # fmt: skip
            if stage not in {Stage.UNCONFIRMED, Stage.WAITING}:
                values |= {"decided": now, "decided_by": who.name, "decided_way": who.way.value}
            if stage in ENDED:
                values["finished"] = now
            connection.execute(insert(REQUEST).values(**values))
            made = _one(connection, REQUEST.c.digest == draft.digest)
            connection.execute(
                insert(AUDIT).values(**_row(f"request-{draft.kind.value}", who, now, made, "", draft.reason))
            )
            return Turned(made, happened=True)

    def turn(self, request_id: int, turn: Turn, who: Who, now: int, change: Change = _NOTHING) -> Turned:
        """Let something happen to a request, if its stage allows it: the first decision stands.

        :raises LookupError: for a request that there is none of.
        """
        with self._database.writing() as connection:
            before = _one(connection, REQUEST.c.id == request_id)
            target = after(before.stage, turn)
            if target is None:
                return Turned(before, happened=False)
            given = {name: value for name, value in asdict(change).items() if value}
            changed: dict[str, Any] = given | {"stage": target.value, "next_attempt": 0, "attempts": 0}
            if turn in DECIDING:
                changed |= {"decided": now, "decided_by": who.name, "decided_way": who.way.value}
            if target in ENDED:
                changed["finished"] = now
            connection.execute(update(REQUEST).where(REQUEST.c.id == request_id).values(**changed))
            made = _one(connection, REQUEST.c.id == request_id)
            said = change.comment or change.note
            row = _row(f"request-{turn.value}", who, now, made, before.stage.value, said)
            connection.execute(insert(AUDIT).values(**row))
            return Turned(made, happened=True)

    def get(self, request_id: int) -> Request | None:
        """Return a request by its number."""
        return self._first(REQUEST.c.id == request_id)

    def by_digest(self, digest: int) -> Request | None:
        """Return the request that a token names."""
        return self._first(REQUEST.c.digest == digest)

    def named(self, beginning: str, limit: int = 20) -> tuple[Request, ...]:
        """Return the requests whose name begins so; one whose whole name it is comes alone."""
        beginning = beginning.lower()
        found = self._all(REQUEST.c.name.startswith(beginning, autoescape=True), limit=limit)
        return tuple(one for one in found if one.name == beginning) or found

    def find(
        self, stages: Collection[Stage], *, group: str = "", person: str = "", address: str = "", after: int = 0,
        limit: int = 1000,
    ) -> tuple[Request, ...]:  # fmt: skip
        """Return requests in some stages, the oldest first.

        :param group: the group's UUID, or all. ``person``: the UUID of who asks; ``address``: his. Either is enough.
        :param after: only those with a higher number.
        """
        conditions: list[ColumnElement[bool]] = [_in(stages), REQUEST.c.id > after]
        if group:
            conditions.append(REQUEST.c.group_uuid == group)
        whose = [
            column == value
            for column, value in ((REQUEST.c.person_uuid, person), (REQUEST.c.address, address))
            if value
        ]
        if whose:
            conditions.append(or_(*whose))
        return self._all(*conditions, limit=limit)

    def count(self, stages: Collection[Stage], *, group: str = "") -> int:
        """Return how many requests there are in some stages.

        :param group: the group's UUID, or all.
        """
        conditions: list[ColumnElement[bool]] = [_in(stages)]
        if group:
            conditions.append(REQUEST.c.group_uuid == group)
        wanted = select(func.count()).select_from(REQUEST).where(*conditions)
        with self._database.reading() as connection:
            return int(connection.execute(wanted).scalar() or 0)

    def waits(self) -> tuple[tuple[Request, int], ...]:
        """Return how many requests wait for the owners of each group, each with one of them: one query."""
        groups = (
            select(func.min(REQUEST.c.id).label("one"), func.count().label("many"))
            .where(REQUEST.c.stage == Stage.WAITING.value)
            .group_by(REQUEST.c.group_uuid)
            .subquery()
        )
        with self._database.reading() as connection:
            rows = connection.execute(
                select(REQUEST, groups.c.many).join(groups, REQUEST.c.id == groups.c.one)
            )
            return tuple((_request(row), int(row["many"])) for row in rows.mappings())

    def expiring(self, now: int, limit: int = 100) -> tuple[Request, ...]:
        """Return requests whose time is over."""
        undecided = REQUEST.c.stage.in_([Stage.UNCONFIRMED.value, Stage.WAITING.value])
        return self._all(undecided, REQUEST.c.expires > 0, REQUEST.c.expires <= now, limit=limit)

    def to_remind(self, now: int, limit: int = 100) -> tuple[Request, ...]:
        """Return requests of which it is time to remind."""
        due = (REQUEST.c.reminded == 0, REQUEST.c.remind > 0, REQUEST.c.remind <= now)
        return self._all(REQUEST.c.stage == Stage.WAITING.value, *due, limit=limit)

    def to_write(self, now: int, limit: int = 100) -> tuple[Request, ...]:
        """Return accepted requests that the directory should be tried with now."""
        return self._all(REQUEST.c.stage == Stage.ACCEPTED.value, attempt_due(REQUEST, now), limit=limit)

    def attempted(self, request: Request, now: int, note: str) -> None:
        """Note that the directory could not be written now: it is tried again, every half an hour in the end."""
        pause = min(LONGEST_PAUSE, 5 * 2 ** min(request.attempts, 16))
        values = {"next_attempt": now + pause, "note": note, "attempts": REQUEST.c.attempts + 1}
        with self._database.writing() as connection:
            connection.execute(update(REQUEST).where(REQUEST.c.id == request.id).values(**values))

    def keep(self, request_id: int, now: int, seconds: int) -> None:
        """Let a request that waits for a decision go on waiting, where it would expire within half of some seconds."""
        soon = (REQUEST.c.expires > 0, REQUEST.c.expires < now + seconds // 2)
        waits = (REQUEST.c.id == request_id, REQUEST.c.stage == Stage.WAITING.value)
        with self._database.writing() as connection:
            connection.execute(update(REQUEST).where(*waits, *soon).values(expires=now + seconds))

    def reminded(self, request_id: int, now: int) -> None:
        """Note that whoever decides was reminded."""
        with self._database.writing() as connection:
            connection.execute(update(REQUEST).where(REQUEST.c.id == request_id).values(reminded=now))

    def forget(self, request: Request, who: Who, now: int) -> bool:
        """Forget what nobody has confirmed in time: the address may be somebody's who never knew of it.

        :returns: False where it was confirmed meanwhile.
        """
        same = (REQUEST.c.id == request.id, REQUEST.c.stage == Stage.UNCONFIRMED.value)
        with self._database.writing() as connection:
            if connection.execute(delete(REQUEST).where(*same)).rowcount != 1:
                return False
            row = _row("request-expire", who, now, request, request.stage.value, "") | {"after": ""}
            connection.execute(insert(AUDIT).values(**row))
            return True

    def _first(self, condition: ColumnElement[bool]) -> Request | None:
        return next(iter(self._all(condition, limit=1)), None)

    def _all(self, *conditions: ColumnElement[bool], limit: int) -> tuple[Request, ...]:
        wanted = select(REQUEST).where(*conditions).order_by(REQUEST.c.id).limit(limit)
        with self._database.reading() as connection:
            return tuple(map(_request, connection.execute(wanted).mappings()))


def _in(stages: Collection[Stage]) -> ColumnElement[bool]:
    return REQUEST.c.stage.in_([stage.value for stage in stages])


def _one(connection: Connection, condition: ColumnElement[bool]) -> Request:
    row = connection.execute(select(REQUEST).where(condition).with_for_update()).mappings().first()
    if row is None:
        raise LookupError("no such request")
    return _request(row)


def _request(row: RowMapping) -> Request:
    values: dict[str, Any] = {name: row[name] for name in _COLUMNS}
    values |= {"kind": Wanted(row["kind"]), "stage": Stage(row["stage"])}
    return Request(**values)


def _row(action: str, who: Who, now: int, request: Request, before: str, said: str) -> dict[str, Any]:
    about = f"{request.kind.value} {request.address}"
    return audit_row(
        action, who, now, request.name, request.group_address, request.group_uuid,
        before=before, after=request.stage.value, detail=f"{about}: {said}" if said else about,
    )  # fmt: skip
