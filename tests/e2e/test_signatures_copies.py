"""Signatures on what else comes of a message: late decisions, copies for moderators, reports, ARC sets of relays."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from tests.support.moderated import CALM, Moderated, moderated
from tests.support.moderators import Moderators
from tests.support.office import (
    ALICE,
    BOB,
    COMMERCIAL,
    GROUPS,
    JEAN,
    MORE,
    OPEN,
    PEOPLE,
    PIERRE,
    group,
    identity,
    member,
)
from tests.support.signed import LETTERS, Signers, letter
from tests.support.sink import SunkMessage

CLIENT = "client@outside.example"
OWN = "masociete.example"
CHANGING, SMALL = "mouvant@masociete.example", "petit@masociete.example"
EXTRA = "".join(
    (
        group(
            "mouvant",
            "dgRequireAuthentication: FALSE",
            "dgModerated: TRUE",
            f"dgModerator: uid=jean,{PEOPLE}",
            *member("bob", "pierre"),
        ),
        group("petit", "dgMaxMessageSize: 400", *member("bob")),
    )
)
UNFIT = {"long lines", "several parts", "no line end at the end"}
"""What no letter encloses, since message/rfc822 knows lines of 998 octets at most, and x.bin may be a program; and what
DATA can't carry."""
COMPLETED = {"long lines", "an odd header", "beyond ASCII", "neither Date, Message-ID nor To"}
"""Where Postfix itself adds to what sendmail(1) submits, breaks lines, or needs to be told of UTF-8."""


@pytest.fixture(name="site", scope="module")
def _site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moderated]:
    folder = tmp_path_factory.mktemp("policy")
    (folder / "policy.yaml").write_text("moderation: {letters_per_hour: 1000}\n", "utf-8")
    with moderated(MORE, EXTRA, options={"policies": [str(CALM), str(folder / "policy.yaml")]}) as site:
        yield site


@pytest.fixture(name="signers", scope="module")
def _signers() -> Iterator[Signers]:
    with Signers() as running:
        yield running


def send(site: Moderated, to: list[str], message: bytes, sender: str = CLIENT, login: str = "") -> None:
    parameters = ["BODY=8BITMIME", *(["SMTPUTF8"] if "jürgen".encode() in message else [])]
    sent = site.installation.send(sender, to, message, *parameters, login=login)
    assert sent.accepted, sent


def sunk(site: Moderated, mark: str, address: str) -> list[SunkMessage]:
    """What somebody got about a message, and not of it: such mail has the null return path."""
    found = [m for m in site.installation.sink.to(address) if m.told]
    return [m for m in found if mark.encode() in m.content]


def test_approved_by_mail_after_the_group_has_changed(site: Moderated, signers: Signers) -> None:
    mark, jean = identity(), Moderators(site.installation)
    send(site, [CHANGING], signers.sign(letter("plain", mark)))
    item = site.held(mark)
    site.until(lambda: jean.letter(mark) is not None, "a letter")
    question = jean.letter(mark)
    assert question is not None
    before = site.installation.service.generation()
    site.slapd.modify(
        f"dn: cn=mouvant,{GROUPS}\nchangetype: modify\ndelete: member\nmember: uid=pierre,{PEOPLE}\n-\n"
        f"add: member\nmember: uid=alice,{PEOPLE}\n"
    )
    site.installation.service.wait_change(before)
    assert jean.by_mail(question, "approve").accepted
    site.ended(item)
    for copy in site.copies(mark, [ALICE, BOB]):
        assert signers.broken(copy.content) == []


@pytest.mark.parametrize("name", [name for name in LETTERS if name not in UNFIT])
def test_the_original_that_a_moderator_gets(site: Moderated, signers: Signers, name: str) -> None:
    mark = identity()
    send(site, [COMMERCIAL], signers.sign(letter(name, mark)))
    site.until(lambda: bool(sunk(site, mark, JEAN)), "a letter")
    (asking,) = sunk(site, mark, JEAN)
    assert signers.broken(enclosed(asking.content)) == []
    altered = enclosed(asking.content).replace(b"Subject:", b"Subject: Re:")
    assert signers.broken(altered) != []


def enclosed(content: bytes) -> bytes:
    """The octets of the message/rfc822 part, as they stand between its boundaries (RFC 2046 section 5.1.1)."""
    found = re.search(rb"\r\nContent-Type: multipart/mixed;\s+boundary=\"([^\"]+)\"", content)
    assert found, content
    parts = content.split(b"\r\n--" + found[1])
    (part,) = [p for p in parts if p.startswith(b"\r\nContent-Type: message/rfc822")]
    return part.partition(b"\r\n\r\n")[2] + b"\r\n"


@pytest.mark.parametrize("name", ["plain", "a folded header", "several parts"])
def test_the_header_that_a_report_gives_back(site: Moderated, name: str) -> None:
    """Its sender can tell by it, with the body that he has kept, that it is his."""
    mark = identity()
    message = letter(name, mark).replace(CLIENT.encode(), ALICE.encode()).removesuffix(b"\r\n") + b"x" * 400
    with Signers(OWN) as signers:
        send(site, [SMALL, PIERRE], signers.sign(message + b"\r\n"), ALICE, "alice")
        site.until(lambda: bool(sunk(site, mark, ALICE)), "a report")
        report = email.message_from_bytes(sunk(site, mark, ALICE)[0].content, policy=email.policy.default)
        assert isinstance(report, EmailMessage)
        (returned,) = [p for p in report.walk() if p.get_content_type() == "text/rfc822-headers"]
        header = returned.get_payload(decode=True)
        assert isinstance(header, bytes)
        body = (message + b"\r\n").partition(b"\r\n\r\n")[2]
        assert signers.broken(header.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n" + body) == []


@pytest.mark.parametrize("to", [OPEN, COMMERCIAL])
def test_the_sets_of_relays_before_us_survive(site: Moderated, signers: Signers, to: str) -> None:
    mark = identity()
    sealed = signers.sign(letter("a folded header", mark))
    for _ in range(3):
        sealed = signers.seal(sealed)
    assert signers.chain(sealed) == "pass"
    send(site, [to], sealed)
    if to == COMMERCIAL:
        site.released(mark)
    for copy in site.copies(mark, [JEAN, BOB] if to == OPEN else [PIERRE, BOB]):
        assert signers.broken(copy.content) == []
        assert signers.chain(copy.content) == "pass"
        assert copy.content.endswith(sealed[sealed.index(b"ARC-Seal") :].partition(b"\r\n\r\n")[2])
        assert copy.content.count(b"ARC-Message-Signature:") == 3
        assert b"\r\nList-Id: " in copy.content
        assert signers.chain(copy.content.replace(b"folded\r\n", b"f0lded\r\n")) == "fail"


def test_what_a_set_of_a_relay_names_is_not_added(site: Moderated, signers: Signers) -> None:
    mark = identity()
    sealed = signers.seal(letter("plain", mark), ("from", "subject", "precedence", "list-id"))
    send(site, [OPEN], sealed)
    for copy in site.copies(mark, [JEAN, BOB]):
        assert signers.chain(copy.content) == "pass"
        assert b"\r\nList-Id: " not in copy.content
        assert b"\r\nPrecedence: " not in copy.content
        assert b"\r\nList-Post: " in copy.content


def test_what_this_host_submits_for_others(site: Moderated, signers: Signers) -> None:
    """By sendmail(1), as a web form or an alias does: Postfix completes nothing that is there."""
    marks = {name: identity() for name in LETTERS if name not in COMPLETED}
    for name, mark in marks.items():
        octets = signers.sign(letter(name, mark)).replace(b"\r\n", b"\n")
        site.installation.postfix.sendmail([OPEN], octets, "-f", CLIENT)
    for name, mark in marks.items():
        for copy in site.copies(mark, [JEAN, BOB]):
            assert signers.broken(copy.content) == [], name
            assert b"\r\nX-Groupmilter-Loop: " in copy.content
