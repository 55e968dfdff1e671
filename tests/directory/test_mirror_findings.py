"""Findings: each kind comes with its mistake and goes with it, and stops nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from tests.directory.mirrors import (
    NOW,
    entry,
    group,
    group_dn,
    kinds,
    looking,
    opened,
    person,
    person_dn,
    settings,
)

from groupmilter.directory import mirror_rows
from groupmilter.directory.entry import Put, Remove
from groupmilter.directory.findings import Finding, Kind
from groupmilter.directory.mirror import Mirror
from groupmilter.language.catalogue import catalogue
from groupmilter.language.speech import Speech
from groupmilter.language.spoken import Fact

OWNER = Put(person("owner"))
ANNA = Put(person("anna"))
TEAM = "team@example.org"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.db"


def only(mirror: Mirror, kind: Kind) -> Finding:
    (found,) = [finding for finding in mirror.findings() if finding.kind is kind]
    return found


FRENCH = Speech("fr", catalogue())


def sentences(finding: Finding) -> Iterator[str]:
    """The sentences that a finding is put together from."""
    yield finding.sentence
    waiting: list[Fact] = list(finding.details.values())
    while waiting:
        fact = waiting.pop()
        if not isinstance(fact, str):
            yield fact.sentence
            waiting += [value for _, value in fact.places]


def french(found: Finding) -> str:
    return FRENCH.say(found.sentence, **found.places).replace("\N{NO-BREAK SPACE}", " ")


def test_what_is_wrong_is_said_in_french_to_the_last_word(path: Path) -> None:
    bad = Put(
        group("team", "anna", dgHoldHours="ten", dgMemberAddress="a b@example.org", memberURL="ftp://x")
    )
    with opened(path, OWNER, ANNA, bad) as mirror:
        told = {french(found) for found in mirror.findings()}
    assert told == {
        "team@example.org : dgholdhours « ten » n’est pas compris : pas un nombre entier ; "
        "la valeur sûre est utilisée",
        "team@example.org : adresse de membre « a b@example.org » n’est pas utilisé : "
        "une adresse à laquelle on peut écrire est attendue",
        "team@example.org : l’URL de membres « ftp://x » n’est pas utilisée : "
        "elle ne commence pas par ldap:///",
    }


def test_a_sound_directory_has_none(path: Path) -> None:
    with opened(path, OWNER, ANNA, Put(group("team", "anna")), Put(group("all", group_dn("team")))) as mirror:
        assert mirror.findings() == ()


@pytest.mark.parametrize(
    ("attributes", "kind", "text"),
    [
        ({"owner": []}, Kind.OWNERLESS, "no owner"),
        ({"owner": person_dn("ghost")}, Kind.OWNERLESS, "no owner"),
        ({"dgRequireAuthentication": "FALSE"}, Kind.OPEN_TO_INTERNET, "anybody"),
        ({"dgModerated": "TRUE", "dgModerator": person_dn("ghost")}, Kind.NOBODY_DECIDES, "nobody"),
        ({"dgModerated": "TRUE", "owner": []}, Kind.NOBODY_DECIDES, "nobody"),
        ({"member": [person_dn("ghost"), person_dn("anna")]}, Kind.DANGLING, "uid=ghost"),
        ({"dgAllowedSender": person_dn("ghost")}, Kind.DANGLING, "uid=ghost"),
        ({"member": person_dn("locked")}, Kind.DISABLED_MEMBER, "uid=locked"),
        ({"member": []}, Kind.EMPTY, "no members"),
        ({"member": "cn=placeholder"}, Kind.EMPTY, "no members"),
        ({"member": person_dn("locked")}, Kind.EMPTY, "no members"),
        ({"member": [person_dn(f"p{n}") for n in range(6)]}, Kind.OVER_LIMIT, "6 members"),
        ({"dgAlias": "not an address"}, Kind.BAD_ADDRESS, "“not an address”"),
        ({"dgMemberAddress": "a b@example.org"}, Kind.BAD_ADDRESS, "“a b@example.org”"),
        ({"dgHoldHours": "ten"}, Kind.BAD_VALUE, "no integer"),
        ({"dgExternalSender": "@@"}, Kind.BAD_VALUE, "“@@”"),
        ({"memberURL": "ftp://x"}, Kind.BAD_URL, "ldap:///"),
        ({"member": group_dn("team")}, Kind.CYCLE, "through team@example.org"),
    ],
)
def test_each_mistake_is_found_and_forgotten(
    path: Path, attributes: dict[str, str | list[str]], kind: Kind, text: str
) -> None:
    people = [
        OWNER,
        ANNA,
        Put(person("locked", nsAccountLock="TRUE")),
        *(Put(person(f"p{n}")) for n in range(6)),
    ]
    with opened(path, *people, Put(group("team", "anna"))) as mirror:
        assert mirror.findings() == ()
        mirror.apply([Put(group("team", "anna", uuid="", **attributes))], now=NOW)
        found = only(mirror, kind)
        assert text in found.text
        assert all(FRENCH.catalogue("fr", one) != one for one in sentences(found))
        assert FRENCH.say(found.sentence, **found.places) != found.text
        assert (found.subject, found.dn) == (TEAM, group_dn("team"))
        mirror.apply([Put(group("team", "anna"))], now=NOW)
        assert mirror.findings() == ()


def test_a_guarded_group_is_not_open(path: Path) -> None:
    guards = (
        {"dgModerated": "TRUE"},
        {"dgAllowedSender": person_dn("anna")},
        {"dgAllowedSenderAddress": "@x.example"},
    )
    groups = [
        Put(group(f"g{number}", "anna", uuid="", dgRequireAuthentication="FALSE", **guard))
        for number, guard in enumerate(guards)
    ]
    with opened(path, OWNER, ANNA, *groups) as mirror:
        assert mirror.findings() == ()


def test_people_who_leave_or_are_locked_are_found_in_their_groups(path: Path) -> None:
    with opened(path, OWNER, ANNA, Put(person("bob")), Put(group("team", "anna", "bob"))) as mirror:
        mirror.apply([Remove("person-anna")], now=NOW)
        assert only(mirror, Kind.DANGLING).details["names"] == person_dn("anna")
        mirror.apply([Put(person("bob", nsAccountLock="TRUE"))], now=NOW)
        assert kinds(mirror, TEAM) == {Kind.DANGLING, Kind.DISABLED_MEMBER, Kind.EMPTY}
        mirror.apply([ANNA, Put(person("bob"))], now=NOW)
        assert mirror.findings() == ()


def test_many_dangling_names_make_one_finding(path: Path) -> None:
    team = group("team", "anna", *(f"ghost{n}" for n in range(9)))
    with opened(path, OWNER, ANNA, Put(team)) as mirror:
        found = only(mirror, Kind.DANGLING)
        assert found.details["count"] == "9"
        assert found.text.endswith("and 4 more")


def test_duplicate_addresses(path: Path) -> None:
    twin = Put(group("twin", "anna", dgAlias="anna@example.org"))
    with opened(path, OWNER, ANNA, Put(group("team", "anna"))) as mirror:
        mirror.apply([twin], now=NOW)
        found = only(mirror, Kind.DUPLICATE_ADDRESS)
        assert found.details["address"] == "anna@example.org"
        assert person_dn("anna") in found.text
        assert group_dn("twin") in found.text
        mirror.apply([Remove("person-anna"), Put(person("anna", uuid="new"))], now=NOW)
        assert only(mirror, Kind.DUPLICATE_ADDRESS).details["count"] == "2"
        mirror.apply([Put(group("twin", "anna"))], now=NOW)
        assert mirror.findings() == ()


def test_a_login_of_several_persons_is_nobodys(path: Path) -> None:
    twin = Put(person("twin", uid=["twin", "ANNA"]))
    with opened(path, OWNER, ANNA, Put(group("team", "anna"))) as mirror:
        assert mirror.findings() == ()
        mirror.apply([twin], now=NOW)
        found = only(mirror, Kind.DUPLICATE_LOGIN)
        assert found.details["address"] == "anna"
        assert person_dn("twin") in found.text
        with looking(path) as snapshot:
            assert snapshot.person_by_login("anna") is None
        mirror.apply([Put(person("twin"))], now=NOW)
        assert mirror.findings() == ()


def test_cycles_through_several_groups_and_depth(path: Path) -> None:
    chain = [Put(group(f"g{n}", group_dn(f"g{n + 1}"))) for n in range(5)]
    with opened(path, OWNER, ANNA, *chain, Put(group("g5", "anna"))) as mirror:
        assert {f.subject for f in mirror.findings()} == {"g0@example.org", "g1@example.org"}
        assert {f.kind for f in mirror.findings()} == {Kind.OVER_LIMIT}
        mirror.apply([Put(group("g5", "anna", group_dn("g2")))], now=NOW)
        assert only(mirror, Kind.CYCLE).details["count"] == "4"
        assert kinds(mirror, "g0@example.org") == set()


def test_digest_collisions(path: Path) -> None:
    # Nobody can make two UUIDs with the same 56 bits here, so every digest is the same one.
    with patch.object(mirror_rows, "short_digest", lambda _: 7), opened(path, OWNER, ANNA) as mirror:
        assert only(mirror, Kind.DIGEST_COLLISION).details["count"] == "2"
        mirror.apply([Remove("person-anna")], now=NOW)
        assert mirror.findings() == ()


def test_the_safe_value_takes_the_place_of_a_bad_one() -> None:
    bad = "nonsense @"
    unsafe = {
        "dgEnabled": bad,
        "dgRequireAuthentication": bad,
        "dgModerated": bad,
        "dgHiddenMembers": bad,
        "dgJoinPolicy": bad,
        "dgAllowedSenderAddress": bad,
        "dgApprovalsNeeded": "0",
        "dgMaxMessageSize": "-1",
    }
    settled = settings()
    record = settled.profile.read(group("team", "anna", uuid="", **unsafe))
    assert record is not None
    fields = record.fields
    assert [
        fields[name] for name in ("enabled", "require_authentication", "moderated", "hidden_members")
    ] == [
        False,
        True,
        True,
        True,
    ]
    assert (fields["join_policy"], fields["approvals"], fields["max_size"]) == ("closed", 1, None)
    assert fields["allowed_addresses"] == ("@unparsable.invalid",)
    assert len(record.problems) == len(unsafe)


def test_a_denial_that_cannot_be_read_lets_nothing_pass_unseen(path: Path) -> None:
    with opened(path, OWNER, ANNA, Put(group("team", "anna", dgDeniedSenderAddress="bad guy@x y"))) as mirror:
        assert only(mirror, Kind.BAD_VALUE).details["attribute"] == "dgdeniedsenderaddress"
    record = settings().profile.read(group("team", "anna", dgDeniedSenderAddress="bad guy@x y"))
    assert record is not None
    assert record.fields["moderated"] is True


def test_entries_that_are_neither_are_ignored(path: Path) -> None:
    unit = entry("unit", "ou=people,dc=example,dc=org", objectClass="organizationalUnit", ou="people")
    with opened(path, Put(unit)) as mirror:
        assert mirror.findings() == ()
        assert mirror.group_addresses() == ()
