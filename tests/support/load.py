"""Mail under way while something breaks, and the oracle that looks at the end of it.

    with Load(site) as load:
        ...                        something breaks, and is mended
    site.settle()
    load.nothing_was_lost()

Several SMTP sessions send all the time: to open, closed, moderated and mixed groups, and to persons. What the
client was answered decides what must be found: a message answered 250 is with exactly those whom the accepted
recipients stand for, once each, and in the hold mailbox once for each moderated group; a message that was not,
is nowhere. A recipient gets its verdict, or 4xx, never another verdict.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from tests.support.installation import Installation, recipients
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

_DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Play:
    """A message that is sent again and again: to whom, and what each recipient stands for.

    `means`: for each recipient those who get a copy; None: it is refused. `held`: how many copies are held.
    """

    login: str
    sender: str
    to: tuple[str, ...]
    means: tuple[tuple[str, ...] | None, ...]
    held: int = 0


PLAYS = (
    Play("", "x@outside.example", (OPEN,), ((JEAN, BOB),)),
    Play("", "x@outside.example", (CONTACT,), (None,)),
    Play("", "x@outside.example", (COMMERCIAL,), ((),), held=1),
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

    @property
    def accepted(self) -> bool:
        """Whether somebody else is responsible for it now."""
        return self.end is not None and self.end.code == 250

    @property
    def meant(self) -> frozenset[str]:
        """Whom the recipients that were accepted stand for."""
        pairs = zip(self.play.means, self.answers, strict=True)
        return frozenset(one for means, answer in pairs if answer.code == 250 for one in means or ())


@dataclass
class Load:
    """Sessions that send until the block ends; a failed connection is tried again."""

    site: Installation
    plays: Sequence[Play] = PLAYS
    shots: list[Shot] = field(default_factory=list)
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

    @property
    def accepted(self) -> int:
        """How many messages were answered 250 so far."""
        return sum(shot.accepted for shot in list(self.shots))

    def wait_accepted(self, more: int) -> None:
        """Return once so many more messages have been answered 250."""
        wanted = self.accepted + more
        self.site.service.wait(
            lambda: self.accepted >= wanted or bool(self._failures), f"{more} more messages", 120
        )

    def nothing_was_lost(self) -> None:
        """The oracle; to be asked when nothing is under way any more."""
        found = self.site.sink.messages
        held = self.site.held()
        assert self.accepted > 0
        for shot in self.shots:
            mark = shot.mark.encode() + b"@"
            reached = Counter(recipients([m for m in found if mark in m.content and m.sender]))
            assert reached == Counter(shot.meant if shot.accepted else ()), shot
            waiting = sum(mark in content for content in held)
            assert waiting == (shot.play.held if shot.accepted else 0), shot
            self._verdicts(shot)

    @staticmethod
    def _verdicts(shot: Shot) -> None:
        for means, answer in zip(shot.play.means, shot.answers, strict=False):
            assert answer.code == (550 if means is None else 250) or 400 <= answer.code < 500, (shot, answer)

    def _send(self, play: Play) -> None:
        try:
            while not self._stop.is_set():
                self.shots.append(self._one(play))
        except BaseException as failure:  # noqa: BLE001  (it is raised where the block ends)
            self._failures.append(failure)

    def _one(self, play: Play) -> Shot:
        mark = identity()
        try:
            sent = self.site.send(play.sender, play.to, message(mark, play.sender), login=play.login)
        except ConnectionError:
            return Shot(mark, play)
        return Shot(mark, play, sent.recipients, sent.end)
