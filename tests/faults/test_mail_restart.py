"""The whole service stopped, started and killed while SMTP sessions go on: deferred or decided, never unfiltered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.installation import Installation, delivered_to, recipients
from tests.support.load import Load
from tests.support.office import ALICE, BOB, CONTACT, JEAN, OPEN, PIERRE, identity, message
from tests.support.smtp_client import SmtpClient, SmtpReply

STRANGER = "x@outside.example"


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_restarted_under_load_nothing_is_lost(site: Installation, way: str) -> None:
    with Load(site) as load:
        load.wait_accepted(10)
        end_service = site.service.stop if way == "stop" else site.service.kill
        end_service()
        site.service.start()
        load.wait_accepted(10)
    site.settle()
    load.nothing_was_lost()


def test_a_long_session_is_never_served_unfiltered_after_a_restart(site: Installation) -> None:
    marks = [identity() for _ in range(3)]
    with site.session() as session:
        assert session.transaction(STRANGER, [OPEN], message(marks[0])).accepted
        site.service.kill()
        site.service.start()
        for mark in marks[1:]:
            sent = session.transaction(STRANGER, [CONTACT], message(mark))
            assert not sent.accepted
            assert {sent.mail.code, *(reply.code for reply in sent.recipients)} & {451, 550}
    site.settle()
    assert [recipients(site.delivered(mark)) for mark in marks] == [sorted([BOB, JEAN]), [], []]
    assert site.held() == []


@pytest.mark.parametrize("until", ["rcpt", "data"])
def test_killed_in_the_middle_of_a_transaction_it_is_deferred(site: Installation, until: str) -> None:
    mark = identity()
    with site.session() as session:
        session.mail(STRANGER)
        assert session.rcpt(OPEN).code == 250
        if until == "data":
            assert session.command("DATA").code == 354
        site.service.kill()
        end = session.content(message(mark)) if until == "rcpt" else finish(session, mark)
    site.service.start()
    assert end.code == 451
    site.settle()
    assert site.delivered(mark) == []


def finish(session: SmtpClient, mark: str) -> SmtpReply:
    session.send(message(mark) + b".\r\n")
    return session.reply()


@contextmanager
def accepting(site: Installation) -> Iterator[None]:
    """While Postfix is set, against all advice, to go on without a milter that fails."""
    site.postfix.edit({"milter_default_action": "accept"})
    site.postfix.restart()
    try:
        yield
    finally:
        site.postfix.edit({"milter_default_action": "tempfail"})
        site.postfix.restart()


def test_with_accept_against_all_advice_the_envelope_is_never_empty(site: Installation) -> None:
    """Unsupported, and `check` complains: but what was added before the death stays, so nothing vanishes."""
    marks = {dies_at: identity() for dies_at in (0, 1, 8, 9)}
    with accepting(site):
        for dies_at, mark in marks.items():
            site.service.stage(dies_at=dies_at)
            assert site.send(ALICE, [CONTACT], message(mark, ALICE), login="alice").accepted
            site.service.stage()
            site.service.reload()
        site.settle()
    for mark in marks.values():
        reached = set(recipients(site.delivered(mark)))
        held = [delivered_to(m) for m in site.held() if f"{mark}@".encode() in m]
        assert reached <= {JEAN, PIERRE}
        assert reached or held
        assert set(held) <= {"unprocessed@groups.masociete.example"}
