"""Odd contents and envelopes through the real Postfix: octets, headers, UTF-8, the null sender, the crowd."""

from __future__ import annotations

import pytest
from tests.support.installation import Installation, delivered_to, recipients, return_path
from tests.support.office import (
    ADMINISTRATOR,
    ALICE,
    BOB,
    COMMERCIAL,
    CONTACT,
    CROWD,
    JEAN,
    OPEN,
    PIERRE,
    crowd,
    identity,
    message,
)

STRANGER = "x@outside.example"
ODD_HEADERS = {
    "Latin-1 subject": b"Subject: r\xe9union \xe0 No\xebl",
    "broken UTF-8": b"Subject: \xc3\x28 \xf0\x28\x8c\x28 \xff\xfe",
    "NUL-free control octets": b"Subject: a\x01b\x1b[31mred\x7f",
    "space before the colon": b"X-Odd : value",
    "no value": b"X-Empty:",
    "a long line": b"X-Long: " + b"x" * 20000,
    "deeply folded": b"X-Folded: a" + b"\r\n\tb" * 500,
    "many": b"\r\n".join(b"X-Many-%d: %d" % (n, n) for n in range(900)),
    "percent signs": b"Subject: 100% %s %n %%",
}


@pytest.mark.parametrize("name", ODD_HEADERS)
def test_odd_headers_arrive_as_they_were(site: Installation, name: str) -> None:
    mark = identity()
    sent = site.send(STRANGER, [OPEN], message(mark, STRANGER, ODD_HEADERS[name]), "BODY=8BITMIME")
    assert sent.accepted, sent
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]
    for copy in site.delivered(mark):
        head = copy.content.partition(b"\r\n\r\n")[0]
        assert last_line(ODD_HEADERS[name]) in head
        assert b"List-Id: <ouvert.masociete.example>" in head


def last_line(header: bytes) -> bytes:
    """What must be there in any case; Postfix folds long lines and drops blanks before the colon by itself."""
    return header.rpartition(b"\r\n")[2].replace(b" :", b":")[:900]


@pytest.mark.parametrize(
    "author", [b"From: r\xe9n\xe9 <x@outside.example>", b"From: =?utf-8?q?R=C3=A9?= <x@outside.example>"]
)
def test_an_8_bit_author_proves_nothing_and_breaks_nothing(site: Installation, author: bytes) -> None:
    mark = identity()
    content = b"\r\n".join((author, b"Message-ID: <%s@test.example>" % mark.encode(), b"", b"\xe9\xff\r\n"))
    assert site.send(STRANGER, [COMMERCIAL, OPEN], content, "BODY=8BITMIME").accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]
    [held] = site.held()
    assert held.endswith(b"\n\xe9\xff\n")
    assert author in held


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"no header at all\r\n",
        b" begins with a blank\r\n\r\nbody\r\n",
        b"Subject: x\r\nbroken\r\n\r\nbody\r\n",
        b"Subject: x\r\nX-\xe9: value\r\n\r\nbody\r\n",
    ],
    ids=["nothing", "an empty line", "no header", "a folded nothing", "a broken line", "an 8-bit name"],
)
def test_a_message_without_a_proper_header_goes_where_it_may(site: Installation, content: bytes) -> None:
    sent = site.send(STRANGER, [OPEN], content)
    assert sent.accepted, sent
    assert site.send(STRANGER, [CONTACT], content).recipients[0].code == 550
    login = site.send(ALICE, [CONTACT], content, login="alice")
    site.settle()
    copies = [JEAN, PIERRE] if login.accepted else []
    assert recipients(site.sink.messages) == sorted([BOB, JEAN, *copies])


def test_two_authors_of_which_one_is_foreign_are_refused_to_all(site: Installation) -> None:
    mark = identity()
    sent = site.send(BOB, [CONTACT, JEAN], message(mark, f"{BOB}, {ALICE}"), login="bob")
    assert sent.end is not None
    assert str(sent.end).startswith("550 5.7.1")
    site.settle()
    assert site.delivered(mark) == []


def test_the_null_sender_has_no_business_in_a_group_and_reaches_a_person(site: Installation) -> None:
    mark = identity()
    report = message(mark, "mailer-daemon@outside.example")
    assert site.send("", [OPEN], report).recipients[0].code == 550
    assert site.send("", [COMMERCIAL], report).recipients[0].code == 550
    assert site.send("", [JEAN], report).accepted
    site.settle()
    assert recipients(site.sink.messages) == [JEAN]
    assert site.held() == []


def test_an_international_sender_and_member(site: Installation) -> None:
    mark = identity()
    sent = site.send("jürgen@müller.example", [OPEN], message(mark, "jürgen@müller.example"), "SMTPUTF8")
    assert sent.accepted, sent
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]
    assert all("SMTPUTF8" in copy.sender_parameters for copy in site.delivered(mark))


def test_an_international_message_is_held_with_its_ticket(site: Installation) -> None:
    mark = identity()
    assert site.send("jürgen@müller.example", [COMMERCIAL], message(mark), "SMTPUTF8").accepted
    site.settle()
    [held] = site.held()
    assert delivered_to(held).startswith("hold+")
    assert return_path(held) == "jürgen@müller.example"


def test_each_of_a_crowd_gets_one_copy(site: Installation) -> None:
    mark = identity()
    assert site.send(ALICE, [CROWD, JEAN, CROWD.upper()], message(mark, ALICE), login="alice").accepted
    site.sink.wait_for_copies(len(crowd()) + 1)
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, *crowd()])


def test_an_empty_group_is_refused_and_nothing_vanishes(site: Installation) -> None:
    mark = identity()
    sent = site.send(ALICE, ["vide@masociete.example"], message(mark, ALICE), login="alice")
    assert sent.recipients[0].code == 550 or (sent.end is not None and sent.end.code == 550)
    assert "5.2.1" in str(sent.recipients[0] if sent.recipients[0].code == 550 else sent.end)


def test_reports_of_a_group_with_hidden_members_go_to_a_ticket_and_never_name_one(site: Installation) -> None:
    mark = identity()
    site.sink.replies[BOB] = "550 5.1.1 no such person"
    try:
        assert site.send(STRANGER, ["secret@masociete.example"], message(mark)).accepted
        site.settle()
    finally:
        site.sink.replies.clear()
    [copy] = site.delivered(mark)
    assert copy.addresses == (JEAN,)
    assert copy.sender.startswith("bounce+")
    assert copy.sender.endswith("@groups.masociete.example")
    assert site.reports(mark) == []
    [report] = site.held()
    assert delivered_to(report).startswith("bounce+")


def test_a_dead_member_is_reported_to_an_insider_who_wrote(site: Installation) -> None:
    mark = identity()
    site.sink.replies[PIERRE] = "550 5.1.1 no such person"
    try:
        assert site.send(ALICE, [CONTACT], message(mark, ALICE), login="alice").accepted
        site.settle()
    finally:
        site.sink.replies.clear()
    assert recipients(site.delivered(mark)) == [JEAN]
    [report] = site.reports(mark)
    assert report.addresses == (ALICE,)


def test_a_message_to_one_group_names_the_list_and_one_to_two_names_none(site: Installation) -> None:
    one, two = identity(), identity()
    assert site.send(ALICE, [CONTACT], message(one, ALICE), login="alice").accepted
    assert site.send(ALICE, [CONTACT, OPEN], message(two, ALICE), login="alice").accepted
    site.settle()
    assert all(b"\r\nList-Id: <contact." in copy.content for copy in site.delivered(one))
    assert not any(b"\r\nList-Id:" in copy.content for copy in site.delivered(two))
    assert recipients(site.delivered(two)) == [BOB, JEAN, PIERRE]
    assert ADMINISTRATOR not in recipients(site.sink.messages)
