"""Who administers a part of the groups sees what happened to them in the audit, and takes his own removals back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.membership.acting import add_group
from tests.membership.offices import GROUPS, PEOPLE
from tests.panel.calling import calling, mirrored, problem
from tests.panel.house import ADMINISTRATORS, House, house
from tests.panel.test_audit_groups import refused, shown
from tests.panel.test_audit_pages import changed, undone, who

from groupmilter.membership.vocabulary import Several, Single
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.rows import AuditRow

PARTS = f"""
panel:
  administrators:
    - '{ADMINISTRATORS}'
    - {{group: 'uid=sian,{PEOPLE}', domains: [masociete.example]}}
    - {{group: 'uid=pierre,{PEOPLE}', domains: [filiale.example]}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house in which two persons administer a domain each."""
    with house(tmp_path_factory.mktemp("house"), PARTS) as made:
        yield made


def removed(home: House, address: str, login: str) -> AuditRow:
    """Have somebody remove a group; return the row that tells of it."""
    person = who(home, login)
    with home.parts.changing(person, Who(person.address, Way.PANEL, person.uuid)) as groups:
        assert groups.delete(groups.stored(address))
    home.until(lambda: _gone(home, address))
    return home.parts.ledger.audit(action="group-delete", group=address)[-1]


def _gone(home: House, address: str) -> bool:
    with home.parts.lookups.snapshot() as directory:
        return directory.find(address) is None


def test_a_removal_is_seen_and_taken_back_by_whose_part_it_was(home: House) -> None:
    address = add_group(home.office, "depart", f"owner: uid=zoe,{PEOPLE}")
    mirrored(home, "depart")
    edit = changed(home, address, Single("description", "Affaire close"), login="sian")
    row = removed(home, address, "sian")
    with home.person("sian") as sian, home.person("pierre") as pierre, home.person("zoe") as zoe:
        for query in ("", f"group={address}", f"group={row.group_uuid}"):
            assert shown(sian, "Affaire close", query), query
            for other in (pierre, zoe):
                assert not shown(other, "Affaire close", query), query
        for other in (pierre, zoe):
            refused(other, row)
        with calling(home, "pierre") as api:
            problem(api.post("/audit/undo", json={"rows": [row.id, edit.id]}), 404, "not-found")
        with calling(home, "sian") as api:
            tried = api.post("/audit/undo?dry_run=true", json={"rows": [row.id]})
            assert [each["standing"] for each in tried.json()["items"]] == ["ready"]
        assert "Undone: 1 of 1." in undone(sian, (row,)).text
    assert home.office.values("depart", "owner") == [f"uid=zoe,{PEOPLE}"]
    assert home.office.values("depart", "description") == ["Affaire close"]


def test_a_group_that_lay_in_several_parts_was_nobodys_of_them(home: House) -> None:
    address = add_group(home.office, "commun", f"owner: uid=zoe,{PEOPLE}")
    mirrored(home, "commun")
    changed(home, address, Several("aliases", ("commun@filiale.example",)))
    home.until(lambda: "commun@filiale.example" in home.group("commun").addresses)
    row = removed(home, address, "administrator")
    with home.person("sian") as sian, home.person("pierre") as pierre:
        for each in (sian, pierre):
            assert not shown(each, f"#{row.id}")
            refused(each, row)


def test_what_another_tool_removed_is_for_who_administers_everything(home: House) -> None:
    address = add_group(home.office, "ailleurs", f"owner: uid=zoe,{PEOPLE}")
    mirrored(home, "ailleurs")
    changed(home, address, Single("description", "Ailleurs"), login="sian")
    home.office.slapd.delete(f"cn=ailleurs,{GROUPS}")
    home.until(lambda: _gone(home, address))
    with home.person("sian") as sian, home.person("administrator") as administrator:
        assert not shown(sian, "Ailleurs")
        assert shown(administrator, "Ailleurs")


def test_an_owner_finds_his_groups_without_each_of_the_journal_being_looked_up(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hidden ones too, and those that he owns by a group."""
    address = add_group(home.office, "cachette", f"owner: cn=equipe,{GROUPS}\ndgHidden: TRUE")
    other = add_group(home.office, "voisine", f"owner: uid=zoe,{PEOPLE}")
    mirrored(home, "voisine")
    changed(home, address, Several("external_senders", ("@cachette.example",)))
    changed(home, other, Several("external_senders", ("@voisine.example",)))
    monkeypatch.setattr("groupmilter.moderation.journal.Journal.groups", _nobody_asks)
    with home.person("jean") as jean:
        assert shown(jean, "@cachette.example")
        assert not shown(jean, "@voisine.example")


def _nobody_asks(*_: object) -> tuple[str, ...]:
    raise AssertionError("each group of the journal would be looked up")
