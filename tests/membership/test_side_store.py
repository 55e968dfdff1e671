"""Groups in a real slapd with nothing but the standard schema: what it can't hold stands in the side store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.membership.offices import GROUPS, PEOPLE
from tests.membership.plain import PERSONS, TREE, PlainOffice, office, standing
from tests.support.slapd import Slapd

from groupmilter.cli.exits import Exit
from groupmilter.membership.vocabulary import Single

CONTACT = "contact@masociete.example"
JEAN, ZOE, PIERRE = (f"{name}@masociete.example" for name in ("jean", "zoe", "pierre"))


@pytest.fixture(scope="module")
def slapd() -> Iterator[Slapd]:
    """One directory for the tests of this file."""
    with standing() as server:
        yield server


@pytest.fixture
def place(slapd: Slapd, tmp_path: Path) -> Iterator[PlainOffice]:
    """A host of its own, and a directory without groups."""
    yield office(slapd, tmp_path)
    for line in slapd.search(GROUPS, "(objectClass=groupOfNames)", "1.1").splitlines():
        if line.startswith("dn: "):
            slapd.delete(line.removeprefix("dn: "))


def made(place: PlainOffice, address: str = CONTACT, *more: str) -> None:
    """Have a group made."""
    place.asked("group", "create", address, "--owner", JEAN, "--member", PIERRE, *more)


def test_a_group_is_made_in_both_places_and_shown_as_one(place: PlainOffice) -> None:
    arguments = (
        "--name", "Contact", "--alias", "info@masociete.example", "--set", "moderated=yes", "--set", "max_size=10MB",
        "--set", "mail_tip.fr=Bonjour", "--member", "x@ailleurs.example",
    )  # fmt: skip
    made(place, CONTACT, *arguments)
    assert place.values("contact", "objectClass") == ["groupOfNames"]
    assert place.values("contact", "member") == [f"uid=pierre,{PEOPLE}"]
    assert place.values("contact", "owner") == [f"uid=jean,{PEOPLE}"]
    assert place.kept() == {
        "address": (CONTACT,), "aliases": ("info@masociete.example",), "name": ("Contact",), "moderated": ("TRUE",),
        "max_size": ("10000000",), "mail_tip;lang-fr": ("Bonjour",), "member_addresses": ("x@ailleurs.example",),
    }  # fmt: skip
    [row] = place.journal("group-create")
    assert (json.loads(row.after)["moderated"], json.loads(row.after)["owners"]) == (
        True,
        [f"uid=jean,{PEOPLE}"],
    )
    place.asked("directory", "sync")
    there = place.asked("group", "show", "info@masociete.example")
    assert (there["name"], there["moderated"], there["owners"]) == ("Contact", True, [JEAN])
    assert there["members"] == 2
    assert (place.folder / "groups").read_text().count("masociete.example") >= 2


def test_it_is_changed_and_found_again_by_what_stands_beside(place: PlainOffice) -> None:
    made(place)
    after = place.after(
        "group", "edit", CONTACT, "-s", "moderated=yes", "-a", f"moderators={ZOE}", "-a", f"owners={ZOE}", "-a",
        "external_senders=@partenaire.example",
    )  # fmt: skip
    assert after == {
        "moderated": True, "moderators": [f"uid=zoe,{PEOPLE}"], "owners": [f"uid=zoe,{PEOPLE}"],
        "external_senders": ["@partenaire.example"],
    }  # fmt: skip
    [row] = place.journal("group-edit")
    assert json.loads(row.before)["moderated"] is False
    assert place.after("group", "edit", CONTACT, "-s", "moderated=yes", "-a", f"moderators={ZOE}") == {}
    assert place.after("group", "edit", CONTACT, "-s", "moderated=", "-r", f"moderators={ZOE}")
    assert place.kept().keys() == {"address", "external_senders"}
    # A new address: the group is found by it, and no longer by the old one.
    place.asked("group", "edit", CONTACT, "-s", "address=bonjour@masociete.example")
    assert place.call("group", "edit", CONTACT, "-s", "hidden=yes").exit_code == Exit.FINDING
    place.asked("group", "add", "bonjour@masociete.example", ZOE)


def test_a_group_that_stands_there_already_becomes_a_mail_group(place: PlainOffice) -> None:
    place.slapd.add(
        f"dn: cn=equipe,{GROUPS}\nobjectClass: groupOfNames\ncn: equipe\nmember: uid=jean,{PEOPLE}\n"
    )
    name = f"CN=Equipe, {GROUPS}"
    after = place.after(
        "group", "edit", name, "-s", "address=equipe@masociete.example", "-s", "moderated=yes"
    )
    assert after == {"address": "equipe@masociete.example", "moderated": True}
    place.asked("group", "add", "equipe@masociete.example", ZOE)
    assert [row.group for row in place.journal("group-edit")][1] == "equipe@masociete.example"
    place.asked("directory", "sync")
    assert place.asked("group", "show", "equipe@masociete.example")["members"] == 2
    for nobody in (f"uid=jean,{PEOPLE}", f"cn=nobody,{GROUPS}"):
        said = place.call("group", "edit", nobody, "-s", "moderated=yes")
        assert said.exit_code == Exit.FINDING
        assert "no group stands at" in said.stderr


def test_an_address_beside_is_taken_like_any_other(place: PlainOffice) -> None:
    made(place)
    said = place.call("group", "create", CONTACT.upper())
    assert said.exit_code == Exit.IN_THE_WAY
    said = place.call("group", "create", "autre@masociete.example", "--alias", CONTACT)
    assert "has this address" in said.stderr.replace("\n", " ")
    # A group is a member of another one by an address that stands beside it.
    made(place, "autre@masociete.example", "--member", CONTACT)
    assert f"cn=contact,{GROUPS}" in place.values("autre", "member")


def test_a_group_that_is_deleted_takes_its_values_with_it_and_the_journal_keeps_them(
    place: PlainOffice,
) -> None:
    made(place, CONTACT, "--set", "moderated=yes")
    with place.service() as groups:
        assert groups.delete(groups.stored(CONTACT))
        assert groups.find(CONTACT) is None
    assert place.kept() == {}
    [row] = place.journal("group-delete")
    assert json.loads(row.before)["moderated"] is True
    made(place)
    assert place.kept() == {"address": (CONTACT,)}


def test_a_single_value_that_somebody_else_has_changed_is_told(place: PlainOffice) -> None:
    made(place)
    with place.service() as one, place.service() as other:
        prepared, _ = one.prepare(one.stored(CONTACT), [Single("hold_hours", "24")])
        other.apply(other.prepare(other.stored(CONTACT), [Single("hold_hours", "48")])[0])
        result = one.apply(prepared)
    assert result.meanwhile is not None
    assert (result.meanwhile.field, result.meanwhile.seen, result.meanwhile.found) == ("hold_hours", None, 48)
    assert place.kept()["hold_hours"] == ("48",)


def test_a_renamed_group_keeps_its_values(place: PlainOffice) -> None:
    made(place, CONTACT, "--set", "moderated=yes")
    place.slapd.modify(f"dn: cn=contact,{GROUPS}\nchangetype: modrdn\nnewrdn: cn=accueil\ndeleteoldrdn: 1\n")
    place.asked("directory", "sync")
    assert place.asked("group", "show", CONTACT)["dn"] == f"cn=accueil,{GROUPS}"
    assert place.asked("group", "show", CONTACT)["moderated"] is True


def test_a_ledger_that_is_gone_changes_nothing_and_opens_nothing(place: PlainOffice) -> None:
    made(place, CONTACT, "--set", "moderated=yes")
    with_mail(place)
    place.asked("directory", "sync")
    (place.folder / "state.db").unlink()
    assert place.call("group", "edit", CONTACT, "-s", "moderated=no").exit_code == Exit.STATE
    refused = place.call("directory", "sync")
    assert refused.exit_code != Exit.OK
    assert "not applied without force" in refused.stderr.replace("\n", " ")
    assert place.asked("group", "show", CONTACT)["moderated"] is True
    place.asked("directory", "sync", "--force")
    assert place.call("group", "show", CONTACT).exit_code == Exit.FINDING


def test_a_profile_that_gets_an_attribute_keeps_what_stood_beside(place: PlainOffice, tmp_path: Path) -> None:
    made(place, CONTACT, "--set", "name=Contact", "--set", "policy=strict")
    shipped = (Path(__file__).parents[2] / "ldap_schema" / "profiles" / "plain.yaml").read_text("utf-8")
    mapped = tmp_path / "own.yaml"
    mapped.write_text(
        shipped.replace("    owners: owner\n", "    owners: owner\n    policy: businessCategory\n"), "utf-8"
    )
    place.configure(more=f"profile: {mapped}, ")
    place.asked("directory", "sync")
    assert place.asked("group", "show", CONTACT)["policy"] == "strict"
    place.slapd.replace(f"cn=contact,{GROUPS}", {"businessCategory": "calm"})
    place.asked("directory", "sync")
    # The directory's own value goes before; a new one is written there, and clears the place beside.
    assert place.asked("group", "show", CONTACT)["policy"] == "calm"
    assert place.after("group", "edit", CONTACT, "-s", "policy=narrow") == {"policy": "narrow"}
    assert place.values("contact", "businessCategory") == ["narrow"]
    assert place.kept().keys() == {"address", "name"}


def test_which_field_stands_where_is_told(place: PlainOffice) -> None:
    made(place, CONTACT, "--set", "moderated=yes")
    found = place.asked("directory", "fields")
    assert (found["profile"], found["side_store"]) == ("plain", True)
    rows = {row.pop("field"): row for row in found["fields"]}
    assert rows["members"] == {"attributes": ["member", "uniquemember"], "written_to": "member", "beside": 0}
    assert rows["moderated"] == {"attributes": [], "written_to": "side store", "beside": 1}
    assert rows["name"] == {"attributes": ["cn"], "written_to": "side store", "beside": 0}
    assert rows["member_of"] == {"attributes": [], "written_to": "nowhere", "beside": 0}
    assert "side store" in place.call("directory", "fields").stdout


def test_check_tells_what_it_holds_and_what_does_not_count(place: PlainOffice) -> None:
    def told() -> list[tuple[str, str]]:
        checks = place.call("--json", "check", "--no-postfix", "--no-dns").stdout
        every = [each for each in json.loads(checks)["checks"] if each["subject"] == "side store"]
        return [(each["level"], each["text"]) for each in every]

    assert told() == [("ok", "it is used, and holds nothing yet.")]
    made(place, CONTACT, "--set", "moderated=yes")
    assert told() == [("ok", "it holds, with the number of groups: address (1), moderated (1).")]
    place.configure(more="side_store: never, ")
    [(level, text)] = told()
    assert level == "warning"
    assert "doesn't count: address (1), moderated (1)" in text
    place.configure(more="profile: native, side_store: always, ")
    assert [level for level, _ in told()] == ["ok", "hint"]
    assert "the directory has attributes now" in told()[1][1]


def with_mail(place: PlainOffice) -> None:
    """Add a group whose address stands in the directory itself."""
    place.slapd.add(
        f"dn: cn=mail,{GROUPS}\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: mail\n"
        f"mail: mail@masociete.example\nmember: uid=jean,{PEOPLE}\n"
    )


def test_without_the_side_store_only_what_the_schema_has_can_be_set(place: PlainOffice) -> None:
    with_mail(place)
    place.configure(more="side_store: never, ")
    place.asked("group", "add", "mail@masociete.example", ZOE)
    refused = place.call("group", "edit", "mail@masociete.example", "-s", "moderated=yes")
    assert refused.exit_code != Exit.OK
    assert "moderated is read-only in this directory" in refused.stderr.replace("\n", " ")


def test_an_address_that_the_directory_has_can_not_be_changed_beside_it(place: PlainOffice) -> None:
    with_mail(place)
    place.asked("group", "edit", "mail@masociete.example", "-a", "aliases=courrier@masociete.example")
    refused = place.call("group", "edit", "mail@masociete.example", "-s", "address=autre@masociete.example")
    assert "stands in the directory itself" in refused.stderr.replace("\n", " ")
    place.asked("group", "add", "courrier@masociete.example", ZOE)


def test_a_file_gets_its_rules_beside_it(place: PlainOffice, tmp_path: Path) -> None:
    file = tmp_path / "office.ldif"
    file.write_text(
        f"{TREE}{PERSONS}dn: cn=contact,{GROUPS}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\n"
        f"cn: contact\nmail: {CONTACT}\nmember: uid=pierre,{PEOPLE}\ndgHoldHours: 12\n\n"
    )
    place.configure(url=f"ldif:{file}", more="profile: native, side_store: always, ")
    after = place.after(
        "group", "edit", CONTACT, "-s", "moderated=yes", "-a", f"owners={JEAN}", "-a", f"members={ZOE}"
    )
    assert after == {"moderated": True, "owners": [f"uid=jean,{PEOPLE}"], "members": [f"uid=zoe,{PEOPLE}"]}
    # Without a mirror the file is read at once.
    for _ in range(2):
        there = place.asked("group", "show", CONTACT)
        assert (there["moderated"], there["owners"], there["members"]) == (True, [JEAN], 2)
        assert there["hold_hours"] == 12
        place.asked("directory", "sync")
    for arguments in (
        ("edit", CONTACT, "-s", "hold_hours=24"),
        ("remove", CONTACT, PIERRE),
        ("create", "x@y.example"),
    ):
        assert place.call("group", *arguments).exit_code != Exit.OK
    place.asked("group", "remove", CONTACT, ZOE)
    assert "members" not in place.kept()
