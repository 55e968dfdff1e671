"""Self-tests: the private Postfix and the sink are what the other tests think they are."""

from __future__ import annotations

import smtplib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.postfix import Postfix, PostfixError
from tests.support.sink import Sink, SunkMessage

MESSAGE = b"Subject: hello\r\nFrom: <alice@masociete.example>\r\n\r\n.dot\r\n..\r\n\xe9\r\n"


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def postfix(sink: Sink) -> Iterator[Postfix]:
    logins = {"alice": "secret", "bob@other.example": "pass word"}
    with Postfix(sink_port=sink.port, logins=logins) as running:
        yield running


@pytest.fixture(autouse=True)
def empty_sink(sink: Sink) -> None:
    sink.clear()
    sink.replies.clear()


def client(port: int) -> smtplib.SMTP:
    session = smtplib.SMTP("127.0.0.1", port, timeout=150)
    session.ehlo("client.example")
    return session


def test_the_mx_relays_to_the_sink_with_envelope_parameters_and_octets(postfix: Postfix, sink: Sink) -> None:
    with client(postfix.ports.mx) as session:
        session.mail("x@outside.example", ["BODY=8BITMIME", "RET=HDRS"])
        session.rcpt("jean@masociete.example", ["NOTIFY=NEVER", "ORCPT=rfc822;contact@masociete.example"])
        assert session.data(MESSAGE)[0] == 250
    [message] = sink.wait_for(1)
    assert message.sender == "x@outside.example"
    assert "BODY=8BITMIME" in message.sender_parameters
    [recipient] = message.recipients
    assert recipient.address == "jean@masociete.example"
    assert set(recipient.parameters) == {"NOTIFY=NEVER", "ORCPT=rfc822;contact@masociete.example"}
    assert message.content.endswith(b"\r\n\r\n.dot\r\n..\r\n\xe9\r\n")


def test_the_mx_relays_for_nobody(postfix: Postfix) -> None:
    with client(postfix.ports.mx) as session:
        session.mail("x@outside.example")
        assert session.rcpt("y@elsewhere.example")[0] == 554


@pytest.mark.parametrize("listener", ["submission", "release"])
def test_a_login_is_needed_and_suffices(postfix: Postfix, sink: Sink, listener: str) -> None:
    with client(getattr(postfix.ports, listener)) as session:
        session.mail("alice@masociete.example")
        assert session.rcpt("y@elsewhere.example")[0] == 554
        session.rset()
        with pytest.raises(smtplib.SMTPAuthenticationError):
            session.login("alice", "wrong")
        session.login("bob@other.example", "pass word")
        session.sendmail("bob@other.example", ["y@elsewhere.example"], MESSAGE)
    assert sink.wait_for(1)[0].addresses == ("y@elsewhere.example",)


def test_the_service_domain_is_one_maildir(postfix: Postfix, sink: Sink) -> None:
    before = len(postfix.held())
    with client(postfix.ports.mx) as session:
        session.sendmail("x@outside.example", ["hold+abc@groups.masociete.example"], MESSAGE)
    held = postfix.wait_held(before + 1)
    assert any(b"\nDelivered-To: hold+abc@groups.masociete.example\n" in message for message in held)
    assert sink.messages == []


def test_local_submission_and_mail_to_an_address_literal_stay_inside(postfix: Postfix, sink: Sink) -> None:
    recipients = ["root@[127.0.0.1]", "jean@masociete.example"]
    postfix.sendmail(recipients, b"Subject: cron\n\nx\n", "-f", "cron@masociete.example")
    sink.wait_for_copies(2)
    assert sink.addresses() == ["jean@masociete.example", "root@[127.0.0.1]"]


def test_a_client_may_play_another_address(postfix: Postfix, sink: Sink) -> None:
    with client(postfix.ports.mx) as session:
        assert session.docmd("XCLIENT", "ADDR=203.0.113.9 NAME=mail.outside.example")[0] == 220
        session.ehlo("mail.outside.example")
        session.sendmail("x@outside.example", ["jean@masociete.example"], MESSAGE)
    assert b"[203.0.113.9]" in sink.wait_for(1)[0].content


def test_a_deferred_recipient_is_queued_until_the_sink_takes_it(postfix: Postfix, sink: Sink) -> None:
    sink.replies["full@masociete.example"] = "452 4.2.2 full"
    sink.replies["gone@masociete.example"] = "550 5.1.1 gone"
    with client(postfix.ports.mx) as session:
        recipients = ["full@masociete.example", "gone@masociete.example", "jean@masociete.example"]
        session.sendmail("x@outside.example", recipients, MESSAGE)
    postfix.wait(lambda: any(entry["queue_name"] == "deferred" for entry in postfix.queue()), "deferred mail")
    [entry] = [entry for entry in postfix.queue() if entry["queue_name"] == "deferred"]
    assert [recipient["address"] for recipient in entry["recipients"]] == ["full@masociete.example"]
    sink.replies.clear()
    postfix.flush()
    postfix.wait_idle()
    assert sink.addresses() == ["full@masociete.example", "jean@masociete.example", "x@outside.example"]
    assert "status=bounced" in postfix.log()


def test_settings_change_by_edit_and_restart(sink: Sink) -> None:
    table = "inline:{ jean@masociete.example=x }"
    lines = ("extra unix - - n - - discard",)
    main = {"message_size_limit": "20480"}
    with Postfix(sink_port=sink.port, recipient_map=table, main=main, master=lines) as own:
        assert own.postconf("message_size_limit") == "20480"
        assert "extra" in (own.config_directory / "master.cf").read_text("utf-8")
        with client(own.ports.mx) as session:
            session.mail("x@outside.example")
            assert session.rcpt("nobody@masociete.example")[0] == 550
            assert session.rcpt("jean@masociete.example")[0] == 250
        own.edit({"relay_recipient_maps": ""})
        own.restart()
        with client(own.ports.mx) as session:
            session.mail("x@outside.example")
            assert session.rcpt("nobody@masociete.example")[0] == 250
        own.reload()
        root = own.layout.root
        pid = int((own.layout.queue / "pid" / "master.pid").read_text())
    assert not root.exists()
    own.wait(lambda: not _alive(pid), "the end of master(8)")
    assert "daemon started" in own.log()
    assert "fatal" not in own.log()


def test_two_instances_run_at_once(postfix: Postfix, sink: Sink) -> None:
    with Postfix(sink_port=sink.port) as other:
        assert set(vars_of(other)).isdisjoint(vars_of(postfix))
        for instance in (other, postfix):
            with client(instance.ports.mx) as session:
                session.sendmail("x@outside.example", ["jean@masociete.example"], MESSAGE)
        sink.wait_for(2)


def vars_of(postfix: Postfix) -> tuple[int, int, int]:
    return (postfix.ports.mx, postfix.ports.submission, postfix.ports.release)


def test_an_instance_that_cannot_start_says_why_and_leaves_nothing() -> None:
    broken = Postfix(sink_port=None, main={"mail_owner": "no-such-user"})
    with pytest.raises(PostfixError, match="no-such-user"), broken:
        raise AssertionError("started")
    with pytest.raises(PostfixError, match="not started"):
        assert broken.layout


def test_the_sink_takes_many_connections_at_once(sink: Sink) -> None:
    def send(number: int) -> None:
        with client(sink.port) as session:
            session.sendmail(f"s{number}@x.example", [f"r{number}@x.example"], MESSAGE)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    messages: list[SunkMessage] = sink.wait_for(100)
    for thread in threads:
        thread.join()
    assert {message.sender for message in messages} == {f"s{number}@x.example" for number in range(100)}
    assert {message.content for message in messages} == {MESSAGE}


def test_the_sink_keeps_nothing_of_a_client_gone_before_the_dot(sink: Sink) -> None:
    session = client(sink.port)
    session.mail("a@x.example")
    session.rcpt("b@x.example")
    session.docmd("DATA")
    session.send(b"half a message\r\n")
    session.close()
    with client(sink.port) as second:
        second.sendmail("c@x.example", ["b@x.example"], b"")
    assert [message.sender for message in sink.wait_for(1)] == ["c@x.example"]


def _alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
