"""Dynamic members in the mirror: found in the transaction of the change, from the mirror or by search."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.directory.mirrors import (
    BASE,
    NOW,
    entry,
    found_group,
    found_person,
    group,
    kinds,
    looking,
    opened,
    person,
    person_dn,
    receivers,
)

from groupmilter.directory.entry import Put, Remove
from groupmilter.directory.findings import Kind
from groupmilter.directory.mirror import Mirror, Search

OWNER = Put(person("owner"))
SALES = f"ldap:///ou=people,{BASE}??sub?(departmentNumber=Sales)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.db"


def seller(name: str, **attributes: str | list[str]) -> Put:
    return Put(person(name, "", departmentNumber="sales", **attributes))


def sellers(path: Path) -> set[str]:
    with looking(path) as seen:
        return {address.partition("@")[0] for address in receivers(seen, "sales")}


def test_people_come_and_go(path: Path) -> None:
    with opened(
        path, OWNER, seller("anna"), Put(person("bob")), Put(group("sales", memberURL=SALES))
    ) as mirror:
        assert sellers(path) == {"anna"}
        before = mirror.generation
        mirror.apply([seller("bob")], now=NOW)
        assert sellers(path) == {"anna", "bob"}
        with looking(path) as seen:
            assert found_group(seen, "sales").version == before + 1
            assert found_group(seen, "sales").node in seen.containing(found_person(seen, "bob").node)
        mirror.apply([Put(person("anna")), Remove("person-bob")], now=NOW)
        assert sellers(path) == set()
        assert Kind.EMPTY in kinds(mirror, "sales@example.org")


def test_a_group_whose_last_member_leaves_the_directory_has_changed(path: Path) -> None:
    with opened(path, OWNER, seller("anna"), Put(group("sales", memberURL=SALES))) as mirror:
        generation = mirror.apply([Remove("person-anna")], now=NOW)
        assert kinds(mirror, "sales@example.org") == {Kind.EMPTY}
        with looking(path) as seen:
            assert found_group(seen, "sales").version == generation


def test_the_order_of_arrival_does_not_matter(path: Path) -> None:
    with opened(path, Put(group("sales", memberURL=SALES)), OWNER) as mirror:
        mirror.apply([seller("anna")], now=NOW)
        assert sellers(path) == {"anna"}


def test_excluded_members_are_left_out_while_they_are_excluded(path: Path) -> None:
    excluding = group("sales", memberURL=SALES, dgExcludedMember=person_dn("bob"))
    with opened(path, OWNER, seller("anna"), seller("bob"), Put(excluding)) as mirror:
        assert sellers(path) == {"anna"}
        mirror.apply([seller("bob", title="x")], now=NOW)
        assert sellers(path) == {"anna"}
        mirror.apply([Put(group("sales", memberURL=SALES))], now=NOW)
        assert sellers(path) == {"anna", "bob"}
        mirror.apply([Put(excluding)], now=NOW)
        assert sellers(path) == {"anna"}


def test_static_and_dynamic_members_are_counted_once(path: Path) -> None:
    mixed = group("sales", "anna", "bob", memberURL=[SALES, f"ldap:///{BASE}??sub?(uid=anna)"])
    with opened(path, OWNER, seller("anna"), Put(person("bob")), Put(mixed)), looking(path) as seen:
        people = seen.members(found_group(seen, "sales").node).people
        assert sorted(member.address for member in people) == ["anna@example.org", "bob@example.org"]


@pytest.mark.parametrize(
    ("base", "scope", "expected"),
    [
        (f"ou=people,{BASE}", "one", {"anna"}),
        (f"ou=people,{BASE}", "sub", {"anna", "deep"}),
        (f"ou=people,{BASE}", "base", set()),
        (person_dn("anna"), "", {"anna"}),
        ("ou=nowhere", "sub", set()),
        ("", "sub", {"anna", "deep"}),
    ],
)
def test_base_and_scope(path: Path, base: str, scope: str, expected: set[str]) -> None:
    deep = entry("deep", f"uid=deep,ou=inner,ou=people,{BASE}", mail="deep@example.org", uid="deep")
    url = f"ldap:///{base}??{scope}?(!(|(objectClass=groupOfNames)(uid=owner)))"
    with opened(path, OWNER, Put(person("anna")), Put(deep), Put(group("sales", memberURL=url))):
        assert sellers(path) == expected


def test_an_entry_that_moves_out_of_the_base_is_out(path: Path) -> None:
    with opened(path, OWNER, seller("anna"), Put(group("sales", memberURL=SALES))) as mirror:
        attributes = {"mail": "anna@example.org", "departmentNumber": "sales"}
        mirror.apply([Put(entry("person-anna", f"uid=anna,{BASE}", **attributes))], now=NOW)
        assert sellers(path) == set()


def test_groups_found_are_nested_and_a_group_never_finds_itself(path: Path) -> None:
    url = f"ldap:///{BASE}??sub?(objectClass=groupOfNames)"
    with (
        opened(path, OWNER, Put(group("inner", "owner")), Put(group("sales", memberURL=url))),
        looking(path) as seen,
    ):
        assert seen.members(found_group(seen, "sales").node).groups == (found_group(seen, "inner").node,)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://x/", "ldap:///"),
        ("ldap://other.example/dc=x??sub", "host"),
        (f"ldap:///{BASE}??everything?(uid=a)", "scope"),
        (f"ldap:///{BASE}??sub?(uid=a", "malformed"),
        ("ldap:///nonsense??sub", "no distinguished name"),
        (f"ldap:///{BASE}??sub?(uid=a)?!x", "extension"),
        (f"ldap:///{BASE}??sub?(uid=%ff)", "UTF-8"),
    ],
)
def test_a_bad_url_is_a_finding_and_the_others_work(path: Path, url: str, reason: str) -> None:
    both = group("sales", memberURL=[url, SALES])
    with opened(path, OWNER, seller("anna"), Put(both)) as mirror:
        assert sellers(path) == {"anna"}
        (bad,) = [finding for finding in mirror.findings() if finding.kind is Kind.BAD_URL]
        assert reason in bad.text
        mirror.apply([Put(group("sales", memberURL=SALES))], now=NOW)
        assert Kind.BAD_URL not in kinds(mirror, "sales@example.org")


SEARCHED = f"ldap:///{BASE}??sub?(manager=x)"


def searched(mirror: Mirror, *uuids: str) -> int:
    return mirror.set_dynamic("group-sales", uuids)


def test_what_the_mirror_cannot_evaluate_is_searched(path: Path) -> None:
    with opened(
        path, OWNER, seller("anna"), seller("bob"), Put(group("sales", memberURL=SEARCHED))
    ) as mirror:
        assert mirror.searches() == (Search("group-sales", BASE, "sub", "(manager=x)"),)
        before = mirror.generation
        assert searched(mirror, "person-anna", "unknown") == before + 1
        assert sellers(path) == {"anna"}
        assert searched(mirror, "person-anna") == before + 1
        assert Kind.EMPTY not in kinds(mirror, "sales@example.org")
        assert searched(mirror) == before + 2
        assert Kind.EMPTY in kinds(mirror, "sales@example.org")


def test_a_group_whose_last_searched_member_leaves_the_directory_has_changed(path: Path) -> None:
    with opened(path, OWNER, seller("anna"), Put(group("sales", memberURL=SEARCHED))) as mirror:
        searched(mirror, "person-anna")
        generation = mirror.apply([Remove("person-anna")], now=NOW)
        assert kinds(mirror, "sales@example.org") == {Kind.EMPTY}
        with looking(path) as seen:
            assert found_group(seen, "sales").version == generation


def test_searched_members_survive_changes_and_restarts(path: Path) -> None:
    changes = [OWNER, seller("anna"), seller("bob"), Put(group("sales", memberURL=SEARCHED))]
    with opened(path, *changes) as mirror:
        searched(mirror, "person-anna", "person-bob")
        renamed = entry("person-anna", person_dn("anne"), uid="anna", mail="anna@example.org")
        mirror.apply([Put(renamed), Put(group("sales", memberURL=SEARCHED, dgModerated="TRUE"))], now=NOW)
        assert sellers(path) == {"anna", "bob"}
    with opened(path) as mirror:
        assert len(mirror.searches()) == 1
        mirror.apply([Remove("person-bob")], now=NOW)
        assert sellers(path) == {"anna"}
        mirror.apply([Put(group("sales", memberURL=SALES))], now=NOW)
        assert mirror.searches() == ()
        assert sellers(path) == set()


def test_a_group_that_is_gone_is_asked_for_no_more(path: Path) -> None:
    with opened(path, OWNER, seller("anna"), Put(group("sales", memberURL=SEARCHED))) as mirror:
        before = mirror.apply([Remove("group-sales")], now=NOW)
        assert mirror.searches() == ()
        assert searched(mirror, "person-anna") == before
