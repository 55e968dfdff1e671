"""Found in review: who gets a copy, and who must not lose it."""

from dataclasses import replace

import pytest
from tests.support.letters import SERVICE, Office, added, receivers, status

from groupmilter.groups.group import BouncesTo
from groupmilter.mail.action import AddRecipient, ChangeSender, DeleteRecipient, InsertHeader
from groupmilter.policy.counting import counted
from groupmilter.policy.disposition import Held, Split
from groupmilter.policy.facts import Count
from groupmilter.policy.plan import LOOP_HEADER
from groupmilter.policy.settings import Rate, StormGuard


def test_a_group_that_lists_its_own_address_leaves_no_empty_envelope() -> None:
    office = Office()
    office.group("contact", "contact@own.example")
    letter = office.letter("x@out.example").to("contact@own.example")
    assert letter.answered() == "550 5.2.1"


def test_a_member_that_is_deleted_as_a_recipient_is_not_added() -> None:
    office = Office()
    office.group("contact", "info@own.example", "x@out.example")
    office.group("info", "y@out.example")
    letter = office.letter("x@out.example").to("contact@own.example", "info@own.example")
    actions = letter.planned()
    deleted = {a.address.strip("<>") for a in actions if isinstance(a, DeleteRecipient)}
    assert deleted.isdisjoint(added(actions))
    assert added(actions) == ["x@out.example", "y@out.example"]


def test_members_of_a_group_past_its_bound_still_get_the_copy_of_another() -> None:
    office = Office()
    bob = office.person("bob", login="bob")
    people = [office.person(f"p{number}") for number in range(6)]
    inner = office.group("inner", *people[3:])
    office.group("huge", *people[:3], inner)
    office.group("small", *people[:2])
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, members=5))
    letter = office.letter(bob.address, login="bob").to("huge@own.example", "small@own.example")
    huge, small = letter.decided()
    assert isinstance(huge, Held)
    assert receivers(small) == [people[0].address, people[1].address]


def test_the_octets_of_all_recipients_count_together() -> None:
    office = Office()
    bob = office.person("bob", login="bob")
    first = [office.person(f"p{number:03}") for number in range(50)]
    second = [office.person(f"q{number:03}") for number in range(50)]
    office.group("a", *first)
    office.group("b", *second)
    bounds = replace(office.settings.bounds, message_size_limit=7_000)
    office.settings = replace(office.settings, bounds=bounds)
    letter = office.letter(bob.address, login="bob").to("a@own.example", "b@own.example")
    a, b = letter.decided()
    assert len(receivers(a)) == 50
    assert isinstance(b, Split)


def test_a_held_copy_has_one_recipient_whatever_the_size_of_the_group() -> None:
    office = Office()
    office.group("a", *(f"p{n}@out.example" for n in range(50)), moderated=True)
    bounds = replace(office.settings.bounds, message_size_limit=1_000)
    office.settings = replace(office.settings, bounds=bounds)
    letter = office.letter("x@out.example")
    assert status(letter.rcpt("a@own.example")) == ""
    assert isinstance(letter.decided()[0], Held)


def test_the_loop_trace_of_many_groups_fits_the_milter_protocol() -> None:
    office = Office()
    nested = [office.group(f"g{number}", f"m{number}@out.example") for number in range(5_000)]
    office.group("all", *nested)
    actions = office.letter("x@out.example").to("all@own.example").planned()
    traces = [a.value for a in actions if isinstance(a, InsertHeader) and a.name == LOOP_HEADER]
    assert sum(len(trace.split()) for trace in traces) == 5_001
    assert max(map(len, traces)) < 60_000


@pytest.mark.parametrize("login", ["bob", ""])
def test_members_of_a_hidden_group_inside_another_are_not_told_by_bounces(login: str) -> None:
    office = Office()
    bob = office.person("bob", login="bob")
    hidden = office.group("secret", "spy@out.example", hidden_members=True)
    office.group("all", "x@out.example", hidden, bounces_to=BouncesTo.SENDER)
    alone = office.letter(bob.address, login=login).to("all@own.example").planned()
    assert [a.address.partition("+")[0] for a in alone if isinstance(a, ChangeSender)] == ["bounce"]
    mixed = office.letter(bob.address, login=login).to("all@own.example", "y@out.example").planned()
    assert not any(isinstance(a, ChangeSender) for a in mixed)
    (copy,) = [a for a in mixed if isinstance(a, AddRecipient)]
    assert copy.address.startswith("hold+"), "it goes by the desk, with a return path of its own"


@pytest.mark.parametrize(
    ("asked", "passed"),
    [
        ("SUCCESS", "NOTIFY=NEVER "),
        ("success,failure", "NOTIFY=FAILURE "),
        ("DELAY,FAILURE", "NOTIFY=FAILURE,DELAY "),
        ("DELAY,SUCCESS", "NOTIFY=DELAY "),
        ("NEVER", "NOTIFY=NEVER "),
        ("", ""),
        ("FAILURE ORCPT=rfc822;x", ""),
        ("NEVER,FAILURE", ""),
        ("FAILURE,FAILED", ""),
    ],
)
def test_what_the_sender_wants_to_be_told_less_successes(asked: str, passed: str) -> None:
    office = Office()
    bob = office.person("bob", login="bob")
    office.group("contact", "x@out.example")
    letter = office.letter(bob.address, login="bob")
    letter.rcpt("contact@own.example", notify=asked)
    (member,) = [a for a in letter.planned() if isinstance(a, AddRecipient)]
    assert member.parameters == f"{passed}ORCPT=rfc822;contact@own.example"


def test_a_nested_hold_counts_against_the_nested_groups_storm_guard() -> None:
    office = Office()
    office.settings = replace(office.settings, storm=StormGuard(rate=Rate(9, 60)))
    inner = office.group("inner", "x@out.example", moderated=True)
    office.group("outer", inner)
    facts, decision = office.letter("x@out.example").to("outer@own.example").end()
    assert Count("storm", inner.uuid, 60) in counted(decision, facts, office.settings)


def test_a_group_whose_only_members_are_addressed_directly_too() -> None:
    office = Office()
    jean = office.person("jean")
    office.group("contact", jean)
    letter = office.letter("x@out.example").to("contact@own.example", jean.address)
    actions = letter.planned()
    assert added(actions) == []
    assert actions[-1] == DeleteRecipient("<contact@own.example>")


def test_one_held_and_expanded_by_two_recipients_gets_both() -> None:
    office = Office()
    boss = office.person("boss", login="boss")
    inner = office.group("inner", "x@out.example", moderated=True)
    office.group("outer", inner, moderated=True, covers_nested=True, owners=frozenset({boss.node}))
    letter = office.letter(boss.address, login="boss").to("outer@own.example", "inner@own.example")
    first, ticket = added(letter.planned())
    assert first == "x@out.example"
    assert ticket.endswith(f"@{SERVICE}")
