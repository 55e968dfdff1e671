"""A moderated house on paper: real ledger, real Maildir, the real desk and the real milter session; the directory, the
MTA and the clock are values that a test holds in its hand.

    house = House(folder)
    house.write("client@outside.example", "sales")
    house.mta.deliver()
    house.desk.turn()
    house.restart()                     as after the death of its process

Nothing sleeps, nothing listens.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import cast
from unittest.mock import patch

import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger
from tests.support.entitled import by_the_mirror
from tests.support.letters import KEYS, OWN, SERVICE, Office
from tests.support.paper_mta import Letterhead, PaperMta, Wire

from groupmilter.authentication.trust import Trust
from groupmilter.bootstrap.dividing import Dividing
from groupmilter.bootstrap.state import State as WorkersState
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Action, Kind, Token, digest, seal_token
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.answers import Answers
from groupmilter.moderation.attempts import Attempts
from groupmilter.moderation.bouncing import Bouncing
from groupmilter.moderation.circle import Lookup
from groupmilter.moderation.correspondence import Correspondence
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.desk import Desk
from groupmilter.moderation.intake import Intake
from groupmilter.moderation.item import Item
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.letters import Letters
from groupmilter.moderation.mailbox import Maildir
from groupmilter.moderation.outgoing import Outgoing
from groupmilter.moderation.rebuilding import Rebuilding
from groupmilter.moderation.release import Releases
from groupmilter.moderation.returned import Returned
from groupmilter.moderation.tidying import Tidying
from groupmilter.moderation.weekly import Weekly
from groupmilter.mta import session
from groupmilter.mta.counters import Counters
from groupmilter.mta.session import Front
from groupmilter.mta.site import Site
from groupmilter.policy.reasons import reason
from groupmilter.policy.settings import Moderation, Rate, Settings, StormGuard

NOON = 1_772_452_800
"""2 March 2026, a Monday."""

DAEMON, LOGIN = "groupmilter-release", "groupmilter-release"
CONTACT = f"postmaster@{OWN}"
SETTINGS = Settings(
    own_domains=frozenset({OWN}),
    service_domain=SERVICE,
    moderation=Moderation(tell_held=True),
    storm=StormGuard(Rate(0, 600), Rate(0, 600)),
)


class Died(BaseException):
    """A process ended at a fail-point, as by kill -9: nothing of the product may catch this."""


@dataclass
class House:
    """Everything that runs, and what it runs on."""

    folder: Path
    settings: Settings = SETTINGS
    now: float = NOON
    unknown: bool = False
    office: Office = field(default_factory=lambda: Office(SETTINGS))
    capture: LogCapture = field(default_factory=LogCapture)
    _marks: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _nonces: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.log = cast(FilteringBoundLogger, structlog.wrap_logger(None, processors=[self.capture]))
        self.mailbox = Maildir(self.folder / "hold")
        self.mailbox.prepare()
        self.mta = PaperMta(self._worker, self.folder / "hold", SERVICE, self.clock, Died)
        self._state = WorkersState(self._opened, DAEMON, LOGIN, self.log)
        self._counters = Counters(64)
        self.ledger, self.desk = self._started()

    def close(self) -> None:
        """Close what is open."""
        self.ledger.close()
        aside = self._state.aside
        aside.ask(lambda: self._state._opened().close())
        aside._thread.shutdown()

    def clock(self) -> float:
        """Seconds since 1970, UTC."""
        return self.now

    # what happens

    def restart(self) -> None:
        """Let a new process take the place of the desk's; nothing but files is left of the old one."""
        self.ledger.close()
        self.ledger, self.desk = self._started()

    def write(self, sender: str, *groups: str, login: str = "") -> tuple[str, int]:
        """Send a message to groups; return its mark and what the client is answered."""
        mark = f"mark-{next(self._marks)}"
        content = (
            f"From: {sender}\nTo: {', '.join(map(full, groups))}\nSubject: about {mark}\n"
            f"Message-ID: <{mark}@outside.example>\n\nThis is {mark}.\n"
        )
        head = Letterhead(sender, tuple((full(group), "") for group in groups), login)
        with self.times():
            return mark, self.mta.receive(head, content.encode())[0]

    def answer(self, text: str, word: str, sender: str, login: str, **fields: str) -> int:
        """Answer to a token's address; return what the client is answered."""
        to = f"{word}+{text}@{SERVICE}"
        more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in fields.items())
        content = f"From: {sender}\nTo: {to}\nSubject: Re\n{more}\nNo comment.\n"
        with self.times():
            return self.mta.receive(Letterhead(sender, ((to, ""),), login), content.encode())[0]

    def turn(self) -> bool:
        """One turn of the desk."""
        with self.times():
            return self.desk.turn()

    @contextmanager
    def times(self) -> Iterator[None]:
        """The session reads the house's clock, too."""
        with patch.object(session, "time", self.clock):
            yield

    # what is there

    def token(self, item: Item, person: Person, kind: Kind, action: Action = Action.ASK) -> str:
        """A token as a letter to this person would hold it."""
        expires = (item.terms.expires or int(self.now) + 30 * 86400) + 2 * 86400
        return seal_token(Token(kind, action, expires, item.digest, digest(person.uuid)), KEYS)

    @contextmanager
    def snapshot(self) -> Iterator[Lookup]:
        """The directory, for everybody."""
        if self.unknown:
            raise DirectoryUnknown("the mirror is too old")
        yield self.office.paper

    def decisions(self) -> Decisions:
        """What decides, as a process of its own has it."""
        return Decisions(self.ledger, self, KEYS, self.settings, self.clock, by_the_mirror)

    def _opened(self) -> Ledger:
        return Ledger.open(f"sqlite:///{self.folder}/state.db")

    def _worker(self) -> Front:
        site = Site(
            self.settings, self, KEYS, Trust((), dmarc_is_internal=False), waiting=self._state._waiting,
            suspended=self._state._suspended, release=self._state.release, leave_out=self._state.leave_out,
            clock=lambda: datetime.fromtimestamp(self.now, UTC),
        )  # fmt: skip
        return Front(site, self.log, self._counters)

    def _started(self) -> tuple[Ledger, Desk]:
        ledger, wire = self._opened(), Wire(self.mta, LOGIN, DAEMON)
        decided = Decisions(ledger, self, KEYS, self.settings, self.clock, by_the_mirror)
        letters = Letters(SERVICE, 256_000, catalogue(), "en")
        made: list[Desk] = []

        def held(item: Item) -> None:
            made[0].held(item)

        answers = Answers(ledger, self, decided, self.clock, decided.require)
        bouncing = Bouncing(ledger, self, self.settings, self.clock, self.log)
        weekly = Weekly(ledger, self, self.settings, letters, (), lambda _: CONTACT, self.clock)
        correspondence = Correspondence(
            ledger, self.mailbox, self, decided, letters, weekly, wire, KEYS, SERVICE, "",
            lambda _: CONTACT, self.settings.moderation.letters_per_hour, self.clock, self.log,
        )  # fmt: skip
        returned = Returned(correspondence, KEYS, bouncing.take, self.log).take
        intake = Intake(
            self.mailbox, ledger, self, KEYS, self.settings, answers, held, returned, self.clock, self.log
        )  # fmt: skip
        outgoing = self._outgoing(ledger, wire, letters)
        rebuilding = Rebuilding(self.mailbox, ledger, self, KEYS, self.settings, self.clock, self.log)
        attempts = Attempts(self.log)
        tidying = Tidying(self.mailbox, ledger, self, self.settings, self.clock, self.log, attempts)
        desk = Desk(
            self.mailbox, ledger, self, intake, correspondence, outgoing, rebuilding, bouncing, weekly,
            tidying, self.settings, self.clock, self.log, attempts,
        )  # fmt: skip
        made.append(desk)
        return ledger, desk

    def _outgoing(self, ledger: Ledger, wire: Wire, letters: Letters) -> Outgoing:
        nonce: Callable[[], int] = partial(next, self._nonces)
        site = Site(self.settings, self, KEYS, waiting=ledger.waiting, suspended=ledger.bounces.suspended)
        releases = Releases(ledger, wire, Dividing(site), KEYS, SERVICE, self.clock, nonce, self.log)
        return Outgoing(
            ledger, self.mailbox, self, releases, letters, wire, self.settings,
            lambda number: reason(number, self.settings.rules), "mx.own.example", self.clock, self.log,
        )  # fmt: skip


def full(name: str) -> str:
    """A name's address."""
    return name if "@" in name else f"{name}@{OWN}"
