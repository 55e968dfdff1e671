"""Access tokens: made, used, ended; never stored, never more than their person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.membership.offices import JEAN, PEOPLE, Office, running
from tests.support.slapd import Slapd

from groupmilter import bootstrap
from groupmilter.cli.exits import Exit
from groupmilter.config.reload import load
from groupmilter.groups.person import Person
from groupmilter.moderation.access_token_book import AccessTokenRow
from groupmilter.moderation.item import Way, Who
from groupmilter.panel.api.access import PREFIX, AccessTokens, BadToken, Scope

NOW = 1_795_540_000
WHO = Who("jean", Way.COMMAND, origin="pts/1")
ALL = frozenset(Scope)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    with running() as server:
        yield server


@pytest.fixture
def office(slapd: Slapd, tmp_path: Path) -> Office:
    made = Office(slapd, tmp_path)
    made.configure()
    made.asked("directory", "sync")
    return made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens(office: Office, clock: Clock) -> Iterator[AccessTokens]:
    configuration = load(office.config)
    ledger, lookups = bootstrap.ledger(configuration), bootstrap.snapshots(configuration)
    yield AccessTokens(ledger, lookups, clock)
    lookups.reader.close()
    ledger.close()


def person(tokens: AccessTokens, name: str = "jean") -> Person:
    with tokens.lookups.snapshot() as directory:
        found = directory.by_dn(f"uid={name},{PEOPLE}")
    assert isinstance(found, Person)
    return found


def actions(tokens: AccessTokens) -> list[tuple[str, str, str]]:
    return [(row.action, row.actor, row.detail) for row in tokens.ledger.audit() if "token" in row.action]


def test_a_token_stands_for_its_person_and_is_stored_nowhere(office: Office, tokens: AccessTokens) -> None:
    jean = person(tokens)
    token = tokens.make(jean, " payroll ", [Scope.WRITE, Scope.READ], 30, WHO)
    assert token.startswith(PREFIX)
    holder = tokens.holder(token)
    assert holder is not None
    assert (holder.person, holder.name, holder.scopes) == (
        jean,
        "payroll",
        frozenset({Scope.READ, Scope.WRITE}),
    )
    assert holder.until == NOW + 30 * 86_400
    for path in office.folder.glob("state.db*"):
        assert token.removeprefix(PREFIX).encode() not in path.read_bytes()
    [made] = actions(tokens)
    assert made == ("access-token-create", "jean", f"payroll for {JEAN}: read write")
    assert tokens.holder(token + "x") is None
    assert tokens.holder(token.removeprefix(PREFIX)) is None
    assert tokens.holder("") is None
    assert tokens.holder(PREFIX + "é") is None


def test_its_use_is_noted_to_the_minute(tokens: AccessTokens, clock: Clock) -> None:
    token = tokens.make(person(tokens), "t", ALL, 0, WHO)
    assert tokens.of()[0].used == 0
    for seconds, noted in ((0, NOW), (30, NOW), (90, NOW + 90)):
        clock.now = NOW + seconds
        assert tokens.holder(token) is not None
        assert tokens.of()[0].used == noted


def test_it_ends_at_its_time(tokens: AccessTokens, clock: Clock) -> None:
    token = tokens.make(person(tokens), "t", ALL, 1, WHO)
    clock.now = NOW + 86_399
    assert tokens.holder(token) is not None
    clock.now = NOW + 86_400
    assert tokens.holder(token) is None
    assert tokens.of() == ()
    assert actions(tokens)[-1][2] == f"t of uid=jean,{PEOPLE}: its time is over"


def test_it_ends_when_it_is_revoked(tokens: AccessTokens) -> None:
    token = tokens.make(person(tokens), "t", ALL, 0, WHO)
    [row] = tokens.of(person(tokens).uuid)
    assert tokens.revoke(row, WHO)
    assert not tokens.revoke(row, WHO)
    assert tokens.holder(token) is None
    assert [action for action, _, _ in actions(tokens)] == ["access-token-create", "access-token-revoke"]


def test_it_ends_with_its_person(tokens: AccessTokens) -> None:
    gone = replace(person(tokens), uuid="00000000-0000-0000-0000-000000000000")
    token = tokens.make(gone, "t", ALL, 0, WHO)
    assert tokens.holder(token) is None
    assert tokens.of() == ()
    assert actions(tokens)[-1] == (
        "access-token-end",
        "desk",
        f"t of uid=jean,{PEOPLE}: its person is gone or locked",
    )


def test_a_locked_person_has_no_token(office: Office, tokens: AccessTokens) -> None:
    office.slapd.add(
        f"dn: uid=verrou,{PEOPLE}\nobjectClass: inetOrgPerson\ncn: Verrou\nsn: V\nuid: verrou\n"
        "mail: verrou@masociete.example\n"
    )
    office.asked("directory", "sync")
    token = tokens.make(person(tokens, "verrou"), "t", ALL, 0, WHO)
    assert tokens.holder(token) is not None
    office.slapd.delete(f"uid=verrou,{PEOPLE}")
    office.asked("directory", "sync")
    assert tokens.holder(token) is None


@pytest.mark.parametrize(
    ("name", "scopes", "days", "field"),
    [
        ("", ALL, 0, "name"),
        ("x" * 65, ALL, 0, "name"),
        ("a\nb", ALL, 0, "name"),
        ("t", (), 0, "scopes"),
        ("t", ALL, -1, "days"),
        ("t", ALL, 3651, "days"),
    ],
)
def test_what_no_token_can_be(
    tokens: AccessTokens, name: str, scopes: frozenset[Scope], days: int, field: str
) -> None:
    with pytest.raises(BadToken) as caught:
        tokens.make(person(tokens), name, scopes, days, WHO)
    assert caught.value.field == field
    assert tokens.of() == ()


def test_a_name_once_and_a_bounded_number(tokens: AccessTokens) -> None:
    jean = person(tokens)
    tokens.make(jean, "0", ALL, 0, WHO)
    with pytest.raises(BadToken, match="already"):
        tokens.make(jean, "0", ALL, 0, WHO)
    tokens.make(person(tokens, "zoe"), "0", ALL, 0, WHO)
    for number in range(1, 50):
        tokens.ledger.access_tokens.add(
            AccessTokenRow(str(number), str(number), jean.uuid, jean.dn, "read", NOW)
        )
    with pytest.raises(BadToken, match="revoke one first"):
        tokens.make(jean, "more", ALL, 0, WHO)
    assert len(tokens.of(jean.uuid)) == 50


def test_the_commands(office: Office, tokens: AccessTokens) -> None:
    assert "There are no tokens" in office.call("token", "list").stdout
    made = office.asked("token", "create", JEAN, "payroll", "-s", "read", "-s", "decide", "--days", "1")
    assert made["person"] == f"uid=jean,{PEOPLE}"
    plain = office.call("token", "create", "jean", "second")
    assert plain.stdout.strip().startswith(PREFIX)
    assert office.call("token", "create", "jean", "second").exit_code == Exit.FINDING
    assert office.call("token", "create", "nobody", "x").exit_code == Exit.FINDING
    assert office.call("token", "create", "jean", "x", "-s", "all").exit_code == Exit.USAGE
    listed = office.asked("token", "list", f"uid=jean,{PEOPLE}")["tokens"]
    assert [(each["name"], each["scopes"]) for each in listed] == [
        ("payroll", ["read", "decide"]),
        ("second", ["read"]),
    ]
    assert listed[0]["used"] is None
    assert "second" in office.call("token", "list").stdout
    office.asked("token", "revoke", "jean", "second")
    assert office.call("token", "revoke", "jean", "second").exit_code == Exit.FINDING
    assert [each["name"] for each in office.asked("token", "list")["tokens"]] == ["payroll"]
    holder = tokens.holder(made["token"])
    assert holder is not None
    assert holder.scopes == {Scope.READ, Scope.DECIDE}
