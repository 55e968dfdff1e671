"""What becomes of a wish, on paper: each rule, and what strangers may learn."""

from __future__ import annotations

import itertools

import pytest

from groupmilter.enrolment.verdict import Answer, Applicant, Verdict, Why, answered
from groupmilter.enrolment.wording import refusal
from groupmilter.groups.group import Group, JoinPolicy
from groupmilter.groups.person import Node, Person
from groupmilter.groups.standing import Standing
from groupmilter.language.catalogue import catalogue
from groupmilter.moderation.request import Wanted

PERSON = Person(Node(1), "uuid-1", "uid=zoe", "Zoé", "zoe@own.example", ("zoe@own.example",))
ZOE, STRANGER = Applicant("zoe@own.example", PERSON), Applicant("reader@elsewhere.example")
OUTSIDE, LISTED = Standing(), Standing(listed=True)
JOIN, LEAVE = Wanted.JOIN, Wanted.LEAVE


def group(address: str = "news@own.example", **fields: object) -> Group:
    whole: dict[str, object] = {"node": Node(9), "uuid": "uuid-9", "dn": "cn=news", "address": address}
    return Group(**whole | fields)  # type: ignore[arg-type]  # fields of any type, as tests like


OPEN = group(join_policy=JoinPolicy.OPEN)
ASKING = group(join_policy=JoinPolicy.APPROVAL, leave_policy=JoinPolicy.APPROVAL)
CLOSED = group(join_policy=JoinPolicy.CLOSED, leave_policy=JoinPolicy.CLOSED)


@pytest.mark.parametrize(
    ("wanted", "standing", "rules", "verdict"),
    [
        (JOIN, OUTSIDE, OPEN, Verdict.AT_ONCE),
        (JOIN, OUTSIDE, ASKING, Verdict.ASK),
        (JOIN, OUTSIDE, CLOSED, Verdict.REFUSED),
        (LEAVE, LISTED, OPEN, Verdict.AT_ONCE),
        (LEAVE, LISTED, ASKING, Verdict.ASK),
        (LEAVE, LISTED, CLOSED, Verdict.REFUSED),
    ],
)
def test_the_groups_policy_decides(
    wanted: Wanted, standing: Standing, rules: Group, verdict: Verdict
) -> None:
    assert answered(rules, ZOE, wanted, standing, decides=False).verdict is verdict


@pytest.mark.parametrize("rules", [ASKING, CLOSED])
def test_who_decides_asks_nobody(rules: Group) -> None:
    assert answered(rules, ZOE, JOIN, OUTSIDE, decides=True).verdict is Verdict.AT_ONCE


def test_outsiders_only_come_in_where_the_group_says_so() -> None:
    assert answered(OPEN, STRANGER, JOIN, OUTSIDE, decides=False) == Answer(Verdict.REFUSED, Why.OUTSIDER)
    welcome = group(join_policy=JoinPolicy.OPEN, join_outsiders=True)
    assert answered(welcome, STRANGER, JOIN, OUTSIDE, decides=False).verdict is Verdict.AT_ONCE
    assert answered(OPEN, STRANGER, LEAVE, LISTED, decides=False).verdict is Verdict.AT_ONCE


@pytest.mark.parametrize("wanted", [JOIN, LEAVE])
@pytest.mark.parametrize("standing", [OUTSIDE, LISTED, Standing(ruled=True)])
def test_somebody_unproven_learns_nothing_of_who_is_a_member(wanted: Wanted, standing: Standing) -> None:
    claimed = Applicant(ZOE.address, PERSON, proven=False)
    assert answered(OPEN, claimed, wanted, standing, decides=False) == Answer(Verdict.CONFIRM)


def test_somebody_unproven_is_no_owner() -> None:
    claimed = Applicant(ZOE.address, PERSON, proven=False)
    assert answered(CLOSED, claimed, JOIN, OUTSIDE, decides=True) == Answer(Verdict.REFUSED, Why.CLOSED)


def test_a_hidden_group_is_unknown_but_to_its_members_and_owners() -> None:
    hidden = group(join_policy=JoinPolicy.OPEN, hidden=True)
    for applicant, standing in itertools.product(
        (ZOE, STRANGER, Applicant(ZOE.address, PERSON, proven=False)), (OUTSIDE, LISTED)
    ):
        seen = applicant.proven and standing.member
        found = answered(hidden, applicant, LEAVE, standing, decides=False)
        assert (found.verdict is not Verdict.UNKNOWN) is seen
    assert answered(hidden, ZOE, JOIN, OUTSIDE, decides=True).verdict is Verdict.AT_ONCE


def test_who_is_in_by_another_group_is_told_which_unless_that_is_hidden() -> None:
    team, secret = group("team@own.example"), group("secret@own.example", hidden=True)
    nested = Standing(through=(team, secret))
    assert answered(OPEN, ZOE, LEAVE, nested, decides=False) == Answer(
        Verdict.REFUSED, Why.NESTED, ("team@own.example",)
    )
    unnamed = answered(OPEN, ZOE, LEAVE, Standing(through=(secret,)), decides=False)
    assert unnamed == Answer(Verdict.REFUSED, Why.NESTED)
    assert "{through}" in refusal(LEAVE, Answer(Verdict.REFUSED, Why.NESTED, ("team@own.example",)))
    assert "{through}" not in refusal(LEAVE, unnamed)


def test_there_is_nothing_to_do_for_who_is_in_already_or_was_never() -> None:
    assert answered(OPEN, ZOE, JOIN, LISTED, decides=False).why is Why.MEMBER
    assert answered(OPEN, ZOE, LEAVE, OUTSIDE, decides=False).why is Why.NO_MEMBER
    assert answered(OPEN, ZOE, LEAVE, Standing(ruled=True), decides=False).why is Why.RULED


def test_neither_locked_accounts_nor_groups_join() -> None:
    locked = Applicant(ZOE.address, Person(Node(1), "uuid-1", "uid=zoe", "Zoé", ZOE.address, disabled=True))
    assert answered(OPEN, locked, JOIN, OUTSIDE, decides=False).why is Why.LOCKED
    program = Applicant("team@own.example", group=True)
    assert answered(OPEN, program, JOIN, OUTSIDE, decides=False).why is Why.GROUP


@pytest.mark.parametrize("why", Why)
@pytest.mark.parametrize("wanted", Wanted)
def test_each_refusal_has_a_sentence_in_both_languages(why: Why, wanted: Wanted) -> None:
    sentence = refusal(wanted, Answer(Verdict.REFUSED, why))
    assert catalogue()("fr", sentence) != sentence
