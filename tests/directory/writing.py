"""What the tests of the writer share: the native profile, writers of several accounts, and a look at raw values."""

from __future__ import annotations

from pathlib import Path

from tests.directory.running import DEADLINE
from tests.support.slapd import Slapd

from groupmilter.config.load import parse_yaml
from groupmilter.directory.ldap_settings import LdapSettings
from groupmilter.directory.profile import Profile
from groupmilter.directory.writer import Writer

SUFFIX = "dc=masociete,dc=example"
GROUPS, PEOPLE = f"ou=groups,{SUFFIX}", f"ou=people,{SUFFIX}"
CONTACT = f"cn=contact,{GROUPS}"
READER = (f"cn=groupmilter,{SUFFIX}", "CHANGE-ME-reader")
WRITER = (f"cn=groupmilter-writer,{SUFFIX}", "CHANGE-ME-writer")
PROFILES = Path(__file__).parents[2] / "ldap_schema" / "profiles"
PLACEHOLDER = "cn=placeholder"


def native() -> Profile:
    """The shipped profile."""
    path = PROFILES / "native.yaml"
    return Profile.from_mapping(parse_yaml(path.read_text(encoding="utf-8"), str(path)))


def settings(url: str, bind: tuple[str, str]) -> LdapSettings:
    """Settings of one account at one server; generous, so that only what a test makes slow is slow."""
    return LdapSettings(
        (url,),
        SUFFIX,
        bind_dn=bind[0],
        password=bind[1],
        connect_timeout=DEADLINE,
        operation_timeout=DEADLINE,
    )


def writer(slapd: Slapd, bind: tuple[str, str] = WRITER) -> Writer:
    """A writer of one account."""
    return Writer(settings(slapd.uri, bind), native())


def values(slapd: Slapd, dn: str, attribute: str) -> list[str]:
    """The values of an attribute as the server shows them."""
    lines = slapd.search(dn, "(objectClass=*)", attribute, scope="base").splitlines()
    return [line.partition(": ")[2] for line in lines if line.lower().startswith(f"{attribute.lower()}: ")]


def group(name: str, *members: str, structural: str = "groupOfNames", more: str = "") -> str:
    """The LDIF of a group."""
    attribute = "uniqueMember" if structural == "groupOfUniqueNames" else "member"
    lines = "".join(f"{attribute}: {member}\n" for member in members)
    return (
        f"dn: cn={name},{GROUPS}\nobjectClass: {structural}\nobjectClass: distributionGroup\ncn: {name}\n"
        f"mail: {name}@masociete.example\n{lines}{more}"
    )


def person(number: int | str) -> str:
    """The DN of somebody, who need not be there."""
    return f"uid={number},{PEOPLE}"
