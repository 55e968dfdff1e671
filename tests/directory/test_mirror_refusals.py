"""Groups that take what a group nested in them refuses: each pair is told once, with the reasons."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.directory.mirrors import NOW, entry, group, group_dn, opened, person, person_dn
from tests.directory.mirrors import settings as mirror_settings

from groupmilter.directory.entry import Put
from groupmilter.directory.findings import Finding, Kind
from groupmilter.directory.mirror import Mirror
from groupmilter.directory.mirror_cycles import turned
from groupmilter.directory.mirror_refusals import PLAIN, Comparison, Limits, refusals

Attributes = dict[str, str | list[str]]

PEOPLE = [Put(person(name)) for name in ("owner", "anna", "bob")]
ANYBODY: Attributes = {"dgRequireAuthentication": "FALSE"}
PARTNER: Attributes = {"dgExternalSender": "@partner.example"}
ANNA: Attributes = {"dgAllowedSender": person_dn("anna")}
ALL: Attributes = {"dgAllowedSender": group_dn("all")}
SMALL: Attributes = {"dgMaxMessageSize": "5000"}
BOB_OF_PARTNER: Attributes = {"dgExternalSender": "bob@partner.example"}
OWN_DOMAIN: Attributes = {"dgAllowedSenderAddress": "@example.org"}

LISTED = "has a list of allowed senders"
LACKS = "has a list of allowed senders that lacks some"
SIZE = "takes 5000 octets at most"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.db"


def told(mirror: Mirror) -> dict[tuple[str, str], Finding]:
    found = [one for one in mirror.findings() if one.kind is Kind.NESTED_REFUSES]
    pairs = {
        (one.subject.partition("@")[0], str(one.details["nested"]).partition("@")[0]): one for one in found
    }
    assert len(pairs) == len(found), "one finding per group and nested group"
    return pairs


def around(name: str, *inside: str, **attributes: str | list[str]) -> Put:
    return Put(group(name, *map(group_dn, inside), uuid="", **attributes))


@pytest.mark.parametrize(
    ("outer", "inner", "rules", "reasons"),
    [
        ({}, {"dgEnabled": "FALSE"}, "disabled", "is disabled"),
        (ANYBODY, {}, "authentication", "wants senders authenticated"),
        (ANYBODY, PARTNER, "authentication", "wants senders authenticated"),
        (PARTNER, {}, "authentication", "wants @partner.example authenticated"),
        (PARTNER, BOB_OF_PARTNER, "authentication", "wants @partner.example authenticated"),
        ({}, ANNA, "allowed", LISTED),
        ({}, {"dgAllowedSenderAddress": "anna@example.org"}, "allowed", LISTED),
        (ANYBODY, ANYBODY | OWN_DOMAIN, "allowed", LISTED),
        (ANNA, {"dgAllowedSender": person_dn("bob")}, "allowed", LACKS),
        (ALL, {"dgAllowedSender": group_dn("team")}, "allowed", LACKS),
        ({"dgAllowedSenderAddress": "@a.example"}, {"dgAllowedSenderAddress": "@b.example"}, "allowed", LACKS),
        ({}, SMALL, "size", SIZE),
        ({"dgMaxMessageSize": "5001"}, SMALL, "size", SIZE),
        (ANYBODY, ANNA | SMALL, "allowed authentication size", f"wants senders authenticated, {LISTED}, {SIZE}"),
    ],
)  # fmt: skip
def test_what_a_nested_group_refuses(
    path: Path, outer: Attributes, inner: Attributes, rules: str, reasons: str
) -> None:
    sound = [*PEOPLE, Put(group("team", "anna", uuid="", **ANNA)), around("all", "team", **ANNA)]
    with opened(path, *sound) as mirror:
        assert told(mirror) == {}
        mirror.apply([Put(group("team", "anna", uuid="", **inner)), around("all", "team", **outer)], now=NOW)
        found = told(mirror)["all", "team"]
        assert found.dn == group_dn("all")
        assert (found.details["rules"], str(found.details["reasons"])) == (rules, reasons)
        assert found.text == (
            f"all@example.org takes mail that a group nested in it refuses: team@example.org {reasons}"
        )
        mirror.apply([around("all", **outer)], now=NOW)
        assert told(mirror) == {}


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        ({}, {}),
        ({}, ANYBODY),
        (ANYBODY, ANYBODY),
        ({"dgEnabled": "FALSE"}, {"dgEnabled": "FALSE"}),
        ({"dgEnabled": "FALSE"} | ANYBODY, {}),
        (PARTNER, {"dgExternalSender": ["@.example"]}),
        (PARTNER, ANYBODY),
        (ANYBODY | {"dgAllowedSenderAddress": "@partner.example"}, PARTNER),
        (ANYBODY | ANNA, {}),
        ({}, OWN_DOMAIN),
        (ANNA, OWN_DOMAIN),
        (ANNA, ANNA),
        (ANNA, {"dgAllowedSender": [person_dn("anna"), person_dn("bob")]}),
        (ANNA, {"dgAllowedSender": group_dn("team")}),
        ({"dgAllowedSender": group_dn("team")}, ALL),
        ({"dgAllowedSenderAddress": "anna@example.org"}, ANNA),
        ({"dgDeniedSender": person_dn("bob")}, {"dgDeniedSender": person_dn("anna")}),
        (SMALL, SMALL),
        ({}, {"dgMaxMessageSize": "10240000"}),
        ({"dgMaxMessageSize": "99999999"}, {"dgMaxMessageSize": "10240000"}),
        (SMALL, {}),
        ({}, {"dgModerated": "TRUE"}),
    ],
)
def test_what_is_no_refusal_or_in_doubt(path: Path, outer: Attributes, inner: Attributes) -> None:
    changes = [*PEOPLE, Put(group("team", "anna", uuid="", **inner)), around("all", "team", **outer)]
    with opened(path, *changes) as mirror:
        assert told(mirror) == {}


def test_the_sites_own_limit_counts_for_groups_that_say_nothing(path: Path) -> None:
    mirror = Mirror.open(path, replace(mirror_settings(), limits=Limits(size=6000)))
    changes = [
        *PEOPLE,
        around("silent", "small", "large"),
        around("larger", "quiet", dgMaxMessageSize="8000"),
        Put(group("quiet", "anna")),
        Put(group("small", "anna", dgMaxMessageSize="5000")),
        Put(group("large", "anna", dgMaxMessageSize="7000")),
    ]
    try:
        mirror.apply(changes, now=NOW)
        assert set(told(mirror)) == {("silent", "small"), ("larger", "quiet")}
    finally:
        mirror.close()


def test_at_any_depth_but_not_beyond_a_group_that_refuses_it_already(path: Path) -> None:
    chain = [
        around("g0", "g1", **ANYBODY),
        around("g1", "g2", **ANYBODY),
        around("g2", "g3"),
        Put(group("g3", "anna", dgMaxMessageSize="5000")),
    ]
    with opened(path, *PEOPLE, *chain) as mirror:
        found = told(mirror)
        assert {pair: one.details["rules"] for pair, one in found.items()} == {
            ("g0", "g2"): "authentication",
            ("g1", "g2"): "authentication",
            ("g0", "g3"): "size",
            ("g1", "g3"): "size",
            ("g2", "g3"): "size",
        }
        mirror.apply([around("g2", "g3", dgEnabled="FALSE")], now=NOW)
        assert {pair: one.details["rules"] for pair, one in told(mirror).items()} == {
            ("g0", "g2"): "disabled",
            ("g1", "g2"): "disabled",
        }


def test_a_group_without_mail_has_no_rules_but_leads_on(path: Path) -> None:
    hollow = Put(entry("hollow", group_dn("hollow"), objectClass=["groupOfNames"], member=[group_dn("team")]))
    with opened(
        path, *PEOPLE, Put(group("team", "anna")), hollow, around("all", "hollow", **ANYBODY)
    ) as mirror:
        assert set(told(mirror)) == {("all", "team")}


def test_groups_in_a_ring_tell_of_one_another_once(path: Path) -> None:
    ring = [around("a", "b", **ANYBODY), around("b", "c"), around("c", "a", "c", **ANYBODY)]
    with opened(path, *PEOPLE, *ring) as mirror:
        assert set(told(mirror)) == {("a", "b"), ("c", "b")}


def test_very_many_are_counted_together(path: Path) -> None:
    names = [f"t{number:02}" for number in range(53)]
    teams = [Put(group(name, "anna")) for name in names]
    with opened(path, *PEOPLE, *teams, around("all", *names, **ANYBODY)) as mirror:
        assert [pair for _, pair in told(mirror)] == ["3 more groups", *names[:50]]
        assert told(mirror)["all", "3 more groups"].text == (
            "all@example.org takes mail that a group nested in it refuses: 3 more groups do likewise"
        )


def test_where_very_many_hold_very_many_only_the_nearest_levels_are_looked_at() -> None:
    layers = [range(layer * 60, layer * 60 + 60) for layer in range(50)]
    inside = {node: set(lower) for upper, lower in pairwise(layers) for node in upper}
    anybody = replace(PLAIN, require_authentication=False)
    rules = {node: PLAIN if node in layers[-1] else anybody for layer in layers for node in layer}
    found = dict(refusals(inside, rules, Comparison(turned(inside), rules.keys(), (), Limits())))
    assert found.keys() == {node for layer in layers[-5:-1] for node in layer}
    assert all(refusing.keys() == set(layers[-1]) for refusing in found.values())
