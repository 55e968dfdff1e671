"""External contacts in a real directory: made for a group, found by their address, never in anybody's way."""

from __future__ import annotations

import json

import pytest
from tests.membership.offices import BASE, CONTACT, JEAN, Office

from groupmilter.directory.change import WriteRefused
from groupmilter.directory.dynamic import parse_url
from groupmilter.membership import contacts
from groupmilter.membership.service import Groups
from groupmilter.membership.vocabulary import BadWish, Several

PLACE = f"ou=contacts,{BASE}"


def made(groups: Groups, name: str, address: str) -> str:
    return contacts.make(groups, groups.stored(CONTACT), name, address)


def test_a_contact_is_made_and_becomes_a_member(office: Office) -> None:
    with office.service() as groups:
        dn = made(groups, "  Éva   Weiß-Müller ", "eva@partner.example")
        assert dn == f"cn=Éva Weiß-Müller,{PLACE}"
        group = groups.stored(CONTACT)
        prepared, problems = groups.prepare(group, [Several("members", (dn,))])
        assert problems == ()
        groups.apply(prepared)
        (known,) = groups.book.having(["eva@PARTNER.example"])["eva@PARTNER.example"]
        assert (known.dn, known.name) == (dn, "Éva Weiß-Müller")
    assert dn in office.values("contact", "member")
    row = next(row for row in office.journal("contact-create"))
    assert (row.group, row.detail) == (CONTACT, dn)
    assert json.loads(row.after) == {"name": "Éva Weiß-Müller", "address": "eva@partner.example"}


def test_two_of_one_name_are_two_entries(office: Office) -> None:
    with office.service() as groups:
        made(groups, "Max", "max@one.example")
        second = made(groups, "Max", "max@two.example")
        assert second == f"cn=Max (max@two.example),{PLACE}"
        assert groups.book.named([second])[second] is not None
        assert groups.book.having(["max@two.example"])["max@two.example"][0].name == "Max"


@pytest.mark.parametrize(
    ("name", "address", "field", "why"),
    [
        ("", "x@partner.example", "contact_name", contacts.NO_NAME),
        ("X", "no address", "contact_address", contacts.NO_ADDRESS),
        ("X", "z\u043ee@partner.example", "contact_address", contacts.NO_ADDRESS),
        ("X", "x@masociete.example", "contact_address", contacts.OURS),
        ("X", "paul@partner.example", "contact_address", contacts.TAKEN),
    ],
)
def test_what_can_not_be_had_is_told(office: Office, name: str, address: str, field: str, why: str) -> None:
    with office.service() as groups, pytest.raises(BadWish) as told:
        made(groups, name, address)
    assert (told.value.field, told.value.sentence) == (field, why)


def test_a_name_stays_a_name_whatever_is_in_it(office: Office) -> None:
    with office.service() as groups:
        dn = made(groups, 'a,cn=root,dc=x "+', "odd@partner.example")
        assert dn.endswith(f",{PLACE}")
        assert groups.book.named([dn])[dn] is not None


def test_without_a_place_there_are_none(office: Office) -> None:
    text = office.config.read_text()
    office.config.write_text(text.replace(f", contacts: '{PLACE}'", ""))
    with office.service() as groups:
        assert not contacts.makeable(groups)
        with pytest.raises(WriteRefused):
            made(groups, "X", "x@partner.example")


def test_whom_a_member_url_finds_is_asked_of_the_server(office: Office) -> None:
    with office.service() as groups:
        url = parse_url(f"ldap:///ou=people,{BASE}??one?(departmentNumber=ventes)")
        names = {known.name for known in groups.book.matching(url, 100)}
        assert names == {"Jean Dupont", "Pierre Durand", "François Noël"}
        assert len(groups.book.matching(url, 2)) == 2
        assert groups.book.having([JEAN])[JEAN][0].name == "Jean Dupont", "the next question is answered"
