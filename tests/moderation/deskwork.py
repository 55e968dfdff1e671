"""A desk at work over a real ledger, hold mailbox and mirror; who writes letters and submits is played.

with deskwork(tmp_path) as work:
    name = work.hold.delivered(work.hold.ticket(1))
    work.desk.turn()
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path
from typing import cast

import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger
from tests.moderation.holding import SERVICE, SETTINGS, Holding, holding
from tests.moderation.ledgers import KEYS

from groupmilter.directory.entry import Put
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.bouncing import Bouncing
from groupmilter.moderation.circle import Lookup, Lookups
from groupmilter.moderation.correspondence import Correspondence
from groupmilter.moderation.desk import Desk
from groupmilter.moderation.intake import Intake
from groupmilter.moderation.item import Arrival, Item
from groupmilter.moderation.letters import Letters
from groupmilter.moderation.outgoing import Outgoing
from groupmilter.moderation.rebuilding import Rebuilding
from groupmilter.moderation.tidying import Tidying
from groupmilter.moderation.weekly import Weekly
from groupmilter.policy.settings import Settings

CONTACT = "postmaster@example.org"


@dataclass
class Played:
    """What is asked of those who write letters and send out; `failing` comes instead, once each."""

    order: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    answers: list[Arrival] = field(default_factory=list)
    failing: list[Exception] = field(default_factory=list)

    def ask(self, item: Item, kind: str = "request") -> None:
        self._fail()
        self.asked.append((kind, item.name))

    def send_due(self) -> bool:
        self.order.append("letters")
        return False

    def consider(self, arrival: Arrival) -> bool:
        return arrival.kind is not None

    def take(self, arrival: Arrival, _octets: bytes, *, may: bool = True) -> None:
        assert may
        self._fail()
        self.answers.append(arrival)

    def _fail(self) -> None:
        if self.failing:
            raise self.failing.pop(0)


@dataclass
class Releasing:
    """What is asked of who sends out."""

    played: Played
    busy: list[bool] = field(default_factory=list)

    def send_due(self) -> bool:
        self.played.order.append("send out")
        return bool(self.busy and self.busy.pop(0))


@dataclass
class Directory:
    """The mirror, which can be told to be unknown."""

    lookups: Lookups
    unknown: Exception | None = None

    def snapshot(self) -> AbstractContextManager[Lookup]:
        if self.unknown is not None:
            raise self.unknown
        return self.lookups.snapshot()


@dataclass
class Deskwork:
    """The desk and what it has to do with."""

    hold: Holding
    desk: Desk
    intake: Intake
    played: Played
    releasing: Releasing
    directory: Directory
    capture: LogCapture

    def take(self, name: str) -> None:
        """Read, record and file one file of the inbox."""
        taken = self.intake.read(name)
        if taken is not None:
            self.intake.file(self.intake.record(taken))

    def lines(self, level: str = "") -> list[str]:
        """The events that were logged, at this level or at any."""
        return [line["event"] for line in self.capture.entries if level in {"", line["log_level"]}]

    def arrived(self, local: str, name: str = "17.1.mx", original: str = "", body: str = "hello\n") -> str:
        """Deliver a message for any address of the service domain into the inbox; return its file's name."""
        octets = (
            f"Return-Path: <client@outside.example>\nX-Original-To: {original or f'{local}@{SERVICE}'}\n"
            f"Delivered-To: {local}@{SERVICE}\nFrom: client@outside.example\nSubject: s\n\n{body}"
        )
        path = self.hold.mailbox.path / "new" / name
        path.write_bytes(octets.encode("utf-8", "surrogateescape"))
        return name


@contextmanager
def deskwork(folder: Path, settings: Settings = SETTINGS, *more: Put) -> Iterator[Deskwork]:
    """Give a desk whose clock is the holding's `now`."""
    capture = LogCapture()
    log = cast(FilteringBoundLogger, structlog.wrap_logger(None, processors=[capture]))
    with holding(folder, *more) as hold:
        played, directory = Played(), Directory(hold.lookups)
        releasing = Releasing(played)

        def clock() -> float:
            return hold.now

        def held(item: Item) -> None:
            desk.held(item)

        bouncing = Bouncing(hold.ledger, directory, settings, clock, log)
        letters = Letters(SERVICE, 256_000, catalogue(), "en", zone=UTC)
        weekly = Weekly(hold.ledger, directory, settings, letters, (), lambda _: CONTACT, clock)
        intake = Intake(
            hold.mailbox, hold.ledger, directory, KEYS, settings, played, held, bouncing.take, clock, log
        )  # fmt: skip
        rebuilding = Rebuilding(hold.mailbox, hold.ledger, directory, KEYS, settings, clock, log)
        attempts = Attempts(log)
        tidying = Tidying(hold.mailbox, hold.ledger, directory, settings, clock, log, attempts)
        desk = Desk(
            hold.mailbox, hold.ledger, directory, intake, cast(Correspondence, played),
            cast(Outgoing, releasing), rebuilding, bouncing, weekly, tidying, settings, clock, log,
            attempts,
        )  # fmt: skip
        yield Deskwork(hold, desk, intake, played, releasing, directory, capture)
