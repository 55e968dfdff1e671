"""Room for held mail: whether one message more may be held, by the group's quota and by the one for all."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.letters import SERVICE, Office, added, status

from groupmilter.authentication.identity import Connection
from groupmilter.groups.group import Group
from groupmilter.groups.ticket import digest
from groupmilter.mail.address import path
from groupmilter.mta.collector import Collector
from groupmilter.policy.disposition import Deferred, Disposition, Held
from groupmilter.policy.facts import Waiting
from groupmilter.policy.settings import Moderation

FULL, UNKNOWN = "452 4.2.2", "451 4.4.3"
STRANGER = "x@outside.example"


class Hall(Office):
    """An office in which so much waits already."""

    waiting: Waiting | None = Waiting()

    def taking(self, client: str = "192.0.2.1", login: str = "", sender: str = STRANGER) -> Collector:
        site = replace(self.site, waiting=lambda: self.waiting)
        found = path(f"<{sender}>", self.settings.own_domains)
        assert found is not None
        return Collector(site, Connection(client, login), found)

    def early(self, group: str, **who: str) -> str:
        """The status with which a recipient is refused at once; empty where it isn't."""
        return status(self.taking(**who).recipient(f"<{group}@own.example>"))

    def ended(self, *groups: str, **who: str) -> list[Disposition]:
        """What becomes of each recipient at the end of the message."""
        taking = self.taking(**who)
        for group in groups:
            taking.accept(taking.recipient(f"<{group}@own.example>").recipient)
        taking.header("From", taking.sender.canonical.encode())
        return [verdict.disposition for verdict in taking.end()[1].verdicts]


@pytest.fixture
def hall() -> Hall:
    made = Hall()
    made.settings = replace(made.settings, moderation=Moderation(group_quota=3, quota=5))
    jean = made.person("jean", login="jean")
    made.group("sales", "y@outside.example", moderated=True, moderators=frozenset({jean.node}))
    made.group("open", "y@outside.example")
    return made


def waiting(hall: Hall, own: int, others: int) -> Waiting:
    group = hall.paper.find("sales@own.example")
    assert isinstance(group, Group)
    return Waiting(own + others, {digest(group.uuid): own, 99: others})


@pytest.mark.parametrize(
    ("own", "others", "answer"),
    [
        (0, 0, ""),
        (2, 0, ""),
        (2, 2, ""),
        (3, 0, FULL),
        (2, 3, FULL),
        (0, 5, FULL),
        (0, 4, ""),
        (900, 900, FULL),
    ],
)
def test_at_rcpt_and_at_the_end(hall: Hall, own: int, others: int, answer: str) -> None:
    hall.waiting = waiting(hall, own, others)
    assert hall.early("sales") == answer
    (disposition,) = hall.ended("sales")
    assert isinstance(disposition, Deferred if answer else Held)


def test_who_needs_no_approval_needs_no_room(hall: Hall) -> None:
    hall.waiting = waiting(hall, 3, 3)
    assert hall.early("sales", login="jean", sender="jean@own.example") == ""
    (disposition,) = hall.ended("sales", login="jean", sender="jean@own.example")
    assert not isinstance(disposition, Deferred | Held)


def test_a_colleague_is_asked_to_come_again_as_anybody_is(hall: Hall) -> None:
    hall.person("alice", login="alice")
    hall.waiting = waiting(hall, 3, 0)
    assert hall.early("sales", login="alice", sender="alice@own.example") == FULL


def test_what_this_host_itself_submits_is_held_all_the_same(hall: Hall) -> None:
    hall.waiting = waiting(hall, 900, 900)
    (disposition,) = hall.ended("sales", client="")
    assert isinstance(disposition, Held)
    hall.waiting = None
    (disposition,) = hall.ended("sales", client="")
    assert isinstance(disposition, Held)


def test_where_nobody_can_tell_only_what_needs_holding_waits(hall: Hall) -> None:
    hall.waiting = None
    assert (hall.early("sales"), hall.early("open")) == (UNKNOWN, "")
    (disposition,) = hall.ended("open")
    assert not isinstance(disposition, Deferred | Held)


def test_a_moderated_group_inside_needs_room_too_and_nobody_gets_half_of_it(hall: Hall) -> None:
    inner = hall.paper.find("sales@own.example")
    assert isinstance(inner, Group)
    hall.group("both", "z@outside.example", inner)
    hall.waiting = waiting(hall, 3, 0)
    (disposition,) = hall.ended("both")
    assert isinstance(disposition, Deferred)
    assert disposition.reply.status == FULL
    hall.waiting = waiting(hall, 2, 0)
    letter = hall.letter(STRANGER).to("both@own.example")
    held, member = sorted(added(letter.planned()), key=lambda address: not address.endswith(SERVICE))
    assert held.startswith("hold+")
    assert member == "z@outside.example"
