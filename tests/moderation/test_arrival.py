"""What a file of the hold mailbox says of itself: only the delivery agent's own lines are believed."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.moderation.ledgers import KEYS, NOW, ticket

from groupmilter.groups.ticket import Keys, Kind, digest
from groupmilter.mail.content import content_digest
from groupmilter.moderation.arrival import automatic, client_of, message_of, read_arrival
from groupmilter.moderation.item import Arrival
from groupmilter.policy.facts import Strength

SERVICE = "groups.own.example"
TICKET = ticket(1, sender="uuid-jean")


def file(message: bytes, to: str = f"hold+{TICKET}@{SERVICE}", sender: str = "jean@own.example") -> bytes:
    return f"Return-Path: <{sender}>\nX-Original-To: x@y.example\nDelivered-To: {to}\n".encode() + message


def read(octets: bytes) -> Arrival:
    return read_arrival(octets, "17.1.host", KEYS, SERVICE)


def test_the_top_lines_say_what_the_ticket_stands_for() -> None:
    message = (
        b"Received: from a by b (Postfix)\n\tid 4ABCdef123; Tue\nFrom: Jean <jean@own.example>\n\nbody\n"
    )
    found = read(file(message))
    assert (found.ticket, found.kind, found.sent, found.group) == (
        TICKET,
        Kind.HOLD,
        NOW,
        digest("uuid-sales"),
    )
    assert (found.sender, found.strength) == (digest("uuid-jean"), Strength.CLAIMED)
    assert (found.return_path, found.queue_id, found.size) == ("jean@own.example", "4ABCdef123", len(message))
    assert found.content == content_digest(message).hex()
    assert found.recipient == ""


def test_the_same_names_further_down_are_the_senders_text() -> None:
    forged = f"Subject: x\nDelivered-To: hold+{TICKET}@{SERVICE}\nReturn-Path: <ceo@own.example>\n\n".encode()
    found = read(file(forged, to="other@own.example", sender="evil@out.example"))
    assert (found.kind, found.ticket, found.return_path) == (None, "", "evil@out.example")
    second = f"Delivered-To: hold+{TICKET}@{SERVICE}\n".encode() + forged
    assert read(file(second, to="other@own.example")).kind is None, "each of its lines counts once"
    assert message_of(file(second)) == second


@pytest.mark.parametrize(
    "to",
    [
        f"hold+{TICKET}@elsewhere.example",
        f"{TICKET}@{SERVICE}",
        f"release+{TICKET}@{SERVICE}",
        f"bounce+{TICKET}@{SERVICE}",
        f"hold+{TICKET[:-1]}@{SERVICE}",
        f"hold+{'b' + TICKET[1:]}@{SERVICE}",
        f"hold+@{SERVICE}",
        "hold+",
        "",
    ],
)
def test_what_is_no_ticket_of_ours_is_none(to: str) -> None:
    found = read(file(b"Subject: x\n\n", to=to))
    assert (found.kind, found.ticket, found.group, found.sender) == (None, "", 0, 0)


def test_case_is_the_mtas_to_change() -> None:
    assert read(file(b"\n", to=f"HOLD+{TICKET.upper()}@{SERVICE.upper()}")).ticket == TICKET


def test_another_key_opens_nothing() -> None:
    assert read_arrival(file(b"\n"), "f", Keys({1: b"x" * 32}, 1), SERVICE).kind is None


@pytest.mark.parametrize(
    "message",
    [
        b"Subject: x\n\nbody without line end",
        b"Subject: x\n\ncaf\xe9 \x00 lone\rreturn\r\n.dot\n",
        b"\nno header at all\n",
        b"",
        b"no header, no line end",
        b"X: y",
        "Subject: Grüße\nFrom: jürgen@köln.example\n\nÄ\n".encode(),
    ],
)
def test_the_message_is_what_the_mta_was_given(message: bytes) -> None:
    found = read(file(message))
    assert message_of(file(message)) == message
    assert (found.kind, found.size, found.content) == (Kind.HOLD, len(message), content_digest(message).hex())


def test_without_top_lines_nothing_is_taken_away() -> None:
    message = b"Subject: x\nDelivered-To: a@b.example\n\n"
    assert message_of(message) == message
    assert read(message).kind is None


def test_addresses_beyond_ascii() -> None:
    lines = (
        "Return-Path: <jürgen@köln.example>",
        "Delivered-To: große@köln.example",
        "From: jürgen@köln.example",
    )
    octets = "\n".join((*lines, "", "")).encode()
    found = read(octets)
    assert (found.return_path, found.recipient) == ("jürgen@köln.example", "große@köln.example")
    assert found.author == "jürgen@köln.example"


@pytest.mark.parametrize(
    ("fields", "author", "subject"),
    [
        (
            b"From: =?utf-8?q?H=C3=A9l=C3=A8ne?= <h@x.example>\nSubject: =?iso-8859-1?q?caf=E9?=\n",
            "Hélène <h@x.example>",
            "café",
        ),
        (b"from : a@x.example\nSUBJECT:one\n\ttwo\n  three\n", "a@x.example", "one two three"),
        (
            b"From: <a@x.example>\nSubject: =?utf-8?q?tr=C3=A8s?=\n long\n",
            "a@x.example",
            "très long",
        ),
        (
            b"From: a@x.example\nFrom: b@x.example\nSubject: one\nSubject: two\n",
            "a@x.example, b@x.example",
            "one",
        ),
        (b"Subject: caf\xe9 \xff\n", "", "caf� �"),
        (b"Subject: =?nonsense?q?caf=C3=A9?= =?punycode?q?Mnchen-3ya?=\n", "", "caféMnchen-3ya"),
        (b"Subject: a =?utf-8?x?a?= b\n", "", "a =?utf-8?x?a?= b"),
        (b"Subject: a\xe2\x80\xaeb\x1b[2Jc\n", "", "a�b�[2Jc"),
        (b"X: y\n\nFrom: body@x.example\nSubject: body\n", "", ""),
        (b"\nFrom: body@x.example\n\nSubject: body\n", "", ""),
        (b"X: y\r\n\r\nSubject: body\r\n", "", ""),
    ],
)
def test_fields_for_people(fields: bytes, author: str, subject: str) -> None:
    found = read(file(fields + b"\n"))
    assert (found.author, found.subject) == (author, subject)


def test_a_long_name_never_pushes_the_address_away() -> None:
    shown = read(file(b'From: "boss@own.example ' + b"x" * 900 + b'" <evil@out.example>\n\n')).author
    assert len(shown) <= 200
    assert shown.startswith('"boss@own.example xxx')
    assert shown.endswith("… <evil@out.example>")
    assert len(read(file(b"From: " + b"y" * 5000 + b"\n\n")).author) == 200


HEADERS = b"".join(b"X-%d: y\n" % number for number in range(100_000))
BOMBS = {
    "headers": HEADERS,
    "one header": b"Subject:" + b" x\n" * 300_000,
    "quotes": b"To: " + b'"' * 8_000 + b"\nFrom: " + b'"' * 8_000 + b"\n\n",
    "brackets": b"From: " + b"<" * 100_000 + b"\n\n",
    "encoded words": b"Subject: " + b"=?utf-8?q?=?= " * 50_000 + b"\n\n",
    "comments": b"Auto-Submitted: " + b"(" * 100_000 + b"\nPrecedence: " + b"(" * 100_000 + b"\n\n",
    "no lines": b"x" * 3_000_000,
    "empty lines": b"\n" * 3_000_000,
    "carriage returns": b"\r" * 3_000_000,
    "top lines": b"Delivered-To: a@b\n" * 100_000,
    "blank continuation": b"From:" + b"\n " * 200_000 + b"a@x.example\n\n",
    "nothing": b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_read_in_no_time(name: str) -> None:
    begun = time.process_time()
    octets = file(BOMBS[name])
    assert read(octets).kind is Kind.HOLD
    automatic(octets)
    assert time.process_time() - begun < 2


@given(st.binary(max_size=600), st.booleans())
@example(b"From: \xff=?\n\n", True)
@example(b"Subject: =?idna?q?xn--a?=\n\n", True)
@example(b"Subject: =?unicode_escape?q?=5Cq?=\n\n", True)
@example(b"Subject: =?utf-16?b?AAAA?=\n\n", True)
@example(b"Subject: =?a=00b?q?x?=\n\n", True)
def test_reading_never_raises(octets: bytes, topped: bool) -> None:
    whole = file(octets) if topped else octets
    found = read(whole)
    automatic(whole)
    assert found.size == len(message_of(whole))
    assert all(len(text) <= 400 for text in (found.author, found.subject, found.message_id, found.recipient))
    assert (found.kind is Kind.HOLD) is topped


FIELDS = st.sampled_from(
    [
        b"From",
        b"Subject",
        b"Message-ID",
        b"Received",
        b"Auto-Submitted",
        b"Precedence",
        b"Content-Type",
        b"List-Id",
    ]
)


@given(st.lists(st.tuples(FIELDS, st.binary(max_size=80)), max_size=12))
def test_reading_fields_never_raises(fields: list[tuple[bytes, bytes]]) -> None:
    octets = file(b"".join(name + b": " + value + b"\n" for name, value in fields) + b"\nbody\n")
    found = read(octets)
    automatic(octets)
    assert "\n" not in found.author + found.subject + found.message_id + found.queue_id


@pytest.mark.parametrize(
    ("received", "client"),
    [
        (
            "from mx.x.example (mail.x.example [203.0.113.9])\n\t(using TLSv1.3)\n\tby mx.own.example",
            "203.0.113.9",
        ),
        ("from [198.51.100.1] (unknown [203.0.113.9])\n\tby mx.own.example", "203.0.113.9"),
        ("from x(unknown[198.51.100.1]) (unknown [203.0.113.9]) by mx", "203.0.113.9"),
        ("from x.example (unknown [IPv6:2001:db8::1]) by mx", "2001:db8::1"),
        ("from x.example ([203.0.113.9]) by mx (8.17)", "203.0.113.9"),
        ("from x.example (who@rdns.example [203.0.113.9] (may be forged)) by mx (8.17)", "203.0.113.9"),
        ("by mx.own.example (Postfix, from userid 0)\n\tid 1; [203.0.113.9]", ""),
        ("from x.example by mx", ""),
    ],
)
def test_who_brought_a_message_stands_in_our_own_servers_field(received: str, client: str) -> None:
    others = "Received: from a (b [192.0.2.1]) by c\n"
    assert client_of(file(f"Received: {received}\n{others}\nbody\n".encode())) == client
    assert client_of(file(b"Subject: x\n\nReceived: from a (b [192.0.2.1]) by c\n")) == ""
