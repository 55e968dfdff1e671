"""Letters in the ledger: planned with what makes them due, sent or tried again. Raises `LedgerUnavailable`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from groupmilter.moderation.database import Database
from groupmilter.moderation.item import DESK
from groupmilter.moderation.pacing import Piece
from groupmilter.moderation.rows import REFUSED, About, Letter, audit_row
from groupmilter.moderation.schema import AUDIT, ITEM, LETTER

ASKING = frozenset({"request", "reminder"})
"""Kinds of letters that ask somebody to decide; the others tell something."""

_COLUMNS = [LETTER.c[name] for name in Letter.__slots__]
_UNSENT = LETTER.c.sent == 0
_ASKING = LETTER.c.kind.in_(sorted(ASKING))
_SUMMARY = "summary"
_IN_VAIN = LETTER.c.why.like(f"{REFUSED}%")
_FIRST, _LONGEST = 30, 4 * 3600


class LetterQueue:
    """The letters of a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, letters: Iterable[Letter]) -> int:
        """Plan letters, each once for an item, kind and address; return how many are new.

        Nobody is reminded of what he still has to be asked about. What is about no item (``item_id`` 0) is planned
        each time.
        """
        new = 0
        with self._database.writing() as connection:
            for letter in letters:
                if letter.item_id and connection.execute(_known(letter)).first():
                    continue
                values = asdict(letter)
                del values["id"]
                connection.execute(insert(LETTER).values(**values))
                new += 1
        return new

    def addresses(self, now: int, limit: int = 100) -> tuple[str, ...]:
        """Return to whom something may be sent now, who has waited longest first."""
        wanted = (
            select(LETTER.c.address)
            .where(_UNSENT, _may_go(now))
            .group_by(LETTER.c.address)
            .order_by(func.min(LETTER.c.next_attempt), func.min(LETTER.c.id))
            .limit(limit)
        )
        with self._database.reading() as connection:
            return tuple(connection.execute(wanted).scalars())

    def due(
        self, now: int, limit: int = 200, *, address: str = "", asking: bool | None = None
    ) -> tuple[Letter, ...]:
        """Return letters that may be tried now, the longest waiting first.

        :param address: of whom; all where empty. ``asking``: only those that ask, or only those that don't.
        """
        conditions = [_UNSENT, _may_go(now), *_lane(address, asking)]
        return self._letters(*conditions, order=(LETTER.c.next_attempt, LETTER.c.id), limit=limit)

    def waiting(self, address: str, limit: int) -> tuple[tuple[Letter, ...], int]:
        """Return the oldest letters that still have to ask somebody, due or not, and how many there are in all."""
        conditions = (_UNSENT, *_lane(address, asking=True))
        with self._database.reading() as connection:
            count = connection.execute(select(func.count()).select_from(LETTER).where(*conditions)).scalar()
        return self._letters(*conditions, order=(LETTER.c.id,), limit=limit), int(count or 0)

    def _letters(
        self, *conditions: ColumnElement[bool], order: Collection[ColumnElement[int]], limit: int
    ) -> tuple[Letter, ...]:
        wanted = select(*_COLUMNS).where(*conditions).order_by(*order).limit(limit)
        with self._database.reading() as connection:
            return tuple(Letter(**row) for row in connection.execute(wanted).mappings())

    def pieces(self, address: str, since: int, until: int, *, asking: bool) -> tuple[Piece, ...]:
        """Return what was sent to somebody after one time and up to another, in pieces of mail: a summary is one."""
        when, kind = func.max(LETTER.c.sent), func.max(LETTER.c.why)
        wanted = (
            select(when, kind)
            .where(LETTER.c.sent > since, LETTER.c.sent <= until, *_lane(address, asking))
            .group_by(LETTER.c.bundle)
            .order_by(when)
        )
        with self._database.reading() as connection:
            return tuple(Piece(int(at), why == _SUMMARY) for at, why in connection.execute(wanted))

    def sent(self, ids: Collection[int], now: int, *, summary: bool = False) -> None:
        """Note letters as sent, as one piece of mail; who was asked about an item is on record with it."""
        values = {"sent": now, "bundle": min(ids, default=0), "why": _SUMMARY if summary else ""}
        those = LETTER.c.id.in_(ids)
        with self._database.writing() as connection:
            connection.execute(update(LETTER).where(those).values(**values))
            _notice(connection, (those,), now)
            asked = (
                select(LETTER.c.kind, LETTER.c.address, ITEM.c.name, ITEM.c.group_address, ITEM.c.group_uuid)
                .join(ITEM, ITEM.c.id == LETTER.c.item_id)
                .where(those, _ASKING)
            )
            rows = [
                audit_row(f"{kind}-sent", DESK, now, name, group, uuid, detail=address)
                for kind, address, name, group, uuid in connection.execute(asked)
            ]
            if rows:
                connection.execute(insert(AUDIT), rows)

    def counted(self, address: str, now: int) -> None:
        """Note that somebody was told how many items wait that he will be asked about: their time runs."""
        with self._database.writing() as connection:
            _notice(connection, (_UNSENT, *_lane(address, asking=True)), now)

    def failed(self, letter: Letter, now: int, why: str, *, refused: bool = False) -> None:
        """Note that a letter could not be sent; it is tried again later and later, every four hours in the end.

        :param refused: for good, as far as the MTA can tell.
        """
        pause = min(_LONGEST, _FIRST * 2 ** min(letter.attempts, 20))
        values = {
            "next_attempt": now + (_LONGEST if refused else pause),
            "why": f"{REFUSED}{why}" if refused else why,
            "attempts": letter.attempts + 1,
        }
        with self._database.writing() as connection:
            connection.execute(update(LETTER).where(LETTER.c.id == letter.id).values(**values))

    def asked(self, item_id: int) -> Mapping[str, bool]:
        """Return whom letters ask about an item, by UUID (empty: the site's contact): whether they have reached him, or
        may still.
        """
        return self._asked(LETTER.c.item_id == item_id, _ASKING)

    def asked_apart(self, kinds: Collection[str], detail: str) -> Mapping[str, bool]:
        """Return the same for letters that are about no item.

        :param kinds: of letters that ask. ``detail``: what they have in common.
        """
        return self._asked(LETTER.c.item_id == 0, LETTER.c.kind.in_(sorted(kinds)), LETTER.c.detail == detail)

    def _asked(self, *conditions: ColumnElement[bool]) -> Mapping[str, bool]:
        in_vain = func.max(case((_IN_VAIN, 1), else_=0))
        wanted = select(LETTER.c.uuid, in_vain).where(*conditions).group_by(LETTER.c.uuid)
        with self._database.reading() as connection:
            return {str(uuid): not vain for uuid, vain in connection.execute(wanted).all()}

    def arrived(self, bundle: int, kinds: Collection[str] = ASKING) -> tuple[Letter, ...]:
        """Return the letters of one piece of mail that asked, unless it has come back.

        :param bundle: the number of the first of them. ``kinds``: those that ask.
        """
        conditions = (
            LETTER.c.bundle == bundle,
            LETTER.c.sent > 0,
            LETTER.c.kind.in_(sorted(kinds)),
            ~_IN_VAIN,
        )
        return self._letters(*conditions, order=(LETTER.c.id,), limit=1000)

    def returned(self, letter: Letter, about: About | None, now: int, why: str) -> None:
        """Note that a letter was sent and came back: it isn't tried again.

        :param about: None where that is gone; then nobody can be told of it.
        """
        with self._database.writing() as connection:
            those = update(LETTER).where(LETTER.c.id == letter.id)
            connection.execute(those.values(why=f"{REFUSED}{why}"))
            if about is not None:
                named = (about.name, about.group, about.group_uuid)
                row = audit_row("letter-returned", DESK, now, *named, detail=letter.address)
                connection.execute(insert(AUDIT).values(**row))

    def postpone(self, address: str, now: int, until: int, *, asking: bool) -> None:
        """Let whatever is due to somebody wait, all at once."""
        conditions = (_UNSENT, _may_go(now), *_lane(address, asking))
        with self._database.writing() as connection:
            connection.execute(update(LETTER).where(*conditions).values(next_attempt=until))

    def forget(self, letter_id: int) -> None:
        """Forget one letter."""
        with self._database.writing() as connection:
            connection.execute(delete(LETTER).where(LETTER.c.id == letter_id))

    def drop(self, item_ids: Collection[int], kinds: Collection[str]) -> int:
        """Forget letters about items that were not sent; return how many."""
        unsent = (LETTER.c.item_id.in_(item_ids), LETTER.c.kind.in_(kinds), _UNSENT)
        with self._database.reading() as connection:
            if connection.execute(select(LETTER.c.id).where(*unsent)).first() is None:
                return 0
        with self._database.writing() as connection:
            return connection.execute(delete(LETTER).where(*unsent)).rowcount


def _known(letter: Letter) -> Select[tuple[int]]:
    same = LETTER.c.kind == letter.kind
    if letter.kind in ASKING:
        same = or_(same, and_(_UNSENT, _ASKING))
    wanted = select(LETTER.c.id)
    return wanted.where(LETTER.c.item_id == letter.item_id, LETTER.c.address == letter.address, same)


def _lane(address: str, asking: bool | None) -> tuple[ColumnElement[bool], ...]:
    mine = (LETTER.c.address == address,) if address else ()
    return mine if asking is None else (*mine, _ASKING if asking else ~_ASKING)


def _notice(connection: Connection, letters: Iterable[ColumnElement[bool]], now: int) -> None:
    about = select(LETTER.c.item_id).where(*letters, _ASKING)
    connection.execute(update(ITEM).where(ITEM.c.noticed == 0, ITEM.c.id.in_(about)).values(noticed=now))


def _may_go(now: int) -> ColumnElement[bool]:
    """Choose what is due; what waits longer than anything does was put off by a clock that was ahead."""
    return or_(LETTER.c.next_attempt <= now, LETTER.c.next_attempt > now + _LONGEST)
