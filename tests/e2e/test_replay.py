"""The same message to the same group again, through a real Postfix: signed mail that somebody sends on, and honest
senders who try again because they didn't hear, or because something behind us failed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.installation import OUTSIDER, Installation, delivered_to, installation, recipients
from tests.support.milter_protocol import Packet
from tests.support.milter_recorder import MilterRecorder
from tests.support.office import BOB, JEAN, MORE, OFFICE, OPEN, PIERRE, group, identity, member, message
from tests.support.service import Service
from tests.support.signing import Signer

PARTNERS, OTHERS = "partenaires@masociete.example", "autres@masociete.example"
PAUL, DOMAIN = "paul@outside.example", "outside.example"
ELSEWHERE = "198.51.100.66"
EXTRA = group("partenaires", f"dgExternalSender: @{DOMAIN}", *member("jean", "bob")) + group(
    "autres", f"dgExternalSender: @{DOMAIN}", *member("pierre")
)
AT_THE_END = Packet("E", b"")
LATER = b"y451 4.7.1 not now, says the other milter\0"


@pytest.fixture(scope="module")
def other() -> Iterator[MilterRecorder]:
    with MilterRecorder() as running:
        yield running


@pytest.fixture(scope="module")
def running(other: MilterRecorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("replay")
    office, policy = folder / "office.ldif", folder / "refuse.yaml"
    office.write_text(OFFICE.read_text("utf-8") + "\n" + MORE + EXTRA, "utf-8")
    policy.write_text("replay: {then: refuse, window: 1d}\n", "utf-8")
    options = {"policies": [str(policy)], "authentication": {"timeout": "15s", "deadline": "15s"}}
    with (
        Service(f"ldif:{office}", options=options, desk=False) as service,
        installation(service, after=(f"inet:127.0.0.1:{other.port}",)) as site,
    ):
        Signer().publish(service.dns)
        yield site


@pytest.fixture
def site(running: Installation) -> Iterator[Installation]:
    running.settle()
    running.forget()
    known = len(running.service.surprises())
    yield running
    running.settle()
    assert running.service.surprises()[known:] == []


def signed(mark: str) -> bytes:
    fields = (f"To: {PARTNERS}".encode(), b"Subject: Roof", b"Date: Thu, 26 Nov 2026 10:00:00 +0000")
    return Signer().craft(message(mark, f"Paul <{PAUL}>", *fields, body=b"It  leaks.\r\n"))


def test_a_signed_message_that_somebody_sends_on_is_refused_there_and_new_elsewhere(
    site: Installation,
) -> None:
    mark = identity()
    original = signed(mark)
    assert site.send(PAUL, [PARTNERS], original).accepted
    again = site.send("thief@evil.example", [PARTNERS], original, client=ELSEWHERE)
    assert str(again.end).startswith("550 5.7.1")
    # The signature covers neither Message-ID nor the width of white space: it holds, and is the same one.
    altered = original.replace(f"<{mark}@".encode(), f"<{mark}-b@".encode()).replace(
        b"It  leaks", b"It leaks"
    )
    assert Signer().holds(altered)
    assert str(site.send(PAUL, [PARTNERS], altered, client=ELSEWHERE).end).startswith("550 5.7.1")
    assert site.send("thief@evil.example", [OTHERS], original, client=ELSEWHERE).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB, PIERRE])
    assert site.held() == []


def test_from_where_it_came_first_it_is_held_and_may_come_as_often_as_it_likes(site: Installation) -> None:
    mark = identity()
    assert site.send(PAUL, [OPEN], message(mark)).accepted
    for _ in range(2):
        assert site.send(PAUL, [OPEN], message(mark)).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB])
    assert [delivered_to(held).partition("+")[0] for held in site.held()] == ["hold", "hold"]


def test_a_login_sends_again_at_will(site: Installation) -> None:
    mark = identity()
    for _ in range(2):
        assert site.send(JEAN, [OPEN], message(mark, JEAN), login="jean").accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB] * 2)


@contextmanager
def failing_behind_us(other: MilterRecorder) -> Iterator[None]:
    other.answers[AT_THE_END] = LATER
    try:
        yield
    finally:
        other.answers.clear()


def test_an_honest_retry_after_a_failure_behind_us_is_held_and_never_refused(
    site: Installation, other: MilterRecorder
) -> None:
    """The worst case: we agreed and have remembered it, and the mail server then said 451."""
    mark = identity()
    with failing_behind_us(other):
        for _ in range(2):
            assert str(site.send(PAUL, [OPEN], message(mark)).end).startswith("451")
    assert site.send(PAUL, [OPEN], message(mark), client="203.0.113.10").accepted, (
        "from a neighbour of the first"
    )
    site.settle()
    assert site.delivered(mark) == []
    assert len(site.held()) == 1


def test_what_never_came_to_its_end_may_come_again(site: Installation) -> None:
    mark = identity()
    with site.session(OUTSIDER) as session:
        session.mail(PAUL)
        session.rcpt(OPEN)
        session.command("DATA")
        session.send(message(mark))
    assert site.send(PAUL, [OPEN], message(mark), client=ELSEWHERE).accepted
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB])


def test_a_state_that_cant_be_read_delays_strangers_and_nobody_else(running: Installation) -> None:
    """The log says so, which the other tests would take for a surprise."""
    site = running
    site.settle()
    site.forget()
    state = Path(site.service.folder) / "state.db"
    aside = state.with_name("state.aside")
    site.send(PAUL, [OPEN], message(identity()))
    state.rename(aside)
    try:
        mark, other = identity(), identity()
        assert str(site.send(PAUL, [OPEN], message(mark)).end).startswith("451 4.4.3")
        assert site.send(JEAN, [OPEN], message(other, JEAN), login="jean").accepted
        assert site.send(PAUL, [JEAN], message(other)).accepted
    finally:
        aside.rename(state)
    site.service.wait(lambda: site.send(PAUL, [OPEN], message(mark)).accepted, "the state")
    site.settle()
    assert recipients(site.delivered(mark)) == sorted([JEAN, BOB])
    assert site.held() == []
