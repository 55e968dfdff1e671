"""What a member gets after the release is what the sender sent, octet for octet, and tells nothing of the hold.

Each message also goes to somebody directly, in the same transaction: his copy shows what Postfix itself makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.moderated import Moderated, moderated
from tests.support.office import ALICE, BOB, COMMERCIAL, PIERRE, identity
from tests.support.signing import Signer
from tests.support.sink import SunkMessage

from groupmilter.moderation.mailbox import Folder, Maildir

CLIENT = "client@outside.example"
MEMBERS = [BOB, PIERRE]
OURS = (
    b"List-Id",
    b"List-Post",
    b"List-Owner",
    b"List-Unsubscribe",
    b"Precedence",
    b"X-Auto-Response-Suppress",
)
CANONICALIZATIONS = [(head, body) for head in (b"relaxed", b"simple") for body in (b"relaxed", b"simple")]


@pytest.fixture(name="site", scope="module")
def _site() -> Iterator[Moderated]:
    with moderated() as site:
        yield site


@pytest.fixture(name="signer", scope="module")
def _signer() -> Signer:
    return Signer()


HEAD = (
    b'From: "Client, the" <client@outside.example>\r\nTo: commercial@masociete.example\r\nSubject: offer\r\n'
    b"Date: Thu, 26 Nov 2026 10:00:00 +0100\r\nMIME-Version: 1.0\r\n"
)
ODD_HEAD = (
    b"From:client@outside.example\r\nTO:  commercial@masociete.example  \r\nSubject: a\r\n\tb\r\n  c \t \r\n"
    b"x-eMPTY:\r\nX-Blank: \r\nX-Tabs:\t\tx\t\r\nX-Same: 1\r\nX-Same: 2\r\nX-Raw: r\xe9union \xc3\xa9t\xc3\xa9\r\n"
    b"Date: Thu, 26 Nov 2026 10:00:00 +0100\r\nReceived: from nowhere by somewhere; Thu, 26 Nov 2026 09:59:59 +0100\r\n"
    b"Return-Path: <forged@outside.example>\r\nDelivered-To: hold+forged@groups.masociete.example\r\n"
    b"X-Original-To: somebody@outside.example\r\n"
)
PARTS = (
    b'Content-Type: multipart/mixed; boundary="=_x"\r\n',
    b"preamble\r\n--=_x\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    b"\xe9t\xe9\r\n--=_x\r\nContent-Type: message/rfc822\r\n\r\nFrom: a@b.example\r\nSubject: inner\r\n\r\ninner\r\n"
    b"--=_x\r\nContent-Type: application/octet-stream; name=x.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"AAECAw==\r\n--=_x--\r\nepilogue\r\n",
)
MESSAGES = {
    "plain": (HEAD, b"hello\r\n"),
    "8-bit": (HEAD, b"caf\xe9 \xff\xfe \xc3\xa9t\xc3\xa9\r\n"),
    "NUL and control octets": (HEAD, b"a\x00b\x00\r\n\x01\x1b[31m\x7f\x0c\r\n"),
    "dots": (HEAD, b".\r\n..\r\n.x\r\n...\r\n.\r\n\r\n.\r\n"),
    "white space at the ends of lines": (HEAD, b"a \r\n\tb\t \r\n   \r\nc  d\r\n"),
    "blank lines at both ends": (HEAD, b"\r\n\r\n\r\nx\r\n\r\n\r\n\r\n"),
    "a lone CR": (HEAD, b"one\rtwo\r\r\nthree\r\n"),
    "no body": (HEAD, b""),
    "long lines": (HEAD, b"x" * 900 + b"\r\n" + b"y" * 5000 + b"\r\n"),
    "From at the start of a line": (
        HEAD,
        b"From here on\r\n>From there\r\nFrom client@outside.example Thu\r\n",
    ),
    "several parts": (HEAD + PARTS[0], PARTS[1]),
    "an odd header": (ODD_HEAD, b"odd\r\n"),
}


def test_every_octet_is_as_the_sender_sent_it(site: Moderated) -> None:
    marks = {name: identity() for name in MESSAGES}
    for name, mark in marks.items():
        send(site, content(name, mark))
    for name, mark in marks.items():
        site.released(mark)
        direct, released = copies(site, mark)
        assert released.content.endswith(body(direct)), name
        assert unchanged(direct, released), name
        assert released.sender_parameters[1:] == direct.sender_parameters[1:], name
        assert [p.partition("=")[0] for p in released.sender_parameters] == ["SIZE", "BODY"], name


@pytest.mark.parametrize("canonicalization", CANONICALIZATIONS, ids=lambda c: b"/".join(c).decode())
def test_a_signature_made_before_the_hold_holds_after_the_release(
    site: Moderated, signer: Signer, canonicalization: tuple[bytes, bytes]
) -> None:
    """Over all fields and the whole body; the direct copy shows that Postfix itself breaks none of these."""
    names = [name for name in MESSAGES if name not in {"a lone CR", "long lines"}]
    marks = {name: identity() for name in names}
    for name, mark in marks.items():
        send(site, signer.sign(content(name, mark), canonicalization))
    for name, mark in marks.items():
        site.released(mark)
        direct, released = copies(site, mark)
        assert signer.holds(direct.content), name
        assert signer.holds(released.content), name
        assert not signer.holds(
            released.content.replace(b"offer", b"0ffer").replace(b"odd\r\n", b"0dd\r\n")
        ), name


def test_without_a_line_end_at_its_end_a_message_is_as_good(site: Moderated, signer: Signer) -> None:
    """BDAT (RFC 3030) and sendmail(1) carry what DATA can't."""
    marks = [identity(), identity()]
    signed = [
        signer.sign(
            HEAD + b"Message-ID: <%s@test.example>\r\n\r\nlast line" % mark.encode(), CANONICALIZATIONS[-1]
        )
        for mark in marks
    ]
    with site.installation.session() as session:
        session.mail(CLIENT, "BODY=8BITMIME")
        for recipient in (COMMERCIAL, ALICE):
            assert session.rcpt(recipient).code == 250
        session.send(b"BDAT %d LAST\r\n" % len(signed[0]) + signed[0])
        assert session.reply().code == 250
    site.installation.postfix.sendmail([COMMERCIAL, ALICE], signed[1].replace(b"\r\n", b"\n"), "-f", CLIENT)
    for mark in marks:
        site.released(mark)
        direct, released = copies(site, mark)
        assert unchanged(direct, released)
        assert signer.holds(direct.content)
        assert signer.holds(released.content)


def test_nine_megabytes_are_released_as_they_were(site: Moderated, signer: Signer) -> None:
    mark = identity()
    line = bytes(range(128, 204)) + b"\r\n"
    message = (
        HEAD + b"Message-ID: <%s@test.example>\r\n\r\n" % mark.encode() + line * (9_000_000 // len(line))
    )
    send(site, signer.sign(message, CANONICALIZATIONS[-1]))
    site.released(mark)
    direct, released = copies(site, mark)
    assert len(direct.content) > 9_000_000
    assert unchanged(direct, released)
    assert signer.holds(released.content)


def test_what_uses_international_addresses_asks_for_it_again_and_nothing_else_does(site: Moderated) -> None:
    plain, international = identity(), identity()
    head = "From: Jürgen <jürgen@müller.example>\r\nSubject: Grüße\r\n"
    message = f"{head}Message-ID: <{international}@test.example>\r\n\r\nschön\r\n".encode()
    send(site, message, "jürgen@müller.example", "SMTPUTF8", "BODY=8BITMIME")
    send(site, content("plain", plain), CLIENT)
    for mark in (plain, international):
        site.released(mark)
    direct, released = copies(site, international)
    assert unchanged(direct, released)
    assert "SMTPUTF8" in direct.sender_parameters
    assert "SMTPUTF8" in released.sender_parameters
    for copy in copies(site, plain):
        assert "SMTPUTF8" not in copy.sender_parameters


@pytest.mark.parametrize(
    "sender", [PIERRE, "pierre.durand+x=y@masociete.example", '"odd local"@masociete.example', ""],
)  # fmt: skip
def test_the_return_path_is_the_senders_own(site: Moderated, sender: str) -> None:
    """Of a login, where it is his: others' bounces go to the owners, held or not. Null is refused to begin with."""
    mark = identity()
    message = f"From: {PIERRE}\r\nMessage-ID: <{mark}@test.example>\r\n\r\nx\r\n".encode()
    sent = site.installation.send(sender, [COMMERCIAL, ALICE], message, login="pierre")
    if not sender:
        assert sent.recipients[0].code == 550
        return
    assert sent.accepted, sent
    site.released(mark)
    for copy in site.copies(mark, [ALICE, *MEMBERS]):
        his = "odd" not in sender or ALICE in copy.addresses
        assert copy.sender == sender if his else copy.sender.startswith("bounce+")


def test_members_see_nothing_of_the_hold(site: Moderated) -> None:
    """Neither ticket nor token, neither the service's addresses nor how the desk came by the message."""
    mark = identity()
    send(site, content("plain", mark))
    item = site.released(mark)
    batches = site.ledger.releases.batches(item.id)
    tickets = {item.arrival.ticket, *(batch.ticket for batch in batches)} - {""}
    assert len(tickets) >= 2
    for copy in site.copies(mark, [ALICE, *MEMBERS]):
        if ALICE in copy.addresses:
            continue
        everything = b"\n".join(
            [copy.content, copy.sender.encode(), *map(str.encode, copy.sender_parameters)]
            + [f"{one.address} {one.parameters}".encode() for one in copy.recipients]
        ).lower()
        for ticket in tickets:
            assert ticket.encode() not in everything
        for word in (b"hold+", b"delivered-to", b"x-original-to", b"authenticated sender", b"approve+"):
            assert word not in everything, word
        # The MTA itself notes for whom it took a message: an address that says nothing and opens nothing.
        service = re.findall(rb"\S*groups\.masociete\.example\S*", copy.content)
        assert set(service) == {b"<release@groups.masociete.example>;"}
        assert re.fullmatch(r"bounce\+[a-z2-7]{48}@groups\.masociete\.example", copy.sender)
        assert {p for one in copy.recipients for p in one.parameters} == {f"ORCPT=rfc822;{COMMERCIAL}"}


def test_what_is_kept_is_the_message_as_it_was(site: Moderated) -> None:
    mark = identity()
    send(site, content("dots", mark))
    item = site.released(mark)
    mailbox = Maildir(Path(site.installation.service.hold))
    site.until(lambda: item.arrival.file in set(mailbox.names(Folder.APPROVED)), "its folder")
    kept = mailbox.read(item.arrival.file)
    assert kept.endswith(content("dots", mark).replace(b"\r\n", b"\n"))


def content(name: str, mark: str) -> bytes:
    head, text = MESSAGES[name]
    return head + b"Message-ID: <%s@test.example>\r\n\r\n" % mark.encode() + text


def send(site: Moderated, message: bytes, sender: str = CLIENT, *parameters: str) -> None:
    """To the moderated group and to Alice, in one transaction."""
    sent = site.installation.send(sender, [COMMERCIAL, ALICE], message, *parameters or ("BODY=8BITMIME",))
    assert sent.accepted, sent


def copies(site: Moderated, mark: str) -> tuple[SunkMessage, SunkMessage]:
    """Alice's copy and a member's; all members' are the same but for their trace fields."""
    found = site.copies(mark, [ALICE, *MEMBERS])
    (direct,) = (copy for copy in found if ALICE in copy.addresses)
    released = [copy for copy in found if copy is not direct]
    assert len({untraced(copy.content) for copy in released}) == 1
    return direct, released[0]


def untraced(octets: bytes) -> bytes:
    """The message without the fields that MTAs, and we with them, put on top."""
    while octets.startswith((b"Received:", b"X-Groupmilter-Loop:")):
        octets = re.sub(rb"\A[\w-]+:[^\n]*\n(?:[ \t][^\n]*\n)*", b"", octets)
    return octets


def body(copy: SunkMessage) -> bytes:
    return copy.content.partition(b"\r\n\r\n")[2]


def unchanged(direct: SunkMessage, released: SunkMessage) -> bool:
    """Whether a released copy is the direct one, with our own fields above and below the sender's header."""
    head, _, text = untraced(direct.content).partition(b"\r\n\r\n")
    ours, _, rest = untraced(released.content).partition(b"\r\n\r\n")
    if text != rest or not ours.startswith(head):
        return False
    added = re.sub(rb"\r\n[ \t]", b" ", ours[len(head) :]).split(b"\r\n")
    return all(not line or line.partition(b":")[0] in OURS for line in added)
