"""The LDAP schema: both forms say the same, a real slapd takes them, and refuses what the syntaxes refuse."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.directory.schema_definitions import (
    Definition,
    conf_statements,
    definitions_of,
    ldif_statements,
)
from tests.support.slapd import CommandFailed, Slapd

BASE = "1.3.6.1.4.1.1466.115.121.1."
DN, BOOLEAN, INTEGER, DIRECTORY_STRING, IA5 = (BASE + number for number in ("12", "7", "27", "15", "26"))
INVALID_SYNTAX, CONSTRAINT_VIOLATION, CLASS_VIOLATION = 21, 19, 65

MANY = {
    DN: {
        "dgExcludedMember",
        "dgAllowedSender",
        "dgDeniedSender",
        "dgModerator",
        "dgModerationBypass",
        "dgSendAs",
        "dgSendOnBehalf",
    },
    DIRECTORY_STRING: {
        "dgAlias",
        "dgMemberAddress",
        "dgExternalSender",
        "dgAllowedSenderAddress",
        "dgDeniedSenderAddress",
        "dgModerationBypassAddress",
    },
}
SINGLE = {
    BOOLEAN: {
        "dgEnabled",
        "dgRequireAuthentication",
        "dgModerated",
        "dgModerationCoversNested",
        "dgAutoReplies",
        "dgHiddenMembers",
        "dgHidden",
        "dgJoinOutsiders",
    },
    INTEGER: {"dgHoldHours", "dgApprovalsNeeded", "dgMaxMessageSize"},
    IA5: {"dgJoinPolicy", "dgLeavePolicy", "dgModerationNotify", "dgBouncesTo", "dgPolicy"},
    DIRECTORY_STRING: {"dgMailTip"},
}
EQUALITY = {
    DN: {"distinguishedNameMatch"},
    BOOLEAN: {"booleanMatch"},
    INTEGER: {"integerMatch"},
    DIRECTORY_STRING: {"caseIgnoreMatch"},
    IA5: {"caseIgnoreIA5Match", "caseExactIA5Match"},
}
NATIVE = {name for table in (MANY, SINGLE) for names in table.values() for name in names}
BORROWED = {"member", "owner", "memberURL", "displayName", "description"}

JEAN = "uid=jean,ou=people,dc=masociete,dc=example"
GROUPS = "ou=groups,dc=masociete,dc=example"
VALUES = {BOOLEAN: "TRUE", INTEGER: "10", DN: JEAN, DIRECTORY_STRING: "rené@café.example", IA5: "approval"}


@pytest.fixture(scope="module")
def definitions(openldap_files: Path) -> list[Definition]:
    text = (openldap_files / "groupmilter.schema").read_text(encoding="utf-8")
    return definitions_of(conf_statements(text))


@pytest.fixture
def group(sample_slapd: Slapd) -> Iterator[str]:
    """The DN of a small group that the test may spoil."""
    dn = f"cn=essai,{GROUPS}"
    sample_slapd.add(group_ldif("essai"))
    yield dn
    sample_slapd.delete(dn)


def group_ldif(name: str, *lines: str, mail: bool = True) -> str:
    record = [
        f"dn: cn={name},{GROUPS}",
        "objectClass: groupOfNames",
        "objectClass: distributionGroup",
        f"cn: {name}",
        f"member: {JEAN}",
        *lines,
    ]
    return "\n".join([*record, *([f"mail: {name}@masociete.example"] if mail else [])]) + "\n"


def refusal(slapd: Slapd, ldif: str) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        slapd.add(ldif)
    return caught.value


def test_both_forms_say_the_same(definitions: list[Definition], openldap_files: Path) -> None:
    text = (openldap_files / "groupmilter.ldif").read_text(encoding="utf-8")
    assert definitions_of(ldif_statements(text)) == definitions
    assert len(definitions) == 3 + len(NATIVE) + 1


def test_attributes_are_those_of_the_specification(definitions: list[Definition]) -> None:
    attributes = [item for item in definitions if item.kind == "attribute"]
    assert {item.name for item in attributes} == NATIVE
    for table, single in ((MANY, False), (SINGLE, True)):
        for syntax, names in table.items():
            found = {item.name for item in attributes if item.syntax == syntax and item.single is single}
            assert found == names


def test_attributes_compare_as_their_syntax_wants(definitions: list[Definition]) -> None:
    attributes = [item for item in definitions if item.kind == "attribute"]
    assert all(item.equality in EQUALITY[item.syntax] for item in attributes)
    assert all(("SUBSTR " in item.text) is (item.syntax == DIRECTORY_STRING) for item in attributes)


def test_class_takes_all_attributes_and_demands_mail(definitions: list[Definition]) -> None:
    (group_class,) = [item for item in definitions if item.kind == "class"]
    assert group_class.name == "distributionGroup"
    assert " AUXILIARY " in group_class.text
    assert group_class.names("MUST") == ["mail"]
    assert set(group_class.names("MAY")) == NATIVE | BORROWED


def test_oids_are_distinct_and_below_one_uuid(definitions: list[Definition]) -> None:
    macros = dict(item.text.split(" ") for item in definitions if item.kind == "macro")
    arc = macros["groupmilter"].removeprefix("2.25.")
    assert int(arc).bit_length() <= 128
    assert (int(arc) >> 76) & 0xF == 4, "not a random UUID (RFC 4122, version 4)"
    oids = [item.oid for item in definitions if item.kind != "macro"]
    assert len(set(oids)) == len(oids)
    assert {oid.split(":")[0] for oid in oids} == {"groupmilterAttribute", "groupmilterClass"}


def test_sample_data_use_every_attribute(openldap_files: Path) -> None:
    text = (openldap_files / "sample.ldif").read_text(encoding="utf-8")
    used = {line.split(":")[0].split(";")[0] for line in text.splitlines() if not line.startswith("#")}
    assert used >= NATIVE | {"memberURL", "owner", "displayName", "mailLocalAddress", "preferredLanguage"}


@pytest.mark.parametrize("name", ["README.md", "README.fr.md"])
def test_every_attribute_and_file_is_documented(openldap_files: Path, name: str) -> None:
    text = (openldap_files.parent / name).read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert rows >= NATIVE | BORROWED - {"description"} | {"mail"}
    assert all(f"`{path.name}`" in text for path in openldap_files.iterdir())


def test_sample_data_are_strict_ldif(openldap_files: Path) -> None:
    text = (openldap_files / "sample.ldif").read_text(encoding="utf-8")
    assert all(line.isascii() for line in text.splitlines() if not line.startswith("#"))


def test_sample_data_pass_ldapadd_too(openldap_files: Path) -> None:
    with Slapd() as slapd:
        slapd.load(openldap_files / "sample.ldif")
        found = slapd.search(slapd.suffix, "(objectClass=distributionGroup)", "mailLocalAddress", "mail")
        person = slapd.search(slapd.suffix, "(mailLocalAddress=jean@masociete.example)", "cn")
    assert found.count("mail: ") == 13
    assert "cn: Jean Dupont" in person


def test_slapd_takes_every_attribute_in_one_entry(sample_slapd: Slapd) -> None:
    lines = [
        f"{name}: {VALUES[syntax]}"
        for table in (MANY, SINGLE)
        for syntax, names in table.items()
        for name in sorted(names)
    ]
    lines += [f"owner: {JEAN}", f"memberURL: ldap:///{GROUPS}??sub?(cn=x)", "displayName: Complet"]
    sample_slapd.add(group_ldif("complet", *lines))
    entry = sample_slapd.search(f"cn=complet,{GROUPS}", "(objectClass=*)", scope="base")
    assert {line.split(":")[0] for line in entry.splitlines()} >= NATIVE | BORROWED - {"description"}
    sample_slapd.delete(f"cn=complet,{GROUPS}")


@pytest.mark.parametrize(
    ("structure", "line"),
    [
        ("groupOfUniqueNames", f"uniqueMember: {JEAN}"),
        ("groupOfURLs", "memberURL: ldap:///dc=masociete,dc=example??sub?(uid=jean)"),
        ("groupOfURLs", f"member: {JEAN}"),
        ("groupOfURLs", "description: nobody yet"),
    ],
)
def test_class_sits_on_other_structures(sample_slapd: Slapd, structure: str, line: str) -> None:
    dn = f"cn=autre,{GROUPS}"
    sample_slapd.add(
        f"dn: {dn}\nobjectClass: {structure}\nobjectClass: distributionGroup\ncn: autre\n"
        f"mail: autre@masociete.example\n{line}\n"
    )
    assert f"structuralObjectClass: {structure}" in sample_slapd.search(dn, "(objectClass=*)", "+")
    sample_slapd.delete(dn)


@pytest.mark.parametrize("name", sorted(SINGLE[BOOLEAN]))
@pytest.mark.parametrize("value", ["maybe", "1", "true", "yes"])
def test_booleans_are_true_or_false(sample_slapd: Slapd, name: str, value: str) -> None:
    assert refusal(sample_slapd, group_ldif("faux", f"{name}: {value}")).code == INVALID_SYNTAX


@pytest.mark.parametrize("name", sorted(SINGLE[INTEGER]))
@pytest.mark.parametrize("value", ["ten", "1.5", "0x10", "10 MB"])
def test_integers_are_whole_numbers(sample_slapd: Slapd, name: str, value: str) -> None:
    assert refusal(sample_slapd, group_ldif("faux", f"{name}: {value}")).code == INVALID_SYNTAX


@pytest.mark.parametrize("name", sorted(MANY[DN]))
@pytest.mark.parametrize("value", ["jean.dupont@masociete.example", "Jean Dupont", "uid=jean,", "nosuch=x"])
def test_dns_are_dns(sample_slapd: Slapd, name: str, value: str) -> None:
    assert refusal(sample_slapd, group_ldif("faux", f"{name}: {value}")).code == INVALID_SYNTAX


@pytest.mark.parametrize("name", sorted(SINGLE[IA5] | {"mail"}))
def test_words_and_the_primary_address_are_ascii(sample_slapd: Slapd, name: str) -> None:
    refused = refusal(sample_slapd, group_ldif("faux", f"{name}: été", mail=name != "mail"))
    assert refused.code == INVALID_SYNTAX


@pytest.mark.parametrize("name", sorted(MANY[DIRECTORY_STRING]))
def test_addresses_are_not_empty(sample_slapd: Slapd, name: str) -> None:
    assert refusal(sample_slapd, group_ldif("faux", f"{name}:")).code == INVALID_SYNTAX


@pytest.mark.parametrize(
    ("syntax", "values"),
    [
        (BOOLEAN, ("TRUE", "FALSE")),
        (INTEGER, ("1", "2")),
        (IA5, ("open", "closed")),
        (DIRECTORY_STRING, ("one", "two")),
    ],
)
def test_second_values_are_refused(sample_slapd: Slapd, syntax: str, values: tuple[str, str]) -> None:
    for name in sorted(SINGLE[syntax]):
        lines = [f"{name}: {value}" for value in values]
        assert refusal(sample_slapd, group_ldif("faux", *lines)).code == CONSTRAINT_VIOLATION, name


def test_group_without_mail_is_refused(sample_slapd: Slapd) -> None:
    refused = refusal(sample_slapd, group_ldif("faux", mail=False))
    assert refused.code == CLASS_VIOLATION
    assert "requires attribute 'mail'" in refused.text


def test_attributes_need_the_class(sample_slapd: Slapd) -> None:
    with pytest.raises(CommandFailed) as caught:
        sample_slapd.replace(JEAN, {"dgModerated": "TRUE"})
    assert caught.value.code == CLASS_VIOLATION


def test_mail_tip_has_one_value_for_each_language(sample_slapd: Slapd, group: str) -> None:
    tips = {"dgMailTip": "Hello", "dgMailTip;lang-fr": "Bonjour", "dgMailTip;lang-en": "Hello there"}
    for name, value in tips.items():
        sample_slapd.replace(group, {name: value})
    found = sample_slapd.search(group, "(objectClass=*)", "dgMailTip")
    assert all(f"{name}: {value}\n" in found for name, value in tips.items())
    with pytest.raises(CommandFailed) as caught:
        sample_slapd.replace(group, {"dgMailTip;lang-fr": ["Bonjour", "Salut"]})
    assert caught.value.code == CONSTRAINT_VIOLATION


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Ventes@MaSociete.example", "ventes@masociete.EXAMPLE"),
        ("ÉTÉ@café.example", "été@CAFÉ.example"),
    ],
)
def test_addresses_compare_without_case(sample_slapd: Slapd, group: str, stored: str, asked: str) -> None:
    sample_slapd.replace(group, {"dgAlias": stored})
    assert f"dn: {group}\n" in sample_slapd.search(GROUPS, f"(dgAlias={asked})", "1.1")
    assert f"dn: {group}\n" in sample_slapd.search(GROUPS, f"(dgAlias={asked[:3]}*)", "1.1")
