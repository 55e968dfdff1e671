"""Lists by the API: groups, members, people; in parts, filtered, and nothing of what is hidden."""

from __future__ import annotations

import pytest
from tests.membership.offices import GROUPS, JEAN, ZOE
from tests.panel.calling import ADMINISTRATOR, at_fault, calling, mirrored, problem
from tests.panel.house import House

CONTACT = "/groups/contact@masociete.example"
MEMBERS = f"{CONTACT}/members"


def test_groups_come_in_parts_with_links_to_the_next(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        whole = api.get("/groups", params={"limit": 500, "sort": "address"}).json()
        assert whole["total"] == len(whole["items"]) > 5
        first = api.get("/groups", params={"limit": 3, "sort": "address", "q": "masociete"})
        assert first.links["next"]["url"].startswith("/api/v1/groups?sort=address&q=masociete&offset=3")
        assert "prev" not in first.links
        seen, answer = first.json()["items"], first
        while "next" in answer.links:
            answer = api.get(answer.links["next"]["url"].removeprefix("/api/v1"))
            assert "prev" in answer.links
            seen += answer.json()["items"]
        assert seen == whole["items"]
        assert [each["address"] for each in seen] == sorted(each["address"] for each in seen)
        found = api.get("/groups", params={"q": "CONTACT"}).json()["items"]
        assert "contact@masociete.example" in [each["address"] for each in found]
        owned = api.get("/groups", params={"scope": "owned", "flag": ["moderated"]}).json()
        assert owned["total"] < whole["total"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "501"}, "limit"),
        ({"limit": "0"}, "limit"),
        ({"offset": "-1"}, "offset"),
        ({"offset": "many"}, "offset"),
        ({"scope": "none"}, "scope"),
        ({"flag": "odd"}, "flag.0"),
        ({"colour": "red"}, "colour"),
        ({"descending": "perhaps"}, "descending"),
    ],
)
def test_a_question_that_is_none_is_told_by_field(home: House, query: dict[str, str], field: str) -> None:
    with calling(home, ADMINISTRATOR) as api:
        assert at_fault(problem(api.get("/groups", params=query), 422, "invalid")).keys() == {field}


def test_members_come_and_go_by_any_of_their_addresses(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        before = {each["address"] for each in api.get(MEMBERS).json()["items"]}
        come = {"add": [ZOE, "x@ailleurs.example", f"cn=ventes,{GROUPS}"]}
        shown = api.post(MEMBERS, json=come, params={"dry_run": "true"}).json()
        assert (shown["dry_run"], len(shown["changes"])) == (True, 2)
        added = api.post(MEMBERS, json=come)
        assert added.status_code == 200, added.text
        assert added.json()["changes"] == shown["changes"]
        assert api.post(MEMBERS, json=come).json()["changes"] == []
        home.until(lambda: api.get(MEMBERS).json()["total"] == len(before) + 3)
        lines = {each["address"]: each for each in api.get(MEMBERS).json()["items"]}
        assert (lines["x@ailleurs.example"]["kind"], lines[ZOE]["kind"]) == ("outsider", "person")
        assert lines["ventes@masociete.example"]["group"]
        assert api.get(MEMBERS, params={"kind": "outsider"}).json()["total"] == 1
        assert api.get(MEMBERS, params={"q": "zoe"}).json()["items"] == [lines[ZOE]]
        gone = api.post(MEMBERS, json={"remove": [each["written"] for each in lines.values()]})
        assert gone.status_code == 200
        back = api.post(MEMBERS, json={"add": sorted(before)})
        assert back.status_code == 200, back.text
        home.until(lambda: {each["address"] for each in api.get(MEMBERS).json()["items"]} == before)
    with calling(home, "zoe") as zoe:
        problem(zoe.post(MEMBERS, json={"add": [ZOE]}), 403, "forbidden")


def test_members_of_another_version_are_not_changed(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api:
        answer = api.post(MEMBERS, json={"add": [ZOE]}, headers={"if-match": '"another"'})
        said = problem(answer, 412, "changed")
        assert said["wanted"] == {"add": [ZOE]}
        assert said["current"]["address"] == "contact@masociete.example"


def test_hidden_members_are_the_owners_business(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe:
        assert zoe.get(MEMBERS).status_code == 200
        assert api.patch(CONTACT, json={"hidden_members": True}).status_code == 200
        home.until(lambda: home.group("contact").hidden_members)
        problem(zoe.get(MEMBERS), 403, "forbidden")
        problem(zoe.get(f"{MEMBERS}/export"), 403, "forbidden")
        assert api.get(MEMBERS).status_code == 200
        assert api.patch(CONTACT, json={"hidden_members": None}).status_code == 200
        home.until(lambda: not home.group("contact").hidden_members)


def test_a_hidden_group_in_a_list_has_no_name(home: House) -> None:
    secret = "secret@masociete.example"
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe, calling(home, "jean") as jean:
        assert api.post("/groups", json={"address": secret, "hidden": True}).status_code == 201
        mirrored(home, "secret")
        assert api.post(MEMBERS, json={"add": [secret, ZOE]}).status_code == 200
        home.until(lambda: secret in api.get(MEMBERS).text)
        assert secret not in zoe.get(MEMBERS).text
        assert "secret" not in zoe.get(f"{MEMBERS}/export").text
        assert secret in api.get(f"{MEMBERS}/export").text
        for path in ("/groups", "/people?q=secret"):
            assert secret not in zoe.get(path).text
            assert secret in api.get(path).text
        # Who may not know of it can't put it anywhere, and isn't told why.
        assert api.patch(CONTACT, json={"owners": {"add": [JEAN]}}).status_code == 200
        home.until(lambda: "owner" in jean.get(CONTACT).json()["roles"])
        for written in (secret, f"cn=secret,{GROUPS}"):
            wrong = at_fault(problem(jean.post(MEMBERS, json={"add": [written]}), 422, "invalid"))
            assert wrong == {"members": "nobody of the directory has this address"}
            problem(jean.patch(CONTACT, json={"moderators": [written]}), 422, "invalid")
        lost = jean.post(f"{MEMBERS}/import", content=secret, headers={"content-type": "text/plain"})
        assert [each["written"] for each in lost.json()["unclear"]] == [secret]
        assert api.delete(f"/groups/{secret}").status_code == 204


def test_a_table_of_members_goes_out_and_comes_back(home: House) -> None:
    csv = {"content-type": "text/csv"}
    odd = "=cmd@ailleurs.example"
    with calling(home, ADMINISTRATOR, language="fr") as api:
        assert api.post("/groups", json={"address": "table@masociete.example"}).status_code == 201
        mirrored(home, "table")
        path = "/groups/table@masociete.example/members"
        text = f"address,name\n{JEAN},Jean\n'{odd},\nnobody@masociete.example,\n"
        shown = api.post(f"{path}/import", content=text, headers=csv, params={"dry_run": "true"})
        assert shown.status_code == 200, shown.text
        assert shown.json()["dry_run"]
        seen = csv | {"if-match": shown.headers["etag"]}
        done = api.post(f"{path}/import", content=text, headers=seen, params={"exact": "true"}).json()
        problem(api.post(f"{path}/import", content=text, headers=seen), 412, "changed")
        assert done["changes"] == shown.json()["changes"]
        assert [each["written"] for each in done["unclear"]] == ["nobody@masociete.example"]
        assert done["unclear"][0]["why"].startswith("Personne")
        home.until(lambda: api.get(path).json()["total"] == 2)
        out = api.get(f"{path}/export")
        assert out.headers["content-type"] == "text/csv; charset=utf-8"
        assert f"'{odd}" in out.text
        assert f",{odd}" not in out.text
        assert f"\n{odd}" not in out.text
        back = api.post(f"{path}/import", content=out.text, headers=csv, params={"exact": "true"}).json()
        assert (back["changes"], back["unclear"]) == ([], [])
        only = api.post(
            f"{path}/import", content=JEAN, headers={"content-type": "text/plain"}, params={"exact": "true"}
        )
        assert only.json()["changes"][0]["before"] == [odd]
        problem(api.post(f"{path}/import", content="[", headers=csv), 422, "invalid")
        problem(api.post(f"{path}/import", content=" ", headers=csv), 422, "invalid")
        problem(api.post(f"{path}/import", content="x", headers={"content-type": "image/png"}), 415, "media")
        assert api.delete("/groups/table@masociete.example").status_code == 204


def test_people_are_found_to_be_named(home: House) -> None:
    with calling(home, "zoe") as zoe:
        found = zoe.get("/people", params={"q": "dupont jean"}).json()["items"]
        assert [each["address"] for each in found] == [JEAN]
        assert zoe.get("/people", params={"q": "contact", "groups": "false"}).json()["total"] == 0
        problem(zoe.get("/people"), 422, "invalid")
