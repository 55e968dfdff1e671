"""What goes out by itself: reports in the words of the group's own answer, and an MTA that isn't there."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from tests.moderation.holding import SALES, SETTINGS, Holding, holding
from tests.moderation.ledgers import KEYS, NOW

from groupmilter.groups.ticket import Kind, Ticket, digest, seal
from groupmilter.language.catalogue import catalogue
from groupmilter.log import logger
from groupmilter.mail.reply import reply
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.item import Item, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.letters import Letters
from groupmilter.moderation.outgoing import Outgoing
from groupmilter.moderation.release import Releases
from groupmilter.moderation.submission import Door, Envelope, NotSubmitted, Submitter
from groupmilter.moderation.terms import terms
from groupmilter.policy.reasons import number, reason
from groupmilter.policy.settings import RefuseThen, ReplyTexts, Settings, SiteRule, TextsFor


@dataclass
class Mta(Submitter):
    """Takes everything, or fails as it is told to."""

    ledger: Ledger
    failing: list[NotSubmitted] = field(default_factory=list)
    tries: int = 0
    taken: list[tuple[Envelope, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(Door("127.0.0.1", 1, "", lambda: ""))

    def submit(self, envelope: Envelope, message: bytes) -> str:
        self.tries += 1
        if self.failing:
            raise self.failing.pop(0)
        ((_, parameters),) = envelope.recipients
        if parameters.startswith("ORCPT="):
            self.ledger.releases.spend(parameters.removeprefix("ORCPT=rfc822;"), NOW)
        self.taken.append((envelope, message))
        return f"Q{self.tries}"


@dataclass
class Sending:
    """Items that go out of a hold mailbox."""

    hold: Holding
    settings: Settings
    mta: Mta

    def came(self, kind: Kind, why: str = "", number_of: int = 1) -> Item:
        """Record a message that came with a ticket of this kind and reason."""
        made = Ticket(kind, self.hold.now, number_of, digest("group-sales"), strength=4)
        text = seal(replace(made, reason=number(why, self.settings.rules)), KEYS)
        name = self.hold.delivered(text)
        arrival = read_arrival(self.hold.mailbox.read(name), name, KEYS, self.hold.service)
        with self.hold.lookups.snapshot() as directory:
            meant = terms(arrival, directory, self.settings, self.hold.now)
        return self.hold.ledger.record(arrival, meant, State.APPROVED, self.hold.now).item

    @property
    def outgoing(self) -> Outgoing:
        clock: Callable[[], float] = lambda: self.hold.now  # noqa: E731 - said once, passed on twice
        log = logger("critical", json=False)
        releases = Releases(
            self.hold.ledger, self.mta, lambda *_: ((),), KEYS, self.hold.service, clock, lambda: 1, log
        )
        letters = Letters(self.hold.service, 256_000, catalogue(), "en")
        return Outgoing(
            self.hold.ledger, self.hold.mailbox, self.hold.lookups, releases, letters, self.mta, self.settings,
            partial(reason, rules=self.settings.rules), "mx.example.org", clock, log,
        )  # fmt: skip

    def state(self, item: Item) -> State:
        found = self.hold.ledger.item(item.id)
        assert found is not None
        return found.state


@contextmanager
def sending(folder: Path, settings: Settings = SETTINGS) -> Iterator[Sending]:
    with holding(folder) as hold:
        yield Sending(hold, settings, Mta(hold.ledger))


def diagnostic(octets: bytes) -> str:
    """The answer that a delivery report quotes, on one line."""
    letter = email.message_from_bytes(octets, policy=email.policy.default)
    part = next(p for p in letter.walk() if p.get_content_type() == "message/delivery-status")
    recipient = list(part.iter_parts())[-1]
    assert isinstance(recipient, EmailMessage)
    return " ".join(str(recipient["Diagnostic-Code"]).split())


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_rule_of_the_site_is_reported_in_its_own_words(tmp_path: Path, language: str) -> None:
    texts = {
        "en": "{group} takes no orders, ask {contact}",
        "fr": "{group} ne prend pas de commandes, {contact}",
    }
    rule = SiteRule("orders", (), (), RefuseThen(reply("553 5.7.1"), texts))
    special = TextsFor((SALES,), ReplyTexts(language=language, contact="help@example.org"))
    settings = replace(SETTINGS, rules=(rule,), texts_for=(special,))
    with sending(tmp_path, settings) as work:
        item = work.came(Kind.REFUSE, "orders")
        work.outgoing.send_due()
        assert work.state(item) is State.REPORTED
        ((envelope, report),) = work.mta.taken
        assert envelope.sender == ""
        filled = texts[language].replace("{group}", SALES).replace("{contact}", "help@example.org")
        assert diagnostic(report) == f"smtp; 553 5.7.1 {filled}"


def test_an_mta_that_is_silent_is_asked_once_a_turn(tmp_path: Path) -> None:
    with sending(tmp_path) as work:
        items = [work.came(Kind.HOLD, "moderation", n) for n in range(1, 5)]
        work.mta.failing = [NotSubmitted(0, "timed out") for _ in items]
        assert not work.outgoing.send_due(), "the desk looks at something else, and waits a little"
        assert work.mta.tries == 1, "else each would wait for as long as an MTA may be silent"
        work.mta.failing.clear()
        assert work.outgoing.send_due()
        assert [work.state(item) for item in items] == [State.APPROVED, *[State.RELEASED] * 3]


def test_what_the_mta_answers_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    with sending(tmp_path) as work:
        items = [work.came(Kind.HOLD, "moderation", n) for n in range(1, 4)]
        work.mta.failing = [NotSubmitted(451, "later"), NotSubmitted(550, "never")]
        assert work.outgoing.send_due()
        assert [work.state(item) for item in items] == [State.APPROVED, State.SHUNTED, State.RELEASED]
        assert work.mta.tries == len(items)
