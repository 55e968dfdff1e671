"""A message as a whole: refusals that are reported, copies that are split off, and what nobody is told of."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest
from tests.support.letters import KEYS, Letter, Office, added, receivers

from groupmilter.authentication.identity import Proofs, restored
from groupmilter.authentication.trust import Network, Trust
from groupmilter.groups.group import BouncesTo
from groupmilter.groups.ticket import Kind, Ticket, digest, unseal
from groupmilter.mail.action import Action, AddRecipient, ChangeSender, DeleteRecipient, LeaveOut
from groupmilter.policy.disposition import Expanded, Reported, Split
from groupmilter.policy.facts import Strength
from groupmilter.policy.reasons import FIXED


def tickets(actions: tuple[Action, ...]) -> list[Ticket]:
    """The desk's tickets that a plan adds, in its order."""
    texts = [a.partition("@")[0].removeprefix("hold+") for a in added(actions) if a.startswith("hold+")]
    found = [unseal(text, KEYS) for text in texts]
    assert None not in found
    return [ticket for ticket in found if ticket is not None]


@pytest.fixture(name="office")
def _office() -> Office:
    office = Office()
    boss = office.person("boss", login="boss")
    office.person("anna")
    office.group("open", "o@out.example")
    office.group("closed", "c@out.example", allowed_addresses=(), allowed=frozenset({boss.node}))
    office.person("bob", login="bob")
    # Known only at the end of the message: SIZE isn't declared.
    office.group("small", "s@out.example", max_size=10)
    return office


def late(office: Office, sender: str, login: str, *also: str) -> Letter:
    """A message to a group that refuses it at the end only, and to others."""
    return office.letter(sender, login=login).to("small@own.example", *also)


def test_a_login_is_told_and_the_others_get_the_message(office: Office) -> None:
    letter = late(office, "bob@own.example", "bob", "open@own.example", "z@out.example")
    letter.collector.octets = 100
    actions = letter.planned()
    assert "o@out.example" in added(actions)
    (ticket,) = tickets(actions)
    small = office.paper.find("small@own.example")
    assert small is not None
    assert (ticket.kind, ticket.group, ticket.reason) == (Kind.REFUSE, digest(small.uuid), FIXED["size"])
    assert not ticket.partly
    deleted = [action.address for action in actions if isinstance(action, DeleteRecipient)]
    assert deleted == ["<small@own.example>", "<open@own.example>"]


def test_to_an_unproven_return_path_nothing_is_written_and_nobody_gets_it(office: Office) -> None:
    letter = late(office, "x@out.example", "", "open@own.example")
    letter.collector.octets = 100
    assert letter.answered() == "550 5.7.1"


@pytest.mark.parametrize(
    ("proofs", "proven"),
    [
        (Proofs(spf=frozenset({"out.example"})), True),
        (Proofs(dkim=frozenset({"out.example"})), True),
        (Proofs(dkim=frozenset({"author.example"})), False),
    ],
    ids=["SPF of MAIL FROM", "DKIM aligned with MAIL FROM", "DKIM of the author alone"],
)
def test_whose_return_path_is_proven(office: Office, proofs: Proofs, proven: bool) -> None:
    office.proofs = proofs
    letter = late(office, "x@out.example", "", "z@out.example")
    letter.collector.octets = 100
    _, decision = letter.end(**{"from": "x@author.example"})
    assert (decision.answer is None) is proven
    assert isinstance(decision.verdicts[0].disposition, Reported) is proven


@pytest.mark.parametrize(("sender", "proven"), [("printer@own.example", True), ("victim@out.example", False)])
def test_a_network_vouches_for_return_paths_of_its_domains_alone(
    office: Office, sender: str, proven: bool
) -> None:
    """A content filter that brings outside mail back over loopback doesn't make its return path anybody's."""
    office.networks = (Network(ip_network("192.0.2.0/24"), frozenset({"own.example"})),)
    letter = late(office, sender, "", "open@own.example")
    letter.collector.octets = 100
    facts, decision = letter.end(**{"from": "printer@own.example"})
    assert facts.identity.strength is Strength.NETWORK
    assert (decision.answer is None) is proven
    content = facts.content
    assert content is not None
    back = restored(Strength.NETWORK, None, content, sender, Trust(), office.paper)
    assert back.path_proven is proven, "known from the ticket as well"


def test_all_refused_is_an_answer_not_a_report(office: Office) -> None:
    letter = late(office, "bob@own.example", "bob")
    letter.collector.octets = 100
    assert letter.answered() == "552 5.2.3"


def test_what_concerns_the_message_refuses_it_for_all(office: Office) -> None:
    letter = late(office, "bob@own.example", "bob", "open@own.example")
    assert letter.answered(auto_submitted="auto-replied") == "550 5.7.1"


def test_concealed_groups_stay_so_in_reports(office: Office) -> None:
    office.settings = replace(office.settings, conceal_groups=True)
    office.proofs = Proofs(spf=frozenset({"out.example"}))
    letter = late(office, "x@out.example", "", "z@out.example")
    letter.collector.octets = 100
    (ticket,) = tickets(letter.planned())
    assert ticket.reason == FIXED["concealed"]


def test_a_group_inside_that_refuses_is_told_as_a_part(office: Office) -> None:
    inner = office.group("inner", "i@out.example", denied_addresses=("bob@own.example",))
    denied = office.rewrite(inner, denied=frozenset({office.person("x").node}))
    office.rewrite(denied, enabled=False)
    outer = office.group("outer", inner, "u@out.example")
    actions = office.letter("bob@own.example", login="bob").to("outer@own.example").planned()
    (ticket,) = tickets(actions)
    assert (ticket.kind, ticket.group, ticket.partly) == (Kind.REFUSE, digest(outer.uuid), True)
    assert ticket.reason == FIXED["disabled"]
    unproven = office.letter("x@out.example").to("outer@own.example").planned()
    assert tickets(unproven) == []
    assert added(unproven) == ["u@out.example"]


def test_a_hidden_list_among_others_goes_by_the_desk(office: Office) -> None:
    anna = office.paper.find("anna@own.example")
    assert anna is not None
    office.group("secret", anna, "h@out.example", hidden_members=True)
    letter = office.letter("bob@own.example", login="bob")
    letter.to("secret@own.example", "open@own.example", "anna@own.example")
    actions = letter.planned()
    note, *rest = actions
    assert isinstance(note, LeaveOut)
    assert note.addresses == ("anna@own.example",), "she gets the message herself"
    (ticket,) = tickets(actions)
    assert ticket.kind is Kind.SPLIT
    (address,) = [a.address for a in rest if isinstance(a, AddRecipient) and a.address.startswith("hold+")]
    assert address.startswith(f"hold+{note.ticket}@")
    assert "h@out.example" not in added(actions)


def test_alone_a_hidden_list_needs_no_desk(office: Office) -> None:
    office.group("secret", "h@out.example", hidden_members=True)
    actions = office.letter("bob@own.example", login="bob").to("secret@own.example").planned()
    assert tickets(actions) == []
    assert added(actions) == ["h@out.example"]


def test_a_hidden_list_with_a_moderated_one_inside_is_no_longer_alone(office: Office) -> None:
    inner = office.group("inner", "i@out.example", moderated=True)
    office.group("secret", inner, "h@out.example", hidden_members=True)
    actions = office.letter("bob@own.example", login="bob").to("secret@own.example").planned()
    assert [ticket.kind for ticket in tickets(actions)] == [Kind.SPLIT], (
        "its own transaction holds what is inside"
    )


@pytest.mark.parametrize("login", ["bob", ""])
def test_more_members_than_go_with_the_message_itself(office: Office, login: str) -> None:
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, in_place=3))
    office.group("four", *(f"m{n}@out.example" for n in range(4)))
    office.group("three", *(f"n{n}@out.example" for n in range(3)))
    letter = office.letter("bob@own.example", login=login).to("four@own.example", "three@own.example")
    four, three = letter.decided()
    assert isinstance(four, Split)
    assert "4 members" in four.why
    assert receivers(three) == [f"n{n}@out.example" for n in range(3)]


def test_members_of_a_split_list_get_no_second_copy_through_another(office: Office) -> None:
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, in_place=3))
    office.group("four", *(f"m{n}@out.example" for n in range(4)))
    office.group("two", "m0@out.example", "other@out.example")
    letter = office.letter("bob@own.example", login="bob").to("four@own.example", "two@own.example")
    _, two = letter.decided()
    assert receivers(two) == ["other@out.example"]


def test_bounces_to_the_owner_among_others(office: Office) -> None:
    office.group("owned", "w@out.example", bounces_to=BouncesTo.OWNER)
    letter = office.letter("bob@own.example", login="bob").to("owned@own.example", "z@out.example")
    owned, _ = letter.decided()
    assert isinstance(owned, Split)
    alone = office.letter("bob@own.example", login="bob").to("owned@own.example").decided()
    assert isinstance(alone[0], Expanded)


def refusing(office: Office, **fields: object) -> None:
    """A group ``outer`` with a member, and one inside that takes nothing."""
    inner = office.group("inner", "i@out.example", enabled=False)
    office.group("outer", inner, "u@out.example", **fields)


def test_a_hidden_list_with_one_inside_that_refuses_keeps_the_return_path_for_the_report(
    office: Office,
) -> None:
    refusing(office, hidden_members=True)
    actions = office.letter("bob@own.example", login="bob").to("outer@own.example").planned()
    assert [ticket.kind for ticket in tickets(actions)] == [Kind.SPLIT], "the report is its own transaction"
    assert not any(isinstance(action, ChangeSender) for action in actions)
    unproven = office.letter("x@out.example").to("outer@own.example").planned()
    assert added(unproven) == ["u@out.example"], "nobody is told, so it still is alone"
    assert any(isinstance(action, ChangeSender) for action in unproven)


def test_an_outsider_who_is_told_of_a_part_keeps_the_return_path(office: Office) -> None:
    refusing(office)
    office.proofs = Proofs(spf=frozenset({"out.example"}))
    actions = office.letter("x@out.example").to("outer@own.example").planned()
    assert [ticket.kind for ticket in tickets(actions)] == [Kind.REFUSE]
    assert not any(isinstance(action, ChangeSender) for action in actions), "the report goes where it leads"
    (member,) = [a for a in actions if isinstance(a, AddRecipient) and a.address == "u@out.example"]
    assert member.parameters.startswith("NOTIFY=NEVER ")


def test_without_a_return_path_nobody_is_told(office: Office) -> None:
    refusing(office)
    office.group("small", "s@out.example", max_size=10)
    chain = tuple(rule for rule in office.settings.chain if rule != "automatic")
    office.settings = replace(office.settings, chain=chain)
    letter = office.letter("", login="bob").to("outer@own.example")
    assert added(letter.planned(**{"from": "bob@own.example"})) == ["u@out.example"]
