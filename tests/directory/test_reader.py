"""The LDAP reader against a real slapd: what it reads, over which connections, and for how long it waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.slapd import Slapd
from tests.support.slapd_configuration import Settings
from tests.support.tcp_faults import Fault, FaultyProxy

from groupmilter.directory.ldap_connection import address_of
from groupmilter.directory.ldap_settings import Incomplete, LdapSettings, ReadFailed, Refused, Unreachable
from groupmilter.directory.reader import LdapSession, Reader, uuid_text

SUFFIX = "dc=masociete,dc=example"
TREE = f"""dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
dc: masociete
o: masociete

dn: ou=people,{SUFFIX}
objectClass: organizationalUnit
ou: people

"""
MEMBERS = 50_000


def person(name: str) -> str:
    return (
        f"dn: uid={name},ou=people,{SUFFIX}\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
        f"mail: {name}@masociete.example\n\n"
    )


def large_group() -> str:
    members = "".join(f"member: uid=u{number},ou=people,{SUFFIX}\n" for number in range(MEMBERS))
    return (
        f"dn: cn=large,{SUFFIX}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\n"
        f"cn: large\nmail: large@masociete.example\n{members}\n"
    )


PEOPLE = "".join(person(f"u{number}") for number in range(230))


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    content = TREE + PEOPLE + large_group()
    with Slapd(Settings(tls=True), [content]) as running:
        yield running


def settings(slapd: Slapd) -> LdapSettings:
    return LdapSettings((slapd.uri,), SUFFIX, page_size=50, connect_timeout=150.0, operation_timeout=150.0)


def found(session: LdapSession, query: str, *attributes: str) -> list[str]:
    return [entry.dn for entry in session.search(SUFFIX, "sub", query, attributes)]


def test_reads_all_pages(slapd: Slapd) -> None:
    with Reader(settings(slapd)).connect() as session:
        names = found(session, "(uid=*)", "mail")
    assert sorted(names) == sorted(f"uid=u{number},ou=people,{SUFFIX}" for number in range(230))


def test_an_entry_has_its_uuid_and_raw_values(slapd: Slapd) -> None:
    with Reader(settings(slapd)).connect() as session:
        (entry,) = session.search(SUFFIX, "sub", "(uid=u7)", ("mail", "sn", "displayName"))
    text = slapd.search(SUFFIX, "(uid=u7)", "entryUUID")
    assert f"entryUUID: {entry.uuid}" in text
    assert entry.attributes["mail"] == (b"u7@masociete.example",)
    assert entry.first("sn") == "u7"
    assert "displayname" not in entry.attributes


def test_reads_fifty_thousand_members(slapd: Slapd) -> None:
    with Reader(settings(slapd)).connect() as session:
        (entry,) = session.search(SUFFIX, "sub", "(cn=large)", ("member",))
    assert len(entry.attributes["member"]) == MEMBERS
    assert entry.attributes["member"][-1].endswith(SUFFIX.encode())


def test_knows_that_slapd_synchronises(slapd: Slapd) -> None:
    with Reader(settings(slapd)).connect() as session:
        assert session.capabilities().synchronises


def test_nothing_found_is_no_failure(slapd: Slapd) -> None:
    with Reader(settings(slapd)).connect() as session:
        assert found(session, "(uid=nobody)") == []


def test_a_missing_base_is_a_failure(slapd: Slapd) -> None:
    with Reader(settings(slapd)).connect() as session, pytest.raises(Refused) as raised:
        list(session.search("dc=elsewhere,dc=example", "sub", "(uid=*)", ()))
    assert raised.value.code == 32


def test_reading_a_missing_entry(slapd: Slapd) -> None:
    with Reader(settings(slapd)).connect() as session:
        assert session.read(f"uid=nobody,{SUFFIX}", ("mail",)) is None


@pytest.mark.parametrize("query", ["(uid=*", "uid", "", "(&(uid=a)"])
def test_a_bad_filter_is_a_failure(slapd: Slapd, query: str) -> None:
    with Reader(settings(slapd)).connect() as session, pytest.raises(ReadFailed, match="not usable"):
        found(session, query)


def test_takes_the_first_server_that_answers(slapd: Slapd) -> None:
    nobody = "ldap://127.0.0.1:1"
    with Reader(replace(settings(slapd), urls=(nobody, slapd.uri))).connect() as session:
        assert session.url == slapd.uri


def test_names_each_server_that_does_not(slapd: Slapd) -> None:
    first, second = "ldap://127.0.0.1:1", "ldap://127.0.0.1:2"
    with pytest.raises(Unreachable) as raised:
        Reader(replace(settings(slapd), urls=(first, second))).connect()
    assert first in str(raised.value)
    assert second in str(raised.value)


def test_over_the_local_socket(slapd: Slapd) -> None:
    url = f"ldapi://{slapd.directory}/ldapi"
    with Reader(replace(settings(slapd), urls=(url,))).connect() as session:
        assert len(found(session, "(uid=*)")) == 230


class TestBind:
    def test_with_a_password(self, slapd: Slapd) -> None:
        name, password = slapd.root
        with Reader(replace(settings(slapd), bind_dn=name, password=password)).connect() as session:
            (entry,) = session.search(SUFFIX, "base", "(objectClass=*)", ("o",))
        assert entry.dn == SUFFIX

    def test_with_a_wrong_one(self, slapd: Slapd) -> None:
        with pytest.raises(Unreachable, match="result code 49"):
            Reader(replace(settings(slapd), bind_dn=slapd.root[0], password="wrong")).connect()

    def test_without_one_is_not_anonymous(self, slapd: Slapd) -> None:
        with pytest.raises(Unreachable, match="without a password"):
            Reader(replace(settings(slapd), bind_dn=slapd.root[0])).connect()

    def test_no_secret_in_the_settings_text(self, slapd: Slapd) -> None:
        assert "wrong" not in repr(replace(settings(slapd), bind_dn="cn=x", password="wrong"))


class TestTls:
    @pytest.mark.parametrize("way", ["ldaps", "starttls"])
    def test_with_a_good_certificate(self, slapd: Slapd, way: str) -> None:
        assert len(self.read(slapd, way, ca_file=slapd.ca_file)) == 230

    @pytest.mark.parametrize("way", ["ldaps", "starttls"])
    def test_from_an_unknown_authority(self, slapd: Slapd, way: str) -> None:
        with pytest.raises(Unreachable, match=r"(?i)certificate verify failed"):
            self.read(slapd, way)

    @pytest.mark.parametrize("way", ["ldaps", "starttls"])
    def test_for_another_host(self, way: str) -> None:
        made = Settings(tls=True, certificate_names="DNS:other.example,IP:127.0.0.9")
        with Slapd(made, [TREE]) as other, pytest.raises(Unreachable, match=r"(?i)mismatch|not valid for"):
            self.read(other, way, ca_file=other.ca_file)

    @pytest.mark.parametrize("way", ["ldaps", "starttls"])
    def test_unchecked_only_if_wanted(self, slapd: Slapd, way: str) -> None:
        assert len(self.read(slapd, way, verify=False)) == 230

    def test_a_ca_file_that_is_not_there(self, slapd: Slapd, tmp_path: Path) -> None:
        with pytest.raises(Unreachable, match="no TLS"):
            self.read(slapd, "ldaps", ca_file=tmp_path / "none.pem")

    def test_a_server_without_starttls(self) -> None:
        with Slapd(content=[TREE]) as plain, pytest.raises(Unreachable, match="StartTLS"):
            self.read(plain, "starttls")

    def read(self, slapd: Slapd, way: str, ca_file: Path | None = None, *, verify: bool = True) -> list[str]:
        url = slapd.tls_uri if way == "ldaps" else slapd.uri
        limits = replace(settings(slapd), urls=(url,), start_tls=True, ca_file=ca_file, verify=verify)
        with Reader(limits).connect() as session:
            return found(session, "(uid=*)")


class TestTime:
    """Deadlines are short here and the tests assert that they end things, never how fast the machine is."""

    def test_a_frozen_server(self) -> None:
        with Slapd(content=[TREE]) as slapd:
            slapd.freeze()
            with pytest.raises(Unreachable, match="in time"):
                Reader(replace(settings(slapd), connect_timeout=0.3)).connect()

    def test_a_bind_that_drips(self, slapd: Slapd) -> None:
        with FaultyProxy(slapd.port, Fault(drip=True, latency=0.3)) as proxy:
            with pytest.raises(Unreachable, match="in time"):
                Reader(replace(settings(slapd), urls=(proxy.uri,), connect_timeout=0.7)).connect()
            # Each octet of the answer came well within the timeout, the 14 of them together would not.
            assert proxy.passed < 14

    def test_entries_that_drip(self, slapd: Slapd) -> None:
        with FaultyProxy(slapd.port) as proxy:
            limits = replace(settings(slapd), urls=(proxy.uri,), operation_timeout=1.0)
            with Reader(limits).connect() as session:
                proxy.fault = Fault(drip=True, latency=0.1)
                with pytest.raises(Unreachable, match="in time"):
                    found(session, "(uid=*)", "mail")

    def test_a_load_that_never_ends(self, slapd: Slapd) -> None:
        with FaultyProxy(slapd.port, Fault(latency=0.1)) as proxy:
            limits = replace(settings(slapd), urls=(proxy.uri,), load_timeout=0.5, page_size=5)
            with Reader(limits).connect() as session, pytest.raises(Unreachable, match="in time"):
                found(session, "(uid=*)", "mail")

    def test_a_black_hole(self, slapd: Slapd) -> None:
        with FaultyProxy(slapd.port) as proxy:
            limits = replace(settings(slapd), urls=(proxy.uri,), operation_timeout=0.5)
            with Reader(limits).connect() as session:
                proxy.fault = Fault(black_hole=True)
                with pytest.raises(Unreachable, match="in time"):
                    found(session, "(uid=*)", "mail")


class TestBounds:
    def test_of_a_message(self, slapd: Slapd) -> None:
        limits = replace(settings(slapd), max_message=100_000)
        with Reader(limits).connect() as session, pytest.raises(Incomplete, match="over the limit"):
            found(session, "(cn=large)", "member")

    def test_of_the_values(self, slapd: Slapd) -> None:
        limits = replace(settings(slapd), max_values=MEMBERS - 1)
        with Reader(limits).connect() as session, pytest.raises(Incomplete, match="more than 49999 values"):
            found(session, "(cn=large)", "member")

    def test_of_the_entries(self, slapd: Slapd) -> None:
        limits = replace(settings(slapd), max_entries=229)
        with Reader(limits).connect() as session, pytest.raises(Incomplete, match="more than 229 entries"):
            found(session, "(uid=*)")


@pytest.mark.parametrize("url", ["http://host", "ldap://", "ldap:", "ldap://host:x", "ldapi://", "host"])
def test_urls_that_name_no_server(url: str) -> None:
    with pytest.raises(ReadFailed):
        address_of(url)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ldap://h", ("ldap", "h", 389)),
        ("ldaps://h", ("ldaps", "h", 636)),
        ("ldap://[::1]:3890/", ("ldap", "::1", 3890)),
        ("ldapi://%2Frun%2Fldapi", ("ldapi", "/run/ldapi", 0)),
        ("ldapi:///run/ldapi", ("ldapi", "/run/ldapi", 0)),
    ],
)
def test_urls_that_do(url: str, address: tuple[str, str, int]) -> None:
    assert address_of(url) == address


@pytest.mark.parametrize(
    ("attribute", "value", "text"),
    [
        ("entryUUID", b"6BA7B810-9DAD-11D1-80B4-00C04FD430C8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("nsUniqueId", b"6ba7b810-9dad11d1-80b400c0-4fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"),
        ("objectGUID", bytes(range(16)), "03020100-0504-0706-0809-0a0b0c0d0e0f"),
    ],
)
def test_uuids_of_three_kinds_of_server(attribute: str, value: bytes, text: str) -> None:
    assert uuid_text(attribute, value) == text


@pytest.mark.parametrize("value", [b"", b"short", b"\xff" * 36])
def test_what_is_no_uuid(value: bytes) -> None:
    with pytest.raises(Incomplete):
        uuid_text("entryUUID", value)
