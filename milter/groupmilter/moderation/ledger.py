"""The ledger: what has come into the hold mailbox, where each item stands, and who did what.

Every change is a compare and set by the table of transitions, in one transaction with its audit row; audit rows are
never changed. Raises `LedgerUnavailable` for anything wrong with the database: nothing has happened then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, insert, select, update

from groupmilter.moderation.access_token_book import AccessTokenBook
from groupmilter.moderation.agenda import Agenda
from groupmilter.moderation.approval_book import ApprovalBook
from groupmilter.moderation.bounce_book import BounceBook
from groupmilter.moderation.claim_book import ClaimBook
from groupmilter.moderation.database import Database, LedgerUnavailable, open_database
from groupmilter.moderation.item import (
    DESK,
    Arrival,
    Event,
    Item,
    State,
    Terms,
    Who,
    item_digest,
    item_key,
    name_of,
)
from groupmilter.moderation.journal import Journal, about
from groupmilter.moderation.letter_queue import LetterQueue
from groupmilter.moderation.overview import Overview
from groupmilter.moderation.release_book import ReleaseBook
from groupmilter.moderation.request_book import RequestBook
from groupmilter.moderation.rows import (
    UNCLAIMED,
    AuditRow,
    Batch,
    Changed,
    Letter,
    Outcome,
    Past,
    Recorded,
    audit_row,
    columns_of,
    item_of,
)
from groupmilter.moderation.schema import AUDIT, ITEM
from groupmilter.moderation.search import Search
from groupmilter.moderation.session_book import SessionBook
from groupmilter.moderation.side_book import SideBook
from groupmilter.moderation.sighting_book import SightingBook
from groupmilter.moderation.transitions import DECISIONS, FINISHED, WAITING, after
from groupmilter.policy.facts import Waiting

__all__ = [
    "AuditRow", "Batch", "Changed", "Ledger", "LedgerUnavailable", "Letter", "Outcome", "Past",
    "Recorded",
]  # fmt: skip

# Made once: putting a statement together costs more than running it.
_BY_ID = select(ITEM).where(ITEM.c.id == bindparam("wanted"))
_BY_DIGEST = select(ITEM).where(ITEM.c.digest == bindparam("wanted"))
_THOSE = select(ITEM).where(ITEM.c.id.in_(bindparam("numbers", expanding=True))).with_for_update()
_CHANGE = update(ITEM).where(ITEM.c.id.in_(bindparam("numbers", expanding=True)))
_NEW_ITEM, _NEW_ROW = insert(ITEM), insert(AUDIT)
_NEWEST = select(func.max(AUDIT.c.id))


class Ledger:
    """One ledger; may be used by several threads, but not be carried over a fork.

    ``letters`` are what is written to people, ``releases`` what may come back through the MTA, ``bounces`` what failed
    at members, ``side`` what the directory can't hold, ``sightings`` what came before, ``access_tokens`` what programs
    log in with, ``sessions`` who is logged in to the panel, ``requests`` who asks to be in a group or out of it,
    ``approvals`` who agrees where that takes several, ``claims`` who deals with what, ``agenda`` tells which
    items are due, ``search`` finds them, ``overview`` counts them, ``journal`` reads audit rows.
    """

    def __init__(self, database: Database) -> None:
        self._database = self.database = database
        self.agenda = Agenda(database)
        self.search = Search(database)
        self.overview = Overview(database)
        self.journal = Journal(database)
        self.letters = LetterQueue(database)
        self.releases = ReleaseBook(database)
        self.bounces = BounceBook(database)
        self.sightings = SightingBook(database)
        self.side = SideBook(database)
        self.access_tokens = AccessTokenBook(database)
        self.sessions = SessionBook(database)
        self.requests = RequestBook(database)
        self.approvals = ApprovalBook(database)
        self.claims = ClaimBook(database)

    @classmethod
    def open(cls, url: str, *, timeout: float = 5.0) -> Ledger:
        """Return the ledger at a URL, made or brought up to this version where need be.

        :param url: ``sqlite:////path``. ``timeout``: seconds to wait for another writer.
        :raises LedgerUnavailable: where it can't be opened, or a later version made it.
        """
        return cls(open_database(url, timeout=timeout))

    def close(self) -> None:
        """Close every connection."""
        self._database.close()

    def together(self) -> AbstractContextManager[None]:
        """Make one transaction of all that this thread reads and writes in the block (`Database.together`)."""
        return self._database.together()

    # items

    def record(
        self,
        arrival: Arrival,
        terms: Terms,
        state: State,
        now: int,
        note: str = "",
        past: Past | None = None,
    ) -> Recorded:
        """Record an arrival; the same one again changes nothing.

        One ticket with two contents is a conflict, as are two arrivals whose 56 bits are the same.

        :param state: where it begins.
        :param past: what is known of one that was recorded before, in a ledger that is lost.
        """
        key, short = item_key(arrival), item_digest(arrival)
        with self._database.writing() as connection:
            row = connection.execute(_BY_DIGEST, {"wanted": short}).mappings().first()
            if row is not None:
                same = row["key"] == key and row["content"] == arrival.content
                return Recorded(item_of(row), Outcome.KNOWN if same else Outcome.CONFLICT)
            values = columns_of(arrival, terms) | {
                "key": key, "digest": short, "name": name_of(short), "state": state.value, "recorded": now,
                "note": note, "purged": False,
            }  # fmt: skip
            if past is not None:
                values |= {"recorded": past.recorded, "finished": past.finished, "decided": past.finished}
            connection.execute(_NEW_ITEM, values)
            item = item_of(connection.execute(_BY_DIGEST, {"wanted": short}).mappings().one())
            action, who = ("record", DESK) if past is None else ("rebuild", past.who)
            connection.execute(_NEW_ROW, _row(action, who, now, item, after=state.value, detail=note))
            return Recorded(item, Outcome.NEW)

    def reread(
        self, item: Item, arrival: Arrival, terms: Terms, event: Event, who: Who, now: int
    ) -> Item | None:
        """Take a shunted item for what its ticket says, now that it can be read; its name becomes the ticket's.

        :returns: None where another item has that ticket, or somebody has decided meanwhile.
        """
        target = after(item.state, event)
        with self._database.writing() as connection:
            taken = connection.execute(select(ITEM.c.id).where(ITEM.c.key == arrival.ticket)).first()
            if taken is not None or target is None:
                return None
            short = item_digest(arrival)
            values = columns_of(arrival, terms) | {
                "key": arrival.ticket, "digest": short, "name": name_of(short), "state": target.value, "note": "",
            }  # fmt: skip
            same = (ITEM.c.id == item.id, ITEM.c.state == item.state.value)
            if connection.execute(update(ITEM).where(*same).values(**values)).rowcount != 1:
                return None
            changed = self._one(connection, _BY_ID, item.id) or item
            moved = _row(event.value, who, now, changed, item.state.value, target.value, f"was {item.name}")
            connection.execute(_NEW_ROW, moved)
            return changed

    def change(
        self, item_id: int, event: Event, who: Who, now: int, *, comment: str = "", note: str = ""
    ) -> Changed:
        """Let something happen to an item, if its state allows it: the first decision stands.

        :raises LookupError: for an item that there is none of.
        """
        return self.change_each((item_id,), event, who, now, comment=comment, note=note)[0]

    def change_each(
        self, item_ids: Iterable[int], event: Event, who: Who, now: int, *, comment: str = "", note: str = ""
    ) -> tuple[Changed, ...]:
        """Let the same happen to several items in one transaction: written to disk once, not once for each.

        :raises LookupError: for an item that there is none of; nothing is changed then.
        """
        numbers = list(item_ids)
        with self._database.writing() as connection:
            before = self._locked(connection, numbers)
            missing = [number for number in numbers if number not in before]
            if missing:
                raise LookupError(f"no item {missing[0]}")
            happened = {
                item.id: target
                for item in before.values()
                if (target := after(item.state, event)) is not None
            }
            for target in set(happened.values()):
                those = [number for number, one in happened.items() if one is target]
                values = _changes(event, target, who, now, comment, note)
                connection.execute(_CHANGE, values | {"numbers": those})
            said = comment or note
            rows = [
                _row(event.value, who, now, before[number], before[number].state.value, target.value, said)
                for number, target in happened.items()
            ]
            if rows:
                connection.execute(_NEW_ROW, rows)
            changed = self._locked(connection, numbers) if rows else before
            return tuple(Changed(changed[number], number in happened) for number in numbers)

    def _locked(self, connection: Connection, numbers: Collection[int]) -> dict[int, Item]:
        """Return items that nobody else changes before the end of the transaction."""
        rows = connection.execute(_THOSE, {"numbers": list(numbers)}).mappings()
        return {row["id"]: item_of(row) for row in rows}

    def item(self, item_id: int) -> Item | None:
        """Return an item by its number."""
        return self._get(_BY_ID, item_id)

    def by_digest(self, digest: int) -> Item | None:
        """Return the item that a token names."""
        return self._get(_BY_DIGEST, digest)

    def by_name(self, name: str) -> Item | None:
        """Return the item with a name for people; None for none or several."""
        return self.by_names((name,)).get(name)

    def by_names(self, names: Collection[str]) -> dict[str, Item]:
        """Return the items with some names for people, as far as there is exactly one."""
        found = self._all(ITEM.c.name.in_(names), limit=2 * len(names))
        count = Counter(item.name for item in found)
        return {item.name: item for item in found if count[item.name] == 1}

    def items(
        self, states: Collection[State], *, group: str = "", after: int = 0, limit: int = 1000
    ) -> tuple[Item, ...]:
        """Return items in some states, in the order in which they were recorded.

        :param group: canonical address, or all. ``after``: only those with a higher number.
        """
        conditions = [ITEM.c.state.in_([state.value for state in states]), ITEM.c.id > after]
        if group:
            conditions.append(ITEM.c.group_address == group)
        return self._all(*conditions, limit=limit)

    def find(self, *, message_id: str = "", queue_id: str = "") -> tuple[Item, ...]:
        """Return the items of a mail."""
        wanted = ITEM.c.message_id == message_id if message_id else ITEM.c.queue_id == queue_id
        return self._all(wanted, limit=1000)

    def mark(self, item_id: int, **values: int | bool | str) -> None:
        """Set ``noticed``, ``reminded`` (times), ``purged`` or ``file`` of an item."""
        self.mark_each((item_id,), **values)

    def mark_each(self, item_ids: Collection[int], **values: int | bool | str) -> None:
        """Set the same of several items."""
        if not values.keys() <= {"noticed", "reminded", "purged", "file"}:
            raise TypeError(f"can't mark {', '.join(values)}")
        with self._database.writing() as connection:
            connection.execute(update(ITEM).where(ITEM.c.id.in_(item_ids)).values(**values))

    def grant(self, until: int, now: int, only: int = 0) -> int:
        """Let nothing that is held (or only one item) expire before a time, and have moderators reminded of what would.

        :returns: how many items got more time.
        """
        soon = [ITEM.c.state == State.HELD.value, ITEM.c.expires > 0, ITEM.c.expires < until]
        soon += [ITEM.c.id == only] if only else []
        with self._database.writing() as connection:
            unreminded = update(ITEM).where(*soon, ITEM.c.reminded == 0)
            connection.execute(unreminded.values(remind=now))
            return connection.execute(update(ITEM).where(*soon).values(expires=until)).rowcount

    def attempted(self, item_id: int, next_attempt: int, note: str) -> None:
        """Note a failed attempt to send an item out, and when the next one is due."""
        values = {"next_attempt": next_attempt, "note": note, "attempts": ITEM.c.attempts + 1}
        with self._database.writing() as connection:
            connection.execute(update(ITEM).where(ITEM.c.id == item_id).values(**values))

    def waiting(self) -> Waiting:
        """Return how much waits for somebody, in all and for each group."""
        states = [state.value for state in WAITING]
        wanted = select(ITEM.c.group, func.count()).where(ITEM.c.state.in_(states)).group_by(ITEM.c.group)
        with self._database.reading() as connection:
            groups = {int(group): int(count) for group, count in connection.execute(wanted)}
        return Waiting(sum(groups.values()), groups)

    # audit

    def stirred(self) -> bool:
        """Tell whether anybody may have written since the last call; for one caller (`Database.stirred`)."""
        return self._database.stirred()

    def newest(self) -> int:
        """Return the number of the newest audit row: whether anything has changed."""
        with self._database.reading() as connection:
            return int(connection.execute(_NEWEST).scalar() or 0)

    def note(
        self, action: str, who: Who, now: int, *, item_id: int = 0, group: str = "", group_uuid: str = "",
        before: str = "", after: str = "", detail: str = "",
    ) -> None:  # fmt: skip
        """Add an audit row about something that changes no item; ``before`` and ``after`` of what it changes else.

        :param group: address of the group that it is about, and ``group_uuid`` that of its entry; an item has its own.
        """
        with self._database.writing() as connection:
            item = self._one(connection, _BY_ID, item_id) if item_id else None
            connection.execute(
                _NEW_ROW, _row(action, who, now, item, before, after, detail, group, group_uuid)
            )

    def audit(
        self, *, since: int = 0, item: str = "", group: str = "", group_uuid: str = "", action: str = "",
        after: int = 0, limit: int = 1000,
    ) -> tuple[AuditRow, ...]:  # fmt: skip
        """Return audit rows in the order in which they were written.

        :param since: only those from this time on. ``after``: only those with a higher number.
        :param group: address of the group, or ``group_uuid`` of its entry; of both, either is enough.
        """
        conditions = [
            AUDIT.c.id > after,
            *about(item=item, group=group, group_uuid=group_uuid, action=action),
        ]
        if since:
            conditions.append(AUDIT.c.at >= since)
        wanted = select(AUDIT).where(*conditions).order_by(AUDIT.c.id).limit(limit)
        with self._database.reading() as connection:
            return tuple(AuditRow(**row) for row in connection.execute(wanted).mappings())

    def _get(self, statement: Select[Any], wanted: int) -> Item | None:
        with self._database.reading() as connection:
            return self._one(connection, statement, wanted)

    def _one(self, connection: Connection, statement: Select[Any], wanted: int) -> Item | None:
        row = connection.execute(statement, {"wanted": wanted}).mappings().first()
        return None if row is None else item_of(row)

    def _all(self, *conditions: ColumnElement[bool], limit: int) -> tuple[Item, ...]:
        wanted = select(ITEM).where(*conditions).order_by(ITEM.c.id).limit(limit)
        with self._database.reading() as connection:
            return tuple(item_of(row) for row in connection.execute(wanted).mappings())


def _changes(event: Event, target: State, who: Who, now: int, comment: str, note: str) -> dict[str, Any]:
    values: dict[str, Any] = {"state": target.value, "next_attempt": 0, "attempts": 0, **UNCLAIMED}
    if note:
        values["note"] = note
    if event in DECISIONS:
        values |= {"decided": now, "decided_by": who.name, "way": who.way.value, "comment": comment}
    if target in FINISHED:
        values["finished"] = now
    return values


def _row(
    action: str, who: Who, now: int, item: Item | None, before: str = "", after: str = "", detail: str = "",
    group: str = "", group_uuid: str = "",
) -> dict[str, Any]:  # fmt: skip
    if item is not None:
        group, group_uuid = item.terms.group_address, item.terms.group_uuid
    name = item.name if item else ""
    return audit_row(action, who, now, name, group, group_uuid, before=before, after=after, detail=detail)
