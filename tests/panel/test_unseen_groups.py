"""Hidden groups that stand in others' lists, or have an address that is tried: none of it tells who they are."""

from __future__ import annotations

import httpx
from tests.membership.offices import GROUPS
from tests.panel.calling import calling
from tests.panel.clubs import dissolved, founded
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
