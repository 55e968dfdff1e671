"""Who may change which groups, with a real directory that is asked before each write."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.membership.acting import acting, add_group, changed, dn_of, made, panel, person
from tests.membership.offices import BASE, DEADLINE, GROUPS, PEOPLE, Office
from tests.support.slapd import Slapd

from groupmilter.directory.change import WriteRefused
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.membership.authority import Forbidden, Reason
from groupmilter.membership.service import Groups, Prepared
from groupmilter.membership.vocabulary import Several, Single

NAME = Single("name", "Another name")


@pytest.fixture(autouse=True)
def with_administrators(office: Office) -> None:
    """The members of mail-admins administer: administrator and, one level down, Hélène."""
    panel(office)


def reason(office: Office, uid: str, group: str, *wishes: Single | Several) -> Reason:
    with pytest.raises(Forbidden) as caught:
        changed(office, uid, group, *(wishes or (NAME,)))
    return caught.value.reason


def test_an_owner_changes_his_group_and_nobody_elses(office: Office) -> None:
    mine = add_group(office, "mine", f"owner: {dn_of('zoe')}")
    theirs = add_group(office, "theirs", f"owner: {dn_of('alice')}")
    changed(
        office, "zoe", mine, NAME, Several("members", (dn_of("jose"),)), Several("owners", (dn_of("bob"),))
    )
    assert office.values("mine", "displayName") == ["Another name"]
    assert reason(office, "zoe", theirs) is Reason.NOT_OWNER
    assert office.values("theirs", "displayName") == []
    assert {row.group for row in office.journal("group-edit")} == {mine}


@pytest.mark.parametrize(
    "wish", [Single("address", "new@masociete.example"), Several("aliases", ("new@masociete.example",)),
             Single("policy", "lenient")],
)  # fmt: skip
def test_addresses_and_policy_are_for_administrators(office: Office, wish: Single | Several) -> None:
    cn = f"own-{wish.field}"
    own = add_group(office, cn, f"owner: {dn_of('zoe')}")
    with pytest.raises(Forbidden) as caught:
        changed(office, "zoe", own, wish)
    assert (caught.value.reason, caught.value.fields) == (Reason.ADMINISTRATORS, (wish.field,))
    # What is so already may stand in a form.
    changed(office, "zoe", own, Single("address", own), NAME)
    changed(office, "administrator", own, wish)
    office.slapd.delete(f"cn={cn},{GROUPS}")


def test_owning_groups_count_at_any_depth_and_dynamic_ones_too(office: Office) -> None:
    add_group(office, "deepest", f"member: {dn_of('bob')}")
    add_group(office, "deeper", f"member: cn=deepest,{GROUPS}", f"member: cn=deep,{GROUPS}")
    add_group(office, "deep", f"member: cn=deeper,{GROUPS}")
    nested = add_group(office, "nested", f"owner: cn=deep,{GROUPS}")
    changed(office, "bob", nested, NAME)
    assert reason(office, "jose", nested) is Reason.NOT_OWNER
    # `ventes` finds its members by departmentNumber; José is taken out of them.
    sold = add_group(office, "sold", f"owner: cn=above-ventes,{GROUPS}")
    add_group(office, "above-ventes", f"member: cn=ventes,{GROUPS}")
    changed(office, "jean", sold, NAME)
    assert reason(office, "alice", sold) is Reason.NOT_OWNER


def test_who_is_excluded_from_a_dynamic_group_has_no_rights_by_it(office: Office) -> None:
    url = f"memberURL: ldap:///{BASE}??sub?(uid=pierre)"
    add_group(office, "found", url, f"dgExcludedMember: {dn_of('pierre')}", f"owner: {dn_of('zoe')}")
    group = add_group(office, "by-search", f"owner: cn=found,{GROUPS}")
    assert reason(office, "pierre", group) is Reason.NOT_OWNER
    office.slapd.replace(f"cn=found,{GROUPS}", dgExcludedMember=[])
    changed(office, "pierre", group, NAME)
    # A filter that only the server evaluates.
    office.slapd.replace(f"cn=found,{GROUPS}", memberURL=f"ldap:///{BASE}??sub?(entryDN={dn_of('jose')})")
    assert reason(office, "pierre", group) is Reason.NOT_OWNER
    changed(office, "jose", group, Single("name", "By the server"))


def test_administrators_change_everything_at_any_depth(office: Office) -> None:
    group = add_group(office, "no-owner")
    changed(office, "helene", group, NAME, Several("aliases", ("no-owner-too@masociete.example",)))
    assert office.values("no-owner", "dgAlias") == ["no-owner-too@masociete.example"]


def test_ownership_that_ends_between_form_and_save_counts_no_more(office: Office) -> None:
    group = add_group(office, "revoked", f"owner: {dn_of('zoe')}")
    with acting(office, "zoe") as service:
        prepared, _ = service.prepare(service.stored(group), [NAME])
        office.slapd.replace(f"cn=revoked,{GROUPS}", owner=dn_of("alice"))
        with pytest.raises(Forbidden) as caught:
            service.apply(prepared)
    assert caught.value.reason is Reason.NOT_OWNER
    assert office.values("revoked", "displayName") == []


def test_nothing_is_written_for_who_is_locked_or_gone(office: Office) -> None:
    group = add_group(office, "left", f"owner: {dn_of('temp')}")
    office.slapd.add(
        f"dn: {dn_of('temp')}\nobjectClass: inetOrgPerson\nobjectClass: extensibleObject\nuid: temp\ncn: T\nsn: T\n"
        "mail: temp@masociete.example\n"
    )
    who = person(office, "temp")
    with acting(office, "temp") as service:
        prepared, _ = service.prepare(service.stored(group), [NAME])
        office.slapd.delete(dn_of("temp"))
        with pytest.raises(Forbidden) as caught:
            service.apply(prepared)
        assert caught.value.reason is Reason.GONE
        # Somebody else of the same name is somebody else.
        office.slapd.add(
            f"dn: {dn_of('temp')}\nobjectClass: inetOrgPerson\nuid: temp\ncn: T\nsn: T\n"
            "mail: temp@masociete.example\n"
        )
        with pytest.raises(Forbidden) as caught:
            service.apply(prepared)
        assert caught.value.reason is Reason.GONE
    assert who.uuid != person(office, "temp").uuid
    assert office.values("left", "displayName") == []


def test_everybody_joins_and_leaves_open_groups_by_himself_and_no_other(office: Office) -> None:
    club = add_group(office, "club", "dgJoinPolicy: open", f"owner: {dn_of('zoe')}")
    changed(office, "bob", club, Several("members", (dn_of("bob"),)))
    assert dn_of("bob") in office.values("club", "member")
    assert reason(office, "bob", club, Several("members", (dn_of("jose"),))) is Reason.NOT_OWNER
    assert reason(office, "bob", club, Several("members", (dn_of("bob"),)), NAME) is Reason.NOT_OWNER
    office.slapd.replace(f"cn=club,{GROUPS}", dgLeavePolicy="closed")
    assert reason(office, "bob", club, Several("members", (), (dn_of("bob"),))) is Reason.CLOSED
    office.slapd.replace(f"cn=club,{GROUPS}", dgLeavePolicy="open", dgJoinPolicy="approval")
    changed(office, "bob", club, Several("members", (), (dn_of("bob"),)))
    assert reason(office, "bob", club, Several("members", (dn_of("bob"),))) is Reason.CLOSED


def test_only_administrators_delete(office: Office) -> None:
    group = add_group(office, "doomed", f"owner: {dn_of('zoe')}")
    for uid, wanted in (("zoe", Reason.ADMINISTRATORS), ("bob", Reason.NOT_OWNER)):
        with acting(office, uid) as service, pytest.raises(Forbidden) as caught:
            service.delete(service.stored(group))
        assert caught.value.reason is wanted
    with acting(office, "administrator") as service:
        assert service.delete(service.stored(group))


def test_a_directory_that_cant_be_asked_lets_nothing_through(office: Office, slapd: Slapd) -> None:
    group = add_group(office, "silent", f"owner: {dn_of('zoe')}")
    with acting(office, "zoe") as service:
        prepared, _ = service.prepare(service.stored(group), [NAME])
        slapd.stop()
        try:
            with pytest.raises(DirectoryUnknown):
                service.apply(prepared)
        finally:
            slapd.start()
    assert office.values("silent", "displayName") == []


def test_who_gives_a_group_away_in_one_large_change_finishes_it(office: Office) -> None:
    group = add_group(office, "given", f"owner: {dn_of('zoe')}")
    outsiders = tuple(f"x{number}@outside.example" for number in range(700))
    changed(
        office,
        "zoe",
        group,
        Several("members", outsiders),
        Several("owners", (dn_of("bob"),), (), exact=True),
    )
    assert len(office.values("given", "dgMemberAddress")) == 700
    assert office.values("given", "owner") == [dn_of("bob")]


def test_two_owners_who_race_lose_nothing_and_no_right_survives(office: Office) -> None:
    """Zoé takes Alice's ownership away while both change members: every change of an owner's is there."""
    group = add_group(office, "raced", f"owner: {dn_of('zoe')}", f"owner: {dn_of('alice')}")
    start = threading.Barrier(2)

    def alice() -> list[str]:
        done = []
        start.wait()
        for number in range(12):
            try:
                changed(office, "alice", group, Several("members", (f"a{number}@outside.example",)))
            except Forbidden:
                break
            done.append(f"a{number}@outside.example")
        return done

    def zoe() -> list[str]:
        start.wait()
        changed(office, "zoe", group, Several("members", ("z@outside.example",)))
        changed(office, "zoe", group, Several("owners", (), (dn_of("alice"),)))
        return ["z@outside.example"]

    with ThreadPoolExecutor(2) as pool:
        done = [future.result() for future in [pool.submit(alice), pool.submit(zoe)]]
    assert set(office.values("raced", "dgMemberAddress")) == {*done[0], *done[1]}
    assert reason(office, "alice", group) is Reason.NOT_OWNER


def out(service: Groups, prepared: Prepared) -> bool:
    """Tell whether somebody got out."""
    try:
        return bool(service.apply(prepared).differences)
    except WriteRefused:
        return False


def test_two_owners_who_take_each_other_out_at_once_leave_one(office: Office) -> None:
    """Both have looked while both were there; whoever comes second is refused, however close they are."""
    owners = {uid: dn_of(uid) for uid in ("zoe", "alice")}
    group = add_group(office, "duel", *(f"owner: {dn}" for dn in owners.values()))
    start = threading.Barrier(2)

    def leaving(uid: str) -> list[bool]:
        done = []
        with acting(office, uid) as service:
            for _ in range(25):
                if start.wait(DEADLINE) == 0:
                    office.slapd.replace(f"cn=duel,{GROUPS}", owner=list(owners.values()))
                start.wait(DEADLINE)
                prepared, problems = service.prepare(
                    service.stored(group), (Several("owners", (), (dn_of(uid),)),)
                )
                assert problems == ()
                start.wait(DEADLINE)
                done.append(out(service, prepared))
                start.wait(DEADLINE)
                assert len(office.values("duel", "owner")) == 1
        return done

    with ThreadPoolExecutor(2) as pool:
        done = [future.result() for future in [pool.submit(leaving, uid) for uid in owners]]
    assert all(first is not second for first, second in zip(*done, strict=True))
    assert len(office.journal("group-edit")) == 25


def test_owners_set_rules_by_the_usual_attributes_and_administrators_by_any(office: Office) -> None:
    ruled = add_group(office, "ruled", f"owner: {dn_of('zoe')}")
    usual = f"ldap:///{BASE}??sub?(departmentNumber=ventes)"
    prying = f"ldap:///{BASE}??sub?(userPassword=a*)"
    changed(office, "zoe", ruled, Several("member_urls", (usual,)))
    with pytest.raises(Forbidden) as caught:
        changed(office, "zoe", ruled, Several("member_urls", (prying,)))
    assert (caught.value.reason, caught.value.fields) == (Reason.ADMINISTRATORS, ("member_urls",))
    changed(office, "administrator", ruled, Several("member_urls", (prying,)))
    # What an administrator has set may stand in a list that the owner brings, and he may take it away.
    changed(office, "zoe", ruled, Several("member_urls", (usual, prying), exact=True))
    assert sorted(office.values("ruled", "memberURL")) == [usual, prying]
    changed(office, "zoe", ruled, Several("member_urls", remove=(prying,)))
    assert office.values("ruled", "memberURL") == [usual]
    office.slapd.delete(f"cn=ruled,{GROUPS}")


@pytest.mark.parametrize(
    ("part", "base", "may"),
    [
        (f"base: '{GROUPS}'", GROUPS, True),
        (f"base: '{GROUPS}'", f"cn=x,OU=Groups, {BASE}", True),
        (f"base: '{GROUPS}'", PEOPLE, False),
        (f"base: '{GROUPS}'", BASE, False),
        ("domains: [masociete.example]", PEOPLE, False),
        (f"{{base: '{BASE}', domains: [masociete.example]}}", PEOPLE, True),
    ],
)
def test_administrators_of_a_part_have_rules_ask_for_anything_in_that_part_only(
    office: Office, part: str, base: str, may: bool
) -> None:
    """A hoster's customer learns nothing of the persons of another one."""
    one = part.strip("{}")
    office.configure()
    panel(office, f"panel: {{administrators: [{{group: '{dn_of('sian')}', {one}}}]}}\n")
    ruled = add_group(office, "ruled")
    prying, usual = f"ldap:///{base}??sub?(description=a*)", f"ldap:///{BASE}??sub?(departmentNumber=x)"
    office.slapd.add(f"dn: cn=x,{GROUPS}\nobjectClass: organizationalRole\ncn: x\n")
    try:
        changed(office, "sian", ruled, Several("member_urls", (usual,)))
        if may:
            changed(office, "sian", ruled, Several("member_urls", (prying,)))
            return
        with pytest.raises(Forbidden) as caught:
            changed(office, "sian", ruled, Several("member_urls", (prying,)))
        assert (caught.value.reason, caught.value.fields) == (Reason.BEYOND, ("member_urls",))
        assert made(office, "sian", "new@masociete.example", [Several("member_urls", (prying,))]) == (
            "member_urls",
        )
    finally:
        office.slapd.delete(f"cn=ruled,{GROUPS}")
        office.slapd.delete(f"cn=x,{GROUPS}")
