"""The writer against a real slapd: one value more, by whoever may, and the server's own words where not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.directory.writing import settings
from tests.support.fake_ldap import SEARCH, FakeLdap, Request, answer, entry, page_end
from tests.support.slapd import Slapd

from groupmilter.config.load import parse_yaml
from groupmilter.directory.ldap_messages import message, tlv
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.directory.profile import Profile
from groupmilter.directory.writer import DirectoryUnavailable, Writer, WriteRefused
from groupmilter.directory.writer_messages import (
    MODIFIED,
    Modification,
    Operation,
    classes_with,
    modify_request,
)

SUFFIX = "dc=masociete,dc=example"
CONTACT = f"cn=contact,ou=groups,{SUFFIX}"
BARE = f"cn=bare,ou=groups,{SUFFIX}"
READER = (f"cn=groupmilter,{SUFFIX}", "CHANGE-ME-reader")
WRITER = (f"cn=groupmilter-writer,{SUFFIX}", "CHANGE-ME-writer")
SENDER = "fournisseur@ailleurs.example"
MODIFY = 0x66
UUID = b"6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11"


@pytest.fixture(scope="module")
def profile(openldap_files: Path) -> Profile:
    path = openldap_files.parent / "profiles" / "native.yaml"
    return Profile.from_mapping(parse_yaml(path.read_text(encoding="utf-8"), str(path)))


@pytest.fixture(scope="module")
def slapd(openldap_files: Path) -> Iterator[Slapd]:
    """The sample directory under the example rules, and a group that isn't one of ours yet."""
    with Slapd(content=[openldap_files / "sample.ldif", openldap_files / "accounts.ldif"]) as server:
        server.configure_live((openldap_files / "access.ldif").read_text(encoding="utf-8"))
        server.configure_live(
            "dn: cn=withmail,cn=schema,cn=config\nchangetype: add\nobjectClass: olcSchemaConfig\ncn: withmail\n"
            "olcObjectClasses: ( 2.25.1.1 NAME 'withMail' SUP top AUXILIARY MAY mail )\n"
        )
        server.add(
            f"dn: {BARE}\nobjectClass: groupOfNames\nobjectClass: withMail\ncn: bare\n"
            "mail: bare@masociete.example\nmember: cn=placeholder\n"
        )
        yield server


def found(request: Request) -> list[bytes]:
    """The answer to a read of the group, just as it is asked for."""
    held = {"objectClass": (b"groupOfNames",), "mail": (b"contact@masociete.example",), "entryUUID": (UUID,)}
    return [entry(request.number, CONTACT, held), page_end(request.number)]


def writer(slapd: Slapd, profile: Profile, bind: tuple[str, str]) -> Writer:
    return Writer(settings(slapd.uri, bind), profile)


def values(slapd: Slapd, dn: str, attribute: str) -> list[str]:
    lines = slapd.search(dn, "(objectClass=*)", attribute, scope="base").splitlines()
    return [line.partition(": ")[2] for line in lines if line.startswith(f"{attribute}: ")]


@pytest.mark.parametrize(
    ("field", "attribute"),
    [
        ("bypass_addresses", "dgModerationBypassAddress"),
        ("external_senders", "dgExternalSender"),
        ("denied_addresses", "dgDeniedSenderAddress"),
    ],
)
def test_a_value_is_added_once(slapd: Slapd, profile: Profile, field: str, attribute: str) -> None:
    before = values(slapd, CONTACT, attribute)
    account = writer(slapd, profile, WRITER)
    assert account.add(CONTACT, field, SENDER) is True
    assert account.add(CONTACT, field, SENDER) is False
    assert account.add(CONTACT, field, SENDER.upper()) is False
    assert sorted(values(slapd, CONTACT, attribute)) == sorted([*before, SENDER])


def test_what_others_write_meanwhile_stays(slapd: Slapd, profile: Profile) -> None:
    one, two = writer(slapd, profile, WRITER), writer(slapd, profile, slapd.root)
    one.add(CONTACT, "denied_addresses", "un@ailleurs.example")
    two.add(CONTACT, "denied_addresses", "deux@ailleurs.example")
    there = values(slapd, CONTACT, "dgDeniedSenderAddress")
    assert {"un@ailleurs.example", "deux@ailleurs.example"} <= set(there)


def test_the_reading_account_may_not(slapd: Slapd, profile: Profile) -> None:
    before = values(slapd, CONTACT, "dgDeniedSenderAddress")
    with pytest.raises(WriteRefused, match="insufficient access rights"):
        writer(slapd, profile, READER).add(CONTACT, "denied_addresses", "reader@ailleurs.example")
    assert values(slapd, CONTACT, "dgDeniedSenderAddress") == before


def test_a_missing_object_class_comes_along(slapd: Slapd, profile: Profile) -> None:
    assert writer(slapd, profile, slapd.root).add(BARE, "denied_addresses", SENDER) is True
    assert "distributionGroup" in values(slapd, BARE, "objectClass")
    assert values(slapd, BARE, "dgDeniedSenderAddress") == [SENDER]


def test_what_no_class_can_hold_is_refused_in_the_servers_words(slapd: Slapd, profile: Profile) -> None:
    people = f"ou=people,{SUFFIX}"
    with pytest.raises(WriteRefused, match=r"object class violation: .*mail"):
        writer(slapd, profile, slapd.root).add(people, "denied_addresses", SENDER)
    assert values(slapd, people, "dgDeniedSenderAddress") == []


def test_no_such_group(slapd: Slapd, profile: Profile) -> None:
    with pytest.raises(WriteRefused, match="no such entry"):
        writer(slapd, profile, slapd.root).add(f"cn=nobody,{SUFFIX}", "denied_addresses", SENDER)


def test_a_wrong_password_is_no_passing_trouble(slapd: Slapd, profile: Profile) -> None:
    with pytest.raises(WriteRefused, match="result code 49"):
        writer(slapd, profile, (WRITER[0], "wrong")).add(CONTACT, "denied_addresses", SENDER)


def test_the_next_server_is_tried(slapd: Slapd, profile: Profile) -> None:
    both = replace(settings(slapd.uri, WRITER), urls=("ldap://127.0.0.1:1", slapd.uri))
    assert Writer(both, profile).add(CONTACT, "denied_addresses", "next@ailleurs.example") is True
    only = replace(both, urls=both.urls[:1])
    with pytest.raises(DirectoryUnavailable, match="refused"):
        Writer(only, profile).add(CONTACT, "denied_addresses", "never@ailleurs.example")


def test_an_ldif_file_is_read_only(profile: Profile) -> None:
    for urls in ((), ("ldif:/etc/groups.ldif",)):
        with pytest.raises(WriteRefused, match="read-only"):
            Writer(LdapSettings(urls, SUFFIX), profile).add(CONTACT, "denied_addresses", SENDER)


@pytest.mark.parametrize(
    ("field", "value"),
    [("nonsense", SENDER), ("denied_addresses", ""), ("moderated", "maybe"), ("uuid", "x")],
)
def test_only_what_the_profile_reads_back_is_written(profile: Profile, field: str, value: str) -> None:
    nowhere = LdapSettings(("ldap://127.0.0.1:1",), SUFFIX)
    if field == "moderated":
        read_only = {"from": "dgModerated", "writable": False}
        mapping = {"profile": "x", "person": {"when": {"attributes": ["mail"]}, "fields": {}}}
        group = {"when": {"classes": ["g"]}, "fields": {"moderated": read_only}}
        profile = Profile.from_mapping({**mapping, "group": group})
    with pytest.raises(WriteRefused, match=r"no field|can't be"):
        Writer(nowhere, profile).add(CONTACT, field, value)


@pytest.mark.parametrize(
    ("code", "raised"),
    [(51, DirectoryUnavailable), (52, DirectoryUnavailable), (10, WriteRefused), (53, WriteRefused)],
)
def test_what_a_server_says_decides_whether_asking_again_helps(
    profile: Profile, code: int, raised: type[Exception]
) -> None:
    def script(request: Request) -> list[bytes]:
        if request.tag == SEARCH:
            return found(request)
        body = tlv(0x0A, bytes((code,))) + tlv(0x04, b"") + tlv(0x04, b"in my words")
        return [answer(request.number, MODIFIED, body)]

    with FakeLdap(script) as server, pytest.raises(raised, match="in my words"):
        Writer(LdapSettings((server.uri,), SUFFIX), profile).add(CONTACT, "denied_addresses", SENDER)
    assert [request.tag for request in server.requests] == [SEARCH, MODIFY]


def test_a_prefix_of_the_profile_is_written_too(slapd: Slapd) -> None:
    source = {"attribute": "dgDeniedSenderAddress", "take": "address", "prefix": "mailto:"}
    group = {"when": {"classes": ["groupOfNames"]}, "fields": {"denied_addresses": {"from": source}}}
    person = {"when": {"attributes": ["mail"]}, "fields": {}}
    other = Profile.from_mapping({"profile": "sun", "person": person, "group": group})
    assert writer(slapd, other, WRITER).add(CONTACT, "denied_addresses", "sun@ailleurs.example") is True
    assert "mailto:sun@ailleurs.example" in values(slapd, CONTACT, "dgDeniedSenderAddress")


def test_auxiliary_classes_with_an_attribute() -> None:
    schema = (
        "( 1.1 NAME 'one' DESC 'MAY ( dgX ) AUXILIARY' SUP top STRUCTURAL MAY ( dgX $ cn ) )",
        "( 1.2 NAME ( 'two' 'deux' ) SUP top AUXILIARY MUST mail MAY ( cn $ dgX ) )",
        "( 1.3 NAME 'three' SUP top AUXILIARY MAY dgX )",
        "( 1.4 NAME 'four' DESC 'dgX' SUP top AUXILIARY MAY ( dgXY $ cn ) )",
    )
    assert classes_with("DGX", schema) == ("two", "three")


@pytest.mark.parametrize("number", [1, 127, 128, 255, 256, 2**31 - 1])
def test_the_request_can_be_cut_again(number: int) -> None:
    added = Modification(Operation.ADD, "cn", ("é".encode() * 200,))
    cut = message(modify_request(number, CONTACT, (added,)))
    assert (cut.number, cut.tag) == (number, 0x66)
    assert cut.body.endswith(("é" * 200).encode())
