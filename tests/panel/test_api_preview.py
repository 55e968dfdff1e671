"""Whom a rule finds, by the API: the same as on the page, for the same people."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.membership.offices import GROUPS, PEOPLE
from tests.panel.calling import ADMINISTRATOR, at_fault, calling, mirrored, problem
from tests.panel.house import House, house

GROUP = "/groups/equipe@masociete.example"
LOOK = f"{GROUP}/members/preview"
SALES = f"ldap:///{PEOPLE}??one?(departmentNumber=ventes)"


def test_criteria_and_their_url_find_the_same_people(home: House) -> None:
    with calling(home, "zoe") as zoe:
        asked = {"where": ["departmentNumber=ventes"], "base": PEOPLE, "below": "false"}
        by_criteria = zoe.get(LOOK, params=asked).json()
        assert by_criteria["count"] == len(by_criteria["first"]) > 0
        assert by_criteria["url"] == SALES
        by_url = zoe.get(LOOK, params={"url": by_criteria["url"]}).json()
        assert by_url == by_criteria
        one = zoe.get(LOOK, params={**asked, "limit": 1}).json()
        assert (one["count"], len(one["first"])) == (by_url["count"], 1)
        some = zoe.get(LOOK, params={"where": ["departmentNumber=vent*", "sn=*"]}).json()
        assert {each["dn"] for each in by_url["first"]} <= {each["dn"] for each in some["first"]}
        # What was shown is what can be set.
        set_ = zoe.patch(GROUP, params={"dry_run": "true"}, json={"member_urls": {"add": [by_url["url"]]}})
        assert set_.json()["changes"][0]["after"] == [SALES]


def test_what_stands_in_entries_is_for_administrators(home: House) -> None:
    secret = {"url": f"ldap:///{PEOPLE}??sub?(userPassword=*)"}
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe", language="fr") as zoe:
        assert api.get(LOOK, params=secret).status_code == 200
        wrong = at_fault(problem(zoe.get(LOOK, params=secret), 422, "invalid"))
        assert wrong["url"].startswith("Cette règle demande ce que seuls les administrateurs")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "url"),
        ({"url": SALES, "where": "sn=*"}, "url"),
        ({"url": "http://example.org/"}, "url"),
        ({"url": "ldap:///dc=nowhere,dc=example??sub?(sn=*)"}, "url"),
        ({"where": "no criterion"}, "where"),
        ({"where": "=x"}, "where"),
        ({"limit": "0", "url": SALES}, "limit"),
        ({"colour": "red", "url": SALES}, "colour"),
    ],
)
def test_a_rule_that_can_not_be_used_is_told_by_field(home: House, query: dict[str, str], field: str) -> None:
    with calling(home, "zoe") as zoe:
        assert at_fault(problem(zoe.get(LOOK, params=query), 422, "invalid")).keys() == {field}


def test_it_tells_nobody_else_anything_and_no_hidden_group(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe, calling(home, "jose") as jose:
        problem(jose.get(LOOK, params={"url": SALES}), 403, "forbidden")
        problem(jose.get("/groups/rien@masociete.example/members/preview"), 422, "invalid")
        problem(jose.get("/groups/rien@masociete.example/members/preview?where=sn=a"), 404, "not-found")
        made = api.post("/groups", json={"address": "ombre@masociete.example", "hidden": True})
        assert made.status_code == 201
        mirrored(home, "ombre")
        every = {"url": f"ldap:///{GROUPS}??sub?(cn=ombre)"}
        assert "ombre" in api.get(LOOK, params=every).json()["first"][0]["address"]
        shown = zoe.get(LOOK, params=every).json()
        assert (shown["count"], shown["first"]) == (0, []), "a count tells of it, too"
        assert api.get(LOOK, params=every).json()["count"] == 1
        assert api.delete("/groups/ombre@masociete.example").status_code == 204


def test_who_administers_a_part_asks_for_anything_in_that_part_only(tmp_path: Path) -> None:
    holder, branch = f"cn=projet-arctique,{GROUPS}", f"cn=equipe,{GROUPS}"
    more = f"panel: {{administrators: [{{group: '{holder}', base: '{branch}'}}]}}\n"
    with house(tmp_path, more) as parted, calling(parted, "jose") as jose:
        within = {"url": f"ldap:///{branch}??sub?(owner=*)"}
        assert jose.get(LOOK, params=within).json()["count"] == 1
        beyond = {"url": f"ldap:///{PEOPLE}??sub?(userPassword=*)"}
        assert at_fault(problem(jose.get(LOOK, params=beyond), 422, "invalid")).keys() == {"url"}
