"""Height two of the corpus: every case over a real milter socket, sent as Postfix sends it.

Compared with the expectation (who is refused when and with what, whom the message reaches, who has to approve)
and, edit by edit and reply by reply, with the pure core's run of the same case. Not seen here: `notify`, which
no milter can tell the MTA.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.corpus import (
    Pure,
    Services,
    comparable,
    corpus,
    name_of,
    octets,
    opened,
    parameters,
    pure,
    setting,
    stage_for,
)
from tests.support.milter_client import MilterClient, Outcome
from tests.support.milter_protocol import (
    AddHeader,
    AddRecipient,
    ChangeSender,
    DeleteRecipient,
    InsertHeader,
    Modification,
)
from tests.support.service import Service

from groupmilter.groups.group import Group
from groupmilter.groups.ticket import Keys, Kind, Ticket, digest
from groupmilter.mail import action
from groupmilter.policy.disposition import Deferred, Refused
from groupmilter.rehearsal.case import Case, Message
from groupmilter.rehearsal.case import Outcome as Wanted
from groupmilter.rehearsal.cases import plain
from groupmilter.rehearsal.stage import Stage

CASES = corpus()
NUMBERS = {id(case): number for number, case in enumerate(CASES, 1)}


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage() as opened_stage:
        yield opened_stage


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with Services() as started:
        yield started


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_case(case: Case, stage: Stage, services: Services) -> None:
    wanted = setting(case, stage.site(case))
    service = services.get(wanted)
    for index, run in enumerate(pure(case, stage, service.keys)):
        stage_for(service, run.message, NUMBERS[id(case)])
        outcome = send(service, run.message, f"case-{NUMBERS[id(case)]:05d}-{index:03d}@corpus.example")
        as_expected(run, outcome, service)
        as_in_the_pure_core(run, outcome, service.keys, wanted.service_domain)
    assert service.surprises() == []


def send(service: Service, message: Message, identity: str) -> Outcome:
    with MilterClient(service.milter) as client:
        client.connect(ip=message.client) if message.client else client.connect_local()
        client.helo()
        if message.certificate:
            client.helo(tls={"{cert_subject}": message.certificate, "{cert_issuer}": message.issuer})
        return client.send_message(
            message.sender, message.recipients, octets(message, identity), *parameters(message),
            login=message.login or None,
        )  # fmt: skip


def as_expected(run: Pure, outcome: Outcome, service: Service) -> None:
    """The replies, and the envelope that results, are what the case expects."""
    message = run.message
    wanted = {plain(address): expected for address, expected in message.expected}
    for address, reply in outcome.recipients:
        expected = wanted.get(plain(address))
        if expected is not None and (expected.refuse or expected.defer):
            refused_at_rcpt = reply.code != 250
            answer = reply.smtp if refused_at_rcpt else outcome.last.smtp if outcome.last else ""
            assert answer.startswith(expected.refuse or expected.defer)
            assert expected.at in ("", "rcpt" if refused_at_rcpt else "end")
        elif expected is not None:
            assert reply.code == 250
            assert outcome.accepted
    if outcome.accepted and wanted.keys() == {plain(address) for address in message.recipients}:
        as_expected_together(wanted, run.later, outcome, service)


def as_expected_together(
    wanted: dict[str, Wanted], later: frozenset[str], outcome: Outcome, service: Service
) -> None:
    """Nobody but those expected: passed, delivered to through groups (but for ``later``), and held for, each once."""
    reached = [plain(address) for address in outcome.delivered_to]
    mail = [address for address in reached if not address.endswith(f"@{service.service_domain}")]
    passed = {address for address, expected in wanted.items() if expected.passed}
    members = frozenset[str]().union(*(expected.deliver for expected in wanted.values()))
    assert set(mail) == passed | (members - later)
    assert len(set(outcome.delivered_to)) == len(outcome.delivered_to)
    groups = frozenset[str]().union(*(expected.hold for expected in wanted.values()))
    tickets = [opened(address, service.keys) for address in reached if address not in mail]
    assert held_for(tickets) == sorted(digests(groups, service))


def held_for(tickets: list[Ticket | None]) -> list[int]:
    assert None not in tickets
    return sorted(ticket.group for ticket in tickets if ticket is not None and ticket.kind is Kind.HOLD)


def digests(addresses: frozenset[str], service: Service) -> Iterator[int]:
    with service.directory() as directory:
        for address in addresses:
            group = directory.find(address)
            assert isinstance(group, Group)
            yield digest(group.uuid)


def as_in_the_pure_core(run: Pure, outcome: Outcome, keys: Keys, service_domain: str) -> None:
    """The same reply to each recipient, the same answer at the end, the same edits in the same order."""
    local = not run.message.client
    for (_, reply), seen in zip(outcome.recipients, run.transcript.observed, strict=True):
        disposition = seen.verdict.disposition
        if seen.outcome.at == "rcpt" and not local and isinstance(disposition, Refused | Deferred):
            assert reply.smtp == str(disposition.reply)
        else:
            assert reply.code == 250
    decision = run.transcript.decision
    if decision is not None and outcome.last is not None:
        assert outcome.last.smtp == str(decision.answer or "250 2.0.0 Ok")
    edits = [as_action(one) for one in outcome.modifications]
    assert comparable(edits, keys, service_domain) == comparable(run.actions, keys, service_domain)


def as_action(one: Modification) -> action.Action:
    """What the milter asked for, as the plan's own value."""
    match one:
        case AddRecipient(address, parameters_):
            return action.AddRecipient(address, parameters_)
        case DeleteRecipient(address):
            return action.DeleteRecipient(address)
        case AddHeader(name, value):
            return action.AddHeader(name, value)
        case InsertHeader(1, name, value):
            return action.InsertHeader(name, value)
        case ChangeSender(address):
            return action.ChangeSender(address)
        case _:
            raise AssertionError(f"never planned: {one}")
