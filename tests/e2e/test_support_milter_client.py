"""Self-test: the milter client sends, octet by octet, what a real Postfix sends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from tests.support.milter_client import MilterClient
from tests.support.milter_protocol import Option, Packet, Stage
from tests.support.milter_recorder import MilterRecorder
from tests.support.postfix import Postfix
from tests.support.postfix_files import RELEASE_DAEMON_NAME
from tests.support.smtp_client import SmtpClient

MESSAGE = (
    b"Subject: \xe9t\xe9\r\nTo: a,\r\n  b,\r\n\tc\r\nX-Tight:abc\r\nX-Wide:  two\r\nX-Tab:\ttab\r\nX-Odd : q\r\n"
    b"X-Trail: a  \r\nX-Empty:\r\n\r\n" + b"x" * 70_000 + b"\r\n.\r\n"
)
LOCAL_MESSAGE = b"Subject: x\r\nFrom: a@x.example\r\nDate: now\r\nMessage-Id: <1@x.example>\r\n\r\nx\r\n"
REFUSED = Packet("R", b"<refused@masociete.example>\0")
EVERYTHING = (
    "j v _ i {daemon_name} {daemon_addr} {client_addr} {client_name} {client_ptr} {client_resolve} "
    "{client_connections} {auth_type} {auth_authen} {auth_author} {mail_addr} {mail_mailer} {rcpt_addr} "
    "{rcpt_mailer} {if_addr} {verify}"
)
# What differs from run to run: queue ids, ports, the relay's address.
QUEUE_ID = re.compile(rb"(\Ai|\0i|^.i)\0[0-9A-Z]{8,}\0")


@dataclass(frozen=True)
class Wishes:
    """What the recording milter negotiates."""

    protocol: int = 0
    macros: tuple[tuple[int, str], ...] = ()


QUIET = Option.NO_HELO | Option.NO_HEADERS | Option.NO_BODY | Option.NO_END_OF_HEADERS | Option.NO_UNKNOWN
MUTE = (
    Option.NO_REPLY_CONNECT | Option.NO_REPLY_HELO | Option.NO_REPLY_MAIL | Option.NO_REPLY_RECIPIENT
    | Option.NO_REPLY_DATA | Option.NO_REPLY_HEADERS | Option.NO_REPLY_END_OF_HEADERS | Option.NO_REPLY_BODY
)  # fmt: skip
WISHES = [
    pytest.param(Wishes(), id="everything"),
    pytest.param(Wishes(int(Option.HEADER_LEADING_SPACE | Option.NO_DATA)), id="leading-space"),
    pytest.param(Wishes(int(QUIET)), id="quiet"),
    pytest.param(Wishes(int(MUTE)), id="mute"),
    pytest.param(Wishes(0, tuple((int(stage), EVERYTHING) for stage in Stage)), id="own-macros"),
]


@pytest.fixture(scope="module", params=WISHES)
def recorder(request: pytest.FixtureRequest) -> Iterator[MilterRecorder]:
    wishes: Wishes = request.param
    answers = {REFUSED: b"y550 5.7.1 no\0", Packet("R", b"<later@masociete.example>\0"): b"t"}
    with MilterRecorder(protocol=wishes.protocol, macros=dict(wishes.macros), answers=answers) as running:
        yield running


@pytest.fixture(scope="module")
def postfix(recorder: MilterRecorder) -> Iterator[Postfix]:
    milter = (f"inet:127.0.0.1:{recorder.port}",)
    logins = {"alice": "secret"}
    with Postfix(sink_port=None, smtpd_milters=milter, non_smtpd_milters=milter, logins=logins) as running:
        yield running


def recorded(recorder: MilterRecorder, act: Callable[[], None]) -> list[Packet]:
    """One session's packets, with what differs from run to run made equal."""
    recorder.clear()
    act()
    [session] = recorder.wait_for("Q")
    return [Packet(packet.command, normalised(packet)) for packet in session]


def normalised(packet: Packet) -> bytes:
    payload = QUEUE_ID.sub(rb"\1\0ID\0", packet.payload)
    payload = re.sub(rb"\[127\.0\.0\.1\]:\d+", b"RELAY", payload)
    payload = payload.replace(b"{mail_mailer}\0discard\0", b"{mail_mailer}\0smtp\0")
    payload = payload.replace(b"{rcpt_mailer}\0discard\0", b"{rcpt_mailer}\0smtp\0")
    payload = re.sub(rb"(\{(?:mail|rcpt)_host\})\0[^\0]+\0", rb"\1\0RELAY\0", payload)
    if packet.command == "C":
        return re.sub(rb"(?s)\Alocalhost\0(4)(?!\0\0)..", rb"localhost\0\1PP", payload)
    return payload


def client(recorder: MilterRecorder, daemon_name: str | None = None) -> MilterClient:
    return MilterClient(f"inet:127.0.0.1:{recorder.port}", daemon_name=daemon_name)


def assert_same(recorder: MilterRecorder, real: Callable[[], None], ours: Callable[[], None]) -> None:
    assert recorded(recorder, ours) == recorded(recorder, real)


def test_two_messages_with_refused_recipients(postfix: Postfix, recorder: MilterRecorder) -> None:
    names = ("refused@masociete.example", "later@masociete.example", "Jean@MaSociete.Example")
    recipients = [*names, "é@masociete.example"]

    def real() -> None:
        with SmtpClient(postfix.ports.mx) as smtp:
            smtp.ehlo()
            smtp.transaction("X@Outside.example", recipients, MESSAGE, ["SIZE=99", "SMTPUTF8"])
            smtp.transaction("", ["jean@masociete.example"], b"")
            smtp.quit()

    def ours() -> None:
        with client(recorder) as milter:
            milter.connect("localhost", "127.0.0.1")
            milter.helo()
            milter.send_message("X@Outside.example", recipients, MESSAGE, "SIZE=99", "SMTPUTF8")
            milter.send_message("", ["jean@masociete.example"], b"")

    assert_same(recorder, real, ours)


@pytest.mark.parametrize("listener", ["submission", "release"])
def test_a_login(postfix: Postfix, recorder: MilterRecorder, listener: str) -> None:
    def real() -> None:
        with SmtpClient(getattr(postfix.ports, listener)) as smtp:
            smtp.ehlo()
            smtp.login("alice", "secret")
            smtp.mail("alice@masociete.example", "RET=HDRS")
            smtp.rcpt("jean@masociete.example", "NOTIFY=NEVER", "ORCPT=rfc822;a@b")
            smtp.content(b"Subject: x\r\n\r\n")
            smtp.quit()

    def ours() -> None:
        with client(recorder, RELEASE_DAEMON_NAME if listener == "release" else None) as milter:
            milter.connect("localhost", "127.0.0.1")
            milter.helo()
            milter.mail("alice@masociete.example", "RET=HDRS", login="alice")
            milter.rcpt("jean@masociete.example", "NOTIFY=NEVER", "ORCPT=rfc822;a@b")
            milter.data()
            milter.header("Subject", "x")
            milter.eoh()
            milter.end_of_message()

    assert_same(recorder, real, ours)


def test_rset_and_a_client_gone_in_a_transaction(postfix: Postfix, recorder: MilterRecorder) -> None:
    def real() -> None:
        with SmtpClient(postfix.ports.mx) as smtp:
            smtp.ehlo()
            smtp.mail("x@outside.example")
            smtp.rcpt("jean@masociete.example")
            smtp.rset()
            smtp.command("FOO")
            smtp.mail("x@outside.example")
            smtp.rcpt("jean@masociete.example")
            smtp.command("DATA")
            smtp.send(b"Subject: half\r\n\r\n")

    def ours() -> None:
        with client(recorder) as milter:
            milter.connect("localhost", "127.0.0.1")
            milter.helo()
            milter.mail("x@outside.example")
            milter.rcpt("jean@masociete.example")
            milter.abort()
            milter.unknown("FOO")
            milter.mail("x@outside.example")
            milter.rcpt("jean@masociete.example")
            milter.data()
            milter.abort()

    assert_same(recorder, real, ours)


@pytest.mark.parametrize("sender", ["Cron@masociete.example", ""])
def test_local_submission(postfix: Postfix, recorder: MilterRecorder, sender: str) -> None:
    recipients = ["Jean@MaSociete.example", "paul@masociete.example"]

    def real() -> None:
        postfix.sendmail(recipients, LOCAL_MESSAGE.replace(b"\r\n", b"\n"), "-f", sender or "<>")

    def ours() -> None:
        with client(recorder) as milter:
            milter.connect_local()
            milter.helo()
            milter.send_message(sender, recipients, LOCAL_MESSAGE)

    assert_same(recorder, real, ours)
