"""Letters and answers as mail programs show and send them, through real Postfix: three languages, every outcome."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.header import Header
from email.message import EmailMessage
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from tests.moderation.seeing import seen
from tests.support.moderated import Moderated, moderated
from tests.support.moderators import fetched, link, text, way
from tests.support.office import ALICE, BOB, JEAN, PIERRE, group, identity, member

from groupmilter.moderation.item import DESK, Event, Item, State

COMMITTEE, SILENT, LOCKED = (f"{name}@masociete.example" for name in ("comite", "muet", "verrouille"))
ADMINISTRATOR = "administrator@masociete.example"
OUTSIDER = "client@outside.example"
SERVICE = "groups.masociete.example"
PEOPLE = "ou=people,dc=masociete,dc=example"


def moderators(*logins: str) -> tuple[str, ...]:
    return ("dgModerated: TRUE", *(f"dgModerator: uid={login},{PEOPLE}" for login in logins))


GROUPS = "".join(
    (
        group("comite", "dgRequireAuthentication: FALSE", *moderators("jean", "alice", "bob"), *member("pierre")),
        group("muet", "dgModerationNotify: never", *moderators("jean"), *member("pierre")),
        group("verrouille", "dgRequireAuthentication: FALSE", "dgModerated: TRUE", f"dgModerator: uid=absent,{PEOPLE}",
              *member("pierre")),
        f"dn: uid=absent,{PEOPLE}\nobjectClass: inetOrgPerson\nuid: absent\ncn: Absent\nsn: Absent\n\n",
    )
)  # fmt: skip


@dataclass
class Mail:
    """What somebody wrote, and what came of it."""

    site: Moderated

    def send(self, to: str, sender: str, login: str = "", subject: str = "Proposition", *fields: str) -> str:
        """Send a message; return its mark."""
        mark = identity()
        head = (
            f"From: {sender}",
            f"To: {to}",
            f"Subject: {subject}",
            f"Message-ID: <{mark}@test.example>",
            *fields,
        )
        body = f"Bonjour {mark}\r\n"
        octets = "\r\n".join((*head, "", body)).encode()
        replies = self.site.installation.send(sender, [to], octets, login=login)
        assert replies.accepted, replies
        return mark

    def letters(self, to: str, item: Item) -> list[EmailMessage]:
        """What somebody got about an item."""
        found = [
            letter for sunk in self.site.installation.sink.messages
            if to in sunk.addresses and sunk.told
            and isinstance(letter := email.message_from_bytes(sunk.content, policy=email.policy.default), EmailMessage)
            and item.name in text(letter)
        ]  # fmt: skip
        for letter in found:
            assert letter["Auto-Submitted"] == "auto-generated"
            assert letter["From"].addresses[0].addr_spec == f"moderation@{SERVICE}"
        return found

    def letter(self, to: str, item: Item, number: int = 0) -> EmailMessage:
        """One of these, as soon as it is there."""
        self.site.until(
            lambda: len(self.letters(to, item)) > number, f"letter {number} to {to} about {item.name}"
        )
        return self.letters(to, item)[number]

    def answer(self, sender: str, login: str, to: str, subject: str, body: str, *fields: str) -> str:
        """Send an answer as a mail program does; return the replies."""
        head = (f"From: {sender}", f"To: {to}", f"Subject: {Header(subject, 'utf-8').encode()}", *fields)
        octets = "\r\n".join((*head, "Content-Type: text/plain; charset=utf-8", "", body, "")).encode()
        replies = self.site.installation.send(sender, [to], octets, login=login)
        return " ".join(map(str, (*replies.recipients, replies.end or "")))

    def press(self, letter: EmailMessage, label: str, sender: str, login: str, typed: str = "") -> str:
        """Press a button of the HTML part, type something on top, and send what the mail program has opened."""
        part = letter.get_body(("html",))
        assert part is not None
        document = str(part.get_content())
        assert f">{label}</a>" in document
        before = document[: document.index(f">{label}</a>")]
        url = urlsplit(seen(before + ">").links[-1])
        assert url.scheme == "mailto"
        opened = {name: values[0] for name, values in parse_qs(url.query).items()}
        body = f"{typed}{opened.get('body', '')}\r\nEnvoyé de mon téléphone"
        return self.answer(sender, login, unquote(url.path), opened["subject"], body)


@pytest.fixture(name="mail", scope="module")
def _mail() -> Iterator[Mail]:
    with moderated(GROUPS) as site:
        yield Mail(site)


def test_each_moderator_is_asked_in_his_language_with_ways_of_his_own(mail: Mail) -> None:
    item = mail.site.held(mail.send(COMMITTEE, OUTSIDER))
    french, english, both = (mail.letter(to, item) for to in (JEAN, ALICE, BOB))
    assert str(french["Subject"]).startswith("À approuver : Proposition")
    assert str(english["Subject"]).startswith("To approve: Proposition")
    assert str(both["Subject"]).startswith("To approve / À approuver: Proposition")
    assert "attend votre décision" in text(french)
    assert "waits for your decision" not in text(french)
    assert "waits for your decision" in text(english)
    assert "attend votre décision" in text(both)
    assert "waits for your decision" in text(both)
    assert "Not proven" in text(english)
    ways = {way(letter, word) for letter in (french, english, both) for word in ("approve", "reject")}
    assert len(ways) == 6
    assert len({link(letter) for letter in (french, english, both)}) == 3
    (original,) = [part for part in french.iter_attachments() if part.get_content_type() == "message/rfc822"]
    assert original.get_content()["Subject"] == "Proposition"


@pytest.mark.parametrize(
    ("sender", "body", "parameters"),
    [
        (OUTSIDER, b"caf\xe9 \xff, no charset given\r\n.dot\r\n", ()),
        ("zo\u00eb@outside.example", "d\u00e9j\u00e0 \u5c71\r\n".encode(), ("SMTPUTF8",)),
    ],
)
def test_the_original_comes_along_octet_for_octet(
    mail: Mail, sender: str, body: bytes, parameters: tuple[str, ...]
) -> None:
    mark = identity()
    head = f"From: {sender}\r\nSubject: Et\u00e9\r\nMessage-ID: <{mark}@test.example>\r\n\r\n".encode()
    replies = mail.site.installation.send(sender, [COMMITTEE], head + body, *parameters)
    assert replies.accepted, replies
    item = mail.site.held(mark)
    mail.letter(JEAN, item)
    (octets,) = [
        sunk.content for sunk in mail.site.installation.sink.messages
        if JEAN in sunk.addresses and sunk.told and mark.encode() in sunk.content
    ]  # fmt: skip
    assert head + body in octets
    assert sender in text(mail.letter(ALICE, item))


def test_a_button_of_the_html_part_approves(mail: Mail) -> None:
    mark = mail.send(COMMITTEE, OUTSIDER, "", "=?utf-8?q?L=27=C3=A9t=C3=A9_=26_apr=C3=A8s?=")
    item = mail.site.held(mark)
    letter = mail.letter(BOB, item)
    assert "250" in mail.press(letter, "Approve · Approuver", BOB, "bob")
    assert mail.site.ended(item).decided_by == BOB
    mail.site.copies(mark, [PIERRE])


def test_a_reason_typed_above_the_dashes_reaches_the_sender_and_nobody_else(mail: Mail) -> None:
    item = mail.site.held(mail.send(COMMITTEE, PIERRE, "pierre"))
    letter = mail.letter(JEAN, item)
    assert "Proven" not in text(letter)
    assert "Identité prouvée" in text(letter)
    assert "Pierre Durand" in text(letter)
    mail.press(letter, "Rejeter", JEAN, "jean", "Pas ici : voyez le service achats.\r\nMerci.")
    rejected = mail.site.ended(item, State.REJECTED)
    assert rejected.comment == "Pas ici : voyez le service achats.\nMerci."
    told = mail.letter(PIERRE, item)
    assert str(told["Subject"]).startswith("Non approuvé : Proposition")
    assert "> Pas ici : voyez le service achats.\n> Merci." in text(told)
    assert told["In-Reply-To"] == item.arrival.message_id
    whole = "".join(str(part.get_payload(decode=True)) for part in told.walk() if not part.is_multipart())
    assert JEAN not in whole
    assert "approve+" not in whole
    mail.site.installation.settle()
    for other in (OUTSIDER, ALICE, BOB):
        assert not any("service achats" in text(letter) for letter in mail.letters(other, item))


def test_an_outsider_who_proved_nothing_hears_nothing(mail: Mail) -> None:
    item = mail.site.held(mail.send(COMMITTEE, "forged@victim.example"))
    mail.press(mail.letter(JEAN, item), "Rejeter", JEAN, "jean", "Non.")
    mail.site.ended(item, State.REJECTED)
    mail.site.installation.settle()
    assert "forged@victim.example" not in mail.site.installation.sink.addresses()


def test_a_forged_return_path_hears_nothing_though_its_sender_logged_in(mail: Mail) -> None:
    mark = identity()
    octets = f"From: {PIERRE}\r\nTo: {COMMITTEE}\r\nMessage-ID: <{mark}@test.example>\r\n\r\nx\r\n".encode()
    assert mail.site.installation.send("other@victim.example", [COMMITTEE], octets, login="pierre").accepted
    item = mail.site.held(mark)
    mail.press(mail.letter(JEAN, item), "Rejeter", JEAN, "jean", "Non.")
    mail.letter(PIERRE, item)
    mail.site.installation.settle()
    assert "other@victim.example" not in mail.site.installation.sink.addresses()


def test_a_group_that_wants_no_notices_sends_none(mail: Mail) -> None:
    item = mail.site.held(mail.send(SILENT, PIERRE, "pierre"))
    mail.press(mail.letter(JEAN, item), "Rejeter", JEAN, "jean", "Non.")
    mail.site.ended(item, State.REJECTED)
    mail.site.installation.settle()
    assert mail.letters(PIERRE, item) == []


def test_an_expiry_is_told_to_its_sender(mail: Mail) -> None:
    item = mail.site.held(mail.send(COMMITTEE, PIERRE, "pierre"))
    mail.letter(ALICE, item)
    assert mail.site.ledger.change(item.id, Event.EXPIRE, DESK, item.recorded + 1).happened
    told = mail.letter(PIERRE, item)
    assert str(told["Subject"]).startswith("Non approuvé à temps : Proposition")
    assert "Votre message n’a pas été approuvé à temps" in text(told)


def test_who_comes_second_is_told_by_whom_and_when(mail: Mail) -> None:
    item = mail.site.held(mail.send(COMMITTEE, OUTSIDER))
    french, english = mail.letter(JEAN, item), mail.letter(ALICE, item)
    mail.press(french, "Rejeter", JEAN, "jean", "Non.")
    mail.site.ended(item, State.REJECTED)
    mail.press(english, "Approve", ALICE, "alice")
    told = mail.letter(ALICE, item, 1)
    assert str(told["Subject"]).startswith("Already decided: Proposition")
    said = " ".join(text(told).split())
    assert re.search(
        rf"{JEAN} rejected it on \w+, \d+ \w+ \d{{4}} at \d\d:\d\d \(UTC[^)]*\), by mail\.", said
    ), said
    assert told["In-Reply-To"] == english["Message-ID"]
    assert mail.site.ended(item, State.REJECTED).decided_by == JEAN
    status, page = fetched(link(english))
    assert status == 200
    assert JEAN in page


@pytest.mark.parametrize(
    ("subject", "fields"),
    [
        ("Réponse automatique : À approuver", ()),
        ("Automatic reply: To approve", ("Auto-Submitted: auto-replied",)),
        ("Lu : À approuver", ("MIME-Version: 1.0", "Auto-Submitted: auto-replied (read receipt)")),
    ],
)
def test_an_absent_moderators_program_decides_nothing(
    mail: Mail, subject: str, fields: tuple[str, ...]
) -> None:
    item = mail.site.held(mail.send(COMMITTEE, OUTSIDER))
    letter = mail.letter(JEAN, item)
    quoted = "Je suis absent.\r\n\r\n" + "\r\n".join(f"> {line}" for line in text(letter).splitlines())
    to_sender = mail.answer(JEAN, "jean", f"moderation@{SERVICE}", subject, quoted, *fields)
    assert "550 5.7.1" in to_sender, "a reply to the letter decides nothing"
    before = len(mail.site.ledger.audit(action="answer-ignored"))
    mail.answer(JEAN, "jean", way(letter, "approve"), subject, quoted, *fields)
    mail.site.until(lambda: len(mail.site.ledger.audit(action="answer-ignored")) > before, "an audit row")
    mail.site.installation.settle()
    assert mail.site.items(item.arrival.message_id[1:].partition("@")[0])[0].state is State.HELD
    assert len(mail.letters(JEAN, item)) == 1


def test_moderators_without_an_address_are_followed_by_the_owner(mail: Mail) -> None:
    mark = mail.send(LOCKED, OUTSIDER)
    item = mail.site.held(mark)
    letter = mail.letter(ADMINISTRATOR, item)
    mail.press(letter, "Approve · Approuver", ADMINISTRATOR, "administrator")
    mail.site.ended(item)
    mail.site.copies(mark, [PIERRE])
