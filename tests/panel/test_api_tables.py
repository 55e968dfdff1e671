"""Whole groups as tables by the API: there and back, from Exchange and Mailman, for what each may change."""

from __future__ import annotations

import csv
import io

import httpx
import pytest
from tests.membership.offices import GROUPS, JEAN, ZOE
from tests.panel.calling import ADMINISTRATOR, at_fault, calling, mirrored, problem
from tests.panel.house import House

from groupmilter.membership.table import rows
from groupmilter.panel.api.access import Scope

CSV = {"content-type": "text/csv"}
TEAM = "equipe@masociete.example"


def sheet(*content: dict[str, str]) -> bytes:
    """A table as a spreadsheet saves it."""
    made = io.StringIO()
    writer = csv.DictWriter(made, list(dict.fromkeys(name for row in content for name in row)))
    writer.writeheader()
    writer.writerows(content)
    return made.getvalue().encode()


def imported(api: httpx.Client, content: bytes, **query: str) -> httpx.Response:
    return api.post("/import", content=content, params=query, headers=CSV)


def test_groups_go_out_and_come_back_as_they_were(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        table = api.get("/export")
        assert table.headers["content-type"] == "text/csv; charset=utf-8"
        found = {row["address"]: row for row in rows(table.text)}
        assert found[TEAM]["owners"] == ZOE
        assert len(found) == api.get("/groups").json()["total"]
        again = imported(api, table.content, exact="true", dry_run="true").json()
        assert [each["address"] for each in again["groups"] if each["changes"]] == []
        assert again["unmapped"] == []
        some = api.get("/export", params={"limit": 2, "q": "masociete"})
        assert len(rows(some.text)) == 2
        assert "offset=2" in some.links["next"]["url"]


def test_everybody_has_those_out_that_he_may_change(home: House) -> None:
    with calling(home, "zoe") as zoe, calling(home, "jose") as jose:
        his = {row["address"] for row in rows(zoe.get("/export").text)}
        assert TEAM in his
        assert his == {each["address"] for each in zoe.get("/groups?scope=owned").json()["items"]}
        assert rows(jose.get("/export").text) == []


def test_a_dry_run_shows_what_the_import_then_does(home: House) -> None:
    content = sheet(
        {"address": "filiale@masociete.example", "name": "Filiale", "owners": JEAN, "members": TEAM},
        {"address": TEAM, "name": "Équipe", "owners": "nobody@masociete.example", "members": ""},
    )
    with calling(home, ADMINISTRATOR, language="fr") as api:
        shown = imported(api, content, dry_run="true").json()
        assert home.office.values("filiale", "mail") == []
        made, changed = imported(api, content).json()["groups"]
        assert [made["changes"], changed["changes"]] == [each["changes"] for each in shown["groups"]]
        assert (made["new"], changed["new"]) == (True, False)
        assert {each["field"] for each in changed["changes"]} == {"name"}
        [lost] = shown["unmapped"]
        assert (lost["group"], lost["what"]) == (TEAM, "owners nobody@masociete.example")
        assert lost["why"] == "personne dans l’annuaire n’a cette adresse"
        mirrored(home, "filiale")
        assert api.delete("/groups/filiale@masociete.example").status_code == 204
    rows_ = home.parts.ledger.audit(action="group-create")
    assert (rows_[-1].way, rows_[-1].group) == ("api", "filiale@masociete.example")


def test_exchange_and_mailman_come_over(home: House) -> None:
    exchange = sheet(
        {
            "Name": "Compta",
            "PrimarySmtpAddress": "compta@masociete.example",
            "Members": f"{JEAN};{ZOE}",
            "CustomAttribute1": "site-a",
        }
    )
    with calling(home, ADMINISTRATOR) as api:
        said = imported(api, exchange, format="exchange").json()
        assert (said["groups"][0]["new"], said["groups"][0]["refused"]) == (True, None)
        assert [each["what"] for each in said["unmapped"]] == ["column CustomAttribute1"]
        mirrored(home, "Compta")
        roster = {"entries": [{"email": "x@ailleurs.example"}, {"email": ZOE, "role": "owner"}]}
        mailman = {"format": "mailman", "group": "compta@masociete.example"}
        said = api.post("/import", json=roster, params=mailman).json()
        changes = {each["field"]: each["after"] for each in said["groups"][0]["changes"]}
        assert changes["member_addresses"] == ["x@ailleurs.example"]
        assert "owners" in changes
        assert api.delete("/groups/compta@masociete.example").status_code == 204


def test_owners_import_their_own_groups_and_no_others(home: House) -> None:
    content = sheet(
        {"address": TEAM, "description": "Nous"},
        {"address": "contact@masociete.example", "description": "À moi"},
        {"address": "nouveau@masociete.example", "description": "Rien"},
    )
    with calling(home, "zoe") as zoe, calling(home, "zoe", [Scope.READ]) as reading:
        problem(imported(reading, content), 403, "not-in-scope")
        said = imported(zoe, content).json()
        assert [each["address"] for each in said["groups"]] == [TEAM]
        assert {each["group"]: each["why"] for each in said["unmapped"]} == {
            "contact@masociete.example": "You are not, or no longer, an owner of this group.",
            "nouveau@masociete.example": "You may not create groups.",
        }
    assert home.office.values("equipe", "description") == ["Nous"]
    assert "À moi" not in home.office.values("contact", "description")
    assert home.office.values("nouveau", "cn") == []


def test_an_address_of_a_hidden_group_is_like_one_of_nobody(home: House) -> None:
    with calling(home, "bob") as bob:
        told = {}
        for address in ("crise@masociete.example", "personne@masociete.example"):
            answer = imported(bob, sheet({"address": address, "description": "Essai"}), dry_run="true").json()
            assert answer["groups"] == []
            told[address] = [each["why"] for each in answer["unmapped"]]
        assert told["crise@masociete.example"] == told["personne@masociete.example"] != []


def test_a_hidden_group_is_nobody_in_a_file(home: House) -> None:
    secret = "coffre@masociete.example"
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe:
        assert api.post("/groups", json={"address": secret, "name": "Coffre", "hidden": True}).is_success
        mirrored(home, "coffre")
        for written in (secret, f"cn=coffre,{GROUPS}", "Coffre"):
            # Only Exchange's files name by name.
            kind = {"PrimarySmtpAddress": TEAM, "Members": written}
            said = imported(zoe, sheet(kind), format="exchange", dry_run="true").json()
            assert said["groups"][0]["changes"] == []
            assert said["unmapped"][-1]["why"].startswith("nobody")
            assert imported(api, sheet(kind), format="exchange", dry_run="true").json()["groups"][0][
                "changes"
            ]
        assert api.delete(f"/groups/{secret}").status_code == 204


@pytest.mark.parametrize(
    ("content", "query", "field"),
    [
        (b"a,b\n1,2\n", {}, "body"),
        (b"address\n", {}, "body"),
        (b"a,b\n1,2\n", {"format": "exchange"}, "body"),
        (b"x@ailleurs.example\n", {"format": "mailman"}, "group"),
        (b"address\nx@masociete.example\n", {"group": TEAM}, "group"),
        (b"address\nx@masociete.example\n", {"under": "nowhere"}, "under"),
        (b"address\nx@masociete.example\n", {"format": "word"}, "format"),
        (b"address\n" + b"\n".join(b"g%d@masociete.example" % n for n in range(501)), {}, "body"),
    ],
)
def test_a_file_that_is_none_is_told_by_field(
    home: House, content: bytes, query: dict[str, str], field: str
) -> None:
    with calling(home, ADMINISTRATOR) as api:
        assert at_fault(problem(imported(api, content, **query), 422, "invalid")).keys() == {field}
        problem(api.post("/import", content=content, headers={"content-type": "image/png"}), 415, "media")
