"""A group is changed without its members being read: the same outcome as with all of them, whatever is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.directory.writing import (
    GROUPS,
    PLACEHOLDER,
    SUFFIX,
    WRITER,
    group,
    native,
    person,
    values,
    writer,
)
from tests.directory.writing import settings as account
from tests.support.slapd import Slapd

from groupmilter.directory import reader
from groupmilter.directory.change import Difference, Setting, Values, Written
from groupmilter.directory.entry import Entry
from groupmilter.directory.ldap_matching import MATCHED_VALUES, is_value
from groupmilter.directory.modification import Plan, planned
from groupmilter.directory.profile import Profile
from groupmilter.directory.reader import LdapSession, Reader
from groupmilter.directory.sparse import asked, short_attributes, sparse
from groupmilter.directory.spelling import key_of
from groupmilter.directory.writer_messages import Operation

DN = f"cn=sparse,{GROUPS}"
OUTSIDERS = (
    *("x@ailleurs.example", "Y@Ailleurs.example", "été@ailleurs.example"),
    *("été@café.example", "été@xn--caf-dma.example"),
)
NAMES = (
    *(person(name) for name in "abcd"),
    person("d").upper(),
    "uid=e\\2Cf,ou=x",
    PLACEHOLDER,
    f"{PLACEHOLDER},{SUFFIX}",
)


@pytest.fixture(scope="module")
def slapd(openldap_files: Path) -> Iterator[Slapd]:
    """The sample directory under the example rules."""
    with Slapd(content=[openldap_files / "sample.ldif", openldap_files / "accounts.ldif"]) as server:
        server.configure_live((openldap_files / "access.ldif").read_text(encoding="utf-8"))
        yield server


@pytest.fixture
def team(slapd: Slapd) -> Iterator[Slapd]:
    slapd.add(group("sparse", *(person(name) for name in "ab"), more=f"dgMemberAddress: {OUTSIDERS[0]}\n"))
    yield slapd
    slapd.delete(DN)


@pytest.fixture(params=[True, False])
def matching(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once with RFC 3876, and once as if the server had never heard of it."""
    if not request.param:
        monkeypatch.setattr(reader, "MATCHED_VALUES", "1.2.3")


def session(slapd: Slapd) -> LdapSession:
    return Reader(account(slapd.uri, WRITER)).connect()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The attributes of each read of an entry."""
    seen: list[tuple[str, ...]] = []
    search = LdapSession.search

    def noted(
        self: LdapSession, base: str, scope: str, query: str, attributes: tuple[str, ...]
    ) -> Iterator[Entry]:
        seen.append(attributes)
        return search(self, base, scope, query, attributes)

    monkeypatch.setattr(LdapSession, "search", noted)
    return seen


@pytest.mark.usefixtures("matching")
def test_a_server_tells_which_of_some_values_it_has(team: Slapd) -> None:
    wanted = {
        "member": tuple(name.encode() for name in (person("b"), person("z"), "cn=no one\\2C,dc=x")),
        "dgmemberaddress": tuple(text.encode() for text in OUTSIDERS),
    }
    with session(team) as opened:
        assert {name: raws for name, raws in opened.holding(DN, wanted).items() if raws} == {
            "member": (person("b").encode(),),
            "dgmemberaddress": (OUTSIDERS[0].encode(),),
        }
        assert opened.holding(DN, {}) == opened.holding(DN, {"member": ()}) == {}
        assert not any(opened.holding(f"cn=none,{GROUPS}", wanted).values())
        # The session is good for more.
        assert opened.read(DN, ("cn",)) == {"cn": (b"sparse",)}


def test_what_is_held_comes_back_as_it_stands_there(team: Slapd) -> None:
    with session(team) as opened:
        assert MATCHED_VALUES in opened.capabilities().controls
        found = opened.holding(DN, {"member": (person("B").upper().encode(),)})
    assert found == {"member": (person("b").encode(),)}


def test_a_value_in_a_filter_is_octets() -> None:
    assert is_value("member", "é*)(".encode()) == "(member=\\c3\\a9\\2a\\29\\28)"


@pytest.mark.usefixtures("matching")
def test_members_come_and_go_and_nobody_reads_the_others(team: Slapd, reads: list[tuple[str, ...]]) -> None:
    one = writer(team)
    for changes, differences in (
        (Values("members", (person("a"), person("c"))), (Difference("members", (), (person("c"),)),)),
        (Values("members", (), (person("b"), person("z"))), (Difference("members", (person("b"),), ()),)),
        (Values("members", (person("A"),), (person("z"),)), ()),
        (Values("member_addresses", OUTSIDERS[:2]), (Difference("member_addresses", (), (OUTSIDERS[1],)),)),
        (Setting("hidden", value=True), (Difference("hidden", False, True),)),
    ):
        assert one.change(DN, (changes,)) == Written(differences)
    assert values(team, DN, "member") == [person("a"), person("c")]
    assert reads
    assert not any("member" in attributes or "dgmemberaddress" in attributes for attributes in reads)


@pytest.mark.usefixtures("matching")
def test_the_last_to_go_leaves_the_placeholder_whoever_has_been_asked_about(team: Slapd) -> None:
    one = writer(team)
    gone = one.change(DN, (Values("members", (person("a"),), (person("a"), person("b"))),))
    assert gone == Written((Difference("members", (person("b"),), ()),))
    assert one.change(DN, (Values("members", (), (person("a"),)),)) == Written(
        (Difference("members", (person("a"),), ()),)
    )
    assert values(team, DN, "member") == [PLACEHOLDER]
    team.replace(DN, {"member": f"{PLACEHOLDER},{SUFFIX}"})
    assert one.change(DN, (Values("members", (person("c"),)),)) == Written(
        (Difference("members", (), (person("c"),)),)
    )
    assert values(team, DN, "member") == [person("c")]


def test_a_class_that_is_missing_still_comes_along(team: Slapd) -> None:
    team.add(f"dn: cn=bare,{GROUPS}\nobjectClass: groupOfNames\ncn: bare\nmember: {person('a')}\n")
    changes = (
        Setting("address", "bare@masociete.example"),
        Values("members", (person("b"),), (person("a"),)),
    )
    assert isinstance(writer(team, team.root).change(f"cn=bare,{GROUPS}", changes), Written)
    assert values(team, f"cn=bare,{GROUPS}", "member") == [person("b")]
    assert values(team, f"cn=bare,{GROUPS}", "mail") == ["bare@masociete.example"]
    team.delete(f"cn=bare,{GROUPS}")


def test_an_attribute_that_serves_another_field_too_is_always_read() -> None:
    fields: dict[str, object] = {
        "address": "mail",
        "members": "member",
        "member_addresses": "extra",
        "owners": "extra",
    }
    person_part = {"when": {"attributes": ["mail"]}, "fields": {}}
    profile = Profile.from_mapping(
        {
            "profile": "x",
            "uuid": "entryUUID",
            "person": person_part,
            "group": {"when": {"classes": ["g"]}, "fields": fields},
        }
    )
    assert "extra" in short_attributes(profile)
    assert "member" not in short_attributes(profile)
    changes = (
        Values("members", ("cn=a",)),
        Values("member_addresses", ("a@x.example",)),
        Values("owners", ("cn=b",)),
    )
    assert asked(profile, DN, changes) == {"member": (b"cn=a",)}


SOME = st.lists(st.sampled_from(NAMES), max_size=5, unique=True)
FEW = st.lists(st.sampled_from(NAMES[:6]), max_size=3, unique=True).map(tuple)


def held_by(server: dict[bytes, str], wanted: tuple[bytes, ...], profile: Profile) -> tuple[bytes, ...]:
    """What RFC 3876 gives: the values that stand there, for those that were asked about."""
    keys = {key_of(profile.mapped("members"), raw.decode()) for raw in wanted}
    return tuple(raw for raw, key in server.items() if key in keys)


@settings(max_examples=300)
@given(SOME, FEW, FEW, st.sampled_from([PLACEHOLDER, ""]))
def test_a_plan_from_part_of_a_list_is_the_plan_from_all_of_it(
    there: list[str], come: tuple[str, ...], go: tuple[str, ...], placeholder: str
) -> None:
    """But for a placeholder: one among others may stay there, and that it has to come the server says."""
    profile, mapped = native(), native().mapped("members")
    server = {name.encode(): key_of(mapped, name) for name in there}
    server = {
        raw: key for at, (raw, key) in enumerate(server.items()) if key not in list(server.values())[:at]
    }
    short = Entry("u", DN, {"objectclass": (b"groupOfNames",), "mail": (b"x@masociete.example",)})
    whole = Entry("u", DN, {**short.attributes, "member": tuple(server)})
    changes = (Values("members", come, go),)
    wanted = asked(profile, DN, changes, placeholder)
    part = sparse(short, {"member": held_by(server, wanted["member"], profile)}) if wanted else short
    expected = planned(profile, whole, changes, placeholder)
    found = planned(profile, part, changes, placeholder, whole=False)
    assert isinstance(expected, Plan)
    assert isinstance(found, Plan)
    assert found.differences == expected.differences
    left = {each for each in single(expected) - single(found) if not each[2].startswith(PLACEHOLDER.encode())}
    assert single(found) <= single(expected)
    assert left == set()


def single(plan: Plan) -> set[tuple[Operation, str, bytes]]:
    """A plan's modifications value by value."""
    return {(each.operation, each.attribute, raw) for each in plan.modifications for raw in each.values}
