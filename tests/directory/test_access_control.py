"""The example access rules (ldap_schema/openldap/access.ldif), each proven with a real bind.

access.conf is the same: test_schema_installation.py compares what slapd makes of the two.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.slapd import CommandFailed, Slapd

SUFFIX = "dc=masociete,dc=example"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
PASSWORD = "correct horse"
INSUFFICIENT_ACCESS = 50
NOBODY = ("", "")
READER = (f"cn=groupmilter,{SUFFIX}", "CHANGE-ME-reader")
WRITER = (f"cn=groupmilter-writer,{SUFFIX}", "CHANGE-ME-writer")


def person(uid: str) -> tuple[str, str]:
    return f"uid={uid},{PEOPLE}", PASSWORD


def group(name: str) -> str:
    return f"cn={name},{GROUPS}"


@pytest.fixture(scope="module")
def slapd(openldap_files: Path) -> Iterator[Slapd]:
    """A slapd with the sample directory, the example rules and accounts, and passwords for some persons."""
    with Slapd(content=[openldap_files / "sample.ldif", openldap_files / "accounts.ldif"]) as server:
        server.configure_live((openldap_files / "access.ldif").read_text(encoding="utf-8"))
        # the owners of `nested` are the members of mail-admins, one level further down
        server.add(
            f"dn: {group('admins-of-admins')}\nobjectClass: groupOfNames\ncn: admins-of-admins\n"
            f"member: {group('mail-admins')}\n"
        )
        server.add(
            f"dn: {group('nested')}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\n"
            f"cn: nested\nmail: nested@masociete.example\nmember: {person('jean')[0]}\n"
            f"owner: {group('admins-of-admins')}\n"
        )
        for uid in ("jean", "helene", "anais", "alice", "zoe", "jurgen"):
            server.replace(f"uid={uid},{PEOPLE}", {"userPassword": PASSWORD})
        yield server


def may_change(slapd: Slapd, bind: tuple[str, str], dn: str, **attributes: str | list[str]) -> bool:
    """Try a change, and say whether slapd let it through; any error but "insufficient access" is raised."""
    try:
        slapd.replace(dn, attributes, bind)
    except CommandFailed as refused:
        if refused.code != INSUFFICIENT_ACCESS:
            raise
        return False
    return True


def is_denied(slapd: Slapd, bind: tuple[str, str], change: str) -> bool:
    """Try an LDIF change record that has to fail, and say whether it did for lack of access."""
    with pytest.raises(CommandFailed) as refused:
        slapd.modify(change, bind)
    return refused.value.code == INSUFFICIENT_ACCESS


def seen(slapd: Slapd, bind: tuple[str, str], name: str, *attributes: str) -> str:
    return slapd.search(SUFFIX, f"(cn={name})", *attributes, bind=bind)


def test_owner_edits_an_own_group(slapd: Slapd) -> None:
    zoe, dn = person("zoe"), group("equipe")
    assert may_change(slapd, zoe, dn, dgModerated="TRUE", dgModerator=zoe[0], dgHoldHours="12")
    assert may_change(slapd, zoe, dn, member=[zoe[0], person("jose")[0]], dgMemberAddress="x@outside.example")
    assert may_change(slapd, zoe, dn, memberURL=f"ldap:///{PEOPLE}??sub?(uid=x)", displayName="Technique")
    assert may_change(slapd, zoe, dn, **{"dgMailTip;lang-fr": "Bonjour"})


def test_owner_may_name_further_owners(slapd: Slapd) -> None:
    alice = person("alice")
    assert may_change(slapd, alice, group("sales-uk"), owner=[alice[0], person("zoe")[0]])
    assert may_change(slapd, person("zoe"), group("sales-uk"), dgJoinPolicy="open")


@pytest.mark.parametrize("attribute", ["mail", "dgAlias"])
def test_owner_can_not_take_an_address(slapd: Slapd, attribute: str) -> None:
    assert not may_change(slapd, person("zoe"), group("equipe"), **{attribute: "direction@masociete.example"})


def test_owner_can_not_choose_policy_or_class(slapd: Slapd) -> None:
    zoe, dn = person("zoe"), group("equipe")
    assert not may_change(slapd, zoe, dn, dgPolicy="lenient")
    assert not may_change(slapd, zoe, dn, objectClass=["groupOfNames", "distributionGroup", "uidObject"])


def test_owner_can_not_remove_rename_or_create_a_group(slapd: Slapd) -> None:
    zoe, dn = person("zoe"), group("equipe")
    for change in ("changetype: delete", "changetype: modrdn\nnewrdn: cn=autre\ndeleteoldrdn: 1"):
        assert is_denied(slapd, zoe, f"dn: {dn}\n{change}\n")
    assert is_denied(
        slapd,
        zoe,
        f"dn: {group('neuf')}\nchangetype: add\nobjectClass: groupOfNames\ncn: neuf\nmember: {zoe[0]}\n",
    )


def test_owner_has_no_say_in_other_groups(slapd: Slapd) -> None:
    assert not may_change(slapd, person("zoe"), group("contact"), dgModerated="TRUE")
    assert not may_change(slapd, person("zoe"), group("contact"), member=person("zoe")[0])


def test_members_of_an_owning_group_are_owners(slapd: Slapd) -> None:
    assert may_change(slapd, person("helene"), group("commercial"), dgApprovalsNeeded="2")
    assert not may_change(slapd, person("jean"), group("commercial"), dgApprovalsNeeded="1")


def test_members_of_an_owning_group_are_owners_at_any_depth(slapd: Slapd) -> None:
    assert may_change(slapd, person("helene"), group("nested"), dgModerated="TRUE")
    assert not may_change(slapd, person("jean"), group("nested"), dgModerated="FALSE")


def test_users_read_groups_and_outsiders_do_not(slapd: Slapd) -> None:
    assert "member: uid=pierre" in seen(slapd, person("alice"), "contact")
    assert "mail: contact@masociete.example" in seen(slapd, person("alice"), "contact")
    assert seen(slapd, NOBODY, "contact") == ""


def test_passwords_below_the_groups_stay_secret(slapd: Slapd) -> None:
    slapd.add(f"dn: {group('unix')}\nobjectClass: posixGroup\ncn: unix\ngidNumber: 5000\nuserPassword: x\n")
    for bind in (person("alice"), READER, WRITER):
        entry = seen(slapd, bind, "unix")
        assert "gidNumber: 5000" in entry
        assert "userPassword" not in entry


def test_hidden_group_shows_to_its_members_and_owners_only(slapd: Slapd) -> None:
    name = "cellule-de-crise"
    for uid in ("jurgen", "helene", "anais"):  # a member, a member of a nested group, the owner
        assert "mail: crise@masociete.example" in seen(slapd, person(uid), name), uid
    for uid in ("jean", "alice"):
        assert seen(slapd, person(uid), name) == ""
    assert seen(slapd, person("alice"), "*", "cn").count("dn: ") > 10


def test_hidden_group_is_edited_by_its_owner_only(slapd: Slapd) -> None:
    dn = group("cellule-de-crise")
    assert may_change(slapd, person("anais"), dn, dgHoldHours="3")
    assert not may_change(slapd, person("jurgen"), dn, dgHoldHours="4")


def test_hidden_members_show_to_owners_only(slapd: Slapd) -> None:
    for name in ("direction", "cellule-de-crise"):
        assert "member: " in seen(slapd, person("anais"), name, "member")
        assert "member: " not in seen(slapd, person("helene"), name, "member")
    assert "mail: direction@" in seen(slapd, person("jean"), "direction")
    assert "member: " not in seen(slapd, person("jean"), "direction")


def test_hidden_members_can_not_be_guessed_by_filter(slapd: Slapd) -> None:
    query = f"(&(cn=direction)(member={person('helene')[0]}))"
    assert slapd.search(GROUPS, query, "1.1", bind=person("jean")) == ""
    assert "dn: cn=direction" in slapd.search(GROUPS, query, "1.1", bind=person("anais"))


def test_hidden_members_are_edited_by_owners(slapd: Slapd) -> None:
    members = [person("anais")[0], person("helene")[0]]
    assert may_change(slapd, person("anais"), group("direction"), member=members)
    assert not may_change(slapd, person("helene"), group("direction"), member=members)


def test_reader_sees_all_and_changes_nothing(slapd: Slapd) -> None:
    everything = slapd.search(SUFFIX, "(objectClass=*)", "*", "+", bind=READER)
    everyone = slapd.search(SUFFIX, "(objectClass=*)", "*", "+")
    assert everything.count("dn: ") == everyone.count("dn: ")
    assert everything.count("\nmember: ") == everyone.count("\nmember: ")
    assert everything.count("entryCSN: ") == everyone.count("entryCSN: ")
    assert everyone.count("userPassword:: ") > everything.count("userPassword:: ") == 1, "its own"
    assert not may_change(slapd, READER, group("contact"), dgModerated="TRUE")
    assert not may_change(slapd, READER, person("jean")[0], mail="x@masociete.example")


def test_writer_makes_changes_and_removes_groups(slapd: Slapd) -> None:
    dn = group("neuf")
    slapd.add(
        f"dn: {dn}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\ncn: neuf\n"
        f"mail: neuf@masociete.example\nmember: cn=placeholder\nowner: {person('jean')[0]}\n",
        WRITER,
    )
    assert may_change(
        slapd,
        WRITER,
        dn,
        mail="nouveau@masociete.example",
        dgAlias="n@masociete.example",
        dgPolicy="x",
        dgHidden="TRUE",
        dgHiddenMembers="TRUE",
    )
    assert may_change(slapd, WRITER, dn, member=person("jean")[0])
    assert "member: uid=jean" in seen(slapd, WRITER, "neuf")
    slapd.rename(dn, "cn=nouveau", bind=WRITER)
    slapd.delete(group("nouveau"), bind=WRITER)


def test_writer_is_limited_to_groups(slapd: Slapd) -> None:
    jean = person("jean")[0]
    assert not may_change(slapd, WRITER, jean, mail="x@masociete.example")
    assert not may_change(slapd, WRITER, jean, userPassword="stolen")
    assert not may_change(slapd, WRITER, group("admins-of-admins"), member=jean), "no mail group"
    assert not may_change(slapd, WRITER, GROUPS, description="x")
    assert is_denied(slapd, WRITER, f"dn: {jean}\nchangetype: delete\n")
    assert is_denied(
        slapd,
        WRITER,
        f"dn: {group('contact')}\nchangetype: modrdn\nnewrdn: cn=contact\n"
        f"deleteoldrdn: 1\nnewsuperior: {PEOPLE}\n",
    )


@pytest.mark.parametrize(
    "lines",
    [
        "objectClass: groupOfNames\nmember: cn=placeholder\n",
        "objectClass: groupOfNames\nobjectClass: distributionGroup\nobjectClass: simpleSecurityObject\n"
        "mail: porte@masociete.example\nmember: cn=placeholder\nuserPassword: open\n",
        "objectClass: inetOrgPerson\nsn: porte\nmail: porte@masociete.example\n",
    ],
)
def test_writer_creates_nothing_but_groups(slapd: Slapd, lines: str) -> None:
    assert is_denied(slapd, WRITER, f"dn: {group('porte')}\nchangetype: add\ncn: porte\n{lines}")


CONTACT = f"dn: cn=%s,ou=contacts,{SUFFIX}\nchangetype: add\nobjectClass: inetOrgPerson\ncn: %s\nsn: x\n"


def test_writer_adds_contacts_and_neither_changes_nor_removes_them(slapd: Slapd) -> None:
    slapd.modify(CONTACT % ("Eva", "Eva") + "mail: eva@partner.example\n", WRITER)
    dn = f"cn=Eva,ou=contacts,{SUFFIX}"
    assert not may_change(slapd, WRITER, dn, mail="other@partner.example")
    assert is_denied(slapd, WRITER, f"dn: {dn}\nchangetype: delete\n")
    slapd.delete(dn)


@pytest.mark.parametrize(
    "lines",
    [
        "userPassword: open\n",
        "uid: jean\n",
        "objectClass: simpleSecurityObject\nuserPassword: open\n",
    ],
)
def test_a_contact_is_nobody_who_logs_in(slapd: Slapd, lines: str) -> None:
    assert is_denied(slapd, WRITER, CONTACT % ("Eve", "Eve") + lines)


def test_a_reader_adds_no_contact(slapd: Slapd) -> None:
    assert is_denied(slapd, READER, CONTACT % ("Eve", "Eve"))
