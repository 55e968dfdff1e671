"""Conditions of a site's own rules: yes, no, or not before the end of the message."""

from dataclasses import replace
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import untyped

from groupmilter.groups.group import Group
from groupmilter.groups.person import Node
from groupmilter.mail.address import Address
from groupmilter.policy.case import Case
from groupmilter.policy.conditions import (
    AutoSubmitted,
    BlindCopy,
    Calendar,
    Condition,
    HeaderMatches,
    RecipientsOver,
    SenderDomain,
    SenderIs,
    SizeOver,
    StrengthIs,
    any_glob,
)
from groupmilter.policy.facts import Content, Facts, Identity, Recipient, Strength
from groupmilter.policy.settings import Settings

GROUP = Group(
    node=Node(1), uuid="u", dn="cn=g", address="g@own.example", aliases=("h@own.example",),
    owners=frozenset({Node(3)}), moderators=frozenset({Node(4)}),
)  # fmt: skip
CLAIM = Identity(claims=("x@out.example",))
EMPTY = Content()
EARLY = replace(CLAIM, may_become=Strength.DMARC)
LOGIN = Identity(Strength.LOGIN, "j", addresses=("j@own.example",))


def holds(
    condition: Condition, identity: Identity = CLAIM, content: Content | None = EMPTY, **facts: object
) -> bool | None:
    whole = Facts("x@out.example", identity, content=content, **untyped(facts))
    return condition.holds(Case(GROUP, whole, Settings()))


def headers(**fields: str) -> Content:
    return Content(headers={name.replace("_", "-"): (value,) for name, value in fields.items()})


def sender(*names: str) -> SenderIs:
    return SenderIs(frozenset(names))


@pytest.mark.parametrize(("name", "node"), [("member", 1), ("owner", 3), ("moderator", 4)])
def test_a_class_by_right(name: str, node: int) -> None:
    assert holds(sender(name), replace(LOGIN, nodes=frozenset({Node(node)})), None)
    assert holds(sender(name), LOGIN, None) is False
    assert holds(sender(name), EARLY, None) is None
    assert holds(sender(name), CLAIM) is False


def test_internal_and_external() -> None:
    assert holds(sender("internal"), LOGIN, None)
    assert holds(sender("internal"), CLAIM) is False
    assert holds(sender("external"), CLAIM)
    assert holds(sender("external"), EARLY, None) is None
    assert holds(sender("external"), LOGIN) is False
    assert holds(sender("external", "internal"), LOGIN, None)


def test_strength() -> None:
    assert holds(StrengthIs(frozenset({Strength.LOGIN})), LOGIN, None)
    assert holds(StrengthIs(frozenset({Strength.CLAIMED})), EARLY, None) is None
    assert holds(StrengthIs(frozenset({Strength.CLAIMED})), CLAIM)
    assert holds(StrengthIs(frozenset({Strength.DMARC})), CLAIM) is False


def test_the_senders_domain_is_the_proven_one_else_the_claimed() -> None:
    assert holds(SenderDomain(("out.*",)), CLAIM)
    assert holds(SenderDomain(("OUT.example",)), EARLY, None)
    assert holds(SenderDomain(("own.example",)), EARLY, None) is None
    assert holds(SenderDomain(("own.example",)), CLAIM) is False
    assert holds(SenderDomain(("out.example",)), replace(LOGIN, claims=("x@out.example",)), None) is False


def test_size_is_counted_or_declared() -> None:
    assert holds(SizeOver(10), content=None, declared_size=11)
    assert holds(SizeOver(10), content=None, declared_size=10) is None
    assert holds(SizeOver(10), size=10, declared_size=11) is False
    assert holds(SizeOver(10), size=11)


def test_the_number_of_recipients() -> None:
    two = (Recipient(Address("<a@x>", "a@x")), Recipient(Address("<b@x>", "b@x")))
    assert holds(RecipientsOver(1), content=None, recipients=two)
    assert holds(RecipientsOver(2), content=None, recipients=two) is None
    assert holds(RecipientsOver(2), recipients=two) is False


def test_a_header_field() -> None:
    spam = HeaderMatches("x-spam", ("yes*", "maybe"))
    assert holds(spam, content=headers(x_spam=" YES, score=9"))
    assert holds(spam, content=headers(x_spam="no")) is False
    assert holds(spam, content=headers(subject="yes")) is False
    assert holds(spam, content=None) is None


@pytest.mark.parametrize(
    ("value", "automatic"), [("auto-generated", True), ("no", False), ("No (really)", False), ("", False)]
)
def test_automatic_submission(value: str, automatic: bool) -> None:
    assert holds(AutoSubmitted(True), content=headers(auto_submitted=value)) is automatic
    assert holds(AutoSubmitted(False), content=headers(auto_submitted=value)) is not automatic
    assert holds(AutoSubmitted(True), content=None) is None


def test_a_blind_copy() -> None:
    to = (Recipient(Address("<g@own.example>", "g@own.example"), GROUP),)
    assert holds(BlindCopy(True), content=headers(to="a@x.example"), recipients=to)
    assert (
        holds(BlindCopy(True), content=headers(to="a@x.example", cc="G <H@own.example>"), recipients=to)
        is False
    )
    assert holds(BlindCopy(False), content=headers(to="g@own.example"), recipients=to)
    assert holds(BlindCopy(True), content=None, recipients=to) is None


def test_a_group_reached_through_another_is_no_blind_copy() -> None:
    assert holds(BlindCopy(True), content=headers(to="a@x.example")) is False
    assert holds(BlindCopy(False), content=headers(to="a@x.example")) is False


PARIS = ZoneInfo("Europe/Paris")
OFFICE = Calendar(frozenset(range(5)), time(9), time(17), PARIS)
NIGHT = Calendar(frozenset({4}), time(22), time(6), PARIS)


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        (OFFICE, datetime(2026, 3, 2, 8, 0, tzinfo=UTC), True),
        (OFFICE, datetime(2026, 3, 2, 7, 59, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 3, 2, 16, 0, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 3, 1, 10, 0, tzinfo=UTC), False),
        (OFFICE, datetime(2026, 7, 6, 7, 0, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 3, 6, 21, 0, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 3, 7, 4, 59, tzinfo=UTC), True),
        (NIGHT, datetime(2026, 3, 7, 5, 0, tzinfo=UTC), False),
        (NIGHT, datetime(2026, 3, 6, 4, 0, tzinfo=UTC), False),
    ],
)
def test_a_calendar_window(window: Calendar, moment: datetime, inside: bool) -> None:
    assert holds(window, local_time=moment) is inside


def test_without_a_clock_a_window_cant_be_told() -> None:
    assert holds(OFFICE) is None


@given(st.text(max_size=30))
def test_a_glob_of_stars_matches_everything_and_plain_text_itself(text: str) -> None:
    assert any_glob(("*",), text)
    if not set(text) & set("*?"):
        assert any_glob((text,), text)


def test_a_hostile_glob_and_text_end_soon() -> None:
    assert not any_glob(("*a" * 30 + "b",), "a" * 20_000)
