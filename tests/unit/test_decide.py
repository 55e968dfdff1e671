"""What becomes of each recipient, at RCPT and at the end, and what of the message."""

from dataclasses import dataclass, replace
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import OWN, Office, receivers, replied, status
from tests.support.paper import Paper

from groupmilter.authentication.identity import Proofs
from groupmilter.authentication.trust import Network
from groupmilter.groups.directory import DirectoryMoved, DirectoryUnknown, Members
from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.mail.address import pattern
from groupmilter.mail.reply import reply
from groupmilter.policy.case import Answer
from groupmilter.policy.decide import decide
from groupmilter.policy.disposition import Deferred, Expanded, Held, Passed, Refused, Undecided
from groupmilter.policy.explain import outcome, steps
from groupmilter.policy.facts import Count
from groupmilter.policy.settings import (
    Rate,
    StormGuard,
)


def test_who_is_no_group_passes() -> None:
    office = Office()
    jean = office.person("jean")
    letter = office.letter("x@out.example")
    assert isinstance(letter.rcpt(jean.address).disposition, Passed)
    assert isinstance(letter.rcpt("nobody@else.example").disposition, Passed)
    assert isinstance(letter.rcpt("x@[192.0.2.1]").disposition, Passed)


def test_a_group_without_mail_is_no_mail_group() -> None:
    office = Office()
    office.group("", "y@out.example", aliases=("nameless@own.example",))
    assert isinstance(office.letter("x@out.example").rcpt("nameless@own.example").disposition, Passed)


def test_a_good_recipient_is_undecided_until_the_end() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    office.group("held", "y@out.example", moderated=True, moderators=frozenset())
    letter = office.letter("x@out.example")
    assert isinstance(letter.rcpt("contact@own.example").disposition, Undecided)
    assert isinstance(letter.rcpt("held@own.example").disposition, Undecided)
    assert [type(one) for one in letter.decided()] == [Expanded, Held]


def test_the_trace_tells_every_rule_up_to_the_one_that_decided() -> None:
    office = Office()
    office.group("contact", "y@out.example", require_authentication=True)
    verdict = office.letter("x@out.example").rcpt("contact@own.example")
    assert [(step.rule, step.answer) for step in verdict.trace] == [
        ("disabled", Answer.MISS),
        ("automatic", Answer.PENDING),
        ("loop", Answer.PENDING),
        ("denied", Answer.MISS),
        ("authentication", Answer.HIT),
    ]
    assert steps(verdict.trace)[-1].startswith("contact@own.example authentication: hit (")
    assert outcome(verdict.disposition).startswith("refuse 550 5.7.1 ")


def test_an_empty_group_is_refused_and_says_why_in_the_trace_only() -> None:
    office = Office()
    group = office.group("contact")
    office.paper.lists[group.node] = Members((), (), ("uid=eve,ou=people is locked",))
    verdict = office.letter("x@out.example").rcpt("contact@own.example")
    assert status(verdict) == "550 5.2.1"
    assert "eve" not in replied(verdict)
    assert verdict.trace[-1].because == "uid=eve,ou=people is locked"


def test_an_empty_moderated_group_is_refused_too() -> None:
    office = Office()
    office.group("contact", moderated=True)
    assert status(office.letter("x@out.example").rcpt("contact@own.example")) == "550 5.2.1"


def test_if_all_nested_groups_refuse_their_refusal_is_the_answer() -> None:
    office = Office()
    office.group("outer", office.group("inner", "y@out.example", enabled=False))
    assert status(office.letter("x@out.example").rcpt("outer@own.example")) == "550 5.2.1"


def test_nested_moderation_and_who_covers_it() -> None:
    office = Office()
    boss = office.person("boss", login="boss")
    inner = office.group("inner", "y@out.example", moderated=True)
    rights = frozenset({boss.node})
    office.group("open", inner, "z@out.example")
    office.group("covering", inner, moderated=True, covers_nested=True, moderators=rights)
    office.group("careless", inner, covers_nested=True)
    letter = office.letter(boss.address, login="boss")
    first, second, third = letter.to(
        "open@own.example", "covering@own.example", "careless@own.example"
    ).decided()
    assert receivers(first) == ["z@out.example"]
    assert isinstance(first, Expanded)
    assert [group.address for group in first.expansion.holds] == ["inner@own.example"]
    assert receivers(second) == ["y@out.example"]
    assert isinstance(third, Expanded)
    assert [group.address for group in third.expansion.holds] == ["inner@own.example"]


def test_a_nested_group_without_mail_has_no_rules() -> None:
    office = Office()
    plain = office.group("", "y@out.example", require_authentication=True)
    office.group("outer", plain)
    (outer,) = office.letter("x@out.example").to("outer@own.example").decided()
    assert receivers(outer) == ["y@out.example"]


def test_the_sender_gets_a_copy_unless_the_policy_says_otherwise() -> None:
    office = Office()
    jean = office.person("jean", login="jean")
    office.group("contact", jean, "y@out.example")
    letter = office.letter(jean.address, login="jean").to("contact@own.example")
    assert receivers(letter.decided()[0]) == [jean.address, "y@out.example"]
    office.settings = replace(office.settings, sender_gets_copy=False)
    letter = office.letter(jean.address, login="jean").to("contact@own.example")
    assert receivers(letter.decided()[0]) == ["y@out.example"]


def test_nobody_left_is_a_refusal_never_an_empty_envelope() -> None:
    office = Office()
    jean = office.person("jean", login="jean")
    office.settings = replace(office.settings, sender_gets_copy=False)
    office.group("contact", jean)
    assert office.letter(jean.address, login="jean").to("contact@own.example").answered() == "550 5.2.1"


def test_each_member_once_by_any_address_and_first_come() -> None:
    office = Office()
    jean = office.person("jean", "j")
    office.group("a", jean, "y@out.example")
    office.group("b", jean, "y@out.example", "z@out.example")
    a, b, direct = (
        office.letter("x@out.example").to("a@own.example", "b@own.example", "j@own.example").decided()
    )
    assert receivers(a) == ["y@out.example"]
    assert receivers(b) == ["z@out.example"]
    assert isinstance(direct, Passed)


def test_a_held_copy_takes_nobody_from_the_others() -> None:
    office = Office()
    office.group("held", "y@out.example", moderated=True)
    office.group("open", "y@out.example")
    held, opened = office.letter("x@out.example").to("held@own.example", "open@own.example").decided()
    assert isinstance(held, Held)
    assert receivers(opened) == ["y@out.example"]


def test_one_refused_among_several_refuses_all_and_says_so() -> None:
    office = Office()
    denied = pattern("boss@else.example")
    assert denied is not None
    office.group("a", "y@out.example")
    office.group("b", "y@out.example", denied_addresses=(denied,))
    letter = office.letter("x@out.example").to("a@own.example", "b@own.example")
    assert letter.answered(**{"from": "boss@else.example"}) == "550 5.7.1"
    alone = office.letter("x@out.example").to("b@own.example")
    assert alone.answered(**{"from": "boss@else.example"}) == "550 5.7.2"


def test_the_messages_own_fault_is_named_before_a_deferral_and_that_before_a_refusal() -> None:
    office = Office()
    denied = pattern("x@out.example")
    assert denied is not None
    office.group("a", "y@out.example", "z@out.example")
    office.group("b", "y@out.example", denied_addresses=(denied,))
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, members=1))
    letter = office.letter("x@out.example")
    for address in ("a@own.example", "b@own.example"):
        letter.collector.accept(letter.rcpt(address).recipient)
    assert letter.answered() == "451 4.2.4"
    assert letter.answered(auto_submitted="auto-replied") == "550 5.7.1"


@pytest.mark.parametrize("client", ["192.0.2.1", ""])
def test_past_a_bound_an_outsider_waits_and_everybody_else_is_held(client: str) -> None:
    office = Office()
    bob = office.person("bob", login="bob")
    office.group("contact", "y@out.example", "z@out.example")
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, members=1))
    outsider = office.letter("x@out.example", client=client)
    assert status(outsider.rcpt("contact@own.example")) == ("451 4.2.4" if client else "")
    (held,) = office.letter(bob.address, login="bob", client=client).to("contact@own.example").decided()
    assert isinstance(held, Held)


def test_a_message_that_is_held_anyway_waits_for_no_nested_group_and_no_bound() -> None:
    office = Office()
    office.settings = replace(office.settings, storm=StormGuard(rate=Rate(5, 60)))
    inner = office.group("inner", "y@out.example")
    office.group("outer", inner, moderated=True)
    office.group("plain", inner)
    office.counts = {Count("storm", inner.uuid, 60): 5}
    assert [type(one) for one in office.letter("x@out.example").to("outer@own.example").decided()] == [Held]
    assert status(office.letter("x@out.example").rcpt("plain@own.example")) == "450 4.7.1"
    office.counts = {}
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, depth=0))
    assert [type(one) for one in office.letter("x@out.example").to("outer@own.example").decided()] == [Held]


def test_what_was_unknown_is_deferred_again_where_it_still_is() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    facts, _ = office.letter("x@out.example").to("contact@own.example").end()
    unknown = replace(facts.recipients[0], entry=None, unknown=True)
    decision = decide(replace(facts, recipients=(unknown,)), office.paper, office.settings)
    assert decision.answer is not None
    assert decision.answer.status == "451 4.4.3"
    assert decide(replace(facts, recipients=()), office.paper, office.settings).answer is None


def test_a_decision_in_words() -> None:
    office = Office()
    inner = office.group("inner", "y@out.example", moderated=True)
    closed = office.group("closed", "y@out.example", require_authentication=True)
    office.group("outer", inner, closed, "z@out.example")
    letter = office.letter("x@out.example").to("outer@own.example", "inner@own.example", "w@out.example")
    assert [outcome(one) for one in letter.decided()] == [
        "expand outer@own.example to 1, hold inner@own.example, left out closed@own.example (550 5.7.1)",
        "hold inner@own.example: moderated",
        "pass",
    ]
    assert outcome(Undecided()) == "undecided"
    assert outcome(Deferred(reply("451 4.4.3", "later"))) == "defer 451 4.4.3 later"


def test_too_deep_is_past_a_bound() -> None:
    office = Office()
    office.group("outer", office.group("inner", office.group("deep", "y@out.example")))
    office.settings = replace(office.settings, bounds=replace(office.settings.bounds, depth=1))
    assert status(office.letter("x@out.example").rcpt("outer@own.example")) == "451 4.2.4"


def test_a_login_may_not_bear_a_groups_address_towards_anybody() -> None:
    office = Office()
    bob = office.person("bob", login="bob")
    office.group("board", "y@out.example")
    letter = office.letter(bob.address, login="bob").to("z@out.example")
    assert letter.answered(**{"from": "board@own.example"}) == "550 5.7.1"
    stranger = office.letter("x@out.example").to("z@out.example")
    assert stranger.answered(**{"from": "board@own.example"}) == ""
    person = office.letter(bob.address, login="bob").to("z@out.example")
    assert person.answered(**{"from": "boss@own.example"}) == ""


def test_service_addresses_are_refused() -> None:
    office = Office()
    letter = office.letter("x@out.example")
    assert status(letter.rcpt("hold+abc@groups.own.example")) == "550 5.7.1"
    assert status(letter.rcpt("anything@groups.own.example")) == "550 5.7.1"


@dataclass
class Failing(Paper):
    """A directory that answers no question about members."""

    kind: type[DirectoryUnknown] = DirectoryUnknown

    def members(self, node: Node) -> Members:
        raise self.kind(f"no members of {node} today")


def test_what_the_directory_cant_tell_defers_and_a_move_is_asked_again() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    facts, _ = office.letter("x@out.example").to("contact@own.example").end()
    decision = decide(facts, Failing(), office.settings)
    assert decision.answer is not None
    assert decision.answer.status == "451 4.4.3"
    assert isinstance(decision.verdicts[0].disposition, Deferred)
    assert decision.verdicts[0].trace[-1].rule == "directory"
    with pytest.raises(DirectoryMoved):
        decide(facts, Failing(kind=DirectoryMoved), office.settings)


NETWORK = Network(ip_network("10.0.0.0/8"), frozenset({OWN}))


@given(st.data())
def test_a_refusal_at_rcpt_is_never_undone_at_the_end_by_the_same_facts(data: st.DataObject) -> None:
    """Whoever is refused at RCPT would not have got the message through at the end either.

    The author is the envelope sender here: only another author, a proof at the end, could speak otherwise.
    """
    draw = data.draw
    office = Office(networks=draw(st.sampled_from([(), (NETWORK,)])))
    office.settings = replace(office.settings, dmarc_is_internal=draw(st.booleans()))
    jean = office.person("jean", login="jean")
    some = st.sampled_from([(), ("@out.example",), ("x@out.example", "jean@own.example"), ("@else.example",)])
    right = st.sampled_from([frozenset(), frozenset({jean.node})])
    found = {
        name: tuple(p for text in draw(some) if (p := pattern(text)) is not None)
        for name in ("allowed_addresses", "denied_addresses", "external_senders", "bypass_addresses")
    }
    inner = office.group("inner", "z@out.example", require_authentication=draw(st.booleans()))
    lists: list[tuple[Group | str, ...]] = [("y@out.example",), (), (inner,), ("y@out.example", inner)]
    members = draw(st.sampled_from(lists))
    office.group(
        "contact", *members, enabled=draw(st.sampled_from([True, True, False])),
        require_authentication=draw(st.booleans()), moderated=draw(st.booleans()), allowed=draw(right),
        denied=draw(right), max_size=draw(st.sampled_from([None, 50, 5_000])), **found,
    )  # fmt: skip
    sender = draw(st.sampled_from(["x@out.example", "jean@own.example", "y@else.example"]))
    office.proofs = draw(st.sampled_from([Proofs(), Proofs(dkim=frozenset({"out.example", OWN}))]))
    login, client = draw(st.sampled_from([("", "192.0.2.1"), ("jean", "192.0.2.1"), ("", "10.0.0.1")]))
    size = draw(st.sampled_from([None, 10, 60, 10_000]))
    letter = office.letter(sender, login=login, client=client, size=size)
    early = letter.rcpt("contact@own.example")
    if isinstance(early.disposition, Refused) and "size" not in {step.rule for step in early.trace[-1:]}:
        letter.collector.accept(early.recipient)
        claimed = not office.proofs.dkim or login
        _, decision = letter.end()
        if claimed or early.trace[-1].rule != "denied":
            assert decision.answer is not None
            assert decision.answer.status[0] == "5"
