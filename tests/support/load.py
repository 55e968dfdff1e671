"""Mail under way while something breaks, and the oracle that looks at the end of it.

    with Load(site) as load:
        ...                        something breaks, and is mended
    site.settle()
    load.nothing_was_lost()

Several SMTP sessions send all the time: to open, closed, moderated and mixed groups, and to persons. What the
client was answered decides what must be found: a message answered 250 is with exactly those whom the accepted
recipients stand for, once each, and held once for each moderated group; a message that was not, is nowhere. A
recipient gets its verdict, or 4xx, never another verdict. Where a connection broke nobody knows what the answer
would have been, so either is right, but nothing between.

With a desk, the ledger says what became of each held copy, and that must be true: what waits lies in the hold
mailbox, what was released has reached those for whom it was meant, and nobody else has. Whoever got a copy twice got
two releases (Received tells, RFC 5321 section 4.4; Postfix's own repetition bears one queue id twice), and the
audit trail has said that this may happen.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.installation import Installation
from tests.support.office import (
    ALICE,
    BOB,
    CLOSED,
    COMMERCIAL,
    CONTACT,
    JEAN,
    OPEN,
    PIERRE,
    identity,
    message,
)
from tests.support.smtp_client import SmtpReply

from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import Ledger

_DEADLINE = 300.0
_QUEUE_ID = re.compile(rb"\bid ([0-9A-Za-z]{6,20})\b")


@dataclass(frozen=True, slots=True)
class Play:
    """A message that is sent again and again: to whom, and what each recipient stands for.

    `means`: for each recipient those who get a copy at once; None: it is refused. `held`: how many copies are held;
    `released`: who gets one of those once it is approved.
    """

    login: str
    sender: str
    to: tuple[str, ...]
    means: tuple[tuple[str, ...] | None, ...]
    held: int = 0
    released: tuple[str, ...] = ()


HELD = Play("", "x@outside.example", (COMMERCIAL,), ((),), held=1, released=(PIERRE, BOB))
PLAYS = (
    Play("", "x@outside.example", (OPEN,), ((JEAN, BOB),)),
    Play("", "x@outside.example", (CONTACT,), (None,)),
    HELD,
    Play("", "x@outside.example", (CONTACT, JEAN), (None, (JEAN,))),
    Play("alice", ALICE, (CONTACT, COMMERCIAL), ((JEAN, PIERRE), (PIERRE, BOB))),
    Play("bob", BOB, (CLOSED, CONTACT), (None, (JEAN, PIERRE))),
)


@dataclass(frozen=True, slots=True)
class Shot:
    """One message that was sent, and what the client was told; no answer: the connection broke."""

    mark: str
    play: Play
    answers: tuple[SmtpReply, ...] = ()
    end: SmtpReply | None = None
    broke: bool = False

    @property
    def accepted(self) -> bool:
        """Whether somebody else is responsible for it now."""
        return self.end is not None and self.end.code == 250

    @property
    def message_id(self) -> str:
        """By which the ledger knows it."""
        return f"<{self.mark}@test.example>"

    @property
    def meant(self) -> frozenset[str]:
        """Whom the recipients that were accepted stand for."""
        if self.broke:
            return frozenset(one for means in self.play.means for one in means or ())
        pairs = zip(self.play.means, self.answers, strict=True)
        return frozenset(one for means, answer in pairs if answer.code == 250 for one in means or ())


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of all: `lost` messages, and those delivered `twice`, as the audit trail has said they may be."""

    accepted: int
    released: int = 0
    lost: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    twice: int = 0

    def __str__(self) -> str:
        """As the run reports it, with what is wrong below."""
        what = f"{self.accepted} accepted, {self.released} released: lost {len(self.lost)}"
        return "\n".join((f"{what}, delivered twice {self.twice}", *self.lost, *self.wrong))


@dataclass
class Shots:
    """What was sent in one installation, and the oracle."""

    site: Installation
    shots: list[Shot] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """How many messages were answered 250 so far."""
        return sum(shot.accepted for shot in list(self.shots))

    def send(self, play: Play = HELD) -> Shot:
        """Send one message; a failed connection is an answer, too."""
        mark = identity()
        try:
            sent = self.site.send(play.sender, play.to, message(mark, play.sender), login=play.login)
            shot = Shot(mark, play, sent.recipients, sent.end)
        except (ConnectionError, TimeoutError):
            # A server that was killed has closed it, and one that is killed again and again doesn't greet in time.
            shot = Shot(mark, play, broke=True)
        self.shots.append(shot)
        return shot

    def items(self, shot: Shot) -> tuple[Item, ...]:
        """What the ledger knows of a message."""
        with self.site.service.ledger() as ledger:
            return ledger.find(message_id=shot.message_id)

    def nothing_was_lost(self) -> Tally:
        """The oracle; to be asked when nothing is under way any more."""
        assert self.shots
        with ExitStack() as stack:
            ledger = stack.enter_context(self.site.service.ledger()) if self.site.service.desk else None
            tally = _Oracle(self.site, ledger).tally(self.shots)
        assert (tally.lost, tally.wrong) == ((), ()), tally
        return tally


@dataclass
class Load(Shots):
    """Sessions that send until the block ends; a failed connection is tried again."""

    plays: Sequence[Play] = PLAYS
    most: int = 1_000_000
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _failures: list[BaseException] = field(default_factory=list)

    def __enter__(self) -> Self:
        for play in self.plays:
            thread = threading.Thread(target=self._send, args=(play,), daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(_DEADLINE)
            assert not thread.is_alive(), "a session hangs"
        if self._failures:
            raise self._failures[0]

    def wait_accepted(self, more: int, seconds: float = _DEADLINE) -> None:
        """Return once so many more messages have been answered 250."""
        self._wait(self.accepted + more, f"{more} more messages", seconds)

    def wait_most(self, seconds: float = _DEADLINE) -> None:
        """Return once all have been answered 250 that are to be sent."""
        self._wait(self.most, f"{self.most} messages", seconds)

    def _wait(self, wanted: int, what: str, seconds: float) -> None:
        self.site.service.wait(lambda: self.accepted >= wanted or bool(self._failures), what, seconds)

    def _send(self, play: Play) -> None:
        try:
            while not self._stop.is_set() and self.accepted < self.most:
                self.send(play)
        except BaseException as failure:  # noqa: BLE001  (it is raised where the block ends)
            self._failures.append(failure)


@dataclass
class _Oracle:
    """Compares what was answered with what is found. `ledger`: None where no desk runs."""

    site: Installation
    ledger: Ledger | None

    def __post_init__(self) -> None:
        self._files = self.site.held()
        self._copies: dict[bytes, list[tuple[str, bytes]]] = defaultdict(list)
        for sunk in self.site.sink.messages:
            if not sunk.told:
                self._copies[_mark(sunk.content)] += [(to, _queue_id(sunk.content)) for to in sunk.addresses]

    def tally(self, shots: Sequence[Shot]) -> Tally:
        """Return what became of all."""
        lost, wrong, released, twice = [], [], 0, 0
        for shot in shots:
            copies = Counter(address for address, _ in set(self._copies[shot.mark.encode()]))
            items = self.ledger.find(message_id=shot.message_id) if self.ledger is not None else ()
            if not shot.accepted and (not shot.broke or not (copies or items or self._waiting(shot))):
                wrong += [f"{shot}: {what}" for what in self._anywhere(shot, copies, items)]
                wrong += _verdicts(shot)
                continue
            lost += [f"{shot}: {what}" for what in self._missing(shot, copies, items)]
            wrong += [f"{shot}: {what}" for what in self._superfluous(shot, copies, items)]
            wrong += _verdicts(shot)
            released += sum(item.state is State.RELEASED for item in items)
            twice += any(copies[address] > 1 for address in shot.play.released)
        return Tally(sum(shot.accepted for shot in shots), released, tuple(lost), tuple(wrong), twice)

    def _waiting(self, shot: Shot) -> int:
        return sum(shot.mark.encode() + b"@" in content for content in self._files)

    def _anywhere(self, shot: Shot, copies: Counter[str], items: Sequence[Item]) -> Iterator[str]:
        """Yield where a message is found that nobody has accepted."""
        if copies or items or self._waiting(shot):
            yield f"not accepted, but {copies=} {items=} {self._waiting(shot)} files"

    def _missing(self, shot: Shot, copies: Counter[str], items: Sequence[Item]) -> Iterator[str]:
        yield from (f"{address} has no copy" for address in shot.meant if not copies[address])
        if self.ledger is None:
            held = shot.play.held
        else:
            held = len(items)
            if len(items) < shot.play.held:
                yield f"{len(items)} rows of {shot.play.held}"
        if self._waiting(shot) < held:
            yield f"{self._waiting(shot)} files of {held}"
        for item in items:
            if item.state is State.RELEASED:
                yield from (f"released, {one} has no copy" for one in shot.play.released if not copies[one])

    def _superfluous(self, shot: Shot, copies: Counter[str], items: Sequence[Item]) -> Iterator[str]:
        if len(items) > shot.play.held or self._waiting(shot) > shot.play.held:
            yield f"{len(items)} rows, {self._waiting(shot)} files of {shot.play.held}"
        may_have = Counter(dict.fromkeys(shot.meant, 1))
        for item in items:
            may_have.update(dict.fromkeys(shot.play.released, self._releases(item)))
        yield from (f"{n} copies for {to}" for to, n in copies.items() if n > may_have[to])

    def _releases(self, item: Item) -> int:
        """Return how many releases there may have been: one, and one for each that the audit trail foretells."""
        assert self.ledger is not None
        rows = self.ledger.audit(item=item.name)
        begun = any(row.after == State.APPROVED for row in rows)
        return 1 + sum(row.action == "release-again" for row in rows) if begun else 0


def _verdicts(shot: Shot) -> Iterator[str]:
    for means, answer in zip(shot.play.means, shot.answers, strict=False):
        if answer.code != (550 if means is None else 250) and not 400 <= answer.code < 500:
            yield f"{shot}: {answer}"


def _mark(content: bytes) -> bytes:
    found = re.search(rb"^Message-ID: <(unmistakable-\d+-text)@", content, re.MULTILINE)
    return found[1] if found else b""


def _queue_id(content: bytes) -> bytes:
    """Return under which queue id our MTA has sent a copy: of its topmost Received field."""
    found = _QUEUE_ID.search(content)
    return found[1] if found else b""
