"""The mirror on real SQLite files: what is written comes back, in one generation, and only what changed changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.directory.mirrors import (
    NOW,
    entry,
    found_group,
    found_person,
    group,
    group_dn,
    looking,
    opened,
    person,
    person_dn,
    receivers,
    settings,
)

from groupmilter.directory.entry import Change, KeepOnly, Put, Remove
from groupmilter.directory.mirror import Mirror, MirrorError
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.group import BouncesTo, JoinPolicy, Notify
from groupmilter.groups.ticket import digest

OWNER = Put(person("owner"))
ANNA = Put(person("anna"))
BOB = Put(person("bob"))
EVERYTHING = group(
    "all",
    "anna",
    displayName="Tous",
    dgAlias=["Everybody@Example.org", "all@other.example"],
    dgEnabled="FALSE",
    dgJoinPolicy="approval",
    dgLeavePolicy="closed",
    dgJoinOutsiders="TRUE",
    dgRequireAuthentication="FALSE",
    dgExternalSender=["@partner.example", "@.below.example", "x@y.example"],
    dgAllowedSender=[person_dn("anna"), group_dn("all")],
    dgAllowedSenderAddress="@ok.example",
    dgDeniedSender=person_dn("bob"),
    dgDeniedSenderAddress="bad@bad.example",
    dgModerated="TRUE",
    dgModerator=person_dn("bob"),
    dgModerationBypass=person_dn("anna"),
    dgModerationBypassAddress="vip@partner.example",
    dgModerationCoversNested="TRUE",
    dgModerationNotify="internal",
    dgHoldHours="12",
    dgApprovalsNeeded="2",
    dgMaxMessageSize="1000",
    dgSendAs=person_dn("anna"),
    dgSendOnBehalf=person_dn("bob"),
    dgBouncesTo="owner",
    dgAutoReplies="TRUE",
    dgHiddenMembers="TRUE",
    dgHidden="TRUE",
    dgMailTip="Hello",
    dgMailTip_lang__fr="Bonjour",
    dgPolicy="strict",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mirror.db"


def test_a_group_comes_back_with_every_field(path: Path) -> None:
    with opened(path, OWNER, ANNA, BOB, Put(EVERYTHING)), looking(path) as seen:
        anna, bob, owner = (frozenset({found_person(seen, name).node}) for name in ("anna", "bob", "owner"))
        got = found_group(seen, "all")
        assert (got.uuid, got.dn, got.name) == ("group-all", group_dn("all"), "Tous")
        assert got.addresses == ("all@example.org", "everybody@example.org", "all@other.example")
        assert (got.enabled, got.require_authentication, got.join_outsiders) == (False, False, True)
        assert (got.join_policy, got.leave_policy) == (JoinPolicy.APPROVAL, JoinPolicy.CLOSED)
        assert list(map(str, got.external_senders)) == ["@partner.example", "@.below.example", "x@y.example"]
        assert (got.owners, got.allowed, got.denied) == (owner, anna | {got.node}, bob)
        assert [str(p) for p in (*got.allowed_addresses, *got.denied_addresses, *got.bypass_addresses)] == [
            "@ok.example",
            "bad@bad.example",
            "vip@partner.example",
        ]
        assert (got.moderated, got.moderators, got.bypass, got.covers_nested) == (True, bob, anna, True)
        assert (got.notify, got.hold_hours, got.approvals, got.max_size) == (Notify.INTERNAL, 12, 2, 1000)
        assert (got.send_as, got.on_behalf, got.bounces_to) == (anna, bob, BouncesTo.OWNER)
        assert (got.auto_replies, got.hidden_members, got.hidden, got.policy) == (True, True, True, "strict")
        assert got.mail_tip == {"": "Hello", "fr": "Bonjour"}
        assert seen.by_digest(digest("group-all")) == got


def test_defaults_are_the_safe_ones(path: Path) -> None:
    with opened(path, OWNER, Put(group("plain", "owner"))), looking(path) as seen:
        got = found_group(seen, "plain")
        assert got.enabled
        assert got.require_authentication
        assert not got.moderated
        assert (got.join_policy, got.leave_policy) == (JoinPolicy.CLOSED, JoinPolicy.OPEN)
        assert (got.approvals, got.hold_hours, got.max_size) == (1, None, None)
        assert not got.restricted


def test_a_person_has_all_addresses_and_logins(path: Path) -> None:
    anna = person(
        "anna",
        mail=["Anna@Example.org", "a@other.example"],
        mailLocalAddress="A.Nna@example.org",
        proxyAddresses=["SMTP:prime@example.org", "smtp:second@example.org", "x500:/o=x"],
        uid=["Anna", "am"],
        preferredLanguage="fr",
    )
    with opened(path, Put(anna)), looking(path) as seen:
        got = found_person(seen, "anna")
        assert got.address == "anna@example.org"
        assert got.addresses == (
            "anna@example.org",
            "a@other.example",
            "prime@example.org",
            "a.nna@example.org",
            "second@example.org",
        )
        assert (got.logins, got.language, got.name) == (("anna", "am"), "fr", "Anna")
        assert seen.find("second@example.org") == seen.person_by_login("AM") == got
        assert seen.person_by_login("nobody") is None
        assert seen.find("nobody@example.org") is None


def test_a_contact_gets_mail_outside(path: Path) -> None:
    contact = person("paul", targetAddress="SMTP:Paul@Partner.example")
    with opened(path, OWNER, Put(contact), Put(group("team", "paul"))), looking(path) as seen:
        assert receivers(seen, "team") == {"Paul@partner.example"}
        assert found_person(seen, "paul").address == "Paul@partner.example"


def test_members_and_who_is_left_out(path: Path) -> None:
    team = group(
        "team",
        "anna",
        "locked",
        "ghost",
        "odd",
        group_dn("inner"),
        f"cn=placeholder,{group_dn('team')}",
        dgMemberAddress=["out@partner.example", "not an address", "Anna@example.org"],
    )
    changes = [
        OWNER,
        ANNA,
        Put(person("locked", nsAccountLock="TRUE")),
        Put(person("odd", mail="a%b@example.org")),
        Put(group("inner", "anna")),
        Put(team),
    ]
    with opened(path, *changes), looking(path) as seen:
        got = seen.members(found_group(seen, "team").node)
        assert [m.address for m in got.people] == [
            "anna@example.org",
            "out@partner.example",
        ]
        assert got.groups == (found_group(seen, "inner").node,)
        assert len(got.left_out) == 3
        assert any("uid=ghost" in text and "neither" in text for text in got.left_out)
        assert any("uid=locked" in text and "locked" in text for text in got.left_out)
        assert any("uid=odd" in text and "no address" in text for text in got.left_out)


def test_containing_is_at_any_depth_and_cycles_are_harmless(path: Path) -> None:
    changes = [OWNER, ANNA, *(Put(group(f"g{n}", group_dn(f"g{(n + 1) % 4}"))) for n in range(3))]
    with opened(path, *changes, Put(group("g3", "anna", group_dn("g0")))), looking(path) as seen:
        every = {found_group(seen, f"g{n}").node for n in range(4)}
        assert seen.containing(found_person(seen, "anna").node) == every
        assert seen.containing(found_group(seen, "g0").node) == every
        assert seen.containing(found_person(seen, "owner").node) == frozenset()


def test_a_group_comes_before_a_person(path: Path) -> None:
    with opened(path, OWNER, Put(person("team")), Put(group("team", "owner"))), looking(path) as seen:
        assert found_group(seen, "team").uuid == "group-team"


def test_a_primary_address_comes_before_an_alias(path: Path) -> None:
    changes = [OWNER, Put(group("team", "owner")), Put(group("thief", "owner", dgAlias="team@example.org"))]
    with opened(path, *changes), looking(path) as seen:
        assert found_group(seen, "team").uuid == "group-team"


def test_of_two_groups_with_equal_claim_nobody_can_tell(path: Path) -> None:
    twins = [
        Put(group("one", "owner", dgAlias="x@example.org")),
        Put(group("two", "owner", dgAlias="x@example.org")),
    ]
    with opened(path, OWNER, *twins), looking(path) as seen:
        with pytest.raises(DirectoryUnknown, match="several groups"):
            seen.find("x@example.org")
        assert found_group(seen, "one").uuid == "group-one"


def test_of_two_persons_neither_has_the_shared_address_or_login(path: Path) -> None:
    pair = [Put(person(name, uid="same", mailLocalAddress="info@example.org")) for name in ("anna", "bob")]
    with opened(path, *pair), looking(path) as seen:
        assert seen.find("info@example.org") is None
        assert seen.person_by_login("same") is None
        assert found_person(seen, "anna").uuid == "person-anna"


def test_a_group_without_mail_stands_in_rights_only(path: Path) -> None:
    staff = entry(
        "staff", group_dn("staff"), objectClass="groupOfNames", cn="staff", member=person_dn("anna")
    )
    team = group("team", "anna", dgAllowedSender=group_dn("staff"))
    with opened(path, OWNER, ANNA, Put(staff), Put(team)), looking(path) as seen:
        (allowed,) = found_group(seen, "team").allowed
        named = seen.group(allowed)
        assert named is not None
        assert named.address == ""
        assert allowed in seen.containing(found_person(seen, "anna").node)


def test_unchanged_entries_change_nothing(path: Path) -> None:
    changes: list[Change] = [OWNER, ANNA, Put(group("team", "anna", "owner"))]
    with opened(path, *changes) as mirror:
        before = mirror.generation
        changes[2] = Put(group("team", "owner", "anna"))
        kept = KeepOnly(frozenset({"person-owner", "person-anna", "group-team"}))
        assert mirror.apply([*changes, kept], now=NOW + 5, cookie=b"c") == before
        assert (mirror.generation, mirror.cookie, mirror.age(NOW + 7)) == (before, b"c", 2.0)


def test_only_what_changed_gets_a_new_version(path: Path) -> None:
    changes = [
        OWNER,
        ANNA,
        BOB,
        Put(group("one", "anna")),
        Put(group("two", "bob")),
        Put(group("three", "bob")),
    ]
    with opened(path, *changes) as mirror:
        first = mirror.generation

        def versions() -> list[int]:
            with looking(path) as seen:
                return [found_group(seen, name).version - first for name in ("one", "two", "three")]

        mirror.apply([Put(person("anna", cn="Other"))], now=NOW)
        assert versions() == [0, 0, 0]
        mirror.apply([Put(person("anna", mail="new@example.org"))], now=NOW)
        assert versions() == [2, 0, 0]
        mirror.apply([Put(group("two", "bob", dgModerated="TRUE"))], now=NOW)
        assert versions() == [2, 3, 0]
        mirror.apply([Remove("person-bob")], now=NOW)
        assert versions() == [2, 4, 4]


def test_keep_only_takes_the_rest_away(path: Path) -> None:
    with opened(path, OWNER, ANNA, BOB, Put(group("team", "anna", "bob"))) as mirror:
        mirror.apply([KeepOnly(frozenset({"person-owner", "person-bob", "group-team"}))], now=NOW)
        with looking(path) as seen:
            assert seen.find("anna@example.org") is None
            assert seen.person_by_login("anna") is None
            assert receivers(seen, "team") == {"bob@example.org"}


def test_deleted_and_created_again_under_the_same_name(path: Path) -> None:
    again = Put(person("anna", uuid="another", mail="anna2@example.org"))
    with opened(path, OWNER, ANNA, Put(group("team", "anna"))) as mirror:
        mirror.apply([again, Remove("person-anna")], now=NOW)
        with looking(path) as seen:
            assert receivers(seen, "team") == {"anna2@example.org"}
            assert seen.find("anna@example.org") is None


def test_renamed_entries_leave_their_old_name_dangling(path: Path) -> None:
    with opened(path, OWNER, ANNA, Put(group("team", "anna"))) as mirror:
        moved = Put(person("annie", uuid="person-anna", mail="anna@example.org"))
        mirror.apply([moved], now=NOW)
        with looking(path) as seen:
            assert receivers(seen, "team") == set()
            assert found_person(seen, "anna").dn == person_dn("annie")
        mirror.apply([Put(group("team", "annie"))], now=NOW)
        with looking(path) as seen:
            assert receivers(seen, "team") == {"anna@example.org"}


def test_two_entries_exchange_their_names(path: Path) -> None:
    with opened(path, OWNER, ANNA, BOB, Put(group("team", "anna"))) as mirror:
        swapped = [
            Put(entry("person-anna", person_dn("bob"), mail="anna@example.org", uid="anna")),
            Put(entry("person-bob", person_dn("anna"), mail="bob@example.org", uid="bob")),
        ]
        mirror.apply(swapped, now=NOW)
        with looking(path) as seen:
            assert found_person(seen, "anna").dn == person_dn("bob")
            assert receivers(seen, "team") == {"bob@example.org"}


def test_names_compare_whatever_their_spelling(path: Path) -> None:
    team = group("team", "UID = Anna , OU=People,dc=Example,DC=org")
    with opened(path, OWNER, ANNA, Put(team)), looking(path) as seen:
        assert receivers(seen, "team") == {"anna@example.org"}


def test_a_failing_source_changes_nothing(path: Path) -> None:
    def failing() -> Iterator[Change]:
        yield Put(person("anna", mail="other@example.org"))
        yield Put(group("dyn", memberURL="ldap:///dc=example,dc=org??sub?(uid=anna)"))
        raise RuntimeError("cut in mid-page")

    with opened(path, OWNER, ANNA) as mirror:
        before = mirror.generation
        with pytest.raises(RuntimeError, match="mid-page"):
            mirror.apply(failing(), now=NOW + 9)
        assert (mirror.generation, mirror.synced_at) == (before, NOW)
        mirror.apply([BOB], now=NOW)
        with looking(path) as seen:
            assert seen.find("anna@example.org") is not None
            assert seen.find("other@example.org") is None
            assert seen.find("dyn@example.org") is None


def test_incomplete_loads_are_not_ready(path: Path) -> None:
    with opened(path) as mirror:
        mirror.apply([ANNA], now=NOW, complete=False)
        assert mirror.synced_at is None
        with pytest.raises(MirrorError, match="never loaded"):
            mirror.touch(NOW)
        with pytest.raises(DirectoryUnknown, match="never been loaded"), looking(path):
            pass
        mirror.apply([BOB], now=NOW)
        with looking(path) as seen:
            assert found_person(seen, "anna").uuid == "person-anna"


def test_it_survives_a_restart(path: Path) -> None:
    with opened(path, OWNER, ANNA) as mirror:
        mirror.touch(NOW + 1, b"cookie")
        before = mirror.generation
    with looking(path) as seen:
        assert found_person(seen, "anna").uuid == "person-anna"
    with opened(path) as mirror:
        assert (mirror.generation, mirror.cookie, mirror.synced_at) == (before, b"cookie", NOW + 1)
        mirror.forget_cookie()
        assert mirror.cookie is None


def test_other_settings_start_empty_with_a_later_generation(path: Path) -> None:
    with opened(path, OWNER) as mirror:
        before = mirror.generation
    other = Mirror.open(path, settings(own=frozenset({"other.example"})))
    try:
        assert other.synced_at is None
        assert other.generation > before
        assert other.moved_aside is None
        with pytest.raises(DirectoryUnknown), looking(path):
            pass
    finally:
        other.close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "foreign"])
def test_an_unusable_file_is_moved_aside(path: Path, damage: str) -> None:
    if damage == "foreign":
        foreign = sqlite3.connect(path)
        foreign.execute("CREATE TABLE precious(x)")
        foreign.close()
    else:
        with opened(path, OWNER, *(Put(person(f"p{n}")) for n in range(300))):
            pass
        content = path.read_bytes()
        path.write_bytes(b"nonsense" * 2000 if damage == "garbage" else content[: len(content) // 2])
    before = path.read_bytes()
    with opened(path, ANNA) as mirror:
        assert mirror.moved_aside is not None
        assert mirror.moved_aside.read_bytes() == before
        with looking(path) as seen:
            assert found_person(seen, "anna").uuid == "person-anna"


def test_one_writer_at_a_time(path: Path) -> None:
    with opened(path), pytest.raises(MirrorError, match="another process"):
        Mirror.open(path, settings())


def test_what_cannot_be_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match="nowhere"):
        Mirror.open(tmp_path / "nowhere" / "mirror.db", settings())


def test_group_addresses_are_those_of_groups(path: Path) -> None:
    changes = [OWNER, Put(group("b", "owner", dgAlias="a@example.org")), Put(group("c", "owner"))]
    with opened(path, *changes) as mirror:
        assert mirror.group_addresses() == ("a@example.org", "b@example.org", "c@example.org")
