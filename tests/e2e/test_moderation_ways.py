"""Held mail, through real Postfix and the desk: asked about, decided each way, released or rejected."""

from __future__ import annotations

import email
import email.policy
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.support.installation import Installation, installation, recipients
from tests.support.office import BOB, COMMERCIAL, JEAN, OFFICE, PIERRE
from tests.support.service import Service
from tests.support.sink import SunkMessage
from tests.support.smtp_client import SmtpClient

from groupmilter.moderation.item import DESK, Event, Item, State
from groupmilter.moderation.ledger import Ledger
from groupmilter.moderation.mailbox import Folder, Maildir

OUTSIDER = "client@outside.example"
DEADLINE = 150.0


@dataclass
class Site:
    """An installation whose desk's ledger and hold mailbox can be looked into."""

    installation: Installation
    service: Service

    @property
    def ledger(self) -> Ledger:
        return Ledger.open(f"sqlite:///{self.service.folder}/state.db", timeout=30.0)

    def until(self, question: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + DEADLINE
        while not question():
            assert time.monotonic() < deadline, f"{what}\n{self.service.log()[-6000:]}"
            time.sleep(0.05)

    def send(self, subject: str, body: bytes = b"Bonjour\r\n", sender: str = OUTSIDER) -> str:
        identity = f"{subject}-{time.monotonic_ns()}"
        octets = (
            f"From: {sender}\r\nTo: {COMMERCIAL}\r\nSubject: {subject}\r\n"
            f"Message-ID: <{identity}@outside.example>\r\n\r\n"
        ).encode() + body
        replies = self.installation.send(sender, [COMMERCIAL], octets + b"\r\n")
        assert replies.accepted, replies
        return identity

    def items(self, identity: str) -> tuple[Item, ...]:
        ledger = self.ledger
        try:
            return ledger.find(message_id=f"<{identity}@outside.example>")
        finally:
            ledger.close()

    def state(self, identity: str) -> State | None:
        found = self.items(identity)
        return found[0].state if found else None

    def wait(self, identity: str, state: State) -> Item:
        self.until(lambda: self.state(identity) is state, f"{identity} {state.value}")
        return self.items(identity)[0]

    def letter(self, item: Item, to: str = JEAN) -> EmailMessage:
        """The letter that asks about an item, as it arrived."""
        subject = item.arrival.subject

        def arrived() -> list[EmailMessage]:
            return [
                letter
                for message in self.installation.sink.messages
                if to in message.addresses and (letter := parsed(message))["Auto-Submitted"]
                and subject in str(letter["Subject"])
            ]  # fmt: skip

        self.until(arrived, f"a letter about {subject}")
        return arrived()[0]

    def quiet(self) -> None:
        """Wait until no letter is to be sent or on its way."""
        ledger = self.ledger
        self.until(lambda: not ledger.letters.due(int(time.time()) + 1), "all letters sent")
        ledger.close()
        self.installation.settle()

    def copies(self, identity: str) -> list[SunkMessage]:
        return [m for m in self.installation.delivered(identity) if not m.told]


def parsed(message: SunkMessage) -> EmailMessage:
    made = email.message_from_bytes(message.content, policy=email.policy.default)
    assert isinstance(made, EmailMessage)
    return made


def text(letter: EmailMessage) -> str:
    part = letter.get_body(("plain",))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Site]:
    with Service(f"ldif:{OFFICE}") as service, installation(service) as installed:
        yield Site(installed, service)


def way(letter: EmailMessage, word: str) -> str:
    found = re.search(rf"^\s+({word}\+\S+)$", text(letter), re.MULTILINE)
    assert found, text(letter)
    return found[1]


def link(letter: EmailMessage) -> str:
    found = re.search(r"^\s+(http://\S+/decide/\S+)$", text(letter), re.MULTILINE)
    assert found, text(letter)
    return found[1]


def answer(site: Site, login: str, sender: str, to: str, body: str = "", **fields: str) -> str:
    header = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    octets = f"From: {sender}\r\nTo: {to}\r\nSubject: Re\r\n{header}\r\n{body}\r\n".encode()
    replies = site.installation.send(sender, [to], octets, login=login)
    return " ".join(map(str, (*replies.recipients, replies.end or "")))


def test_approved_by_mail_it_reaches_the_members_as_it_was_sent(site: Site) -> None:
    body = b"caf\xe9 \x00 nul\r\n.dot\r\n\r\nend without line end"
    identity = site.send("octets", body)
    item = site.wait(identity, State.HELD)
    letter = site.letter(item)
    assert site.copies(identity) == []
    answer(site, "jean", JEAN, way(letter, "approve"))
    site.wait(identity, State.RELEASED)
    site.until(lambda: len(recipients(site.copies(identity))) == 2, "both members")
    assert recipients(site.copies(identity)) == [BOB, PIERRE]
    for copy in site.copies(identity):
        assert copy.content.partition(b"\r\n\r\n")[2].rstrip(b"\r\n") == body
    folder = Maildir(Path(site.service.hold))
    site.until(lambda: item.arrival.file in set(folder.names(Folder.APPROVED)), "its folder")


def test_rejected_by_mail_nobody_gets_it_and_an_unproven_sender_hears_nothing(site: Site) -> None:
    identity = site.send("unwanted")
    item = site.wait(identity, State.HELD)
    answer(site, "jean", JEAN, way(site.letter(item), "reject"), "Not here, please.\r\n> quoted")
    rejected = site.wait(identity, State.REJECTED)
    assert (rejected.decided_by, rejected.comment) == (JEAN, "Not here, please.")
    site.installation.settle()
    assert site.copies(identity) == []
    assert not [m for m in site.installation.sink.messages if OUTSIDER in m.addresses]


def test_who_is_not_the_moderator_decides_nothing(site: Site) -> None:
    identity = site.send("foreign")
    item = site.wait(identity, State.HELD)
    address = way(site.letter(item), "approve")
    assert "550 5.7.1" in answer(site, "pierre", PIERRE, address)
    assert "550 5.7.1" in answer(site, "", JEAN, address)
    forged = address.replace("+", "+b", 1)
    assert "550 5.7.1" in answer(site, "jean", JEAN, forged.replace("@", "a@"))
    assert site.state(identity) is State.HELD


def test_an_out_of_office_reply_is_met_with_silence(site: Site) -> None:
    identity = site.send("absent")
    item = site.wait(identity, State.HELD)
    address = way(site.letter(item), "approve")
    site.quiet()
    before = len(site.installation.sink.messages)
    answer(site, "jean", JEAN, address, "Je suis absent.", Auto_Submitted="auto-replied")
    ledger = site.ledger
    site.until(lambda: ledger.audit(action="answer-ignored"), "an audit row")
    ledger.close()
    site.quiet()
    assert site.state(identity) is State.HELD
    assert len(site.installation.sink.messages) == before


def test_decided_by_link_after_the_word_is_typed(site: Site) -> None:
    identity = site.send("by-link")
    item = site.wait(identity, State.HELD)
    url = link(site.letter(item))
    page = fetched(url)
    assert "by-link" not in page, "without log-in the page shows no subject"
    assert site.state(identity) is State.HELD
    word = re.search(r'class="show-word">([a-z]+)<', page)
    assert word, page
    fetched(url, {"decision": "approve", "word": "none"}, status=422)
    assert site.state(identity) is State.HELD
    fetched(url, {"decision": "approve", "word": word[1]})
    site.wait(identity, State.RELEASED)
    site.until(lambda: recipients(site.copies(identity)) == [BOB, PIERRE], "both members")


def fetched(url: str, form: dict[str, str] | None = None, status: int = 200) -> str:
    given = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(url, given, timeout=DEADLINE) as page:
            assert page.status == status
            return str(page.read().decode("utf-8"))
    except urllib.error.HTTPError as refused:
        with refused:
            if refused.code != status:
                pytest.fail(f"{refused.code} {refused.read()!r}")
        return ""


def test_the_first_decision_stands_and_later_ones_are_told(site: Site) -> None:
    identity = site.send("twice")
    item = site.wait(identity, State.HELD)
    letter = site.letter(item)
    answer(site, "jean", JEAN, way(letter, "reject"))
    site.wait(identity, State.REJECTED)
    answer(site, "jean", JEAN, way(letter, "approve"))

    def told() -> bool:
        letters = [parsed(m) for m in site.installation.sink.messages if JEAN in m.addresses]
        return any("twice" in str(one["Subject"]) and "rej" in text(one) for one in letters[-3:])

    site.until(told, "the later answer is told who was first")
    assert site.state(identity) is State.REJECTED


def test_a_release_ticket_opens_nothing_a_second_time(site: Site) -> None:
    identity = site.send("once")
    item = site.wait(identity, State.HELD)
    ledger = site.ledger
    assert ledger.change(item.id, Event.APPROVE, DESK, int(time.time())).happened
    site.wait(identity, State.RELEASED)
    spent = ledger.releases.batches(item.id)[0].ticket
    ledger.close()
    login, secret = next(iter(site.service.release_login.items()))
    with SmtpClient(site.service.release_port) as session:
        session.ehlo()
        assert session.mail(OUTSIDER).code == 250
        assert session.rcpt("release@groups.masociete.example", f"ORCPT=rfc822;{spent}").code == 554
        session.rset()
        assert session.login(login, secret).code == 235
        session.mail(OUTSIDER)
        assert session.rcpt("release@groups.masociete.example", f"ORCPT=rfc822;{spent}").code == 250
        assert str(session.content(b"Subject: other\r\n\r\nx\r\n")).startswith("550 5.7.1")
    site.until(lambda: recipients(site.copies(identity)) == [BOB, PIERRE], "one copy each")
