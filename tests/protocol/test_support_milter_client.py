"""Self-tests: the milter client talks to a real libmilter as an MTA does."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import trivial_milter
from tests.support.milter_client import MilterClient
from tests.support.milter_protocol import (
    CONTINUE,
    Action,
    AddHeader,
    AddRecipient,
    ChangeHeader,
    ChangeSender,
    DeleteRecipient,
    Packet,
    ProtocolError,
    Reply,
    reply,
)
from tests.support.milter_recorder import MilterRecorder
from tests.support.ports import free_port

MESSAGE = b"Subject: \xe9t\xe9\r\nTo: a,\r\n b\r\n\r\n" + b"x" * 70_000 + b"\r\n"


@pytest.fixture(scope="module", params=["unix", "inet"])
def milter(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port, path = free_port(), tmp_path_factory.mktemp("milter") / "socket"
    address = f"unix:{path}" if request.param == "unix" else f"inet:{port}@127.0.0.1"
    program = Path(trivial_milter.__file__)
    with subprocess.Popen([sys.executable, str(program), address]) as process:
        try:
            wait_until_ready(address, process)
            yield address
        finally:
            process.kill()


def wait_until_ready(address: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with MilterClient(address):
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError("the trivial milter does not answer")


def session(client: MilterClient) -> MilterClient:
    assert client.connect("client.example", "192.0.2.10", 4711) == CONTINUE
    assert client.helo("client.example") == CONTINUE
    return client


def test_modifications_come_back_in_their_order(milter: str) -> None:
    with MilterClient(milter) as client:
        outcome = session(client).send_message(
            "alice@masociete.example", ["group@masociete.example", "bob@x.example"], MESSAGE, login="alice"
        )
    assert outcome.accepted
    assert outcome.modifications == (
        AddRecipient("jean@masociete.example", "NOTIFY=NEVER ORCPT=rfc822;group@masociete.example"),
        AddRecipient("pierre@masociete.example"),
        DeleteRecipient("group@masociete.example"),
        ChangeSender("bounce@masociete.example"),
        ChangeHeader(1, "Subject", "changed"),
        AddHeader("X-Seen", "alice None 4XM00000001 65535"),
    )
    assert outcome.delivered_to == ("bob@x.example", "jean@masociete.example", "pierre@masociete.example")


def test_refused_recipients_do_not_stop_the_others(milter: str) -> None:
    with MilterClient(milter) as client:
        recipients = ["refused@x.example", "later@x.example", "bob@x.example"]
        outcome = session(client).send_message("a@x.example", recipients, MESSAGE)
    [refused, later, bob] = [answer for _, answer in outcome.recipients]
    assert (refused.smtp, refused.refused) == ("550 5.7.1 100% no", True)
    assert (later.smtp, later.deferred) == ("451 4.7.1 Service unavailable - try again later", True)
    assert bob == CONTINUE
    assert outcome.delivered_to == ("bob@x.example",)


def test_a_message_with_no_accepted_recipient_has_no_data(milter: str) -> None:
    with MilterClient(milter) as client:
        outcome = session(client).send_message("a@x.example", ["refused@x.example"], MESSAGE)
        assert (outcome.last, outcome.accepted) == (None, False)
        assert client.send_message("a@x.example", ["bob@x.example"], MESSAGE).accepted


def test_a_refused_sender_or_header_ends_the_message(milter: str) -> None:
    with MilterClient(milter) as client:
        banned = session(client).send_message("banned@x.example", ["bob@x.example"], MESSAGE)
        assert (banned.mail.smtp, banned.accepted) == ("550 5.7.1 Command rejected", False)
        header = client.send_message("a@x.example", ["bob@x.example"], b"X-Refuse: yes\r\n" + MESSAGE)
        assert (header.last, header.accepted, header.delivered_to) == (Reply("r"), False, ())


def test_two_messages_and_an_abort_in_one_session(milter: str) -> None:
    with MilterClient(milter) as client:
        session(client).mail("a@x.example")
        assert client.rcpt("group@masociete.example") == CONTINUE
        client.abort()
        for number in (2, 3):
            outcome = client.send_message("a@x.example", ["bob@x.example"], b"\r\nshort\r\n")
            assert outcome.modifications[-1] == AddHeader("X-Seen", f"None None 4XM{number:08X} 7")
            assert outcome.delivered_to == ("bob@x.example",)


def test_local_submission_has_its_queue_id_from_the_start(milter: str) -> None:
    with MilterClient(milter) as client:
        client.connect_local()
        client.helo()
        outcome = client.send_message("root@masociete.example", ["Bob@x.example"], b"\r\nx\r\n")
    assert outcome.modifications[-1] == AddHeader("X-Seen", "None 4XM00000001 4XM00000001 3")


def test_a_refused_recipient_stops_a_local_submission(milter: str) -> None:
    with MilterClient(milter) as client:
        client.connect_local()
        client.helo()
        outcome = client.send_message("root@x.example", ["refused@x.example", "bob@x.example"], MESSAGE)
    assert not outcome.accepted
    assert [address for address, _ in outcome.recipients] == ["refused@x.example", "bob@x.example"]


def test_fewer_actions_can_be_offered(milter: str) -> None:
    # pymilter itself takes what it gets and only fails when it acts: a filter has to look for itself.
    with MilterClient(milter, actions=int(Action.ADD_HEADERS)) as client:
        assert client.granted_actions == Action.ADD_HEADERS
        outcome = session(client).send_message("a@x.example", ["group@masociete.example"], MESSAGE)
    assert outcome.last is not None
    assert (outcome.last.deferred, outcome.modifications, outcome.delivered_to) == (True, (), ())


def test_octets_arrive_as_they_are() -> None:
    with MilterRecorder() as recorder, MilterClient(f"inet:127.0.0.1:{recorder.port}") as client:
        session(client).mail(b"x@\xff.example", "SMTPUTF8")
        client.rcpt("é@x.example")
        client.header(b"X-\xe9", b"\xe9\n \xff")
        client.body(b"\x00\xff")
        [packets] = recorder.wait_for("B")
    assert Packet("M", b"x@\xff.example\0SMTPUTF8\0") in packets
    assert Packet("R", b"<\xc3\xa9@x.example>\0") in packets
    assert Packet("L", b"X-\xe9\0\xe9\n \xff\0") in packets
    assert packets[-1] == Packet("B", b"\x00\xff")


def test_a_milter_may_not_do_what_was_not_negotiated() -> None:
    answers = {Packet("E", b""): b"+<x@y.example>\0"}
    with MilterRecorder(actions=0, answers=answers) as recorder:
        client = MilterClient(f"inet:127.0.0.1:{recorder.port}")
        with pytest.raises(ProtocolError, match="not negotiated"), client:
            session(client).send_message("a@x.example", ["b@x.example"], b"\r\n")
    with pytest.raises(ProtocolError, match="not a verdict"):
        reply(Packet("?", b""))


def test_a_milter_gone_is_a_connection_error() -> None:
    with MilterRecorder(answers={Packet("T", b""): b""}) as recorder:
        client = MilterClient(f"inet:127.0.0.1:{recorder.port}")
        with pytest.raises(ConnectionError), client:
            session(client).send_message("a@x.example", ["b@x.example"], b"\r\n")
