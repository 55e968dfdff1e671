"""SMTP sessions with more than one message, broken off ones, pipelined ones, and many at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from tests.support.installation import Installation, recipients
from tests.support.office import (
    ALICE,
    BOB,
    CLOSED,
    COMMERCIAL,
    CONTACT,
    JEAN,
    OPEN,
    PIERRE,
    identity,
    message,
)

STRANGER = "x@outside.example"


def test_the_second_message_is_judged_by_itself_after_a_refused_one(site: Installation) -> None:
    first, second = identity(), identity()
    with site.session() as session:
        assert session.transaction(STRANGER, [CONTACT], message(first)).recipients[0].code == 550
        assert session.transaction(STRANGER, [OPEN], message(second)).accepted
    site.settle()
    assert site.delivered(first) == []
    assert recipients(site.delivered(second)) == [BOB, JEAN]


def test_the_second_message_is_judged_by_itself_after_an_accepted_one(site: Installation) -> None:
    first, second = identity(), identity()
    with site.session() as session:
        assert session.transaction(STRANGER, [OPEN], message(first)).accepted
        assert session.transaction(STRANGER, [CONTACT], message(second)).recipients[0].code == 550
    site.settle()
    assert recipients(site.delivered(first)) == [BOB, JEAN]
    assert site.delivered(second) == []


def test_a_message_refused_at_its_end_leaves_nothing_for_the_next(site: Installation) -> None:
    first, second = identity(), identity()
    with site.session(login="bob") as session:
        forged = session.transaction(BOB, [CONTACT], message(first, ALICE))
        assert forged.end is not None
        assert str(forged.end).startswith("550 5.7.1")
        assert session.transaction(BOB, [CONTACT], message(second, BOB)).accepted
    site.settle()
    assert site.delivered(first) == []
    assert recipients(site.delivered(second)) == [JEAN, PIERRE]


def test_a_message_to_nobody_of_ours_between_two_to_groups(site: Installation) -> None:
    marks = [identity() for _ in range(3)]
    with site.session(login="alice") as session:
        for mark, to in zip(marks, (CONTACT, JEAN, COMMERCIAL), strict=True):
            assert session.transaction(ALICE, [to], message(mark, ALICE)).accepted
    site.settle()
    assert [recipients(site.delivered(mark)) for mark in marks] == [[JEAN, PIERRE], [JEAN], [BOB, PIERRE]]


def test_the_login_of_one_session_is_not_the_next_one_s(site: Installation) -> None:
    with site.session(login="alice") as session:
        assert session.transaction(ALICE, [CONTACT], message(identity(), ALICE)).accepted
    with site.session() as session:
        assert session.transaction(ALICE, [CONTACT], message(identity(), ALICE)).recipients[0].code == 550


@pytest.mark.parametrize("verb", ["RSET", "EHLO client.example"])
def test_what_was_said_before_a_reset_is_forgotten(site: Installation, verb: str) -> None:
    mark = identity()
    with site.session(login="alice") as session:
        session.mail(ALICE)
        assert session.rcpt(CONTACT).code == 250
        assert session.command(verb).code == 250
        assert session.transaction(ALICE, [COMMERCIAL], message(mark, ALICE)).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, PIERRE]


@pytest.mark.parametrize("sent", [b"", b"DATA\r\n", b"DATA\r\nSubject: half\r\n\r\nand then"])
def test_a_client_gone_before_the_dot_leaves_nothing(site: Installation, sent: bytes) -> None:
    with site.session() as session:
        session.mail(STRANGER)
        assert session.rcpt(OPEN).code == 250
        session.send(sent)
    site.settle()
    assert site.sink.messages == []
    assert site.held() == []
    mark = identity()
    assert site.send(STRANGER, [OPEN], message(mark)).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]


def test_everything_in_one_write(site: Installation) -> None:
    first, second = identity(), identity()
    with site.session() as session:
        session.send(
            b"MAIL FROM:<x@outside.example>\r\nRCPT TO:<contact@masociete.example>\r\n"
            b"RCPT TO:<ouvert@masociete.example>\r\nRCPT TO:<commercial@masociete.example>\r\nDATA\r\n"
        )
        assert [session.reply().code for _ in range(5)] == [250, 550, 250, 250, 354]
        session.send(
            message(first) + b".\r\nMAIL FROM:<x@outside.example>\r\nRCPT TO:<contact@masociete.example>\r\n"
        )
        session.send(b"RCPT TO:<jean.dupont@masociete.example>\r\nDATA\r\n")
        assert [session.reply().code for _ in range(5)] == [250, 250, 550, 250, 354]
        session.send(message(second) + b".\r\nQUIT\r\n")
        assert [session.reply().code for _ in range(2)] == [250, 221]
    site.settle()
    assert recipients(site.delivered(first)) == [BOB, JEAN]
    assert recipients(site.delivered(second)) == [JEAN]
    assert len(site.held()) == 1


def test_the_content_in_chunks(site: Installation) -> None:
    mark = identity()
    content = message(mark, body=b"a line\r\n" * 3000)
    with site.session() as session:
        assert "CHUNKING" in session.ehlo().lines
        session.mail(STRANGER)
        assert session.rcpt(CONTACT).code == 550
        assert session.rcpt(OPEN).code == 250
        for chunk, last in ((content[:700], b""), (content[700:], b" LAST")):
            session.send(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk)
            assert session.reply().code == 250
    site.settle()
    assert recipients(site.delivered(mark)) == [BOB, JEAN]


def test_verification_by_another_host_has_no_effect(site: Installation) -> None:
    for _ in range(3):
        with site.session() as session:
            session.mail("")
            assert session.rcpt(OPEN).code == 550
            session.rset()
            session.mail(STRANGER)
            assert session.rcpt(OPEN).code == 250
            assert session.rcpt(COMMERCIAL).code == 250
            assert session.quit().code == 221
    site.settle()
    assert site.sink.messages == []
    assert site.held() == []


@dataclass(frozen=True)
class Play:
    """One message of the crowd of sessions, and who is to get it."""

    login: str
    sender: str
    to: tuple[str, ...]
    reached: tuple[str, ...]
    refused: tuple[bool, ...]
    held: int = 0


PLAYS = (
    Play("", STRANGER, (OPEN,), (BOB, JEAN), (False,)),
    Play("", STRANGER, (CONTACT,), (), (True,)),
    Play("", STRANGER, (CONTACT, OPEN), (BOB, JEAN), (True, False)),
    Play("", STRANGER, (COMMERCIAL,), (), (False,), held=1),
    Play("alice", ALICE, (CONTACT, COMMERCIAL), (BOB, JEAN, PIERRE), (False, False)),
    Play("bob", BOB, (CLOSED, CONTACT), (JEAN, PIERRE), (True, False)),
    Play("alice", ALICE, (JEAN,), (JEAN,), (False,)),
)


def test_twenty_sessions_at_once_with_different_verdicts(site: Installation) -> None:
    marks = [[identity() for _ in range(4)] for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda number: one_session(site, number, marks[number]), range(20)))
    site.settle()
    plays = [play_of(number, turn) for number in range(20) for turn in range(4)]
    reached = [recipients(site.delivered(mark)) for session in marks for mark in session]
    assert reached == [sorted(play.reached) for play in plays]
    assert len(site.held()) == sum(play.held for play in plays)


def play_of(number: int, turn: int) -> Play:
    """What a session plays in its turn; Postfix takes no second XCLIENT, so a session keeps its login."""
    login = ("", "alice", "bob")[number % 3]
    plays = [play for play in PLAYS if play.login == login]
    return plays[(number + turn) % len(plays)]


def one_session(site: Installation, number: int, marks: list[str]) -> None:
    with site.session(login=play_of(number, 0).login) as session:
        for turn, mark in enumerate(marks):
            play = play_of(number, turn)
            sent = session.transaction(play.sender, play.to, message(mark, play.sender))
            assert tuple(reply.code == 550 for reply in sent.recipients) == play.refused
            assert sent.accepted == (not all(play.refused))


def test_a_refusal_at_the_end_of_data_opens_no_door_for_the_next_message(site: Installation) -> None:
    """Postfix before August 2026 then skipped a milter that had accepted early (Postfix HISTORY, 20260803)."""
    first, second = identity(), identity()
    restriction = "check_sender_access inline:{{bad@outside.example=REJECT}}"
    site.postfix.edit({"smtpd_end_of_data_restrictions": restriction})
    site.postfix.restart()
    try:
        with site.session() as session:
            refused = session.transaction("bad@outside.example", [OPEN], message(first))
            assert refused.end is not None
            assert refused.end.code == 554
            # Postfix 3.7.11 forgets to end the transaction, and takes no MAIL before a RSET.
            session.rset()
            assert session.transaction(STRANGER, [CONTACT], message(second)).recipients[0].code == 550
            assert session.transaction(STRANGER, [COMMERCIAL], message(second)).accepted
    finally:
        site.postfix.edit({"smtpd_end_of_data_restrictions": ""})
        site.postfix.restart()
    site.settle()
    assert site.sink.messages == []
    assert len(site.held()) == 1


def test_a_person_beside_a_moderated_group_sees_nothing_of_the_hold(site: Installation) -> None:
    mark = identity()
    assert site.send(STRANGER, [JEAN, COMMERCIAL], message(mark)).accepted
    site.settle()
    [copy] = site.delivered(mark)
    assert copy.addresses == (JEAN,)
    assert copy.sender == STRANGER
    head = copy.content.partition(b"\r\n\r\n")[0].lower()
    assert b"hold+" not in head
    assert b"groupmilter" not in head
    assert b"list-id" not in head
    assert len(site.held()) == 1
