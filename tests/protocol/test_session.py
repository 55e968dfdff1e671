"""The milter session at the socket: what it negotiates, what it asks for and in which order, and what it forgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest
from tests.support.milter_client import MilterClient, Outcome
from tests.support.milter_protocol import (
    ALL_ACTIONS,
    Action,
    AddRecipient,
    DeleteRecipient,
    Option,
    ProtocolError,
)
from tests.support.office import ALICE, BOB, COMMERCIAL, CONTACT, JEAN, MORE, OFFICE, OPEN, PIERRE, message
from tests.support.ports import free_port
from tests.support.service import Service

STRANGER = "x@outside.example"
OUTSIDER = "203.0.113.9"
OLDEST = Option(0x7F)
"""What every MTA offers: not to be sent what no callback is there for, which libmilter asks for unasked."""


@pytest.fixture(scope="module")
def ldif(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("directory") / "office.ldif"
    file.write_text(OFFICE.read_text("utf-8") + "\n" + MORE, "utf-8")
    return f"ldif:{file}"


@pytest.fixture(scope="module")
def service(ldif: str) -> Iterator[Service]:
    with Service(ldif) as running:
        yield running
        lacking = running.lines("the MTA lacks milter actions")
        assert [line for line in running.surprises() if line not in lacking] == []


@pytest.fixture
def outside(service: Service) -> Iterator[MilterClient]:
    with MilterClient(service.milter) as client:
        client.connect(ip=OUTSIDER)
        client.helo()
        yield client


@pytest.fixture
def inside(service: Service) -> Iterator[MilterClient]:
    with MilterClient(service.milter) as client:
        client.connect()
        client.helo()
        yield client


def from_alice(client: MilterClient, *to: str | bytes, content: bytes | None = None) -> Outcome:
    return client.send_message(ALICE, to, content or message("alice", ALICE), login="alice")


@pytest.mark.parametrize(
    "missing",
    [
        Action.ADD_RECIPIENT, Action.DELETE_RECIPIENT, Action.CHANGE_SENDER, Action.ADD_HEADERS,
        Action.ADD_RECIPIENT_WITH_PARAMETERS,
    ],
)  # fmt: skip
def test_an_mta_that_can_not_do_it_all_is_refused_the_session(service: Service, missing: Action) -> None:
    with (
        pytest.raises((ConnectionError, ProtocolError)),
        MilterClient(service.milter, ALL_ACTIONS & ~missing),
    ):
        pytest.fail("the session went on, half capable")


def test_it_asks_for_what_somebody_reads_and_answers_only_where_it_may_refuse(outside: MilterClient) -> None:
    asked = Option(outside.granted_protocol)
    assert not asked & Option.NO_HELO
    assert asked & Option.NO_REPLY_HELO
    assert asked & Option.NO_END_OF_HEADERS
    assert asked & Option.NO_DATA
    assert not asked & (
        Option.NO_MAIL | Option.NO_RECIPIENT | Option.NO_HEADERS | Option.NO_BODY | Option.NO_CONNECT
    )
    assert not asked & (Option.NO_REPLY_RECIPIENT | Option.REJECTED_RECIPIENTS)
    assert asked & Option.NO_REPLY_HEADERS
    assert asked & Option.HEADER_LEADING_SPACE


@pytest.mark.parametrize("protocol", [OLDEST, OLDEST | Option.SKIP, OLDEST | Option.NO_REPLY_HEADERS])
def test_an_mta_that_offers_less_protocol_gets_the_same_verdicts(service: Service, protocol: Option) -> None:
    with MilterClient(service.milter, protocol=int(protocol)) as client:
        client.connect()
        client.helo()
        assert from_alice(client, CONTACT).delivered_to == (JEAN, PIERRE)
        assert from_alice(client, JEAN).delivered_to == (JEAN,)


def test_on_tcp_it_answers_data_and_the_verdicts_are_the_same(ldif: str) -> None:
    with Service(ldif, tcp_port=free_port()) as service, MilterClient(service.milter) as client:
        assert not client.granted_protocol & Option.NO_DATA
        client.connect()
        client.helo()
        assert from_alice(client, CONTACT).delivered_to == (JEAN, PIERRE)


def test_everybody_is_added_before_anything_is_deleted(inside: MilterClient) -> None:
    changes = from_alice(inside, CONTACT, OPEN, COMMERCIAL).modifications
    kinds = [type(change) for change in changes if isinstance(change, AddRecipient | DeleteRecipient)]
    assert kinds == sorted(kinds, key=lambda kind: kind is DeleteRecipient)
    assert DeleteRecipient in kinds


def test_nothing_is_ever_accepted_before_the_end(outside: MilterClient) -> None:
    answers = [outside.mail(STRANGER), outside.rcpt(JEAN), outside.rcpt(OPEN), outside.data()]
    answers += [outside.header("From", STRANGER), outside.eoh(), outside.body(b"x\r\n")]
    assert {answer.letter for answer in answers} <= {"c", "s"}
    assert outside.end_of_message().reply.letter == "c"


def test_without_a_group_the_body_is_skipped_and_nothing_changes(inside: MilterClient) -> None:
    inside.mail(ALICE, login="alice")
    inside.rcpt(JEAN)
    inside.header("From", ALICE)
    assert inside.body(b"x" * 100).letter == "s"
    assert inside.end_of_message().modifications == ()


def test_the_group_is_deleted_as_received_and_as_the_mta_resolved_it(inside: MilterClient) -> None:
    inside.mail(ALICE, login="alice")
    inside.rcpt('"Contact"@MaSociete.example', canonical=CONTACT)
    inside.header("From", ALICE)
    deleted = [c.address for c in inside.end_of_message().modifications if isinstance(c, DeleteRecipient)]
    assert deleted == ['"Contact"@MaSociete.example', CONTACT]


@pytest.mark.parametrize("resolved", [CONTACT, "@relay.example:contact@masociete.example", None])
def test_a_source_route_is_refused_whatever_the_mta_makes_of_it(
    outside: MilterClient, resolved: str | None
) -> None:
    outside.mail(STRANGER)
    route = "@relay.example:contact@masociete.example"
    without = {} if resolved else {"{rcpt_addr}": ""}
    assert outside.rcpt(route, canonical=resolved, macros=without).code == 550


def test_each_message_of_a_session_is_judged_by_itself(outside: MilterClient) -> None:
    marks = count()

    def reached(*to: str) -> tuple[str, ...]:
        return outside.send_message(STRANGER, to, message(f"each-{next(marks)}")).delivered_to

    assert [reached(CONTACT), reached(OPEN), reached(CONTACT), reached(JEAN), reached(OPEN, CONTACT)] == [
        (), (JEAN, BOB), (), (JEAN,), (JEAN, BOB),
    ]  # fmt: skip


def test_a_login_is_the_message_s_and_not_the_session_s(service: Service) -> None:
    """Postfix tells it with each MAIL; an MTA that stops telling it has stopped vouching."""
    with MilterClient(service.milter) as client:
        client.connect()
        client.helo()
        assert from_alice(client, CONTACT).accepted
        client.mail(ALICE, macros={"{auth_authen}": "", "{auth_type}": ""})
        assert client.rcpt(CONTACT).code == 550


def test_what_an_abort_ended_is_forgotten(inside: MilterClient) -> None:
    inside.mail(ALICE, login="alice")
    inside.rcpt(CONTACT)
    inside.header("From", BOB)
    inside.abort()
    assert from_alice(inside, COMMERCIAL).delivered_to == (PIERRE, BOB)


@pytest.mark.parametrize("steps", range(5))
def test_an_mta_that_hangs_up_leaves_the_others_unharmed(service: Service, steps: int) -> None:
    with MilterClient(service.milter) as client:
        client.connect(ip=OUTSIDER)
        script: list[Callable[[], object]] = [
            lambda: client.mail(STRANGER), lambda: client.rcpt(OPEN), client.data, client.end_of_message,
        ]  # fmt: skip
        for step in script[:steps]:
            step()
        client.drop()
    with MilterClient(service.milter) as another:
        another.connect()
        assert from_alice(another, CONTACT).delivered_to == (JEAN, PIERRE)


def test_addresses_that_are_no_text_are_nobody_s(outside: MilterClient) -> None:
    assert outside.mail(b"<\xff\xfe@outside.example>").code == 250
    assert outside.rcpt(b"<\xe9\xff@masociete.example>").code == 250
    assert outside.rcpt(b"<contact\xff@masociete.example>").code == 250
    assert outside.rcpt(OPEN).code == 250
    outside.header(b"From", b"\xe9 <x@outside.example>")
    end = outside.end_of_message()
    assert end.reply.code == 250
    assert [c.address for c in end.modifications if isinstance(c, AddRecipient)] == [JEAN, BOB]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"a\n\tb",
        b"<" * 5000,
        b"(" * 5000,
        b'"' * 8000,
        b"x@y.example," * 5000,
        b"\xc3\x28@\xff",
    ],
    ids=["empty", "an octet", "folded", "brackets", "comments", "quotes", "a thousand", "broken UTF-8"],
)
def test_no_author_brings_it_down_or_passes_for_the_login(inside: MilterClient, value: bytes) -> None:
    content = b"From: " + value.replace(b"\n", b"\r\n") + b"\r\n\r\nhello\r\n"
    outcome = from_alice(inside, CONTACT, content=content)
    assert outcome.last is not None
    assert outcome.last.smtp.startswith("550 5.7.1")


def test_many_headers_and_many_recipients(inside: MilterClient) -> None:
    content = b"From: " + ALICE.encode() + b"\r\n" + b"X-Many: value\r\n" * 900 + b"\r\nhello\r\n"
    persons = [f"p{number}@elsewhere.example" for number in range(1000)]
    outcome = from_alice(inside, *persons, CONTACT, content=content)
    assert outcome.delivered_to == (*persons, JEAN, PIERRE)


@pytest.mark.parametrize(
    "parameters",
    [("SIZE=",), ("SIZE=x",), ("SIZE=99999999999999999999",), ("BODY=8BITMIME", "SMTPUTF8"), ("size=12",)],
)
def test_odd_parameters_of_the_sender(inside: MilterClient, parameters: tuple[str, ...]) -> None:
    outcome = inside.send_message(ALICE, [CONTACT], message("odd", ALICE), *parameters, login="alice")
    assert outcome.accepted


def test_the_client_s_notify_goes_on_to_the_members_but_not_success(inside: MilterClient) -> None:
    inside.mail(ALICE, login="alice")
    inside.rcpt(CONTACT, "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;x@y.example")
    inside.rcpt(OPEN, "NOTIFY=NEVER")
    inside.header("From", ALICE)
    added = {
        c.address: c.parameters for c in inside.end_of_message().modifications if isinstance(c, AddRecipient)
    }
    assert added[PIERRE] == f"NOTIFY=FAILURE ORCPT=rfc822;{CONTACT}"
    assert added[BOB] == f"NOTIFY=NEVER ORCPT=rfc822;{OPEN}"


def test_observing_it_changes_nothing_and_says_what_it_would(ldif: str) -> None:
    with Service(ldif, options={"mode": "observe"}) as service, MilterClient(service.milter) as client:
        client.connect(ip=OUTSIDER)
        client.helo()
        outcome = client.send_message(STRANGER, [CONTACT, OPEN, COMMERCIAL], message("observed"))
        assert [reply.code for _, reply in outcome.recipients] == [250, 250, 250]
        assert outcome.accepted
        assert outcome.modifications == ()
        assert service.wait_line("recipient", recipient=CONTACT)["verdict"].startswith("refuse 550 5.7.1")
        line = service.wait_line("message")
        assert line["message_id"] == "<observed@test.example>"
        verdicts = line["verdicts"]
        assert verdicts[COMMERCIAL].startswith("hold")
