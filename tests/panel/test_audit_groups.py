"""The audit knows groups by their entries: who gets a group's old address gets none of its rows, and who renames one
keeps them, whatever tool removed or renamed it."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from html import unescape

import httpx
from tests.membership.acting import add_group
from tests.membership.offices import GROUPS, PEOPLE, ZOE
from tests.panel.calling import calling, mirrored, problem
from tests.panel.house import House, csrf
from tests.panel.test_audit_pages import changed, undone, who

from groupmilter.groups.group import Group
from groupmilter.membership.taking_back import Deed, Standing, TakingBack
from groupmilter.membership.vocabulary import Several, Single
from groupmilter.moderation.item import DESK, Way, Who
from groupmilter.moderation.rows import AuditRow


def owned(home: House, name: str, uid: str) -> str:
    """Make a group that somebody owns; return its address."""
    address = add_group(home.office, name, f"owner: uid={uid},{PEOPLE}")
    mirrored(home, name)
    return address


def handed_on(home: House, name: str, uid: str) -> None:
    """Remove a group by another tool, and make another of the same address, somebody else's."""
    before = home.group(name).uuid
    home.office.slapd.delete(f"cn={name},{GROUPS}")
    add_group(home.office, name, f"owner: uid={uid},{PEOPLE}")

    def there() -> bool:
        with home.parts.lookups.snapshot() as directory:
            found = directory.by_dn(f"cn={name},{GROUPS}")
            return isinstance(found, Group) and found.uuid != before

    home.until(there)


def renamed(home: House, name: str, address: str) -> None:
    """Give a group another address by another tool."""
    home.office.slapd.replace(f"cn={name},{GROUPS}", mail=[address])
    home.until(lambda: home.group(name).address == address)


def shown(client: httpx.Client, word: str, query: str = "") -> bool:
    """Tell whether the page and the files show a row, all the same."""
    paths = (f"/audit?{query}", f"/audit/export?format=csv&{query}", f"/audit/export?format=json&{query}")
    found = {word in client.get(path).text for path in paths}
    assert len(found) == 1, found
    return found.pop()


def refused(client: httpx.Client, row: AuditRow) -> None:
    """Nothing can be undone."""
    data = {"csrf": csrf(client.get("/account")), "row": str(row.id)}
    assert client.post("/audit/undo", data=data).headers["location"] == "/audit?said=no-change-chosen"


def test_who_gets_a_removed_groups_address_gets_none_of_its_rows(home: House) -> None:
    address = owned(home, "vacant", "helene")
    row = changed(home, address, Single("description", "Affaire Dupont"), login="helene")
    handed_on(home, "vacant", "zoe")
    with ExitStack() as all_of_them:
        zoe, administrator = (all_of_them.enter_context(home.person(uid)) for uid in ("zoe", "administrator"))
        api = all_of_them.enter_context(calling(home, "zoe"))
        for query in (
            "",
            f"group={address}",
            f"group={home.group('vacant').uuid}",
            f"group={row.group_uuid}",
        ):
            assert not shown(zoe, "Affaire Dupont", query)
            assert "Dupont" not in api.get(f"/audit?{query}").text
        refused(zoe, row)
        problem(api.post("/audit/undo", json={"rows": [row.id]}), 404, "not-found")
        new = changed(home, address, Single("description", "Place"), login="zoe")
        assert shown(zoe, "Place")
        assert shown(administrator, "Affaire Dupont", f"group={address}")
        assert shown(administrator, "Affaire Dupont", f"group={row.group_uuid}")
        assert not shown(administrator, "Affaire Dupont", f"group={new.group_uuid}")
        assert "is no longer there." in undone(administrator, (row,)).text
    assert home.office.values("vacant", "description") == ["Place"]


def all_chosen(client: httpx.Client, query: str) -> httpx.Response:
    """Ask to undo all that a filter shows; return what would go back, or what is said instead."""
    data = {"csrf": csrf(client.get("/account")), "all": "yes"}
    return client.post(f"/audit/undo?{query}", data=data)


def test_all_of_an_address_is_all_of_the_group_that_has_it_now(home: House) -> None:
    address = owned(home, "succession", "helene")
    before = changed(home, address, Single("description", "De la première"))
    former = home.group("succession").uuid
    handed_on(home, "succession", "zoe")
    with home.person("administrator") as client, home.person("administrator", "fr") as french:
        for query in (f"group={address}", f"group={address}&action=group-edit"):
            none = all_chosen(client, query)
            assert none.headers["location"] == f"/audit?{query.replace('@', '%40')}&said=only-namesakes"
            assert "One by one they can be chosen." in client.get(none.headers["location"]).text
        row = changed(home, address, Single("description", "De la seconde"))
        page = unescape(client.get(f"/audit?group={address}").text)
        assert "De la première" in page
        assert "Changes of another group that had this address before aren't among them" in page
        asked = all_chosen(client, f"group={address}")
        assert rows_in(asked) == [str(row.id)]
        assert "Changes of another group that had this address before are left out" in asked.text
        told = all_chosen(french, f"group={address}").text
        assert (
            "Les modifications d’un autre groupe qui avait cette adresse avant lui sont laissées de côté"
            in told
        )
        by_entry = all_chosen(client, f"group={former}")
        assert rows_in(by_entry) == [str(before.id)]
        assert "are left out" not in by_entry.text
        assert "before aren" not in client.get(f"/audit?group={row.group_uuid}").text
    home.office.slapd.delete(f"cn=succession,{GROUPS}")
    home.until(lambda: not found_at(home, address))
    with home.person("administrator") as client:
        assert rows_in(all_chosen(client, f"group={address}")) == [str(row.id), str(before.id)]


def rows_in(page: httpx.Response) -> list[str]:
    """The numbers of the changes that a page asks about, the newest first."""
    assert page.status_code == 200, page.headers
    return re.findall(r'name="row" value="(\d+)"', page.text)


def found_at(home: House, address: str) -> bool:
    with home.parts.lookups.snapshot() as directory:
        return directory.find(address) is not None


def test_nobody_undoes_into_the_next_group_of_an_address(home: House) -> None:
    address = owned(home, "handed", "zoe")
    row = changed(home, address, Single("hold_hours", "5"), login="zoe")
    handed_on(home, "handed", "zoe")
    home.office.slapd.replace(f"cn=handed,{GROUPS}", dgHoldHours=["5"])
    with home.parts.changing(who(home, "zoe"), Who(ZOE, Way.PANEL)) as groups:
        [found] = TakingBack(groups).done(
            (Deed(row.id, row.action, row.group, row.before, row.after, row.detail, row.group_uuid),)
        )
    assert found.standing is Standing.GONE
    assert home.office.values("handed", "dgHoldHours") == ["5"]


def test_a_renamed_groups_owner_keeps_its_rows_and_may_undo_them(home: House) -> None:
    address = owned(home, "ancien", "zoe")
    row = changed(home, address, Single("hold_hours", "7"), login="zoe")
    renamed(home, "ancien", "nouveau@masociete.example")
    uuid = home.group("ancien").uuid
    assert row.group_uuid == uuid
    with home.person("zoe") as zoe, home.person("jean") as jean, calling(home, "zoe") as api:
        assert shown(zoe, address)
        for query in ("group=nouveau@masociete.example", f"group={address}", f"group={uuid}"):
            assert shown(zoe, address, query), query
            assert not shown(jean, "hold_hours", query)
            [event] = api.get(f"/audit?action=group-edit&{query}").json()["items"]
            assert (event["id"], event["group"], event["group_uuid"]) == (row.id, address, uuid)
        assert "Undone: 1 of 1." in undone(zoe, (row,)).text
        [told] = home.parts.ledger.audit(action="group-undo", group_uuid=uuid)
        assert told.detail == f"#{row.id}"
    assert home.office.values("ancien", "dgHoldHours") == []


def test_the_address_that_was_given_away_brings_nothing_to_its_next_group(home: House) -> None:
    address = owned(home, "premier", "helene")
    changed(home, address, Single("description", "Avant le partage"), login="helene")
    renamed(home, "premier", "premiere@masociete.example")
    home.office.slapd.add(
        f"dn: cn=second,{GROUPS}\nobjectClass: groupOfNames\nobjectClass: distributionGroup\ncn: second\n"
        f"mail: {address}\nowner: uid=zoe,{PEOPLE}\nmember: cn=placeholder\n"
    )
    mirrored(home, "second")
    with home.person("zoe") as zoe, home.person("helene") as helene:
        assert not shown(zoe, "Avant le partage", f"group={address}")
        assert shown(helene, "Avant le partage")


def test_every_step_of_a_groups_life_names_its_entry(home: House) -> None:
    person, address = who(home, "administrator"), "complete@masociete.example"
    many = tuple(f"out{number}@partner.example" for number in range(501))
    with home.parts.changing(person, Who(person.address, Way.PANEL, person.uuid)) as groups:
        prepared, problems = groups.prepare_new(
            address, [Several("owners", (ZOE,)), Several("members", many)]
        )
        assert problems == ()
        groups.apply(prepared)
        uuid = groups.stored(address).entry.uuid
        groups.delete(groups.stored(address))
    rows = home.parts.ledger.audit(group=address)
    assert [row.action for row in rows] == ["group-create", "group-edit", "group-edit", "group-delete"]
    assert {row.group_uuid for row in rows} == {uuid}


def test_rows_from_before_are_for_administrators(home: House) -> None:
    """Rows that an earlier version wrote know the address alone."""
    address = owned(home, "historique", "zoe")
    ledger = home.parts.ledger
    ledger.note(
        "group-edit", DESK, int(home.parts.now()), group=address, detail="D’avant", after=json.dumps({})
    )
    [row] = ledger.audit(group=address)
    assert row.group_uuid == ""
    with home.person("zoe") as zoe, home.person("administrator") as administrator:
        assert not shown(zoe, "D’avant")
        refused(zoe, row)
        assert shown(administrator, "D’avant", f"group={address}")
