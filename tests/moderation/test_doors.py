"""What the milter makes of the service domain's addresses: answers, releases, and everything that opens nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from tests.support.letters import KEYS, NOON, SERVICE, Office, added, untyped

from groupmilter.authentication.identity import Connection
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Action, Keys, Kind, Ticket, Token, digest, seal, seal_token, unseal
from groupmilter.mail.address import Address, path
from groupmilter.mail.content import content_digest
from groupmilter.mail.reply import Reply
from groupmilter.mta.collector import Collector
from groupmilter.mta.site import ReleaseDoor
from groupmilter.policy.disposition import Deferred, Refused
from groupmilter.policy.facts import Batch
from groupmilter.policy.plan import Mint, plan

NOW = int(NOON.timestamp())
HOUR, DAY = 3600, 86_400
MESSAGE = b"From: x@outside.example\nSubject: offer\n\nhello\n"
CLOSED = "550 5.7.1"
DESK = Connection("127.0.0.1", "desk", "release")


@dataclass
class Gate:
    """An office with a moderated group; what was spent, and what is audited."""

    office: Office = field(default_factory=Office)
    spent: list[str] = field(default_factory=list)
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    failing: Exception | None = None
    ahead: float = 0.0

    def __post_init__(self) -> None:
        self.jean = self.office.person("jean", login="jean")
        self.alice = self.office.person("alice", login="alice")
        self.group = self.office.group("sales", "y@outside.example", moderated=True)

    def spend(self, text: str) -> Batch | None:
        if self.failing is not None:
            raise self.failing
        if text in self.spent:
            return None
        self.spent.append(text)
        return Batch()

    def collector(self, connection: Connection, sender: str) -> Collector:
        own = self.office.settings.own_domains
        site = replace(
            self.office.site,
            release=ReleaseDoor("release", "desk", self.spend),
            audit=lambda *row: self.rows.append((row[0], row[1], row[2])),
            clock=lambda: NOON + timedelta(seconds=self.ahead),
        )
        return Collector(site, connection, path(f"<{sender}>", own) or Address(f"<{sender}>", sender))

    # answers

    def token(self, action: Action = Action.APPROVE, expires: int = NOW + HOUR, keys: Keys = KEYS) -> str:
        made = Token(Kind.ANSWER, action, expires, digest("the held ticket"), digest(self.jean.uuid))
        return seal_token(made, keys)

    def answer(
        self, local: str, login: str = "jean", sender: str = "jean@own.example", **header: str
    ) -> tuple[str, list[str]]:
        """Send an answer; return what it is refused with, and whom it goes to instead."""
        taking = self.collector(Connection("192.0.2.1", login), sender)
        verdict = taking.recipient(f"<{local}@{SERVICE}>")
        if isinstance(verdict.disposition, Refused | Deferred):
            return str(verdict.disposition.reply), []
        taking.accept(verdict.recipient)
        for name, value in {"from": sender, **header}.items():
            taking.header(name.replace("_", "-"), value.encode())
        return self._ended(taking)

    # releases

    def ticket(self, kind: Kind = Kind.RELEASE, age: int = 0, content: bytes = MESSAGE, **more: int) -> str:
        made = Ticket(kind, NOW - age, 1, digest(self.group.uuid), **untyped(more))
        return seal(made, KEYS, content_digest(content) if kind is Kind.RELEASE else b"")

    def release(
        self,
        ticket: str,
        connection: Connection = DESK,
        message: bytes = MESSAGE,
        also: str = "",
    ) -> tuple[str, list[str]]:
        """Bring a message back; return what it is refused with, and whom it goes to."""
        taking = self.collector(connection, "x@outside.example")
        for argument, orcpt in ((f"<release@{SERVICE}>", ticket), *([(also, "")] if also else [])):
            verdict = taking.recipient(argument, orcpt=orcpt)
            if isinstance(verdict.disposition, Refused | Deferred):
                return str(verdict.disposition.reply), []
            taking.accept(verdict.recipient)
        head, _, body = message.partition(b"\n\n")
        for line in head.split(b"\n"):
            name, _, value = line.partition(b":")
            taking.header(name.decode(), value)
        taking.body(body.replace(b"\n", b"\r\n"))
        return self._ended(taking)

    def _ended(self, taking: Collector) -> tuple[str, list[str]]:
        facts, decision = taking.end()
        if isinstance(decision.answer, Reply):
            return str(decision.answer), []
        return "", added(plan(decision, facts, self.office.settings, Mint(KEYS, NOW, 7)))


@pytest.fixture
def gate() -> Gate:
    return Gate()


# answers by mail


@pytest.mark.parametrize(("word", "action"), [("approve", Action.APPROVE), ("reject", Action.REJECT)])
def test_a_moderators_own_answer_goes_to_the_desk_with_what_is_proven(
    gate: Gate, word: str, action: Action
) -> None:
    refused, (address,) = gate.answer(f"{word}+{gate.token(action)}")
    assert refused == ""
    sealed = unseal(address.removeprefix("hold+").removesuffix(f"@{SERVICE}"), KEYS)
    assert sealed is not None
    assert (sealed.kind, sealed.group, sealed.reason) == (Kind.ANSWER, digest("the held ticket"), action)
    assert (sealed.sender, sealed.strength) == (digest(gate.jean.uuid), 4)
    assert gate.rows == []


def test_an_mta_that_folds_case_changes_nothing(gate: Gate) -> None:
    refused, addresses = gate.answer(f"APPROVE+{gate.token().upper()}")
    assert (refused, len(addresses)) == ("", 1)


@pytest.mark.parametrize(("login", "sender"), [("alice", "alice@own.example"), ("", "jean@own.example")])
def test_whoever_else_has_the_address_decides_nothing(gate: Gate, login: str, sender: str) -> None:
    refused, addresses = gate.answer(f"approve+{gate.token()}", login, sender)
    assert refused.startswith(CLOSED)
    assert addresses == []


def test_a_foreign_author_under_the_moderators_login_decides_nothing(gate: Gate) -> None:
    refused, addresses = gate.answer(f"approve+{gate.token()}", "alice", "jean@own.example")
    assert refused.startswith(CLOSED)
    assert addresses == []


def other_keys(gate: Gate) -> str:
    return "approve+" + gate.token(keys=Keys({1: b"x" * 32}, 1))


FORGED: Mapping[str, Callable[[Gate], str]] = {
    "no token": lambda _: "approve+",
    "too short": lambda gate: f"approve+{gate.token()[:-1]}",
    "too long": lambda gate: f"approve+{gate.token()}a",
    "one letter changed": lambda gate: f"approve+{'b' if gate.token()[0] == 'a' else 'a'}{gate.token()[1:]}",
    "the other word's": lambda gate: f"reject+{gate.token()}",
    "of a link": lambda _: "approve+" + seal_token(Token(Kind.LINK, Action.APPROVE, NOW + HOUR, 1, 1), KEYS),
    "of no decision": lambda gate: "approve+" + gate.token(Action.ASK),
    "another site's": other_keys,
    "a hold ticket": lambda gate: f"approve+{gate.ticket(Kind.HOLD)}",
    "no text": lambda _: 'approve+\\"\\xe9',
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused_at_rcpt_with_an_audit_row(gate: Gate, name: str) -> None:
    refused, _ = gate.answer(FORGED[name](gate))
    assert refused.startswith(CLOSED)
    assert gate.rows == [("token-forged", "jean@own.example", "192.0.2.1")]


@pytest.mark.parametrize(("left", "taken"), [(1, True), (0, True), (-1, False), (-40 * DAY, False)])
def test_an_expired_token_is_refused_at_rcpt_with_an_audit_row(gate: Gate, left: int, taken: bool) -> None:
    refused, addresses = gate.answer(f"approve+{gate.token(expires=NOW + left)}")
    assert (refused == "", len(addresses) == 1) == (taken, taken)
    assert [row[0] for row in gate.rows] == ([] if taken else ["token-expired"])


@pytest.mark.parametrize(
    "header",
    [
        {"auto_submitted": "auto-replied"},
        {"auto_submitted": "auto-generated"},
        {"content_type": "multipart/report; report-type=delivery-status"},
    ],
)
def test_what_a_program_has_written_goes_to_the_desk_as_nobodys(gate: Gate, header: dict[str, str]) -> None:
    """Answering it would begin a loop; the desk drops it."""
    refused, (address,) = gate.answer(f"approve+{gate.token()}", **header)
    sealed = unseal(address.removeprefix("hold+").removesuffix(f"@{SERVICE}"), KEYS)
    assert refused == ""
    assert sealed is not None
    assert (sealed.sender, sealed.strength) == (0, 0)


# releases


def test_a_release_reaches_the_members_of_the_group(gate: Gate) -> None:
    ticket = gate.ticket()
    assert gate.release(ticket) == ("", ["y@outside.example"])
    assert gate.spent == [ticket]


def test_a_ticket_opens_once(gate: Gate) -> None:
    ticket = gate.ticket()
    gate.release(ticket)
    refused, addresses = gate.release(ticket)
    assert refused.startswith(CLOSED)
    assert addresses == []


@pytest.mark.parametrize(
    "connection",
    [
        Connection("127.0.0.1", "desk", "smtpd"),
        Connection("127.0.0.1", "desk", ""),
        Connection("127.0.0.1", "", "release"),
        Connection("127.0.0.1", "jean", "release"),
        Connection("127.0.0.1", "@desk", "release"),
        Connection("", "desk", "smtpd"),
        Connection("", ""),
    ],
    ids=["another listener", "no listener", "no login", "another login", "a realm", "local", "nobody"],
)
def test_at_any_other_door_the_ticket_opens_nothing_and_stays_good(
    gate: Gate, connection: Connection
) -> None:
    ticket = gate.ticket()
    refused, _ = gate.release(ticket, connection)
    assert refused.startswith(CLOSED)
    assert gate.spent == []
    assert gate.release(ticket) == ("", ["y@outside.example"])


def test_a_realm_behind_the_login_is_the_mtas(gate: Gate) -> None:
    assert gate.release(gate.ticket(), Connection("127.0.0.1", "desk@mx.own.example", "release"))[0] == ""


@pytest.mark.parametrize(
    "message",
    [
        MESSAGE.replace(b"hello", b"hallo"),
        MESSAGE.replace(b"offer", b"0ffer"),
        MESSAGE + b"more\n",
        b"X-More: 1\n" + MESSAGE,
        b"",
    ],
    ids=["body", "header", "longer", "a field more", "nothing"],
)
def test_for_another_content_it_opens_nothing_and_is_not_spent(gate: Gate, message: bytes) -> None:
    refused, _ = gate.release(gate.ticket(), message=message)
    assert refused.startswith(CLOSED)
    assert gate.spent == []


@pytest.mark.parametrize(
    ("age", "opens"),
    [(0, True), (599, True), (600, False), (601, False), (DAY, False), (-HOUR + 1, True), (-HOUR - 1, False)],
)
def test_it_is_good_for_ten_minutes_and_for_a_clock_that_is_ahead_by_less_than_an_hour(
    gate: Gate, age: int, opens: bool
) -> None:
    refused, _ = gate.release(gate.ticket(age=age))
    assert (refused == "") is opens
    assert bool(gate.spent) is opens


@pytest.mark.parametrize("ahead", [-300.0, 300.0])
def test_a_few_minutes_between_two_clocks_hurt_nobody(gate: Gate, ahead: float) -> None:
    gate.ahead = ahead
    assert gate.release(gate.ticket())[0] == ""


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.RELEASE}))
def test_no_other_ticket_releases_anything(gate: Gate, kind: Kind) -> None:
    refused, _ = gate.release(gate.ticket(kind))
    assert refused.startswith(CLOSED)
    assert gate.spent == []


@pytest.mark.parametrize("text", ["", "x", "a" * 59, "a" * 60, "é" * 59, "a" * 58 + "="])
def test_what_is_no_ticket_releases_nothing(gate: Gate, text: str) -> None:
    refused, _ = gate.release(text)
    assert refused.startswith(CLOSED)
    assert gate.spent == []


@pytest.mark.parametrize("also", ["<z@outside.example>", "<sales@own.example>", f"<release@{SERVICE}>"])
def test_with_anybody_else_in_the_same_transaction_nobody_gets_anything(gate: Gate, also: str) -> None:
    refused, addresses = gate.release(gate.ticket(), also=also)
    assert refused.startswith(CLOSED)
    assert addresses == []
    assert gate.spent == []


def test_while_the_state_cant_be_written_it_is_deferred(gate: Gate) -> None:
    gate.failing = OSError("disk full")
    with pytest.raises(DirectoryUnknown, match="the state can't be written: disk full"):
        gate.release(gate.ticket())


def test_of_a_group_that_is_gone_nothing_is_released(gate: Gate) -> None:
    ticket = gate.ticket()
    del gate.office.paper.groups[gate.group.node]
    refused, _ = gate.release(ticket)
    assert refused.startswith(CLOSED)


def test_a_strength_that_nobody_knows_proves_nothing(gate: Gate) -> None:
    assert gate.release(gate.ticket(strength=7, sender=digest(gate.jean.uuid)))[0] == ""


# everything else


@pytest.mark.parametrize(
    "local", ["release", "hold+x", "unprocessed", "postmaster", "bounce+x", "link+x", "join", ""]
)
def test_every_other_address_of_the_service_domain_is_closed_to_clients(gate: Gate, local: str) -> None:
    refused, _ = gate.answer(local)
    assert refused.startswith(CLOSED)
    assert gate.rows == []
