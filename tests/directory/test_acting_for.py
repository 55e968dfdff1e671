"""Changes that bear a person's name (RFC 4370): the server knows who made them, and his own rights count."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.directory.writing import CONTACT, GROUPS, PEOPLE, WRITER, native, settings
from tests.support.fake_ldap import SEARCH, FakeLdap, Request, done, entry, page_end
from tests.support.slapd import Slapd

from groupmilter.directory.change import Setting, Values, WriteRefused, Written
from groupmilter.directory.writer import Writer

EQUIPE = f"cn=equipe,{GROUPS}"
UUID = b"6b1f4f0a-0d54-4f3e-9a3b-2f6f2f8f3a11"


@pytest.fixture(scope="module")
def slapd(openldap_files: Path) -> Iterator[Slapd]:
    """A slapd in which the writer may act for persons; `equipe` is Zoé's."""
    with Slapd(content=[openldap_files / "sample.ldif", openldap_files / "accounts.ldif"]) as server:
        server.configure_live((openldap_files / "access.ldif").read_text(encoding="utf-8"))
        server.configure_live(
            "dn: cn=config\nchangetype: modify\nreplace: olcAuthzPolicy\nolcAuthzPolicy: to\n"
        )
        server.replace(WRITER[0], authzTo=f"dn.onelevel:{PEOPLE}")
        yield server


def acting_for(slapd: Slapd, dn: str) -> Writer:
    return Writer(replace(settings(slapd.uri, WRITER), acting_for=dn), native())


def modifier(slapd: Slapd, dn: str) -> str:
    shown = slapd.search(dn, "(objectClass=*)", "modifiersName", scope="base")
    return shown.partition("modifiersName: ")[2].strip()


def test_the_server_knows_in_whose_name_a_change_is_made(slapd: Slapd) -> None:
    zoe = f"uid=zoe,{PEOPLE}"
    name = Setting("name", "Technique et recherche")
    outcome = acting_for(slapd, zoe).change(EQUIPE, (name, Values("members", (f"uid=bob,{PEOPLE}",))))
    assert isinstance(outcome, Written)
    assert {each.field for each in outcome.differences} == {"name", "members"}
    assert modifier(slapd, EQUIPE) == zoe
    Writer(settings(slapd.uri, WRITER), native()).change(EQUIPE, (Setting("name", "Technique"),))
    assert modifier(slapd, EQUIPE) == WRITER[0]


def test_the_persons_own_rights_count(slapd: Slapd) -> None:
    for dn, change in ((CONTACT, Setting("name", "x")), (EQUIPE, Setting("policy", "lenient"))):
        with pytest.raises(WriteRefused, match="insufficient access"):
            acting_for(slapd, f"uid=zoe,{PEOPLE}").change(dn, (change,))
    with pytest.raises(WriteRefused, match="insufficient access"):
        acting_for(slapd, f"uid=zoe,{PEOPLE}").delete(EQUIPE)
    content = {"objectClass": [b"groupOfNames"], "cn": [b"new"], "member": [b"cn=placeholder"]}
    with pytest.raises(WriteRefused):
        acting_for(slapd, f"uid=zoe,{PEOPLE}").create(f"cn=new,{GROUPS}", content)


def test_nobody_acts_for_whom_the_server_does_not_let_him(slapd: Slapd) -> None:
    with pytest.raises(WriteRefused, match="may not act on behalf of persons"):
        acting_for(slapd, slapd.root[0]).change(EQUIPE, (Setting("name", "x"),))


def test_a_server_without_it_makes_no_change_in_another_name() -> None:
    def script(request: Request) -> list[bytes] | None:
        if request.tag != SEARCH:
            return None
        if not request.base:
            return [entry(request.number, "", {"supportedControl": (b"1.3.6.1.1.12",)}), done(request.number)]
        held = {"objectClass": (b"groupOfNames",), "member": (b"cn=x",), "entryUUID": (UUID,)}
        return [entry(request.number, request.base, held), page_end(request.number)]

    with FakeLdap(script) as server:
        writer = Writer(replace(settings(server.uri, WRITER), acting_for=f"uid=zoe,{PEOPLE}"), native())
        with pytest.raises(WriteRefused, match=r"directory\.write\.as_person"):
            writer.change(EQUIPE, (Setting("name", "x"),))
        assert {request.tag for request in server.requests} == {SEARCH}
