"""From a decision to edits: additions first, each address once, and never an envelope without recipients."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import KEYS, SERVICE, Letter, Office, added

from groupmilter.groups.group import BouncesTo, Group
from groupmilter.groups.person import Person
from groupmilter.groups.ticket import Kind, digest, loop_digest, unseal
from groupmilter.mail.action import (
    Action,
    AddHeader,
    AddRecipient,
    ChangeSender,
    DeleteHeader,
    DeleteRecipient,
    InsertHeader,
)
from groupmilter.policy.plan import LOOP_HEADER
from groupmilter.policy.settings import SiteRule, TagThen

PEOPLE = [f"p{number}@own.example" for number in range(6)] + ["out@else.example"]


@st.composite
def letters(draw: st.DrawFn) -> Letter:
    """Any message to any groups of any directory."""
    office = Office()
    office.settings = replace(office.settings, sender_gets_copy=draw(st.booleans()))
    boss = office.person("boss", login="boss")
    people: list[Person | str] = [office.person(f"p{number}") for number in range(6)]
    groups: list[Group] = []
    for number in range(draw(st.integers(1, 5))):
        members = draw(
            st.lists(st.sampled_from([boss, *people, *PEOPLE, *groups, f"g{number}@own.example"]), max_size=5)
        )
        groups.append(
            office.group(
                f"g{number}",
                *members,
                aliases=(f"a{number}@own.example",),
                moderated=draw(st.booleans()),
                covers_nested=draw(st.booleans()),
                hidden_members=draw(st.booleans()),
                require_authentication=draw(st.booleans()),
                owners=frozenset({boss.node}) if draw(st.booleans()) else frozenset(),
                bounces_to=draw(st.sampled_from(list(BouncesTo))),
            )
        )
    names = [f"{letter}{number}@own.example" for letter in "ag" for number in range(len(groups))]
    letter = office.letter(boss.address, login=draw(st.sampled_from(["boss", ""])))
    for name in draw(
        st.lists(
            st.sampled_from([*names, *PEOPLE, "G0@own.example", '"g0"@own.example']), min_size=1, max_size=6
        )
    ):
        letter.rcpt(name, notify=draw(st.sampled_from(["", "NEVER", "SUCCESS", "FAILURE,DELAY"])))
    return letter


def envelope(letter: Letter, actions: tuple[Action, ...]) -> list[str]:
    """Return the envelope as Postfix has it after the edits, in their order."""
    kept = [recipient.address.received for recipient in letter.collector.recipients]
    for action in actions:
        if isinstance(action, AddRecipient):
            kept.append(f"<{action.address}>")
        elif isinstance(action, DeleteRecipient):
            kept = [one for one in kept if one != action.address]
    return kept


@given(letters())
def test_no_plan_leaves_an_envelope_without_recipients_or_with_a_group(letter: Letter) -> None:
    if not letter.collector.recipients:
        return
    groups = {f"<{a}>" for group in letter.office.paper.groups.values() for a in group.addresses}
    spellings = {f"<{n}>" for n in ("G0@own.example", '"g0"@own.example')}
    spelt = {r.address.received for r in letter.collector.recipients if r.group is not None}
    _, decision = letter.end()
    if decision.answer is not None:
        return
    again = letter.office.letter(letter.collector.sender.canonical, login=letter.collector.connection.login)
    for recipient in letter.collector.recipients:
        again.collector.accept(recipient)
    kept = envelope(again, again.planned())
    assert kept
    assert not set(kept) & spelt & (groups | spellings)


@given(letters())
def test_everything_is_added_before_anything_is_deleted_and_each_address_once(letter: Letter) -> None:
    if not letter.collector.recipients:
        return
    _, decision = letter.end()
    if decision.answer is not None:
        return
    again = letter.office.letter(letter.collector.sender.canonical, login=letter.collector.connection.login)
    for recipient in letter.collector.recipients:
        again.collector.accept(recipient)
    actions = again.planned()
    kinds = [isinstance(action, DeleteRecipient) for action in actions]
    assert kinds == sorted(kinds)
    new = added(actions)
    assert len(new) == len(set(new))
    direct = {r.address.canonical for r in again.collector.recipients if r.group is None}
    assert direct.isdisjoint(new)


def one(login: str = "boss", notify: str = "", also: str = "", **fields: object) -> tuple[Action, ...]:
    office = Office()
    boss = office.person("boss", login="boss")
    office.group("contact", "y@out.example", **fields)
    letter = office.letter(boss.address, login=login)
    letter.rcpt("contact@own.example", notify=notify)
    if also:
        letter.to(also)
    return letter.planned()


def parameters(actions: tuple[Action, ...]) -> str:
    (found,) = {action.parameters for action in actions if isinstance(action, AddRecipient)}
    return found


def kinds(actions: tuple[Action, ...]) -> list[Kind]:
    sealed = [a.partition("@")[0].removeprefix("hold+") for a in added(actions) if a.startswith("hold+")]
    return [ticket.kind for text in sealed if (ticket := unseal(text, KEYS))]


def returns_to(actions: tuple[Action, ...]) -> list[str]:
    return [action.address.partition("+")[0] for action in actions if isinstance(action, ChangeSender)]


ORCPT = "ORCPT=rfc822;contact@own.example"


@pytest.mark.parametrize(
    ("login", "way", "hidden", "also", "sender", "wanted"),
    [
        ("boss", BouncesTo.AUTO, False, "", [], ORCPT),
        ("", BouncesTo.AUTO, False, "", ["bounce"], ORCPT),
        ("", BouncesTo.AUTO, False, "z@out.example", [], f"NOTIFY=NEVER {ORCPT}"),
        ("", BouncesTo.SENDER, False, "", [], ORCPT),
        ("boss", BouncesTo.OWNER, False, "", ["bounce"], ORCPT),
        ("boss", BouncesTo.OWNER, False, "z@out.example", [], f"NOTIFY=FAILURE {ORCPT}"),
        ("boss", BouncesTo.NOBODY, False, "", [], f"NOTIFY=NEVER {ORCPT}"),
        ("boss", BouncesTo.SENDER, True, "", ["bounce"], ORCPT),
        ("boss", BouncesTo.AUTO, True, "z@out.example", [], f"NOTIFY=FAILURE {ORCPT}"),
    ],
)
def test_who_gets_the_bounces(
    login: str, way: BouncesTo, hidden: bool, also: str, sender: list[str], wanted: str
) -> None:
    actions = one(login, also=also, bounces_to=way, hidden_members=hidden)
    own_path = also and (hidden or way is BouncesTo.OWNER)
    assert kinds(actions) == ([Kind.SPLIT] if own_path else [])
    assert returns_to(actions) == sender
    assert parameters(actions) == wanted


def test_an_address_is_xtext_in_orcpt() -> None:
    office = Office()
    office.group("a+b=c", "y@out.example")
    actions = office.letter("x@out.example").to("a+b=c@own.example").planned()
    assert parameters(actions) == "ORCPT=rfc822;a+2Bb+3Dc@own.example"


def test_a_held_copy_carries_its_ticket_and_the_return_path_stays() -> None:
    office = Office()
    jean = office.person("jean", login="jean")
    group = office.group("contact", "y@out.example", moderated=True, hidden_members=True)
    actions = office.letter(jean.address, login="jean").to("contact@own.example").planned()
    add, *deletions = actions
    assert isinstance(add, AddRecipient)
    assert add.parameters == f"NOTIFY=FAILURE {ORCPT}"
    local, _, domain = add.address.partition("@")
    ticket = unseal(local.removeprefix("hold+"), KEYS)
    assert ticket is not None
    assert (domain, ticket.kind, ticket.group, ticket.sender) == (
        SERVICE,
        Kind.HOLD,
        digest(group.uuid),
        digest(jean.uuid),
    )
    assert len(local) <= 64
    assert deletions == [DeleteRecipient("<contact@own.example>")]


def test_each_held_group_has_one_ticket_of_its_own() -> None:
    office = Office()
    inner = office.group("inner", "y@out.example", moderated=True)
    office.group("outer", inner, "z@out.example")
    letter = office.letter("x@out.example").to("outer@own.example", "inner@own.example", "INNER@own.example")
    tickets = [
        unseal(a.partition("@")[0].removeprefix("hold+"), KEYS)
        for a in added(letter.planned())
        if SERVICE in a
    ]
    assert [ticket and ticket.group for ticket in tickets] == [digest(inner.uuid)]


def test_a_recipient_is_deleted_as_received_and_as_canonical() -> None:
    office = Office()
    office.group("contact", "y@out.example")
    actions = office.letter("x@out.example").to('"Contact"@OWN.example.').planned()
    assert [a.address for a in actions if isinstance(a, DeleteRecipient)] == [
        '<"Contact"@OWN.example.>', "<contact@own.example>",
    ]  # fmt: skip


def fields_of(actions: tuple[Action, ...]) -> dict[str, str]:
    return {action.name: action.value for action in actions if isinstance(action, AddHeader | InsertHeader)}


def test_list_fields_for_one_group_alone() -> None:
    fields = fields_of(one())
    assert fields["List-Id"] == "<contact.own.example>"
    assert fields["List-Post"] == "<mailto:contact@own.example>"
    assert fields["List-Owner"] == "<mailto:postmaster@own.example>"
    assert fields["Precedence"] == "list"
    assert fields["X-Auto-Response-Suppress"] == "OOF, AutoReply"
    assert "Precedence" not in fields_of(one(auto_replies=True))
    assert set(fields_of(one(also="z@out.example"))) == {LOOP_HEADER}


def letter_to_contact(list_headers: bool = True) -> Letter:
    office = Office()
    office.settings = replace(office.settings, list_headers=list_headers)
    office.group("contact", "y@out.example")
    return office.letter("x@out.example").to("contact@own.example")


def test_a_signed_field_is_never_added_nor_another_lists_replaced() -> None:
    signed = letter_to_contact().planned(dkim_signature="v=1; h=From : List-Post:precedence;\r\n\tb=x")
    assert {"List-Post", "Precedence"}.isdisjoint(fields_of(signed))
    assert "List-Id" in fields_of(signed)
    assert set(fields_of(letter_to_contact(list_headers=False).planned())) == {LOOP_HEADER}


@pytest.mark.parametrize(
    "field",
    ["List-Id", "LIST-POST", "list-owner", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Archive"],
)
def test_another_lists_fields_stay_alone_and_answering_programs_are_kept_quiet(field: str) -> None:
    fields = fields_of(letter_to_contact().planned(**{field: "<https://lists.other.example/x>"}))
    assert set(fields) == {LOOP_HEADER, "Precedence", "X-Auto-Response-Suppress"}


def test_what_keeps_answering_programs_quiet_is_not_doubled() -> None:
    there = letter_to_contact().planned(precedence="bulk", x_auto_response_suppress="All")
    fields = {LOOP_HEADER, "List-Id", "List-Post", "List-Owner", "List-Unsubscribe"}
    assert set(fields_of(there)) == fields


def test_the_loop_trace_names_all_that_were_expanded_to_who_has_the_key() -> None:
    office = Office()
    inner = office.group("inner", "y@out.example")
    outer = office.group("outer", inner)
    trace = fields_of(office.letter("x@out.example").to("outer@own.example").planned())[LOOP_HEADER]
    assert trace.split() == [loop_digest(group.uuid, KEYS.keys[1]) for group in (outer, inner)]
    assert "own.example" not in trace
    again = office.letter("x@out.example").to("outer@own.example")
    assert again.answered(x_groupmilter_loop=trace) == "554 5.4.6"


def test_tags_are_added() -> None:
    office = Office()
    office.settings = replace(office.settings, rules=(SiteRule("tag", (), (), TagThen("X-Site", "1")),))
    office.group("contact", "y@out.example")
    assert fields_of(office.letter("x@out.example").to("contact@own.example").planned())["X-Site"] == "1"


def test_without_a_group_nothing_is_asked_of_the_mta() -> None:
    assert Office().letter("x@out.example").to("y@out.example").planned() == ()


def test_results_that_no_relay_wrote_are_deleted_the_last_first() -> None:
    """Deleting moves those behind up on some MTAs (CVE-2022-48521)."""
    office = Office(forged=(3, 2, 1))
    office.group("contact", "y@out.example")
    letter = office.letter("x@out.example").to("contact@own.example")
    plan = letter.planned(authentication_results=["relay.own.example; dkim=pass"] * 3)
    deleted = [action for action in plan if isinstance(action, DeleteHeader)]
    assert deleted == [DeleteHeader("Authentication-Results", place) for place in (3, 2, 1)]
    assert plan.index(deleted[-1]) < next(i for i, one in enumerate(plan) if isinstance(one, AddHeader))
    direct = office.letter("x@out.example").to("y@out.example")
    assert direct.planned(authentication_results="relay.own.example; dkim=pass") == ()
