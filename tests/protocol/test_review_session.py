"""Found in review, over a real milter socket: odd octets, huge headers, and mail in observe mode."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

import pytest
from tests.support.milter_client import MilterClient
from tests.support.office import ALICE, CONTACT, JEAN, OFFICE, PIERRE, message
from tests.support.service import Service


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with Service(f"ldif:{OFFICE}", workers=1) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[MilterClient]:
    with MilterClient(service.milter, timeout=20) as connected:
        connected.connect()
        connected.helo()
        yield connected


@pytest.mark.parametrize("macro", ["{mail_addr}", "{auth_authen}"])
def test_a_macro_that_is_no_text_keeps_nobodys_mail(client: MilterClient, macro: str) -> None:
    client.mail("x@outside.example", macros={macro: "caf\udce9@outside.example"})
    assert client.rcpt(JEAN).code == 250
    assert client.rcpt(CONTACT).smtp.startswith("550 5.7.1")


def test_a_recipient_macro_that_is_no_text_is_no_group(client: MilterClient) -> None:
    client.mail("x@outside.example")
    assert client.rcpt("caf\udce9@masociete.example", canonical="caf\udce9@masociete.example").code == 250
    assert client.rcpt(JEAN).code == 250


def test_a_sender_that_is_no_text_is_judged_like_any_outsider(client: MilterClient) -> None:
    client.mail("caf\udce9@outside.example", macros={"{mail_addr}": "caf\udce9@outside.example"})
    assert client.rcpt(CONTACT).smtp.startswith("550 5.7.1")


def test_a_surprise_at_mail_from_answers_at_rcpt_and_not_by_silence(client: MilterClient) -> None:
    began = monotonic()
    client.mail("x@outside.example", "SIZE=" + "9" * 5000)
    answer = client.rcpt(JEAN)
    assert answer.code in {250, 451}
    assert monotonic() - began < 15
    client.abort()
    client.mail(ALICE, login="alice")
    assert client.rcpt(CONTACT).code == 250


@pytest.mark.parametrize(("count", "length"), [(5_000, 1), (20, 60_000)])
def test_a_header_without_end_is_refused_and_not_kept(client: MilterClient, count: int, length: int) -> None:
    client.mail(ALICE, login="alice")
    assert client.rcpt(CONTACT).code == 250
    client.header("From", ALICE)
    for number in range(count):
        client.header(f"X-{number}", "x" * length)
    client.eoh()
    assert client.end_of_message().reply.smtp.startswith("552 5.2.3")


def test_the_same_header_is_no_business_of_ours_without_a_group(client: MilterClient) -> None:
    client.mail(ALICE, login="alice")
    assert client.rcpt(JEAN).code == 250
    for number in range(2_000):
        client.header(f"X-{number}", "x")
    client.eoh()
    assert client.end_of_message().reply.code == 250


def test_a_long_header_of_a_big_list_passes(client: MilterClient) -> None:
    client.mail(ALICE, login="alice")
    assert client.rcpt(CONTACT).code == 250
    client.header("From", ALICE)
    client.header("To", ", ".join(f"someone{number}@masociete.example" for number in range(2_000)))
    client.eoh()
    assert client.end_of_message().reply.code == 250


def test_observing_never_answers_whatever_happens() -> None:
    observing = Service(f"ldif:{OFFICE}", workers=1, staged=True, options={"mode": "observe"})
    with observing as service, MilterClient(service.milter) as client:
        client.connect()
        client.helo()
        refused = client.send_message("x@outside.example", [CONTACT, PIERRE], message("x", ALICE))
        assert refused.delivered_to == (CONTACT, PIERRE)
        assert refused.modifications == ()
        (service.folder / "stage.json").write_text("not JSON", "utf-8")
        surprised = client.send_message(ALICE, [CONTACT], message("x", ALICE), login="alice")
        assert surprised.delivered_to == (CONTACT,)


def test_local_submission_hears_of_a_surprise_at_the_end_only() -> None:
    with Service(f"ldif:{OFFICE}", workers=1, staged=True) as service, MilterClient(service.milter) as client:
        client.connect_local()
        client.helo()
        (service.folder / "stage.json").write_text("not JSON", "utf-8")
        outcome = client.send_message(ALICE, [CONTACT], message("x", ALICE))
        assert outcome.recipients[0][1].code == 250
        assert outcome.last is not None
        assert outcome.last.smtp.startswith("451 4.3.0")
