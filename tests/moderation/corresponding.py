"""Letters on their way: a real ledger, hold mailbox and mirror; the MTA that takes the letters is played.

with corresponding(tmp_path) as post:
    item = post.held(1)
    post.correspondence.ask(item)
    post.correspondence.send_due()
    assert post.subjects("anna@example.org") == ["To approve: hello (sales)"]
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import structlog
from structlog.testing import LogCapture
from structlog.typing import FilteringBoundLogger
from tests.directory.mirrors import person_dn
from tests.moderation.holding import SERVICE, SETTINGS, Holding, holding
from tests.moderation.ledgers import KEYS
from tests.support.entitled import by_the_mirror

from groupmilter.directory.administration import Administration
from groupmilter.directory.entry import Put
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.answers import Answers
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.correspondence import Correspondence
from groupmilter.moderation.decision import Decisions
from groupmilter.moderation.item import Arrival, Item, State
from groupmilter.moderation.letters import Letters
from groupmilter.moderation.mailbox import Folder
from groupmilter.moderation.submission import Envelope, NotSubmitted
from groupmilter.moderation.terms import terms
from groupmilter.moderation.weekly import Weekly

CONTACT = "postmaster@example.org"
PANEL = "https://groups.example.org"


@dataclass
class Mta:
    """What takes the letters; `refusing` by address, `down` for all."""

    taken: list[tuple[Envelope, EmailMessage]] = field(default_factory=list)
    refusing: dict[str, NotSubmitted] = field(default_factory=dict)
    down: bool = False
    asked: int = 0

    def submit(self, envelope: Envelope, message: bytes) -> str:
        self.asked += 1
        address = envelope.recipients[0][0]
        if self.down:
            raise NotSubmitted(0, "connection refused")
        if address in self.refusing:
            raise self.refusing[address]
        letter = email.message_from_bytes(message, policy=email.policy.default)
        assert isinstance(letter, EmailMessage)
        self.taken.append((envelope, letter))
        return f"Q{len(self.taken)}"


@dataclass
class Post:
    """Who writes letters, and what belongs to it."""

    hold: Holding
    mta: Mta
    decisions: Decisions
    correspondence: Correspondence
    answers: Answers
    weekly: Weekly
    capture: LogCapture

    def arrived(self, number: int, *, sender: str = "client@outside.example", **parts: str) -> Arrival:
        """Deliver a held message into its folder."""
        ticket = self.hold.ticket(number, group=parts.pop("group", "group-sales"))
        name = self.hold.delivered(ticket, Folder.HELD, **parts)
        octets = self.hold.mailbox.read(name).replace(b"client@outside.example", sender.encode())
        return read_arrival(octets, name, KEYS, SERVICE)

    def held(self, number: int = 1, **parts: str) -> Item:
        """Record a held message, as the intake does."""
        arrival = self.arrived(number, **parts)
        with self.hold.lookups.snapshot() as directory:
            meant = terms(arrival, directory, SETTINGS, self.hold.now)
        return self.hold.ledger.record(arrival, meant, State.HELD, self.hold.now).item

    def item(self, item: Item) -> Item:
        """An item as it stands now."""
        found = self.hold.ledger.item(item.id)
        assert found is not None
        return found

    def turn(self, seconds: int = 0) -> None:
        """Send all that is due after so many seconds."""
        self.hold.now += seconds
        while self.correspondence.send_due():
            pass

    def letters(self, address: str) -> list[EmailMessage]:
        """What somebody got."""
        return [letter for envelope, letter in self.mta.taken if envelope.recipients[0][0] == address]

    def subjects(self, address: str) -> list[str]:
        """The subjects of what somebody got."""
        return [str(letter["Subject"]) for letter in self.letters(address)]

    def lines(self) -> list[str]:
        """The events that were logged."""
        return [line["event"] for line in self.capture.entries]


def text(letter: EmailMessage) -> str:
    """The plain text of a letter."""
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


@contextmanager
def corresponding(
    folder: Path, *more: Put, per_hour: int = 20, panel: str = PANEL, language: str = "en"
) -> Iterator[Post]:
    """Give who writes letters about mail to `sales` and `news`; `boss`, if there, is the administrator."""
    capture = LogCapture()
    log = cast(FilteringBoundLogger, structlog.wrap_logger(None, processors=[capture]))
    with holding(folder, *more) as hold:

        def clock() -> float:
            return hold.now

        decisions = Decisions(
            hold.ledger, hold.lookups, KEYS, SETTINGS, clock, by_the_mirror, (Administration(person_dn("boss")),)
        )  # fmt: skip
        letters = Letters(SERVICE, 256_000, catalogue(), language, zone=ZoneInfo("UTC"))
        mta = Mta()
        weekly = Weekly(
            hold.ledger, hold.lookups, SETTINGS, letters, (Administration(person_dn("boss")),), lambda _: CONTACT, clock
        )  # fmt: skip
        correspondence = Correspondence(
            hold.ledger, hold.mailbox, hold.lookups, decisions, letters, weekly, mta, KEYS, SERVICE, panel,
            lambda _: CONTACT, per_hour, clock, log,
        )  # fmt: skip
        answers = Answers(hold.ledger, hold.lookups, decisions, clock, decisions.require)
        yield Post(hold, mta, decisions, correspondence, answers, weekly, capture)
