"""Concealed groups: an address as Postfix repeats it, and a refusal that costs the same whatever the group is."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from tests.support.letters import Office, replied
from tests.support.paper import Paper

from groupmilter.groups.directory import Members
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node, Person
from groupmilter.mail.address import pattern, spelt


@pytest.mark.parametrize(
    ("argument", "repeated"),
    [
        ("<Contact@Own.Example>", "Contact@Own.Example"),
        ('<"contact"@own.example>', "contact@own.example"),
        ("<\\contact@own.example>", "contact@own.example"),
        ("<contact(a comment)@own.example>", "contact@own.example"),
        ("< contact @ own.example >", "contact@own.example"),
        ("<@relay.example:contact@own.example>", "contact@own.example"),
        ("<contact@own.example.>", "contact@own.example."),
        ("<contact>", "contact"),
        ('<"contact@own.example">', "contact@own.example"),
        ("contact@own.example", "contact@own.example"),
        ("<>", ""),
        ('<"broken@own.example>', '"broken@own.example'),
    ],
)
def test_an_address_is_repeated_as_postfix_does(argument: str, repeated: str) -> None:
    assert spelt(argument) == repeated


@dataclass
class Counting(Paper):
    """A directory on paper that notes what it is asked."""

    asked: list[str] = field(default_factory=list)

    def find(self, address: str) -> Group | Person | None:
        """Note, and answer."""
        self.asked.append("find")
        return super().find(address)

    def members(self, node: Node) -> Members:
        """Note, and answer."""
        self.asked.append("members")
        return super().members(node)


KINDS: dict[str, dict[str, object]] = {
    "closed": {"require_authentication": True},
    "hidden": {"require_authentication": True, "hidden_members": True},
    "moderated": {"require_authentication": True, "moderated": True},
    "disabled": {"enabled": False},
    "denying": {"denied_addresses": (pattern("x@out.example"),)},
}


def questions(count: int, fields: dict[str, object]) -> list[str]:
    """What the directory is asked while an outsider is refused at RCPT by a group of so many members."""
    paper = Counting()
    office = Office(paper=paper)
    office.settings = replace(office.settings, conceal_groups=True)
    office.group("contact", *(f"m{number}@out.example" for number in range(count)), **fields)
    letter = office.letter("x@out.example")
    paper.asked.clear()
    assert replied(letter.rcpt("contact@own.example")).startswith("550 5.1.1")
    return paper.asked


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 500])
def test_a_refusal_asks_the_same_whatever_the_group_is(kind: str, count: int) -> None:
    """So it takes as long: nobody learns by a clock how large a group is, or why it refuses."""
    assert questions(count, KINDS[kind]) == questions(1, KINDS["closed"])
    assert "members" not in questions(count, KINDS[kind])
