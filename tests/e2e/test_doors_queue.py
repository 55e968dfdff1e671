"""What an administrator does to Postfix's queue is no door: what is in it has been judged, and stays as it was.

postsuper -h, -H and -r, a message that Postfix itself has put on hold, a reload, a policy or directory that has changed
meanwhile: the members stay those of the moment when the message was taken, each gets one copy, with the same content,
and what is to be approved waits for it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.installation import Installation, delivered_to, recipients
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
HIDDEN = "secret@masociete.example"
FULL = "450 4.2.2 mailbox full for now"


def postsuper(site: Installation, *arguments: str) -> None:
    """postsuper(1) on this instance."""
    command = ("postsuper", "-c", str(site.postfix.config_directory), *arguments)
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def nobody_home(site: Installation, *addresses: str) -> Iterator[None]:
    """While these take nothing, so that what is for them stays in the queue.

    It isn't tried again there until somebody wants it: a copy that is on its way just when its message is put back
    would come beside those of the message put back.
    """
    site.sink.replies.update(dict.fromkeys(addresses, FULL))
    backoff = ("minimal_backoff_time", "maximal_backoff_time")
    before = {name: site.postfix.postconf(name) for name in backoff}
    site.postfix.edit(dict.fromkeys(backoff, "1h"))
    site.postfix.reload()
    try:
        yield
    finally:
        site.postfix.edit(before)
        site.postfix.reload()
        site.sink.replies.clear()


@contextmanager
def on_hold(site: Installation) -> Iterator[None]:
    """While Postfix itself puts every message into its hold queue (access(5), HOLD)."""
    site.postfix.edit({"smtpd_end_of_data_restrictions": "check_client_access static:HOLD"})
    site.postfix.restart()
    try:
        yield
    finally:
        site.postfix.edit({"smtpd_end_of_data_restrictions": ""})
        site.postfix.restart()


def queued(site: Installation, queue: str) -> list[str]:
    """Wait for the one message in this queue; return for whom it is."""
    site.postfix.wait(lambda: [m["queue_name"] for m in site.postfix.queue()] == [queue], f"one in {queue}")
    [waiting] = site.postfix.queue()
    return sorted(one["address"] for one in waiting["recipients"])


def submit(site: Installation, mark: str, group: str) -> None:
    """Send to a group that is closed, moderated or hides its members, as who may."""
    login = "alice" if group == CONTACT else ""
    sender = ALICE if login else STRANGER
    assert site.send(sender, [group], message(mark, sender, b"Subject: as it was"), login=login).accepted


def delivered_all(site: Installation) -> None:
    """Return once nothing is queued; what is put back meanwhile is tried at once, again and again."""

    def empty() -> bool:
        site.postfix.flush()
        return site.postfix.message_count == 0

    site.postfix.wait(empty, "an empty queue", 180)
    site.settle()


REQUEUED = (("-r",), ("-h", "-r", "-H"), ("-h", "-H"), ("-r", "-r"))


@pytest.mark.parametrize("orders", REQUEUED, ids=" ".join)
@pytest.mark.parametrize(("group", "members"), [(CONTACT, [JEAN, PIERRE]), (HIDDEN, [BOB, JEAN])])
def test_a_message_put_back_is_expanded_once(
    site: Installation, group: str, members: list[str], orders: tuple[str, ...]
) -> None:
    mark = identity()
    with nobody_home(site, *members):
        submit(site, mark, group)
        assert queued(site, "deferred") == members
        known = len(site.service.lines("message"))
        for order in orders:
            postsuper(site, order, "ALL")
    delivered_all(site)
    copies = site.delivered(mark)
    assert recipients(copies) == members
    assert all(b"Subject: as it was\r\n" in copy.content for copy in copies)
    assert {copy.sender.partition("+")[0] for copy in copies} == {"bounce" if group == HIDDEN else ALICE}
    assert len(site.service.lines("message")) == known, "a milter has seen it again"
    assert site.held() == []


@pytest.mark.parametrize("orders", [("-H",), ("-r", "-H"), ("-H", "-r")], ids=" ".join)
def test_a_ticket_that_is_put_back_is_held_once(site: Installation, orders: tuple[str, ...]) -> None:
    """A moderated group's message that Postfix has put on hold: let go, it goes to the moderators, not to members."""
    mark = identity()
    with on_hold(site):
        submit(site, mark, COMMERCIAL)
        [ticket] = queued(site, "hold")
        assert ticket.startswith("hold+")
        for order in orders:
            postsuper(site, order, "ALL")
        delivered_all(site)
    assert site.delivered(mark) == []
    assert [delivered_to(held) for held in site.held()] == [ticket]


def test_a_message_on_hold_goes_to_the_members_of_then(site: Installation) -> None:
    """The group has changed meanwhile: nothing is expanded a second time."""
    mark = identity()
    with on_hold(site):
        submit(site, mark, OPEN)
        assert queued(site, "hold") == [BOB, JEAN]
        with closed_policy(site):
            postsuper(site, "-r", "ALL")
            postsuper(site, "-H", "ALL")
            delivered_all(site)
    assert recipients(site.delivered(mark)) == [BOB, JEAN]


@contextmanager
def closed_policy(site: Installation) -> Iterator[None]:
    """While a rule of the site's own refuses everything."""
    before, policy = site.service.options, site.service.folder / "closed.yaml"
    policy.write_text("rules: [{name: shut, when: {}, then: {refuse: {}}}]\n", "utf-8")
    site.service.reload({**before, "policies": [str(policy)]})
    try:
        yield
    finally:
        site.service.reload(before)


def test_a_policy_that_has_changed_holds_for_every_session_that_begins(site: Installation) -> None:
    """One that was open before is served on as it began, five minutes at most (the role's `drain_within`)."""
    marks = [identity() for _ in range(3)]
    with site.session() as session:
        assert session.transaction(STRANGER, [OPEN], message(marks[0])).accepted
        with closed_policy(site):
            assert session.transaction(STRANGER, [OPEN], message(marks[1])).accepted
            assert not site.send(STRANGER, [OPEN], message(marks[2])).accepted
    site.settle()
    reached = [recipients(site.delivered(mark)) for mark in marks]
    assert reached == [[BOB, JEAN], [BOB, JEAN], []]


def test_a_reload_of_postfix_inside_a_transaction_changes_nothing(site: Installation) -> None:
    marks = [identity() for _ in range(3)]
    with site.session() as session:
        assert session.mail(STRANGER).code == 250
        assert session.rcpt(CONTACT).code == 550
        assert session.rcpt(COMMERCIAL).code == 250
        site.postfix.reload()
        assert session.rcpt(CLOSED).code == 550
        assert session.content(message(marks[0])).code == 250
        assert session.transaction(STRANGER, [CONTACT], message(marks[1])).recipients[0].code == 550
    assert site.send(STRANGER, [CONTACT], message(marks[2])).recipients[0].code == 550
    site.settle()
    assert site.sink.messages == []
    assert len(site.held()) == 1


@pytest.mark.parametrize("when", ["between messages", "after RCPT", "before the last dot"])
def test_a_restart_inside_a_long_session_opens_nothing(site: Installation, when: str) -> None:
    """Till Postfix has connected again such a session hears 4xx (Postfix < 3.11); nothing passes unjudged."""
    marks = [identity() for _ in range(3)]
    with site.session() as session:
        assert session.transaction(STRANGER, [COMMERCIAL], message(marks[0])).accepted
        if when != "between messages":
            assert session.mail(STRANGER).code == 250
            assert session.rcpt(COMMERCIAL).code == 250
        if when == "before the last dot":
            assert session.command("DATA").code == 354
            session.send(message(marks[1]))
        restart(site)
        if when == "after RCPT":
            session.rcpt(OPEN)
            codes = [session.content(message(marks[1])).code]
        elif when == "before the last dot":
            session.send(b".\r\n")
            codes = [session.reply().code]
        else:
            mail = session.mail(STRANGER)
            codes = [mail.code, session.rcpt(CONTACT).code]
        session.rset()
        later = session.mail(STRANGER), session.rcpt(CONTACT)
    assert all(code >= 400 or (code == 250 and when == "between messages") for code in codes)
    assert later[-1].code >= 400
    assert site.send(STRANGER, [CONTACT], message(marks[2])).recipients[0].code == 550
    site.settle()
    assert site.sink.messages == []
    assert len(site.held()) == 1


def restart(site: Installation) -> None:
    """Stop groupmilter's every process at once, and start it again."""
    site.service.kill()
    site.service.start()
