"""Self-test: who gets a copy by the milter client's reckoning gets one from a real Postfix, and nobody else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import trivial_milter
from tests.support.milter_client import MilterClient, Outcome
from tests.support.ports import free_port
from tests.support.postfix import Postfix
from tests.support.sink import Sink
from tests.support.smtp_client import SmtpClient

MESSAGE = b"Subject: x\r\n\r\nx\r\n"
RECIPIENTS = (
    ["group@masociete.example"],
    ["GROUP@MaSociete.example", "bob@masociete.example"],
    ["bob@masociete.example", "Refused@masociete.example"],
    ["later@masociete.example", "refused@masociete.example"],
)


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    program = Path(trivial_milter.__file__)
    with subprocess.Popen([sys.executable, str(program), f"inet:{port}@127.0.0.1"]) as process:
        yield port
        process.kill()


@pytest.fixture(scope="module")
def postfix(sink: Sink, port: int) -> Iterator[Postfix]:
    milter = (f"inet:127.0.0.1:{port}",)
    with Postfix(sink_port=sink.port, smtpd_milters=milter, non_smtpd_milters=milter) as running:
        running.wait(lambda: answers(port), "answer from the milter")
        yield running


def answers(port: int) -> bool:
    try:
        with MilterClient(f"inet:127.0.0.1:{port}"):
            return True
    except OSError:
        return False


@pytest.mark.parametrize("recipients", RECIPIENTS)
def test_over_smtp(postfix: Postfix, sink: Sink, port: int, recipients: list[str]) -> None:
    sink.clear()
    with SmtpClient(postfix.ports.mx) as smtp:
        smtp.ehlo()
        real = smtp.transaction("a@x.example", recipients, MESSAGE)
    postfix.wait_idle()
    with MilterClient(f"inet:127.0.0.1:{port}") as client:
        client.connect()
        client.helo()
        ours = client.send_message("a@x.example", recipients, MESSAGE)
    assert (real.accepted, sink.addresses()) == (ours.accepted, sorted(ours.delivered_to))
    for reply, (_, answer) in zip(real.recipients, ours.recipients, strict=True):
        assert answer.code == reply.code
        assert answer.code == 250 or answer.smtp == str(reply)


def test_by_local_submission(postfix: Postfix, sink: Sink, port: int) -> None:
    sink.clear()
    recipients = ["Group@MaSociete.example", "Bob@masociete.example"]
    postfix.sendmail(recipients, b"Subject: x\n\nx\n")
    postfix.wait_idle()
    ours = locally_submitted(port, recipients)
    assert sink.addresses() == sorted(ours.delivered_to)
    assert len(ours.delivered_to) == 3


def locally_submitted(port: int, recipients: list[str]) -> Outcome:
    with MilterClient(f"inet:127.0.0.1:{port}") as client:
        client.connect_local()
        client.helo()
        return client.send_message("root@masociete.example", recipients, MESSAGE)
