"""Hidden groups that stand in others' lists, or have an address that is tried: none of it tells who they are."""

from __future__ import annotations

import httpx
from tests.membership.offices import GROUPS
from tests.panel.calling import calling, mirrored, person
from tests.panel.clubs import dissolved, founded
from tests.panel.clubs import mirrored as club_mirrored
from tests.panel.house import House, csrf

CRISIS = f"cn=cellule-de-crise,{GROUPS}"
ADDRESS = "crise@masociete.example"


def posted(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return client.post(path, data={"csrf": csrf(client.get("/account")), **fields})


def test_a_hidden_group_in_a_list_keeps_its_name_before_those_who_only_look(home: House) -> None:
    path = founded(
        home,
        "watched",
        f"owner: {CRISIS}\ndgModerator: {CRISIS}\ndgAllowedSender: {CRISIS}\ndgModerated: TRUE\n",
    )
    with home.person("pierre") as pierre, home.person("zoe") as zoe:
        for place in ("", "/owners", "/delivery", "/moderation"):
            page = pierre.get(path + place).text
            assert "Cellule de crise" not in page, place
            assert ADDRESS not in page, place
        assert "A hidden group" in pierre.get(f"{path}/owners").text
        assert "Cellule de crise" in zoe.get(f"{path}/owners").text, "an owner sees what is in his lists"
    dissolved(home, "watched")


def test_an_address_tried_for_a_contact_tells_nothing_of_a_hidden_group(home: House) -> None:
    path = founded(home, "trying")
    home.office.slapd.modify(f"dn: {CRISIS}\nadd: mail\nmail: crise@outside.example\n")
    with home.person("zoe") as zoe, home.person("pierre") as pierre:
        tried = {"contact_name": "Somebody", "contact_address": "crise@outside.example"}
        shown = posted(zoe, f"{path}/members/contact", **tried)
        assert shown.status_code == 422
        assert "Cellule" not in shown.text
        assert "cellule" not in shown.text
        assert "this address is taken" in shown.text.lower()
        assert posted(pierre, f"{path}/members/contact", **tried).status_code == 404
    home.office.slapd.modify(f"dn: {CRISIS}\ndelete: mail\nmail: crise@outside.example\n")
    dissolved(home, "trying")


def test_a_name_sent_to_be_taken_out_tells_nothing_of_a_hidden_group(home: House) -> None:
    path = founded(home, "leaving")
    with home.person("zoe") as zoe:
        shown = posted(zoe, f"{path}/members/remove", rule=CRISIS)
        assert shown.status_code == 200
        assert "Cellule de crise" not in shown.text
        assert ADDRESS not in shown.text
    dissolved(home, "leaving")


def test_the_api_counts_no_hidden_members(home: House) -> None:
    with calling(home, "pierre") as pierre, calling(home, "anais") as anais:
        for api, known in ((pierre, False), (anais, True)):
            [line] = api.get("/groups", params={"q": "direction"}).json()["items"]
            assert (line["members"] is not None) is known


def test_whoever_owns_nothing_learns_of_no_hidden_member_by_trying_to_change_them(home: House) -> None:
    path, helene, stranger = f"/groups/{home.group('direction').uuid}/members", "helene", "pierre"
    with calling(home, "jose") as api, home.person("jose") as jose:
        for way in ("add", "remove"):
            answers = [
                api.post(path, json={way: [person(home, uid).address]}, params={"dry_run": dry})
                for uid in (helene, stranger)
                for dry in (True, False)
            ]
            assert {answer.status_code for answer in answers} == {403}, [each.text for each in answers]
        shown = [
            posted(jose, path, **{"members.add": person(home, uid).address}) for uid in (helene, stranger)
        ]
        assert {answer.status_code for answer in shown} == {404}
        taken = [posted(jose, f"{path}/remove", who=person(home, uid).dn) for uid in (helene, stranger)]
        assert {answer.status_code for answer in taken} == {403}
        for uid in (helene, stranger):
            body = f"{person(home, uid).address}\nNobody called so\n".encode()
            answer = api.post(f"{path}/import", content=body, headers={"content-type": "text/csv"})
            assert answer.status_code == 403, answer.text


def test_whoever_gets_the_address_of_a_removed_group_learns_nothing_of_it(home: House) -> None:
    address = "encore@masociete.example"
    with calling(home, "administrator") as api, calling(home, "zoe") as own, home.person("zoe") as zoe:
        for name in ("The first secret", "The second"):
            made = api.post(
                "/groups", json={"address": address, "name": name, "owners": [person(home, "zoe").address]}
            )
            assert made.status_code == 201, made.text
            mirrored(home, "encore")
            if name != "The second":
                assert "first secret" in zoe.get("/audit").text
                assert api.delete(f"/groups/{address}").status_code == 204
                home.until(lambda: not club_mirrored(home, "encore"))
        rows = api.get("/audit", params={"group": address}).json()["items"]
        secret = next(
            row["id"] for row in rows if row["action"] == "group-create" and "first" in row["after"]
        )
        assert "first secret" in str(rows), "administrators of everything see all of it"
        for shown in (
            zoe.get("/audit"), zoe.get("/audit", params={"group": address}), own.get("/audit"),
            zoe.get("/audit/export", params={"format": "json"}), posted(zoe, "/audit/undo", row=str(secret)),
            own.post("/audit/undo", json={"rows": [secret]}, params={"dry_run": True}),
        ):  # fmt: skip
            assert "first secret" not in shown.text
        assert "The second" in zoe.get("/audit").text
        assert own.post("/audit/undo", json={"rows": [secret]}, params={"dry_run": True}).status_code == 404
        assert api.delete(f"/groups/{address}").status_code == 204


def test_an_address_that_can_not_come_back_names_whoever_has_it_without_the_directory_s_names(
    home: House,
) -> None:
    path = founded(home, "giving", "mail: gave@masociete.example\n")
    with calling(home, "administrator") as api, home.person("administrator") as admin:
        assert api.patch(path, json={"aliases": {"remove": ["gave@masociete.example"]}}).status_code == 200
        row = api.get("/audit", params={"group": "giving@masociete.example"}).json()["items"][0]["id"]
        founded(home, "given", "mail: gave@masociete.example\n")
        shown = posted(admin, "/audit/undo", row=str(row)).text
        assert "The given &lt;given@masociete.example&gt;" in shown
        assert f"cn=given,{GROUPS}" not in shown
    dissolved(home, "giving")
    dissolved(home, "given")
