"""Sessions with the clock in hand: how they begin and end, what is stored of them, which token is the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.support.paper import Paper

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Person
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.ledger import Ledger
from groupmilter.panel.session import Session, Sessions, same

NOW = 1_795_540_000
IDLE, LONGEST, DAY = 3600, 43_200, 86_400
CLIENT = "192.0.2.7"
JEAN = Who("jean@masociete.example", Way.PANEL, origin=CLIENT)


@dataclass
class House:
    """A mirror on paper, and a real ledger."""

    ledger: Ledger
    paper: Paper = field(default_factory=Paper)
    failure: Exception | None = None
    told: list[tuple[str, str, str]] = field(default_factory=list)

    @contextmanager
    def snapshot(self) -> Iterator[Paper]:
        if self.failure is not None:
            raise self.failure
        yield self.paper

    @property
    def sessions(self) -> Sessions:
        return Sessions(self.ledger.sessions, self, self.journal, IDLE, LONGEST)

    def journal(self, action: str, who: Who, detail: str = "") -> None:
        self.told.append((action, who.name, detail))

    def person(self, number: int = 1) -> Person:
        return self.paper.add_person(number, f"p{number}@masociete.example")

    def alter(self, person: Person, **changes: object) -> None:
        self.paper.people[person.node] = replace(person, **changes)  # type: ignore[arg-type]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/state.db")
    yield House(ledger)
    ledger.close()


def test_a_token_opens_its_session_and_nothing_stored_opens_any(house: House, tmp_path: Path) -> None:
    jean = house.person()
    token = house.sessions.open(jean, CLIENT, NOW)
    session = house.sessions.visitor(token, NOW)
    assert session == Session(jean, session.csrf if session else "", NOW, NOW + LONGEST, CLIENT)
    [row] = house.ledger.sessions.of(jean.uuid)
    for stored in (row.digest, row.csrf, token.upper(), token[:-1], f"{token} ", "", "é", "x" * 5000):
        assert house.sessions.visitor(stored, NOW) is None
    assert token.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))
    assert len(token) >= 43
    assert house.sessions.visitor(token, NOW) is not None


def test_each_log_in_has_a_token_and_a_csrf_token_of_its_own_and_ends_what_the_browser_had(
    house: House,
) -> None:
    jean, other = house.person(1), house.person(2)
    first = house.sessions.open(jean, CLIENT, NOW)
    second = house.sessions.open(other, CLIENT, NOW, replaced=first)
    assert house.sessions.visitor(first, NOW) is None
    third = house.sessions.open(jean, CLIENT, NOW)
    seen = [house.sessions.visitor(token, NOW) for token in (second, third)]
    assert len({one.csrf for one in seen if one}) == len({second, third}) == 2
    assert [one.person.uuid for one in seen if one] == [other.uuid, jean.uuid]


def test_a_session_ends_unused_and_at_the_latest(house: House) -> None:
    jean = house.person()
    token = house.sessions.open(jean, CLIENT, NOW)
    assert house.sessions.visitor(token, NOW + IDLE) is None
    assert house.ledger.sessions.of(jean.uuid) == (), "forgotten"
    token, now = house.sessions.open(jean, CLIENT, NOW), NOW
    while now + IDLE - 1 < NOW + LONGEST:
        now += IDLE - 1
        assert house.sessions.visitor(token, now) is not None
    assert house.sessions.visitor(token, NOW + LONGEST) is None


def test_a_session_ends_at_the_log_out_and_all_at_the_log_out_everywhere(house: House) -> None:
    jean, other = house.person(1), house.person(2)
    tokens = [house.sessions.open(jean, CLIENT, NOW) for _ in range(3)]
    others = house.sessions.open(other, CLIENT, NOW)
    house.sessions.close(tokens[0], JEAN)
    house.sessions.close(tokens[0], JEAN)
    house.sessions.close("no such token", JEAN)
    assert [house.sessions.visitor(token, NOW) is None for token in tokens] == [True, False, False]
    assert house.sessions.close_all(replace(JEAN, uuid=jean.uuid)) == 2
    assert [house.sessions.visitor(token, NOW) for token in tokens] == [None] * 3
    assert house.sessions.visitor(others, NOW) is not None
    assert house.told == [("log-out", JEAN.name, ""), ("log-out-everywhere", JEAN.name, "sessions: 2")]


def test_each_end_that_nobody_asked_for_is_told_once_with_why(house: House) -> None:
    jean, other = house.person(1), house.person(2)
    idle = house.sessions.open(jean, CLIENT, NOW)
    assert [house.sessions.visitor(idle, NOW + IDLE) for _ in range(2)] == [None, None]
    first = house.sessions.open(jean, CLIENT, NOW + IDLE)
    house.sessions.open(other, CLIENT, NOW + IDLE, replaced=first)
    house.sessions.open(jean, CLIENT, NOW + 2 * IDLE)
    last = house.sessions.open(jean, CLIENT, NOW + 2 * IDLE)
    house.alter(jean, disabled=True)
    assert house.sessions.visitor(last, NOW + 2 * IDLE) is None
    assert house.told == [
        ("session-end", jean.dn, "time"),
        ("session-end", jean.dn, "replaced"),
        ("session-end", other.dn, "time"),
        ("session-end", jean.dn, "gone"),
    ]


@pytest.mark.parametrize("change", [{"disabled": True}, {"uuid": "somebody else"}])
def test_who_is_locked_or_gone_is_a_visitor_no_more(house: House, change: dict[str, object]) -> None:
    jean = house.person()
    token = house.sessions.open(jean, CLIENT, NOW)
    house.alter(jean, **change)
    assert house.sessions.visitor(token, NOW) is None
    house.alter(jean)
    assert house.sessions.visitor(token, NOW) is None, "and stays so"


def test_sessions_of_the_password_before_end_and_those_of_the_new_one_stay(house: House) -> None:
    jean = house.person()
    house.alter(jean, password_changed=NOW - DAY)
    before = house.sessions.open(house.paper.people[jean.node], CLIENT, NOW)
    assert house.sessions.visitor(before, NOW) is not None
    # By the directory's clock, which is behind ours, and the mirror hears of it later.
    after = house.sessions.open(replace(jean, password_changed=NOW - 90), CLIENT, NOW)
    assert house.sessions.visitor(after, NOW) is not None
    house.alter(jean, password_changed=NOW - 90)
    assert house.sessions.visitor(before, NOW) is None
    assert house.sessions.visitor(after, NOW) is not None
    assert house.told == [("session-end", jean.dn, "password")]


def test_where_no_time_was_known_at_the_log_in_only_a_later_change_ends_a_session(house: House) -> None:
    jean = house.person()
    token = house.sessions.open(jean, CLIENT, NOW)
    house.alter(jean, password_changed=NOW - DAY)
    assert house.sessions.visitor(token, NOW) is not None
    house.alter(jean, password_changed=NOW + 1)
    assert house.sessions.visitor(token, NOW) is None


def test_whose_entry_moves_stays(house: House) -> None:
    jean = house.person()
    token = house.sessions.open(jean, CLIENT, NOW)
    house.alter(jean, dn="uid=1,ou=elsewhere", name="Jean D.")
    session = house.sessions.visitor(token, NOW)
    assert session is not None
    assert session.person.name == "Jean D."


def test_where_nobody_can_tell_the_session_stays(house: House) -> None:
    token = house.sessions.open(house.person(), CLIENT, NOW)
    house.failure = DirectoryUnknown("the mirror is too old")
    with pytest.raises(DirectoryUnknown):
        house.sessions.visitor(token, NOW)
    house.failure = None
    assert house.sessions.visitor(token, NOW) is not None


def test_old_sessions_are_forgotten_when_somebody_comes_in(house: House) -> None:
    jean, other = house.person(1), house.person(2)
    house.sessions.open(jean, CLIENT, NOW)
    house.sessions.open(other, CLIENT, NOW + IDLE)
    assert house.ledger.sessions.of(jean.uuid) == ()


def test_a_clock_that_was_set_back_makes_no_session_longer(house: House) -> None:
    token = house.sessions.open(house.person(), CLIENT, NOW)
    assert house.sessions.visitor(token, NOW - 3600) is None


def test_only_the_very_token_proves_a_form(house: House) -> None:
    token = house.sessions.open(house.person(), CLIENT, NOW)
    session = house.sessions.visitor(token, NOW)
    assert session is not None
    assert session.proves(session.csrf)
    assert not any(
        session.proves(given) for given in ("", token, session.csrf[:-1], f"{session.csrf} ", "\ud800")
    )
    assert not same("", "")
