"""Found in review: one client, one transaction, the same big group a thousand times; and old bounce addresses."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from tests.support.letters import KEYS, NOON, SERVICE, Office, receivers, status
from tests.support.paper import Paper

from groupmilter.groups.directory import Members
from groupmilter.groups.person import Node
from groupmilter.groups.ticket import Kind, Ticket, seal
from groupmilter.policy.disposition import Held


@dataclass
class Counting(Paper):
    """Counts how often somebody asks for members."""

    asked: list[Node] = field(default_factory=list)

    def members(self, node: Node) -> Members:
        self.asked.append(node)
        return super().members(node)


@pytest.mark.parametrize("moderated", [False, True])
def test_a_group_given_often_is_expanded_once_at_rcpt_and_once_at_the_end(moderated: bool) -> None:
    paper = Counting()
    office = Office(paper=paper)
    office.group("big", "y@out.example", aliases=("huge@own.example",), moderated=moderated)
    letter = office.letter("x@out.example").to(*["big@own.example", "huge@own.example"] * 20)
    first, *others = letter.decided()
    # Held, it is decided once more with the proof that moderators are shown.
    assert len(paper.asked) == (3 if moderated else 2)
    if moderated:
        assert all(isinstance(one, Held) for one in (first, *others))
    else:
        assert receivers(first) == ["y@out.example"]
        assert [receivers(one) for one in others] == [[]] * 39


@pytest.mark.parametrize(("days", "answer"), [(0, ""), (29, ""), (31, "550 5.7.1"), (-1, "550 5.7.1")])
def test_a_bounce_address_is_good_for_thirty_days(days: int, answer: str) -> None:
    office = Office()
    made = NOON - timedelta(days=days)
    ticket = seal(Ticket(Kind.BOUNCE, int(made.timestamp()), 1, 2), KEYS)
    assert status(office.letter("").rcpt(f"bounce+{ticket}@{SERVICE}")) == answer


@pytest.mark.parametrize("kind", [Kind.HOLD, Kind.SPLIT, Kind.RELEASE, Kind.REFUSE])
def test_no_other_ticket_is_for_clients(kind: Kind) -> None:
    office = Office()
    ticket = seal(Ticket(kind, int(NOON.timestamp()), 1, 2), KEYS)
    assert status(office.letter("").rcpt(f"bounce+{ticket}@{SERVICE}")) == "550 5.7.1"
