"""Every canonical field through the writer into a real slapd and back, as the account that may write groups only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.directory.writing import (
    CONTACT,
    GROUPS,
    PEOPLE,
    PLACEHOLDER,
    SUFFIX,
    group,
    native,
    person,
    values,
    writer,
)
from tests.support.slapd import Slapd

from groupmilter.directory.change import Difference, Meanwhile, Setting, Values, Written
from groupmilter.directory.modification import current
from groupmilter.directory.profile_fields import GROUP, Form, Scalar
from groupmilter.directory.writer import Writer, WriteRefused

SINGLE: dict[str, tuple[Scalar, ...]] = {
    "name": ("Ventes Été", "ventes été", "Ventes, Paris"),
    "address": ("ventes@masociete.example", "Ventes2@masociete.example"),
    "description": ("Pour les clients\net les autres", "Été"),
    "enabled": (False, True),
    "join_policy": ("open", "approval", "closed"),
    "leave_policy": ("approval", "closed", "open"),
    "join_outsiders": (True, False),
    "require_authentication": (False, True),
    "moderated": (True, False),
    "covers_nested": (True, False),
    "notify": ("never", "internal", "always"),
    "hold_hours": (1, 72),
    "approvals": (2, 3),
    "max_size": (0, 10_485_760),
    "bounces_to": ("owner", "nobody", "sender", "auto"),
    "auto_replies": (True, False),
    "hidden_members": (True, False),
    "hidden": (True, False),
    "policy": ("lenient", "Strict"),
}
SAMPLES = {
    Form.NAMES: (person("jean"), person("no\\2Cbody"), CONTACT),
    Form.ADDRESSES: ("x@ailleurs.example", "été@ailleurs.example", "o'neil+tag@ailleurs.example"),
    Form.PATTERNS: ("x@ailleurs.example", "@ailleurs.example", "@.autre.example"),
    Form.URLS: (
        f"ldap:///{PEOPLE}??sub?(departmentNumber=ventes)",
        f"ldap:///{PEOPLE}??one?(l=Orl%C3%A9ans)",
    ),
}
ODD = {"member_of"}
"""Reverse membership: no attribute of the group itself in the native profile."""


@pytest.fixture(scope="module")
def slapd(openldap_files: Path) -> Iterator[Slapd]:
    """The sample directory under the example rules."""
    with Slapd(content=[openldap_files / "sample.ldif", openldap_files / "accounts.ldif"]) as server:
        server.configure_live((openldap_files / "access.ldif").read_text(encoding="utf-8"))
        server.add(group("fields", PLACEHOLDER))
        yield server


@pytest.fixture
def account(slapd: Slapd) -> Writer:
    return writer(slapd)


FIELDS = f"cn=fields,{GROUPS}"


def now(account: Writer, field: str, language: str = "", dn: str = FIELDS) -> object:
    entry = account.read(dn)
    assert entry is not None
    return current(native(), entry, field, language)


def test_every_field_is_tried() -> None:
    several = {name for name, field in GROUP.items() if field.form in SAMPLES} - {"address"} - ODD
    assert set(SINGLE) | several | {"mail_tip"} | ODD == set(GROUP)


@pytest.mark.parametrize("field", SINGLE)
def test_a_single_value_is_set_and_taken_away(account: Writer, field: str) -> None:
    for value in SINGLE[field]:
        before = now(account, field)
        written = account.change(FIELDS, (Setting(field, value, before),))  # type: ignore[arg-type]
        expected = () if before == value else (Difference(field, before, value),)  # type: ignore[arg-type]
        assert written == Written(expected)
        assert now(account, field) == value
        assert account.change(FIELDS, (Setting(field, value),)) == Written()
    if field != "address":
        account.change(FIELDS, (Setting(field, None),))
        assert now(account, field) == ("fields" if field == "name" else native().mapped(field).absent)
        assert account.change(FIELDS, (Setting(field, None),)) == Written()


@pytest.mark.parametrize(
    "field", [name for name, one in GROUP.items() if one.form in SAMPLES and name not in {"address", *ODD}]
)
def test_values_come_and_go_one_by_one(account: Writer, field: str) -> None:
    samples = SAMPLES[GROUP[field].form]
    first, second, *rest = samples
    before = now(account, field)
    assert isinstance(before, tuple)
    written = account.change(FIELDS, (Values(field, samples),))
    assert written == Written((Difference(field, (), samples),))
    assert account.change(FIELDS, (Values(field, (first, second)),)) == Written()
    written = account.change(FIELDS, (Values(field, (), (second, "gone@x.example")),))
    assert written == Written((Difference(field, (second,), ()),))
    there = now(account, field)
    assert isinstance(there, tuple)
    assert {first, *rest} <= set(there)
    assert second not in there
    account.change(FIELDS, (Values(field, (), samples),))
    assert now(account, field) == before


def test_a_mail_tip_has_one_text_for_each_language(account: Writer) -> None:
    tips = {"": "Hello", "fr": "Bonjour à tous", "en": "Hello all"}
    account.change(FIELDS, [Setting("mail_tip", text, None, language) for language, text in tips.items()])
    assert {language: now(account, "mail_tip", language) for language in tips} == tips
    written = account.change(FIELDS, (Setting("mail_tip", None, "Bonjour à tous", "fr"),))
    assert written == Written((Difference("mail_tip.fr", "Bonjour à tous", None),))
    assert now(account, "mail_tip", "fr") is None
    assert now(account, "mail_tip") == "Hello"


def test_several_fields_change_together_or_not_at_all(slapd: Slapd, account: Writer) -> None:
    good, bad = Setting("approvals", 5), Setting("policy", "caf\u00e9")
    with pytest.raises(WriteRefused, match="invalid value: dgpolicy"):
        account.change(FIELDS, (good, bad))
    assert values(slapd, FIELDS, "dgApprovalsNeeded") == []
    account.change(FIELDS, (good, Values("denied_addresses", ("x@ailleurs.example",))))
    assert values(slapd, FIELDS, "dgApprovalsNeeded") == ["5"]
    assert values(slapd, FIELDS, "dgDeniedSenderAddress") == ["x@ailleurs.example"]


def test_what_was_changed_meanwhile_is_told_and_left(slapd: Slapd, account: Writer) -> None:
    account.change(FIELDS, (Setting("hold_hours", 24),))
    slapd.replace(FIELDS, {"dgHoldHours": "48"})
    lost = account.change(FIELDS, (Setting("hold_hours", 12, 24), Setting("hidden", value=True)))
    assert lost == Meanwhile("hold_hours", 24, 48)
    assert values(slapd, FIELDS, "dgHoldHours") == ["48"]
    assert values(slapd, FIELDS, "dgHidden") == []
    # Who wanted the same has lost nothing.
    assert account.change(FIELDS, (Setting("hold_hours", 48, 24),)) == Written()


def test_the_address_stays_one_and_what_was_beside_it_becomes_an_alias(slapd: Slapd, account: Writer) -> None:
    slapd.add(
        group("moved", PLACEHOLDER, more="mail: second@masociete.example\ndgAlias: third@masociete.example\n")
    )
    dn = f"cn=moved,{GROUPS}"
    account.change(dn, (Setting("address", "third@masociete.example", "moved@masociete.example"),))
    assert values(slapd, dn, "mail") == ["third@masociete.example"]
    assert values(slapd, dn, "dgAlias") == ["second@masociete.example"]
    with pytest.raises(WriteRefused, match="no alias"):
        account.change(dn, (Values("aliases", (), ("third@masociete.example",)),))
    with pytest.raises(WriteRefused, match="keeps an address"):
        account.change(dn, (Setting("address", None),))


@pytest.mark.parametrize(
    ("structural", "attribute"), [("groupOfNames", "member"), ("groupOfUniqueNames", "uniqueMember")]
)
def test_the_placeholder_stands_where_nobody_else_does(
    slapd: Slapd, account: Writer, structural: str, attribute: str
) -> None:
    name = f"empty-{structural}"
    slapd.add(group(name, PLACEHOLDER, structural=structural))
    dn, jean, zoe = f"cn={name},{GROUPS}", person("jean"), person("zoe")
    assert account.change(dn, (Values("members", (jean,)),)) == Written((Difference("members", (), (jean,)),))
    assert values(slapd, dn, attribute) == [jean]
    account.change(dn, (Values("members", (zoe,), (jean,)),))
    assert values(slapd, dn, attribute) == [zoe]
    written = account.change(dn, (Values("members", (), (zoe.upper(),)),))
    assert written == Written((Difference("members", (zoe,), ()),))
    assert values(slapd, dn, attribute) == [PLACEHOLDER]
    # A configured placeholder may be the first part of the one that stands there.
    slapd.replace(dn, {attribute: f"{PLACEHOLDER},{SUFFIX}"})
    account.change(dn, (Values("members", (jean,)),))
    assert values(slapd, dn, attribute) == [jean]


def test_a_group_is_made_once_and_removed_once(slapd: Slapd, account: Writer) -> None:
    dn = f"cn=new,{GROUPS}"
    content = {
        "objectClass": (b"groupOfNames", b"distributionGroup"),
        "cn": (b"new",),
        "mail": (b"new@masociete.example",),
        "member": (PLACEHOLDER.encode(),),
    }
    assert account.create(dn, content) is True
    assert account.create(dn, content) is False
    entry = account.read(dn)
    assert entry is not None
    slapd.replace(dn, {"dgHidden": "TRUE"})
    with pytest.raises(WriteRefused, match="changed meanwhile"):
        account.delete(dn, entry.attributes["entrycsn"][0])
    assert account.delete(dn) is True
    assert account.delete(dn) is False
    with pytest.raises(WriteRefused, match=r"no such entry|insufficient access"):
        account.create(f"cn=new,ou=nowhere,{SUFFIX}", content)


def test_the_writer_account_writes_groups_and_nothing_else(account: Writer) -> None:
    with pytest.raises(WriteRefused, match="insufficient access rights to change cn"):
        account.create(
            f"cn=intruder,{GROUPS}",
            {"cn": (b"intruder",), "objectClass": (b"organizationalRole",)},
        )
    with pytest.raises(WriteRefused, match="insufficient access rights to change dgmoderated"):
        account.change(person("jean"), (Setting("moderated", value=True),))
    with pytest.raises(WriteRefused, match=r"insufficient|no such entry"):
        account.delete(person("jean"))
