"""Other milters beside ours: before us, and (which `check` warns of) after us.

What a milter before us refuses we never expand. What one after us refuses at RCPT we aren't told of, which is
why ours has to be the last; at the end of the message, and for what it accepts, the order makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.support.installation import Installation, installation, recipients
from tests.support.milter_protocol import Packet
from tests.support.milter_recorder import MilterRecorder
from tests.support.office import ALICE, BOB, CONTACT, JEAN, MORE, OFFICE, OPEN, PIERRE, identity, message
from tests.support.service import Service
from tests.support.serving import Serving
from tests.support.slapd import Slapd

STRANGER = "x@outside.example"
REFUSAL = b"y550 5.7.1 not by the other milter\0"
AT_RCPT = Packet("R", f"<{OPEN}>".encode() + b"\0")
AT_THE_END = Packet("E", b"")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Slapd(content=[OFFICE, MORE]) as slapd, Service(slapd.uri, desk=False) as running:
        yield running


@pytest.fixture(scope="module")
def other() -> Iterator[MilterRecorder]:
    with MilterRecorder() as running:
        yield running


@contextmanager
def answering(other: MilterRecorder, packet: Packet) -> Iterator[None]:
    other.answers[packet] = REFUSAL
    try:
        yield
    finally:
        other.answers.clear()


@pytest.fixture(scope="module", params=["before", "after"])
def beside(service: Service, other: MilterRecorder, request: pytest.FixtureRequest) -> Iterator[Installation]:
    address = (f"inet:127.0.0.1:{other.port}",)
    before, after = (address, ()) if request.param == "before" else ((), address)
    with installation(service, before=before, after=after) as site:
        yield site


def is_last(site: Installation) -> bool:
    return site.postfix.postconf("smtpd_milters").endswith(site.service.milter)


def test_where_both_accept_the_groups_are_expanded(beside: Installation, other: MilterRecorder) -> None:
    mark = identity()
    other.clear()
    assert beside.send(ALICE, [CONTACT, OPEN], message(mark, ALICE), login="alice").accepted
    beside.settle()
    assert recipients(beside.delivered(mark)) == [BOB, JEAN, PIERRE]
    assert sum(AT_THE_END in packets for packets in other.wait_for("E")) == 1


def test_what_the_other_refuses_at_its_end_reaches_nobody(
    beside: Installation, other: MilterRecorder
) -> None:
    mark = identity()
    with answering(other, AT_THE_END):
        sent = beside.send(STRANGER, [OPEN], message(mark))
    assert str(sent.end) == "550 5.7.1 not by the other milter"
    beside.settle()
    assert beside.delivered(mark) == []


def test_what_we_refuse_is_refused_whatever_the_other_says(beside: Installation) -> None:
    mark = identity()
    sent = beside.send(STRANGER, [CONTACT, OPEN], message(mark))
    assert [reply.code for reply in sent.recipients] == [550, 250]
    beside.settle()
    assert recipients(beside.delivered(mark)) == [BOB, JEAN]


def test_what_the_other_refuses_at_rcpt(beside: Installation, other: MilterRecorder) -> None:
    """Before us: we never hear of it. After us: we expand it all the same, hence the demand to be the last."""
    mark = identity()
    with answering(other, AT_RCPT):
        sent = beside.send(ALICE, [OPEN, CONTACT], message(mark, ALICE), login="alice")
    assert [reply.code for reply in sent.recipients] == [550, 250]
    beside.settle()
    phantom = [] if is_last(beside) else [BOB]
    assert recipients(beside.delivered(mark)) == sorted([JEAN, PIERRE, *phantom])


def test_check_says_that_ours_has_to_be_the_last(beside: Installation) -> None:
    checked = Serving(beside.service.folder, "", beside.service.control).run(
        "check", "--postfix-config", str(beside.postfix.config_directory)
    )
    assert ("Put it last." in " ".join(checked.stdout.split())) == (not is_last(beside))
