"""The journal in the panel: who sees which rows, files that no spreadsheet runs, and undoing with what came since."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence

import httpx
from tests.membership.offices import PEOPLE
from tests.panel.house import House, csrf

from groupmilter.groups.person import Person
from groupmilter.membership.taking_back import Deed, Standing, TakingBack
from groupmilter.membership.vocabulary import Several, Single, Wish
from groupmilter.moderation.item import DESK, Way, Who
from groupmilter.moderation.request import Draft, Stage, Turn, Wanted
from groupmilter.moderation.rows import AuditRow
from groupmilter.panel.deeds import ACTIONS

CONTACT, EQUIPE = "contact@masociete.example", "equipe@masociete.example"
ZOE, HELENE = "zoe.coeurdacier@masociete.example", "helene.lefevre@masociete.example"


def who(home: House, login: str) -> Person:
    with home.parts.lookups.snapshot() as directory:
        found = directory.person_by_login(login)
    assert found is not None
    return found


def changed(home: House, address: str, *wishes: Wish, login: str = "administrator") -> AuditRow:
    """Have somebody change a group; return the row of the journal."""
    person = who(home, login)
    with home.parts.changing(person, Who(person.address, Way.PANEL, person.uuid)) as groups:
        prepared, problems = groups.prepare(groups.stored(address), wishes)
        assert problems == ()
        groups.apply(prepared)
    return home.parts.ledger.audit(action="group-edit")[-1]


def seen(page: httpx.Response) -> str:
    found = re.search(r'name="seen" value="([0-9a-f]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def undone(client: httpx.Client, rows: Sequence[AuditRow]) -> httpx.Response:
    """Choose rows, look at what would go back, confirm."""
    ids = [str(row.id) for row in rows]
    asked = client.post("/audit/undo", data={"csrf": csrf(client.get("/audit")), "row": ids})
    assert asked.status_code == 200, asked.text
    data = {"csrf": csrf(asked), "row": ids, "confirmed": "yes", "seen": seen(asked)}
    return client.post("/audit/undo", data=data)


def test_owners_see_the_rows_of_their_groups_and_administrators_all(home: House) -> None:
    changed(home, CONTACT, Single("mail_tip.en", "Of contact"))
    changed(home, EQUIPE, Single("mail_tip.en", "Of equipe"))
    home.parts.ledger.note("backup", DESK, int(home.parts.now()), detail="a backup")
    for uid, words in (
        ("administrator", {"Of contact", "Of equipe", "a backup"}),
        ("zoe", {"Of equipe"}),
        ("pierre", set()),
    ):
        with home.person(uid) as client:
            for path in (
                "/audit",
                "/audit?group=",
                f"/audit?group={home.group('contact').uuid}",
                "/audit/export",
            ):
                text = client.get(path).text
                found = {word for word in ("Of contact", "Of equipe", "a backup") if word in text}
                assert found <= words, (uid, path)
            text = client.get("/audit").text
            assert {word for word in words if word in text} == words
            mine = client.get(f"/audit?group={EQUIPE}").text
            assert ("Of equipe" in mine) is ("Of equipe" in words)


def test_changes_are_told_field_by_field_in_both_languages(home: House) -> None:
    changed(home, CONTACT, Several("members", (ZOE,)), Single("join_policy", "open"))
    with home.person("administrator", "fr") as client:
        page = client.get("/audit?action=group-edit").text
    assert "Zoé Cœurdacier" in page or "Zoë Cœurdacier" in page
    assert "<bdi>fermé</bdi>" in page
    assert "<bdi>ouvert</bdi>" in page
    assert PEOPLE not in page
    changed(home, CONTACT, Several("members", (), (ZOE,)), Single("join_policy", "closed"))


def test_filters_narrow_by_who_what_and_when(home: House) -> None:
    now = int(home.parts.now())
    home.parts.ledger.note("restore", Who("root", Way.COMMAND), now - 5 * 86_400, detail="long ago")
    with home.person("administrator") as client:
        for query, expected in (
            ("who=ROOT", True), ("who=zoe", False), ("action=restore", True), ("action=backup", False),
            ("since=2000-01-01", True), ("until=2000-01-01", False), ("since=nonsense", True),
        ):  # fmt: skip
            assert ("long ago" in client.get(f"/audit?{query}").text) is expected, query
        assert "Nothing of the kind was recorded." in client.get("/audit?who=nobody-at-all").text


def test_files_hold_the_rows_and_nothing_that_runs(home: House) -> None:
    home.parts.ledger.note(
        "backup", Who("=cmd|'/c calc'!A1", Way.COMMAND), int(home.parts.now()), detail="+1+1"
    )
    with home.person("administrator") as client:
        answer = client.get("/audit/export?action=backup&format=csv")
        rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
        assert any(row["actor"] == "'=cmd|'/c calc'!A1" and row["detail"] == "'+1+1" for row in rows)
        assert answer.headers["content-disposition"] == 'attachment; filename="journal.csv"'
        found = json.loads(client.get("/audit/export?action=backup&format=json").text)
        assert any(row["actor"] == "=cmd|'/c calc'!A1" for row in found)
        assert client.get("/audit/export?format=exe").status_code == 404


def test_a_mass_change_is_undone_and_what_came_since_stays(home: House) -> None:
    first = changed(home, CONTACT, Several("members", (ZOE, HELENE)), Single("hold_hours", "5"))
    second = changed(
        home, CONTACT, Single("hold_hours", "7"), Several("external_senders", ("@partner.example",))
    )
    changed(home, CONTACT, Several("members", (), (ZOE,)))
    with home.person("administrator") as client:
        answer = undone(client, (first, second))
    assert answer.status_code == 200
    assert "Undone: 2 of 2." in answer.text
    assert set(home.office.values("contact", "member")) == {
        f"uid={one},{PEOPLE}" for one in ("jean", "pierre")
    }
    assert home.office.values("contact", "dgHoldHours") == []
    assert home.office.values("contact", "dgExternalSender") == []
    row = home.parts.ledger.audit(action="group-undo")[-1]
    assert (row.actor, row.group, row.detail) == (
        "administrator@masociete.example", CONTACT, f"#{second.id}, #{first.id}",
    )  # fmt: skip


def test_what_is_confirmed_is_what_was_shown(home: House) -> None:
    row = changed(home, CONTACT, Single("hold_hours", "5"))
    with home.person("administrator") as client:
        asked = client.post("/audit/undo", data={"csrf": csrf(client.get("/audit")), "row": str(row.id)})
        changed(home, CONTACT, Single("hold_hours", "9"))
        data = {"csrf": csrf(asked), "row": str(row.id), "confirmed": "yes", "seen": seen(asked)}
        again = client.post("/audit/undo", data=data)
        assert again.status_code == 409
        assert "Something has changed meanwhile; nothing is undone yet." in again.text
        assert "Changed by somebody since, stays: 9" in again.text
    assert home.office.values("contact", "dgHoldHours") == ["9"]
    changed(home, CONTACT, Single("hold_hours", ""))


def test_all_that_a_filter_shows_is_undone_together(home: House) -> None:
    row = changed(home, EQUIPE, Single("description", "one"), login="zoe")
    changed(home, EQUIPE, Single("description", "two"), login="zoe")
    with home.person("administrator") as client:
        path = f"/audit/undo?who=zoe&group={EQUIPE}"
        asked = client.post(path, data={"csrf": csrf(client.get("/audit")), "all": "yes"})
        ids = re.findall(r'name="row" value="(\d+)"', asked.text)
        assert str(row.id) in ids
        assert len(ids) == 2
        data = {"csrf": csrf(asked), "row": ids, "confirmed": "yes", "seen": seen(asked)}
        assert "Undone: 2 of 2." in client.post("/audit/undo", data=data).text
    assert home.office.values("equipe", "description") == []


def test_nobody_undoes_what_is_not_his(home: House) -> None:
    row = changed(home, CONTACT, Single("mail_tip.fr", "Bonjour"))
    with home.person("zoe") as client:
        data = {"csrf": csrf(client.get("/account")), "row": str(row.id), "confirmed": "yes"}
        assert client.post("/audit/undo", data=data).headers["location"] == "/audit?said=no-change-chosen"
    person = who(home, "zoe")
    with home.parts.changing(person, Who("zoe", Way.PANEL)) as groups:
        [found] = TakingBack(groups).done((Deed(row.id, row.action, row.group, row.before, row.after),))
    assert found.standing is Standing.FOREIGN
    assert home.office.values("contact", "dgMailTip;lang-fr") == ["Bonjour"]


def test_a_deleted_group_is_made_again_and_a_made_one_removed(home: House) -> None:
    person = who(home, "administrator")
    with home.parts.changing(person, Who(person.address, Way.PANEL, person.uuid)) as groups:
        prepared, _ = groups.prepare_new(
            "short@masociete.example",
            [
                Several("owners", (ZOE,)),
                Several("members", (HELENE, "out@partner.example")),
                Single("moderated", "yes"),
            ],
        )
        groups.apply(prepared)
        groups.delete(groups.stored("short@masociete.example"))
    [made] = [row for row in home.parts.ledger.audit(action="group-create") if row.group.startswith("short@")]
    [gone] = [row for row in home.parts.ledger.audit(action="group-delete") if row.group.startswith("short@")]
    with home.person("administrator") as client:
        assert "Undone: 1 of 1." in undone(client, (gone,)).text
        assert home.office.values("short", "member") == [f"uid=helene,{PEOPLE}"]
        assert home.office.values("short", "owner") == [f"uid=zoe,{PEOPLE}"]
        assert home.office.values("short", "dgMemberAddress") == ["out@partner.example"]
        assert home.office.values("short", "dgModerated") == ["TRUE"]
        assert "A group has this address again." in undone(client, (gone,)).text
        assert "is no longer there." in undone(client, (made,)).text
        again = home.parts.ledger.audit(action="group-create", after=gone.id)[-1]
        assert "Undone: 1 of 1." in undone(client, (again,)).text
        assert home.office.values("short", "member") == []


def test_every_turn_of_a_request_has_its_words_and_no_link_to_held_mail(home: House) -> None:
    assert {f"request-{word.value}" for word in (*Turn, *Wanted)} <= set(ACTIONS)
    draft = Draft(
        digest=71, kind=Wanted.JOIN, group_uuid="u", group_address=CONTACT, address="new@partner.example"
    )
    made = home.parts.ledger.requests.record(draft, Stage.WAITING, DESK, int(home.parts.now()))
    with home.person("administrator") as client:
        page = client.get("/audit?action=request-join").text
    assert "Asked to join" in page
    assert made.request.name in page
    assert f"/held/{made.request.name}" not in page


def test_rows_are_said_in_words_and_undoing_is_offered_only_where_there_is_something(home: House) -> None:
    now = int(home.parts.now())
    home.parts.ledger.note("log-in-failed", Who("bob", Way.PANEL), now, detail="wrong")
    home.parts.ledger.note("request-sent", DESK, now, group=CONTACT, detail=ZOE)
    with home.person("administrator", "fr") as client:
        failed = client.get("/audit?action=log-in-failed").text
        assert "identifiant ou mot de passe incorrect" in failed
        assert "Annuler la sélection" not in failed
        sent = client.get("/audit?action=request-sent").text
        assert "Décision demandée par courriel" in sent
        changed(home, CONTACT, Single("mail_tip.en", "Of undoing"))
        assert "Annuler la sélection" in client.get("/audit?action=group-edit").text
