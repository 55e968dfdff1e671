"""Groups by the API, against a real slapd: made, changed, removed, with everybody's rights, and nothing overwritten."""

from __future__ import annotations

import json

import pytest
from tests.membership.offices import GROUPS, JEAN, PEOPLE, ZOE
from tests.panel.calling import ADMINISTRATOR, at_fault, calling, mirrored, problem, token, tokens
from tests.panel.house import House

from groupmilter.panel.api.call import Call
from groupmilter.panel.api.finding import fresh

CONTACT = "/groups/contact@masociete.example"
PARIS = {
    "address": "paris@masociete.example", "name": "Équipe Paris", "owners": [JEAN], "members": [ZOE],
    "aliases": ["lutece@masociete.example"], "moderated": True, "max_size": 10_000_000,
    "mail_tip": {"fr": "Bonjour", "": "Hello"}, "allowed": ["@partenaire.example", ZOE],
}  # fmt: skip


def test_a_group_is_made_shown_changed_and_removed(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        shown = api.post("/groups", json=PARIS, params={"dry_run": "true"})
        assert shown.status_code == 200
        assert shown.json()["dry_run"]
        problem(api.get("/groups/paris@masociete.example"), 404, "not-found")
        made = api.post("/groups", json=PARIS)
        assert made.status_code == 201, made.text
        assert made.json()["changes"] == shown.json()["changes"]
        path = made.headers["location"].removeprefix("/api/v1")
        at_once = api.get(path)
        assert at_once.headers["etag"] == made.headers["etag"]
        group = at_once.json()
        assert group == made.json()["group"] | {"roles": group["roles"]}
        assert (group["aliases"], group["owners"]) == (["lutece@masociete.example"], [JEAN])
        assert sorted(group["allowed"]) == ["@partenaire.example", ZOE]
        assert group["mail_tip"] == {"fr": "Bonjour", "": "Hello"}
        mirrored(home, "paris")
        changed = api.patch(
            path, json={"moderated": None, "allowed": {"remove": [ZOE]}, "owners": {"add": [ZOE]}}
        )
        assert changed.status_code == 200, changed.text
        assert changed.headers["etag"] != made.headers["etag"]
        now = changed.json()["group"]
        assert (now["moderated"], now["allowed"], sorted(now["owners"])) == (
            False,
            ["@partenaire.example"],
            [JEAN, ZOE],
        )
        assert api.patch(path, json={"allowed": None, "aliases": []}).json()["group"]["allowed"] == []
        assert api.delete(path).status_code == 204
        problem(api.get(path), 404, "not-found")
        problem(api.delete(path), 404, "not-found")
    rows = {row.action: row for row in home.office.journal() if row.group == "paris@masociete.example"}
    assert rows.keys() == {"group-create", "group-edit", "group-delete"}
    assert {(row.way, row.actor) for row in rows.values()} == {("api", "administrator@masociete.example")}
    assert rows["group-create"].origin.startswith("127.0.0.1 token ")
    assert json.loads(rows["group-create"].after)["owners"] == [f"uid=jean,{PEOPLE}"]


@pytest.mark.parametrize(
    "owners", [[], None, {"remove": [f"UID=Ana\\69s, {PEOPLE.upper()}", f"cn=nobody,{GROUPS}"]}]
)
def test_a_group_keeps_an_owner(home: House, owners: object) -> None:
    before = home.office.values("direction", "owner")
    with calling(home, ADMINISTRATOR, language="fr") as api:
        changed = api.patch("/groups/direction@masociete.example", json={"owners": owners})
        said = problem(changed, 422, "invalid")
    assert at_fault(said)["owners"].startswith("Quelqu’un doit rester ici")
    assert home.office.values("direction", "owner") == before


def test_domains_are_named_as_people_write_them(home: House) -> None:
    wanted = {"aliases": {"add": ["x@xn--mnchen-3ya.example", "y@xn--pple-43d.com"]}}
    with calling(home, ADMINISTRATOR) as api:
        remarks = api.patch(CONTACT, json=wanted, params={"dry_run": "true"}).json()["remarks"]
    assert [each.rpartition(": ")[2] for each in remarks] == [
        "münchen.example is none of own_domains",
        "xn--pple-43d.com is none of own_domains",
    ]


def test_another_version_than_was_looked_at_is_shown_and_not_overwritten(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        seen = api.get(CONTACT).headers["etag"]
        home.office.slapd.replace(f"cn=contact,{GROUPS}", {"dgHoldHours": "48"})
        answer = api.patch(CONTACT, json={"hold_hours": 24}, headers={"if-match": seen})
        said = problem(answer, 412, "changed")
        assert said["wanted"] == {"hold_hours": 24}
        assert said["current"]["hold_hours"] == 48
        problem(api.delete(CONTACT, headers={"if-match": seen}), 412, "changed")
        assert home.office.values("contact", "dgHoldHours") == ["48"]
        again = api.patch(CONTACT, json={"hold_hours": 24}, headers={"if-match": answer.headers["etag"]})
        assert again.status_code == 200
        assert home.office.values("contact", "dgHoldHours") == ["24"]
        assert api.patch(CONTACT, json={"hold_hours": None}, headers={"if-match": "*"}).status_code == 200


def test_everything_that_cannot_be_had_is_told_at_once(home: House) -> None:
    wanted = {
        "address": JEAN, "members": ["nobody@masociete.example"], "owners": ["x@ailleurs.example"],
        "aliases": ["info@masociete.example"],
    }  # fmt: skip
    with calling(home, ADMINISTRATOR) as api:
        said = problem(api.post("/groups", json=wanted), 422, "invalid")
    assert at_fault(said).keys() == {"address", "aliases", "members", "owners"}
    assert at_fault(said)["address"] == f"{JEAN} has this address"
    assert {each["value"] for each in said["errors"]} >= {JEAN, "nobody@masociete.example"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"nam": "x"}, "nam"),
        ({"moderated": "yes"}, "moderated"),
        ({"hold_hours": "24"}, "hold_hours"),
        ({"hold_hours": 0}, "hold_hours"),
        ({"join_policy": "OPEN"}, "join_policy"),
        ({"owners": "jean"}, "owners"),
        ({"owners": ["a\nb"]}, "owners.0"),
        ({"owners": {"plus": []}}, "owners.plus"),
        ({"owners": {"add": [1]}}, "owners.add.0"),
        ({"mail_tip": {"français": "x"}}, "mail_tip.français"),
        ({"owners": ["x"] * 501}, "owners"),
        ({"name": "\ud800"}, "name"),
    ],
)
def test_what_does_not_fit_is_named_by_field(home: House, body: dict[str, object], field: str) -> None:
    octets = json.dumps(body).encode()
    with calling(home, ADMINISTRATOR) as api:
        answer = api.patch(CONTACT, content=octets, headers={"content-type": "application/json"})
    assert at_fault(problem(answer, 422, "invalid")).keys() == {field}


def test_an_owner_changes_his_group_save_what_is_the_administrators(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        assert api.patch(CONTACT, json={"owners": {"add": [JEAN]}}).status_code == 200
    home.until(lambda: len(home.group("contact").owners) > 1)
    with calling(home, "jean") as jean:
        group = jean.get(CONTACT).json()
        assert "owner" in group["roles"]
        assert "denied" in group
        assert jean.patch(CONTACT, json={"name": "Contact !"}).status_code == 200
        said = problem(jean.patch(CONTACT, json={"address": "autre@masociete.example"}), 403, "forbidden")
        assert at_fault(said).keys() == {"address"}
        problem(jean.delete(CONTACT), 403, "forbidden")
        problem(jean.post("/groups", json={"address": "jeans@masociete.example"}), 403, "forbidden")
    assert home.office.values("contact", "mail")[0] == "contact@masociete.example"


def test_everybody_else_sees_what_everybody_may_and_changes_nothing(home: House) -> None:
    with calling(home, "zoe") as zoe:
        group = zoe.get(CONTACT).json()
        assert group["roles"] == []
        assert {"denied", "bypass", "allowed", "dn", "policy"}.isdisjoint(group)
        problem(zoe.patch(CONTACT, json={"name": "Mine"}), 403, "forbidden")
        problem(zoe.delete(CONTACT), 403, "forbidden")


def test_a_hidden_group_is_nobody_to_whoever_may_not_know_of_it(home: House) -> None:
    hidden = "secret@masociete.example"
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe, calling(home, "jean") as jean:
        made = api.post("/groups", json={"address": hidden, "hidden": True, "members": [JEAN]})
        path = made.headers["location"].removeprefix("/api/v1")
        problem(zoe.get(path), 404, "not-found")
        mirrored(home, "secret")
        for there in (path, f"/groups/{hidden}", path.upper().replace("/GROUPS", "/groups")):
            problem(zoe.get(there), 404, "not-found")
            problem(zoe.patch(there, json={"name": "x"}), 404, "not-found")
            problem(zoe.delete(there), 404, "not-found")
        assert jean.get(path).json()["roles"] == ["member"]
        # Whose address that is, is not told either.
        assert api.patch(CONTACT, json={"owners": {"add": [JEAN, hidden]}}).status_code == 200
        home.until(lambda: len(home.group("contact").owners) > 2)
        assert hidden not in zoe.get(CONTACT).text
        assert hidden in api.get(CONTACT).text
        assert api.delete(path).status_code == 204


def test_the_directory_is_down(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        home.office.slapd.stop()
        try:
            answer = api.patch(CONTACT, json={"name": "x"})
        finally:
            home.office.slapd.start()
        problem(answer, 503, "directory")
        assert int(answer.headers["retry-after"]) > 0


def test_a_group_that_comes_into_the_mirror_while_it_is_looked_for_is_found(home: House) -> None:
    holder = tokens(home).holder(token(home, "zoe"))
    assert holder is not None
    call = Call(home.parts, holder, "127.0.0.1", lambda _, said: said, "en")
    with call.groups() as service:
        found, roles = fresh(call, service, home.group("contact").uuid)
    assert (found.address, roles) == ("contact@masociete.example", frozenset())
