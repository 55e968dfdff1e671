"""External contacts by the API: made and in the group at once, with everything that can't be had told by field."""

from __future__ import annotations

import json

import pytest
from tests.membership.offices import BASE, ZOE
from tests.panel.calling import ADMINISTRATOR, at_fault, calling, mirrored, problem
from tests.panel.house import House

GROUP = "/groups/equipe@masociete.example"
CONTACTS = f"{GROUP}/members/contact"
EVA = {"name": "Éva Weiß", "address": "eva@dehors.example"}


def test_a_contact_is_made_and_in_the_group(home: House) -> None:
    with calling(home, "zoe") as api:
        before = api.get(GROUP).headers["etag"]
        shown = api.post(CONTACTS, json=EVA, params={"dry_run": "true"})
        assert (shown.status_code, shown.json()["dry_run"]) == (200, True)
        assert shown.headers["etag"] == before
        assert not home.parts.ledger.audit(action="contact-create")
        made = api.post(CONTACTS, json=EVA, headers={"if-match": before})
        assert made.status_code == 201, made.text
        said = made.json()
        assert said["contact"] == shown.json()["contact"] == f"cn=Éva Weiß,ou=contacts,{BASE}"
        assert said["changes"] == shown.json()["changes"]
        assert said["contact"] in home.office.values("equipe", "member")
        stale = problem(api.post(CONTACTS, json=EVA, headers={"if-match": before}), 412, "changed")
        assert stale["wanted"] == EVA
        home.until(lambda: "eva@dehors.example" in api.get(f"{GROUP}/members").text)
    row = home.parts.ledger.audit(action="contact-create")[-1]
    assert (row.way, json.loads(row.after)) == ("api", EVA)


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"name": ""}, {"name"}),
        ({"name": "   "}, {"name"}),
        ({"address": "no address"}, {"address"}),
        ({"address": "x@masociete.example"}, {"address"}),
        ({"address": ZOE}, {"address"}),
        ({"title": "Dr"}, {"title"}),
    ],
)
def test_what_can_not_be_had_is_told_by_field(home: House, more: dict[str, str], fields: set[str]) -> None:
    wanted = {"name": "Ulf", "address": "ulf@dehors.example"} | more
    with calling(home, ADMINISTRATOR) as api:
        for query in ({}, {"dry_run": "true"}):
            said = problem(api.post(CONTACTS, json=wanted, params=query), 422, "invalid")
            assert at_fault(said).keys() == fields


def test_a_hidden_group_that_has_the_address_is_somebody_else(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe", language="fr") as zoe:
        hidden = {"address": "voile@masociete.example", "aliases": ["voile@dehors.example"], "hidden": True}
        assert api.post("/groups", json=hidden).status_code == 201
        mirrored(home, "voile")
        answer = zoe.post(CONTACTS, json={"name": "V", "address": "voile@dehors.example"})
        wrong = at_fault(problem(answer, 422, "invalid"))["address"]
        assert "masociete" not in wrong
        assert wrong.startswith("quelqu’un d’autre")
        assert api.delete("/groups/voile@masociete.example").status_code == 204


def test_who_owns_nothing_makes_none_and_learns_nothing(home: House) -> None:
    with calling(home, "jose") as jose:
        for address in ("neu@dehors.example", "paul@partner.example"):
            problem(jose.post(CONTACTS, json={"name": "N", "address": address}), 403, "forbidden")
        problem(jose.post("/groups/rien@masociete.example/members/contact", json=EVA), 404, "not-found")
