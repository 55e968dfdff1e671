"""Self-tests: the bare SMTP client sends what it is told; and what milters see of a TLS session."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.certificates import Authority, Certificate
from tests.support.milter_client import MilterClient
from tests.support.milter_protocol import Packet, Stage
from tests.support.milter_recorder import MilterRecorder
from tests.support.postfix import Postfix
from tests.support.postfix_files import Tls
from tests.support.sink import Sink
from tests.support.smtp_client import SmtpClient, stuffed

MESSAGE = b".first\r\nSubject: \xff\r\n\r\n.\r\n..x\r\n"
HELO_MACROS = "{tls_version} {cipher} {cipher_bits} {cert_subject} {cert_issuer} {verify}"


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    # Postfix reads the client's authority as another user: the directory must let it in.
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Authority(Path(name)).create()


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def recorder() -> Iterator[MilterRecorder]:
    with MilterRecorder(macros={int(Stage.HELO): HELO_MACROS}) as running:
        yield running


@pytest.fixture(scope="module")
def postfix(sink: Sink, authority: Authority, recorder: MilterRecorder) -> Iterator[Postfix]:
    server = authority.issue("mx")
    tls = Tls(server.certificate, server.key, authority.certificate)
    milter = (f"inet:127.0.0.1:{recorder.port}",)
    with Postfix(sink_port=sink.port, smtpd_milters=milter, tls=tls, logins={"alice": "secret"}) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_seen(sink: Sink, recorder: MilterRecorder) -> None:
    sink.clear()
    recorder.clear()


def test_messages_arrive_octet_by_octet_and_several_in_a_session(postfix: Postfix, sink: Sink) -> None:
    with SmtpClient(postfix.ports.mx) as client:
        assert client.greeting.code == 220
        assert "PIPELINING" in client.ehlo().lines
        for number in (1, 2):
            sent = client.transaction(
                f"a{number}@x.example", ["jean@masociete.example", "no@x.example"], MESSAGE
            )
            assert ([reply.code for reply in sent.recipients], sent.accepted) == ([250, 554], True)
        assert client.quit().code == 221
    messages = sink.wait_for(2)
    assert sorted(message.sender for message in messages) == ["a1@x.example", "a2@x.example"]
    assert all(message.content.endswith(b".\r\n..x\r\n") for message in messages)


def test_pipelined_commands_are_answered_in_order(postfix: Postfix, sink: Sink) -> None:
    with SmtpClient(postfix.ports.mx) as client:
        client.ehlo()
        lines = [
            "MAIL FROM:<a@x.example>",
            "RCPT TO:<no@x.example>",
            "RCPT TO:<jean@masociete.example>",
            "DATA",
        ]
        assert [reply.code for reply in client.pipeline(lines)] == [250, 554, 250, 354]
        client.send(stuffed(b"Subject: x\r\n\r\n") + b".\r\n")
        assert str(client.reply()).startswith("250 2.0.0 Ok: queued as ")
    assert sink.wait_for(1)[0].addresses == ("jean@masociete.example",)


def test_a_client_gone_before_the_dot_leaves_nothing(
    postfix: Postfix, sink: Sink, recorder: MilterRecorder
) -> None:
    with SmtpClient(postfix.ports.mx) as client:
        client.ehlo()
        client.mail("a@x.example")
        client.rcpt("jean@masociete.example")
        assert client.command("DATA").code == 354
        client.send(b"Subject: half\r\n\r\nha")
        client.drop()
    [session] = recorder.wait_for("Q")
    assert [packet.command for packet in session if packet.command != "D"] == list("OCHMRTAAQ")
    postfix.wait_idle()
    assert sink.messages == []


def test_odd_octets_and_a_closed_connection(postfix: Postfix) -> None:
    with SmtpClient(postfix.ports.mx) as client:
        assert client.command(b"MAIL FROM:<\xff@x.example>").code == 500
        assert client.command("QUIT").code == 221
        with pytest.raises(ConnectionError):
            client.reply()


def test_logins(postfix: Postfix) -> None:
    with SmtpClient(postfix.ports.submission, source="127.0.0.2") as client:
        client.ehlo()
        assert client.login("alice", "wrong").code == 535
        assert client.login("alice", "secret").code == 235


@pytest.mark.parametrize("issuer", ["known", "unknown"])
def test_a_tls_session_as_milters_see_it(
    postfix: Postfix, authority: Authority, recorder: MilterRecorder, issuer: str, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger").create()
    certificate = (authority if issuer == "known" else stranger).issue("robot")
    with SmtpClient(postfix.ports.mx) as client:
        client.ehlo()
        assert client.starttls(context_of(authority, certificate)).code == 220
        client.ehlo()
        assert client.transaction("a@x.example", ["jean@masociete.example"], b"Subject: x\r\n\r\n").accepted
        client.quit()
    [real] = recorder.wait_for("Q")
    [_, (_, tls)] = [packet.macros for packet in real if packet.command == "D" and packet.payload[:1] == b"H"]
    subject = {"{cert_subject}": "robot", "{cert_issuer}": authority.name}
    assert {name: tls[name] for name in tls if "cert" in name} == (subject if issuer == "known" else {})
    assert "{verify}" not in tls
    assert without_content(ours(recorder, tls)) == without_content(real)


def ours(recorder: MilterRecorder, tls: dict[str, str]) -> list[Packet]:
    recorder.clear()
    with MilterClient(f"inet:127.0.0.1:{recorder.port}") as client:
        client.connect("localhost", "127.0.0.1")
        client.helo()
        client.abort()
        client.helo(tls=tls)
        client.send_message("a@x.example", ["jean@masociete.example"], b"Subject: x\r\n\r\n")
    return recorder.wait_for("Q")[0]


def without_content(session: list[Packet]) -> list[object]:
    """Commands in order; payloads only where nothing in them depends on the run."""
    return [
        packet if packet.payload[:1] == b"H" or packet.command in "HMRLN" else packet.command
        for packet in session
    ]


def context_of(authority: Authority, certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context
