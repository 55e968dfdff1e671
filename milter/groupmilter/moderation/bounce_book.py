"""Failed deliveries in the ledger: counted once for a message and member, addresses whose delivery is suspended.

A suspension and the end of one are written in one transaction with their audit row. Raises `LedgerUnavailable`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from groupmilter.moderation.bounce import Cause
from groupmilter.moderation.database import Database, parts
from groupmilter.moderation.item import Who
from groupmilter.moderation.rows import audit_row
from groupmilter.moderation.schema import AUDIT, FAILURE, SUMMED_UP, SUSPENSION

DAY = 86_400
_BLAMED = (Cause.PERMANENT.value, Cause.TEMPORARY.value)
_NEW_FAILURE, _NEW_SUSPENSION, _NEW_ROW = insert(FAILURE), insert(SUSPENSION), insert(AUDIT)
_THOSE = FAILURE.c.address.in_(bindparam("of_addresses", expanding=True))
_KNOWN = select(FAILURE.c.address, FAILURE.c.file).where(FAILURE.c.ticket == bindparam("of_ticket"), _THOSE)
_AGAINST = (
    select(FAILURE.c.address)
    .where(_THOSE, FAILURE.c.day >= bindparam("since"), FAILURE.c.cause.in_(_BLAMED))
    .group_by(FAILURE.c.address)
    .having(func.count(FAILURE.c.day.distinct()) >= bindparam("days"))
)
_SUSPENDED = select(SUSPENSION).where(SUSPENSION.c.address == bindparam("wanted"))
_FORGIVE = (
    update(FAILURE).where(FAILURE.c.address == bindparam("of_address")).values(cause=Cause.FORGIVEN.value)
)
_COUNTS = FAILURE.c.cause != Cause.FORGIVEN.value
_THESE = SUSPENSION.c.address.in_(bindparam("of_addresses", expanding=True))
_STOPPED = select(SUSPENSION.c.address).where(_THESE, SUSPENSION.c.probing == 0)
_UNSUSPEND = delete(SUSPENSION).where(_THESE)
_LEFT_OUT = select(SUSPENSION.c.address).where(SUSPENSION.c.probing == 0)


@dataclass(frozen=True, slots=True)
class Failed:
    """One failed delivery.

    :param ticket: of the message's return path: one message to one group. ``file``: the report's in the mailbox.
    :param address: of the member, as the directory has it.
    :param group_uuid, group_address: whose owners are told.
    :param cause: a `Cause`. ``status``, ``why``: as the report has them.
    :param sent: when the message came to the group; ``at``: when its failure was counted; seconds since 1970, UTC.
    """

    ticket: str
    address: str
    file: str
    group_uuid: str
    group_address: str
    cause: str
    status: str
    why: str
    sent: int
    at: int

    @property
    def day(self) -> int:
        """The day, UTC, on which the message was sent: a report can't choose it."""
        return self.sent // DAY


@dataclass(frozen=True, slots=True)
class Suspension:
    """An address that gets no group mail.

    :param since: when it was suspended; ``until``: when it is tried again, 0 for never by itself.
    :param probing: since when it gets mail again, on trial; 0 while it gets none.
    :param actor: who suspended it; ``group_address, group_uuid``: for which group's mail; ``why``: the last failure.
    """

    address: str
    since: int
    until: int
    probing: int
    actor: str
    group_address: str
    why: str
    group_uuid: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is counted of one address within a time.

    :param messages: that failed; ``days``: on which those were sent that speak against the address.
    :param groups: by which they were sent, by address. ``last``: when the newest failure was counted.
    """

    address: str
    messages: int
    days: int
    last: int
    cause: str
    status: str
    why: str
    groups: tuple[str, ...]


class BounceBook:
    """The failed deliveries of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def count(self, failed: Failed) -> str:
        """Count one failure, as `count_each` does; return the file of the report that counts."""
        return self.count_each((failed,))[failed.address]

    def count_each(self, failures: Sequence[Failed]) -> dict[str, str]:
        """Count failures of one message, each once for a member; return the file of the report that counts for each."""
        counts: dict[str, str] = {}
        with self._database.writing() as connection:
            for some in parts(failures):
                this = {"of_ticket": some[0].ticket, "of_addresses": [one.address for one in some]}
                counts.update((str(address), str(file)) for address, file in connection.execute(_KNOWN, this))
                new = [one for one in some if one.address not in counts]
                if new:
                    connection.execute(_NEW_FAILURE, [asdict(one) | {"day": one.day} for one in new])
                counts.update((one.address, one.file) for one in new)
        return counts

    def spoken_against(self, addresses: Sequence[str], since: int, days: int) -> frozenset[str]:
        """Return the addresses at which messages of so many days failed, sent since a time, by the address's fault."""
        found: set[str] = set()
        with self._database.reading() as connection:
            for some in parts(addresses):
                asked = {"of_addresses": list(some), "since": since // DAY, "days": days}
                found.update(connection.execute(_AGAINST, asked).scalars())
        return frozenset(found)

    def suspension(self, address: str) -> Suspension | None:
        """Return the suspension of an address, None where there is none."""
        with self._database.reading() as connection:
            return _suspension(connection, address)

    def suspend(self, made: Suspension, who: Who) -> bool:
        """Suspend delivery to an address, as `suspend_each` does; tell whether that is new."""
        return bool(self.suspend_each((made,), who))

    def suspend_each(self, wanted: Sequence[Suspension], who: Who) -> tuple[Suspension, ...]:
        """Suspend delivery to addresses; return what is new. One on trial is suspended again."""
        new: list[Suspension] = []
        with self._database.writing() as connection:
            for some in parts(wanted):
                these = {"of_addresses": [one.address for one in some]}
                known = set(connection.execute(_STOPPED, these).scalars())
                made = [one for one in some if one.address not in known]
                if not made:
                    continue
                connection.execute(_UNSUSPEND, {"of_addresses": [one.address for one in made]})
                connection.execute(_NEW_SUSPENSION, [asdict(one) for one in made])
                connection.execute(_NEW_ROW, [_row("suspend", who, one.since, one) for one in made])
                new += made
        return tuple(new)

    def resume(self, address: str, who: Who, now: int) -> Suspension | None:
        """End a suspension, and forgive what was counted against the address; return it, None where there was none."""
        with self._database.writing() as connection:
            before = _suspension(connection, address)
            if before is None:
                return None
            connection.execute(delete(SUSPENSION).where(SUSPENSION.c.address == address))
            # Not deleted: a second report of the same failure must not count anew.
            connection.execute(_FORGIVE, {"of_address": address})
            connection.execute(_NEW_ROW, _row("resume", who, now, before))
            return before

    def try_again(self, address: str, who: Who, now: int) -> None:
        """Let a suspended address get mail again, on trial."""
        with self._database.writing() as connection:
            before = _suspension(connection, address)
            if before is None or before.probing:
                return
            connection.execute(update(SUSPENSION).where(SUSPENSION.c.address == address).values(probing=now))
            connection.execute(_NEW_ROW, _row("try-again", who, now, before))

    def suspended(self) -> frozenset[str]:
        """Return the addresses that get no group mail now."""
        with self._database.reading() as connection:
            return frozenset(connection.execute(_LEFT_OUT).scalars())

    def suspensions(self, addresses: Collection[str] | None = None) -> tuple[Suspension, ...]:
        """Return suspensions, those on trial among them, by address; of some addresses or all."""
        wanted = select(SUSPENSION).order_by(SUSPENSION.c.address)
        if addresses is not None:
            wanted = wanted.where(SUSPENSION.c.address.in_(addresses))
        with self._database.reading() as connection:
            return tuple(Suspension(**row) for row in connection.execute(wanted).mappings())

    def standings(
        self, since: int, *, until: int = 0, group: str = "", group_uuid: str = "", address: str = "",
        limit: int = 1000,
    ) -> tuple[Standing, ...]:  # fmt: skip
        """Return what was counted from a time on (and before another), the most failures first.

        :param group: only for this group's address. ``group_uuid``: only what its owners are told.
        """
        conditions = [FAILURE.c.at >= since, _COUNTS]
        chosen = (
            (FAILURE.c.group_address, group),
            (FAILURE.c.group_uuid, group_uuid),
            (FAILURE.c.address, address),
        )
        conditions += [column == value for column, value in chosen if value]
        if until:
            conditions.append(FAILURE.c.at < until)
        blamed = func.count(FAILURE.c.day.distinct()).filter(FAILURE.c.cause.in_(_BLAMED))
        counted = (
            select(FAILURE.c.address, func.count(), blamed, func.max(FAILURE.c.id))
            .where(*conditions)
            .group_by(FAILURE.c.address)
            .order_by(func.count().desc(), FAILURE.c.address)
            .limit(limit)
        )
        with self._database.reading() as connection:
            found = connection.execute(counted).all()
            newest = {row["id"]: row for row in _rows(connection, [row[3] for row in found])}
            groups = _groups(connection, [row[0] for row in found], conditions)
        return tuple(
            Standing(
                name, messages, days, newest[last]["at"], newest[last]["cause"], newest[last]["status"],
                newest[last]["why"], groups[name],
            )
            for name, messages, days, last in found
        )  # fmt: skip

    def failures(self, address: str, limit: int = 100) -> tuple[Failed, ...]:
        """Return the failures of an address, the newest first."""
        columns = [FAILURE.c[name] for name in Failed.__slots__]
        wanted = (
            select(*columns).where(FAILURE.c.address == address).order_by(FAILURE.c.id.desc()).limit(limit)
        )
        with self._database.reading() as connection:
            return tuple(Failed(**row) for row in connection.execute(wanted).mappings())

    def concerned(self, since: int, until: int) -> tuple[tuple[str, str], ...]:
        """Return UUID and address of the groups that have failures in a time."""
        columns = (FAILURE.c.group_uuid, func.max(FAILURE.c.group_address))
        wanted = (
            select(*columns)
            .where(FAILURE.c.at >= since, FAILURE.c.at < until, _COUNTS)
            .group_by(FAILURE.c.group_uuid)
            .order_by(FAILURE.c.group_uuid)
        )
        with self._database.reading() as connection:
            return tuple((str(uuid), str(address)) for uuid, address in connection.execute(wanted))

    def summed_up(self, topic: str) -> int:
        """Return up to when people have been told of a topic, seconds since 1970, UTC; 0 for never."""
        with self._database.reading() as connection:
            wanted = select(SUMMED_UP.c.until).where(SUMMED_UP.c.topic == topic)
            return int(connection.execute(wanted).scalar() or 0)

    def sum_up(self, topic: str, until: int) -> None:
        """Note up to when people have been told of a topic."""
        with self._database.writing() as connection:
            this = update(SUMMED_UP).where(SUMMED_UP.c.topic == topic).values(until=until)
            if not connection.execute(this).rowcount:
                connection.execute(insert(SUMMED_UP).values(topic=topic, until=until))

    def forget(self, before: int) -> None:
        """Forget failures that were counted before a time."""
        with self._database.writing() as connection:
            connection.execute(delete(FAILURE).where(FAILURE.c.at < before))


def _suspension(connection: Connection, address: str) -> Suspension | None:
    row = connection.execute(_SUSPENDED, {"wanted": address}).mappings().first()
    return None if row is None else Suspension(**row)


def _rows(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    wanted = select(FAILURE).where(FAILURE.c.id.in_(ids))
    return connection.execute(wanted).mappings().all()


def _groups(
    connection: Connection, addresses: Sequence[str], conditions: Sequence[Any]
) -> dict[str, tuple[str, ...]]:
    wanted = (
        select(FAILURE.c.address, FAILURE.c.group_address)
        .where(FAILURE.c.address.in_(addresses), *conditions)
        .distinct()
        .order_by(FAILURE.c.address, FAILURE.c.group_address)
    )
    found: dict[str, tuple[str, ...]] = dict.fromkeys(addresses, ())
    for address, group in connection.execute(wanted):
        found[address] = (*found[address], group)
    return found


def _row(action: str, who: Who, now: int, of: Suspension) -> dict[str, Any]:
    detail = f"{of.address}: {of.why}" if of.why and action == "suspend" else of.address
    return audit_row(action, who, now, group=of.group_address, group_uuid=of.group_uuid, detail=detail)
