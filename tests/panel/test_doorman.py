"""Who is let in and what is said to whom not: a real log-in needs a server, so these have a scripted one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from tests.directory.writing import native
from tests.support.fake_ldap import FakeLdap, Request, entry, page_end
from tests.support.paper import Paper

from groupmilter.directory.binding import Binding
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.person import Node, Person
from groupmilter.moderation.item import Way, Who
from groupmilter.panel.login import DirectoryDoorman, Reason, Refusal, onward
from groupmilter.panel.login_throttle import LoginThrottle

UUID = "6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11"
ANNA = Person(
    Node(1), UUID, "uid=anna", "Anna", "anna@own.example", ("anna@own.example", "a@own.example"), ("anna",)
)
CLIENT = "192.0.2.7"


@dataclass
class Gate:
    """A door with a scripted server behind it; ``known`` is whom it finds, ``code`` what it says to passwords."""

    paper: Paper = field(default_factory=Paper)
    known: bool = True
    rows: list[tuple[str, Who, str]] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 100.0

    @contextmanager
    def snapshot(self) -> Iterator[Paper]:
        yield self.paper

    def script(self, request: Request) -> list[bytes]:
        held = {
            "mail": (b"anna@own.example", b"a@own.example"),
            "uid": (b"anna",),
            "entryUUID": (UUID.encode(),),
        }
        return [*([entry(request.number, "uid=anna", held)] if self.known else []), page_end(request.number)]

    def journal(self, action: str, who: Who, detail: str = "") -> None:
        self.rows.append((action, who, detail))

    def doorman(self, url: str) -> DirectoryDoorman:
        binding = Binding(LdapSettings((url,), "dc=x"), native(), own_domains=frozenset({"own.example"}))
        throttle = LoginThrottle(3, 100, 60.0, lambda: self.now)
        return DirectoryDoorman(
            binding, self, throttle, self.journal, lambda: self.now, self.slept.append, threading.Semaphore(1)
        )


@pytest.fixture
def gate() -> Gate:
    made = Gate()
    made.paper.people[ANNA.node] = ANNA
    return made


def test_a_log_in_that_holds_has_a_row_and_takes_no_longer(gate: Gate) -> None:
    with FakeLdap(gate.script) as server:
        assert gate.doorman(server.uri).admit(" Anna ", "secret", CLIENT) == ANNA
    assert gate.rows == [("log-in", Who("anna@own.example", Way.PANEL, UUID, CLIENT), "")]
    assert gate.slept == []


def test_a_failure_has_a_row_without_what_nobody_is_called(gate: Gate) -> None:
    """People type their passwords into the wrong field."""
    gate.known = False
    with FakeLdap(gate.script) as server:
        assert gate.doorman(server.uri).admit("my-Secret-1", "x", CLIENT) == Refusal(Reason.WRONG)
    assert gate.rows == [("log-in-failed", Who("", Way.PANEL, "", CLIENT), "wrong")]
    assert "my-Secret-1" not in repr(gate.rows)
    assert gate.slept == [0.5], "as long as any failure"


def test_all_spellings_of_a_person_are_tries_at_one_password(gate: Gate) -> None:
    gate.known = False
    with FakeLdap(gate.script) as server:
        door = gate.doorman(server.uri)
        said = [
            door.admit(name, "x", CLIENT) for name in ("anna", "ANNA", "a@own.example", "anna@own.example")
        ]
    assert [isinstance(one, Refusal) and one.reason for one in said] == [Reason.WRONG] * 3 + [Reason.SLOW]
    last = said[-1]
    assert isinstance(last, Refusal)
    assert last.seconds >= 1
    assert len(gate.rows) == 3, "what isn't tried has no row"


def test_a_server_that_is_down_counts_as_no_failure(gate: Gate) -> None:
    door = gate.doorman("ldap://127.0.0.1:1")
    for _ in range(10):
        with pytest.raises(DirectoryUnknown):
            door.admit("anna", "x", CLIENT)
    assert gate.rows == []


def test_nothing_typed_is_asked_of_nobody(gate: Gate) -> None:
    door = gate.doorman("ldap://127.0.0.1:1")
    assert [door.admit(*given, CLIENT) for given in (("anna", ""), ("", "x"), (" ", ""))] == [
        Refusal(Reason.EMPTY)
    ] * 3
    assert gate.doorman("ldif:/office.ldif").admit("anna", "x", CLIENT) == Refusal(Reason.FILE)


def test_who_is_not_in_the_mirror_yet_is_told_so(gate: Gate) -> None:
    gate.paper.people.clear()
    with FakeLdap(gate.script) as server:
        assert gate.doorman(server.uri).admit("anna", "secret", CLIENT) == Refusal(Reason.UNSEEN)


@pytest.mark.parametrize("way", ["/", "/groups?page=2&q=a%20b", "/groups/x/members", "/a//b"])
def test_the_way_on_is_a_page_of_ours(way: str) -> None:
    assert onward(way) == way


@pytest.mark.parametrize(
    "way",
    ["", "groups", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "/\t/evil.example",
     "/\n/evil.example", "javascript:alert(1)", " //evil.example", "/é", "/" + "a" * 3000, "///evil.example",
     "/\x00", "http:/evil.example"],
)  # fmt: skip
def test_any_other_way_leads_home(way: str) -> None:
    assert onward(way) == "/"
