"""What nobody foresaw: one log line, 451 4.3.0, and the next message is served as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.milter_client import MilterClient, Outcome
from tests.support.office import ALICE, CONTACT, JEAN, OFFICE, PIERRE, message
from tests.support.service import Service


@pytest.fixture
def service() -> Iterator[Service]:
    with Service(f"ldif:{OFFICE}", staged=True) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[MilterClient]:
    with MilterClient(service.milter) as connected:
        connected.connect()
        connected.helo()
        yield connected


def send(client: MilterClient, *to: str) -> Outcome:
    return client.send_message(ALICE, to, message("surprise", ALICE), login="alice")


def break_stage(service: Service) -> Path:
    stage = service.folder / "stage.json"
    stage.write_text("not JSON", "utf-8")
    return stage


def test_at_rcpt(service: Service, client: MilterClient) -> None:
    break_stage(service)
    refused = send(client, CONTACT)
    assert refused.recipients[0][1].smtp.startswith("451 4.3.0")
    service.stage()
    assert send(client, CONTACT).delivered_to == (JEAN, PIERRE)


def test_at_the_end_of_the_message_nothing_is_left_edited(service: Service, client: MilterClient) -> None:
    client.mail(ALICE, login="alice")
    assert client.rcpt(CONTACT).code == 250
    client.header("From", ALICE)
    break_stage(service)
    end = client.end_of_message()
    assert end.reply.smtp.startswith("451 4.3.0")
    assert end.modifications == ()
    service.stage()
    assert send(client, CONTACT).delivered_to == (JEAN, PIERRE)


def test_after_one_in_a_message_the_rest_of_it_is_deferred_too(
    service: Service, client: MilterClient
) -> None:
    """A recipient that was accepted before, and one after it, may not go on without the one in between."""
    client.mail(ALICE, login="alice")
    assert client.rcpt(JEAN).code == 250
    break_stage(service)
    assert client.rcpt(CONTACT).smtp.startswith("451 4.3.0")
    service.stage()
    assert client.rcpt(PIERRE).code in (250, 451)
    client.header("From", ALICE)
    assert client.end_of_message().reply.code == 451


def test_it_is_one_line_with_the_trace_and_who_was_concerned(service: Service, client: MilterClient) -> None:
    break_stage(service)
    assert [reply.code for _, reply in send(client, CONTACT, JEAN, PIERRE).recipients] == [451, 451, 451]
    [line] = service.lines("surprise")
    assert line["step"] == "rcpt_to"
    assert line["sender"] == f"<{ALICE}>"
    assert "JSONDecodeError" in line["exception"]
    pids = set(service.processes())
    assert len(pids) == service.workers


def test_mail_to_persons_does_not_even_notice(service: Service, client: MilterClient) -> None:
    break_stage(service)
    outcome = client.send_message("x@outside.example", [JEAN], message("a stranger's"))
    assert outcome.delivered_to == (JEAN,)
    assert service.lines("surprise") == []
