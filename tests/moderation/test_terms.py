"""What an item is recorded with, and to whom a notice about it may go: never to anybody who isn't proven."""

from __future__ import annotations

import pytest
from tests.moderation.ledgers import arrival
from tests.support.letters import Office

from groupmilter.groups.ticket import digest
from groupmilter.moderation.item import Arrival
from groupmilter.moderation.terms import Clock, terms, told
from groupmilter.policy.facts import Strength
from groupmilter.policy.reasons import FIXED, site_rule_number
from groupmilter.policy.settings import HoldThen, Moderation, Settings, SiteRule

HOUR = 3600
NOW = 1_000_000
OUTSIDER = "client@outside.example"


def came(**changes: object) -> Arrival:
    return arrival(1, **changes)


@pytest.mark.parametrize(
    ("hours", "early", "remind"), [(72, 24, 48), (72, 0, 0), (24, 24, 0), (10, 24, 0), (25, 24, 1)]
)
def test_when_moderators_are_reminded(hours: int, early: int, remind: int) -> None:
    clock = Clock(hours, early)
    assert clock.expires(NOW) == NOW + hours * HOUR
    assert clock.remind(NOW) == (NOW + remind * HOUR if remind else 0)


def test_the_terms_of_a_group() -> None:
    office = Office()
    jean = office.person("jean")
    group = office.group("sales", hold_hours=5)
    held = came(group=digest(group.uuid), sender=digest(jean.uuid), reason=FIXED["moderation"])
    found = terms(held, office.paper, Settings(hold_hours=72), NOW)
    assert (found.group_uuid, found.group_address) == (group.uuid, "sales@own.example")
    assert (found.sender_name, found.sender_uuid) == (jean.name, jean.uuid)
    assert (found.why, found.expires, found.remind) == ("moderation", NOW + 5 * HOUR, 0)


def test_a_rules_own_terms_go_before_the_groups() -> None:
    office = Office()
    group = office.group("sales", hold_hours=5)
    rule = SiteRule("adverts", ("*",), (), HoldThen(("boss@own.example",), 48))
    settings = Settings(rules=(rule,), hold_hours=72, moderation=Moderation(reminder_hours=12))
    held = came(group=digest(group.uuid), reason=site_rule_number("adverts"))
    found = terms(held, office.paper, settings, NOW)
    assert (found.why, found.moderators) == ("adverts", ("boss@own.example",))
    assert (found.expires, found.remind) == (NOW + 48 * HOUR, NOW + 36 * HOUR)
    without = terms(held, office.paper, Settings(hold_hours=72), NOW)
    assert (without.why, without.moderators, without.expires) == ("", (), NOW + 5 * HOUR)


def test_of_a_group_that_is_gone_nothing_is_said() -> None:
    found = terms(came(group=12345), Office().paper, Settings(), NOW)
    assert (found.group_uuid, found.group_address, found.sender_name) == ("", "", "")


def test_who_logged_in_is_written_to_at_an_address_of_his_own() -> None:
    office = Office()
    jean = office.person("jean", "alias")
    login = {"sender": digest(jean.uuid), "strength": Strength.LOGIN}
    for path, address in (
        ("jean@own.example", "jean@own.example"),
        ("Alias@Own.Example", "Alias@Own.Example"),
        ("victim@outside.example", "jean@own.example"),
        ("ceo@own.example", "jean@own.example"),
    ):
        assert told(came(**login, return_path=path), office.paper) == address
    assert told(came(**login, return_path=""), office.paper) == "", "nobody answers a bounce"


@pytest.mark.parametrize(
    "author",
    [
        OUTSIDER,
        f"Client <{OUTSIDER}>",
        f'"other@victim.example" <{OUTSIDER}>',
        "Other@Outside.Example",
    ],
)
def test_a_proven_domain_is_written_to_within_itself(author: str) -> None:
    proven = came(author=author, strength=Strength.DMARC, return_path=OUTSIDER)
    assert told(proven, Office().paper) == OUTSIDER


@pytest.mark.parametrize(
    ("author", "path"),
    [
        (OUTSIDER, "client@victim.example"),
        (OUTSIDER, "client@sub.outside.example"),
        (OUTSIDER, "victim@victim.example@outside.example"),
        (OUTSIDER, "<client@outside.example"),
        (OUTSIDER, ""),
        ("", "client@victim.example"),
        (f"{OUTSIDER} (@victim.example", "client@victim.example"),
        (f"<{OUTSIDER}> <x@victim.example>", "client@victim.example"),
        (f"{OUTSIDER}, x@victim.example", "client@victim.example"),
        ("no address", "client@victim.example"),
    ],
)
def test_nobody_else_ever_hears_of_it(author: str, path: str) -> None:
    for strength in Strength:
        assert told(came(author=author, strength=strength, return_path=path), Office().paper) == ""


def test_a_mere_claim_is_never_answered() -> None:
    office = Office()
    jean = office.person("jean")
    for sender in (0, digest(jean.uuid)):
        claimed = came(author="jean@own.example", sender=sender, return_path="jean@own.example")
        assert told(claimed, office.paper) == ""


def test_whoever_left_meanwhile_is_judged_by_his_domain() -> None:
    gone = came(author="left@own.example", sender=99, strength=Strength.LOGIN, return_path="left@own.example")
    assert told(gone, Office().paper) == "left@own.example"
    other = came(author="left@own.example", sender=99, strength=Strength.LOGIN, return_path=OUTSIDER)
    assert told(other, Office().paper) == ""
