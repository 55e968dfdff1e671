"""Held mail, requests, the audit and what administrators watch, by the API: each for whom it is, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from tests.membership.offices import JEAN, ZOE
from tests.panel.calling import ADMINISTRATOR, at_fault, calling, mirrored, problem
from tests.panel.house import House
from tests.panel.watching import PLAIN, held

from groupmilter.directory.ages import NEVER
from groupmilter.moderation.item import Event, Way, Who
from groupmilter.panel.api.access import Scope

COMMERCIAL = "commercial@masociete.example"
NEWSLETTER = "/groups/newsletter@masociete.example"


def test_a_moderator_sees_what_waits_and_the_first_decision_stands(home: House) -> None:
    item = held(home)
    path = f"/held/{item.name}"
    with calling(home, "jean") as jean, calling(home, "helene") as helene, calling(home, "zoe") as zoe:
        waiting = jean.get("/held", params={"group": COMMERCIAL}).json()
        shown = next(each for each in waiting["items"] if each["name"] == item.name)
        assert (shown["state"], shown["subject"], shown["proven"]) == ("held", "Offer for autumn", "claimed")
        assert zoe.get("/held").json()["total"] == 0
        for there in (path, f"{path}/message"):
            problem(zoe.get(there), 404, "not-found")
        problem(zoe.post(f"{path}/decision", json={"decision": "approve"}), 404, "not-found")
        message = jean.get(f"{path}/message")
        assert message.content == PLAIN
        assert message.headers["content-type"] == "message/rfc822"
        assert "attachment" in message.headers["content-disposition"]
        assert "sandbox" in message.headers["content-security-policy"]
        wrong = problem(jean.post(f"{path}/decision", json={"decision": "maybe"}), 422, "invalid")
        assert at_fault(wrong).keys() == {"decision"}
        decided = jean.post(f"{path}/decision", json={"decision": "reject", "reason": "Plus court"})
        assert decided.json()["state"] == "rejected"
        late = problem(helene.post(f"{path}/decision", json={"decision": "approve"}), 409, "decided")
        assert (late["current"]["decided_by"], late["current"]["way"]) == (JEAN, "api")
        assert late["current"]["reason"] == "Plus court"
        assert jean.get(path).json()["history"][-1]["action"] == "reject"
        assert item.name in jean.get("/held", params={"state": "decided"}).text


def test_deciding_wants_the_scope_for_it(home: House) -> None:
    item = held(home)
    with calling(home, "jean", [Scope.READ, Scope.WRITE]) as jean:
        wanted = {"decision": "approve"}
        problem(jean.post(f"/held/{item.name}/decision", json=wanted), 403, "not-in-scope")
        problem(jean.get("/held/aaaaaaaaaa"), 404, "not-found")
        problem(jean.get("/held/x"), 422, "invalid")


def test_an_open_group_is_joined_and_left_at_once(home: House) -> None:
    with calling(home, "zoe") as zoe:
        joined = zoe.post(f"{NEWSLETTER}/join", json={})
        assert joined.status_code == 200, joined.text
        assert (joined.json()["stage"], joined.json()["kind"]) == ("done", "join")
        assert ZOE in str(home.office.values("newsletter", "dgMemberAddress")) or home.office.values(
            "newsletter", "member"
        )
        home.until(lambda: "member" in zoe.get(NEWSLETTER).json()["roles"])
        again = problem(zoe.post(f"{NEWSLETTER}/join", json={}), 409, "refused")
        assert "already" in again["detail"]
        assert zoe.post(f"{NEWSLETTER}/leave", json={}).json()["stage"] == "done"
        refused = problem(zoe.post("/groups/contact@masociete.example/join", json={}), 409, "refused")
        assert "owners" in refused["detail"]
        problem(zoe.post("/groups/rien@masociete.example/join", json={}), 404, "not-found")


def test_a_request_waits_for_the_owners_and_the_first_decision_stands(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe, calling(home, "bob") as bob:
        made = api.post("/groups", json={"address": "club@masociete.example", "join_policy": "approval"})
        assert made.status_code == 201, made.text
        mirrored(home, "club")
        asked = zoe.post("/groups/club@masociete.example/join", json={"reason": "Pour aider"})
        assert asked.status_code == 202
        name = asked.json()["name"]
        assert (asked.json()["stage"], asked.json()["reason"]) == ("waiting", "Pour aider")
        assert [each["name"] for each in zoe.get("/requests", params={"whose": "mine"}).json()["items"]][
            -1
        ] == name
        assert name in api.get("/requests").text
        problem(bob.get(f"/requests/{name}"), 404, "not-found")
        problem(bob.post(f"/requests/{name}/decision", json={"decision": "accept"}), 404, "not-found")
        problem(zoe.post(f"/requests/{name}/decision", json={"decision": "accept"}), 404, "not-found")
        done = api.post(f"/requests/{name}/decision", json={"decision": "accept", "comment": "Bienvenue"})
        assert (done.json()["stage"], done.json()["decided_by"]) == (
            "done",
            "administrator@masociete.example",
        )
        problem(api.post(f"/requests/{name}/decision", json={"decision": "reject"}), 409, "decided")
        problem(zoe.delete(f"/requests/{name}"), 409, "decided")
        assert zoe.get(f"/requests/{name}").json()["comment"] == "Bienvenue"
        other = bob.post("/groups/club@masociete.example/join", json={}).json()["name"]
        problem(zoe.delete(f"/requests/{other}"), 404, "not-found")
        assert bob.delete(f"/requests/{other}").json()["stage"] == "withdrawn"


def test_the_audit_is_shown_to_whose_groups_it_is_about(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe:
        path = "/groups/contact@masociete.example"
        assert api.patch(path, json={"description": "Pour nous joindre"}).status_code == 200
        rows = api.get("/audit", params={"group": "contact@masociete.example", "action": "group-edit"}).json()
        assert rows["total"] == 1
        [row] = rows["items"]
        assert (row["way"], row["actor"]) == ("api", "administrator@masociete.example")
        assert "Pour nous joindre" in row["after"]
        uuid = api.get(path).json()["id"]
        assert api.get("/audit", params={"group": uuid, "action": "group-edit"}).json()["items"] == [row]
        assert zoe.get("/audit").json()["total"] == 0
        soon = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
        assert api.get("/audit", params={"since": soon}).json()["total"] == 0
        assert api.get("/audit", params={"until": soon, "actor": "ADMIN"}).json()["total"] > 0
        for odd in ("0", "2026-11-26", "2026-99-26T00:00:00Z", "2026-11-26T00:00:00"):
            assert at_fault(problem(api.get("/audit", params={"since": odd}), 422, "invalid")).keys() == {
                "since"
            }


def test_changes_are_taken_back_and_what_others_did_since_stays(home: House) -> None:
    path = "/groups/support@masociete.example"
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe:
        before = api.get(path).json()
        changed = api.patch(path, json={"name": "Aide", "hold_hours": 12, "owners": {"add": [ZOE]}})
        assert changed.status_code == 200, changed.text
        wanted = {"group": "support@masociete.example", "action": "group-edit"}
        row = api.get("/audit", params=wanted).json()["items"][0]["id"]
        assert api.patch(path, json={"hold_hours": 13, "owners": {"add": [JEAN]}}).status_code == 200
        shown = api.post("/audit/undo", json={"rows": [row]}, params={"dry_run": "true"}).json()
        assert shown["dry_run"]
        assert api.get(path).json()["name"] == "Aide"
        problem(zoe.post("/audit/undo", json={"rows": [row, 999_999]}), 404, "not-found")
        [undone] = api.post("/audit/undo", json={"rows": [row]}).json()["items"]
        assert undone == shown["items"][0]
        assert {each["field"]: each["still"] for each in undone["pieces"]}["hold_hours"] == "otherwise"
        now = api.get(path).json()
        assert (now["name"], now["hold_hours"]) == (before["name"], 13)
        assert JEAN in now["owners"]
        assert ZOE not in now["owners"]
        [told] = api.get("/audit", params={**wanted, "action": "group-undo"}).json()["items"]
        assert told["detail"] == f"#{row}"


def test_why_a_change_stays_is_told_in_the_callers_language(home: House) -> None:
    path, alias = "/groups/equipe@masociete.example", "autre-nom@masociete.example"
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe", language="fr") as zoe:
        assert api.patch(path, json={"aliases": {"add": [alias]}}).status_code == 200
        wanted = {"group": "equipe@masociete.example", "action": "group-edit"}
        row = api.get("/audit", params=wanted).json()["items"][0]["id"]
        [stays] = zoe.post("/audit/undo", json={"rows": [row]}).json()["items"]
        assert stays["standing"] == "foreign"
        assert stays["why"].startswith("Seuls les administrateurs")
        [back] = api.post("/audit/undo", json={"rows": [row]}).json()["items"]
        assert (back["standing"], back["why"]) == ("ready", "")


@pytest.mark.parametrize(
    "path",
    ["/status", "/status/mirror", "/status/days", "/findings", "/trace?what=%3Coffer%40partner.example%3E"],
)
def test_what_administrators_watch_is_for_them(home: House, path: str) -> None:
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe:
        assert api.get(path).status_code == 200
        problem(zoe.get(path), 403, "forbidden")


def test_status_findings_and_trace_tell_what_there_is(home: House) -> None:
    item = held(home)
    with calling(home, ADMINISTRATOR) as api:
        status = api.get("/status").json()
        assert status["groups"] > 5
        assert status["waiting"] >= 1
        found = api.get("/findings", params={"limit": 500}).json()
        assert found["total"] == sum(status["findings"].values())
        kind = found["items"][0]["kind"]
        assert api.get("/findings", params={"kind": kind}).json()["total"] == status["findings"][kind]
        french = api.get("/findings", params={"kind": "cycle"}, headers={"accept-language": "fr"}).json()
        assert all("se contient lui-même par" in each["text"] for each in french["items"])
        assert french["items"]
        traced = api.get("/trace", params={"what": "<offer@partner.example>"}).json()["items"]
        assert item.name in [each["message"]["name"] for each in traced]


def test_status_tells_how_it_was(home: House) -> None:
    now = int(home.parts.now())
    home.parts.ledger.change(held(home).id, Event.REJECT, Who("x", Way.PANEL), now)
    ages, max_age = home.parts.watch.ages, int(home.parts.watch.max_age)
    for minutes, age in ((125, 7.0), (120, max_age + 60.0), (115, NEVER)):
        ages.note(now - minutes * 60, age)
    with calling(home, ADMINISTRATOR) as api:
        mirror, days = api.get("/status/mirror").json(), api.get("/status/days").json()["items"]
    assert (mirror["max_age"], len(mirror["day"])) == (max_age, 288)
    assert 29 * 4 < len(mirror["month"]) <= 30 * 4
    told = [each for each in mirror["day"] if each["recorded"]]
    assert [(each["recorded"], each["too_old"], each["highest"]) for each in told] == [
        (60, 0, 7.0), (60, 60, max_age + 60.0), (60, 60, None),
    ]  # fmt: skip
    assert sum(each["too_old"] for each in mirror["month"]) >= 900
    assert len(days) == 30
    # Midnight may have passed meanwhile.
    [today] = [each for each in days[-2:] if each["date"] == f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d}"]
    assert today["rejected"] >= 1
    assert today["most_waiting"] >= 1


def test_explain_says_why_to_owners_and_yes_or_no_to_everybody(home: House) -> None:
    path = f"/groups/{COMMERCIAL}/explain"
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe:
        waits = api.get(path, params={"sender": "x@ailleurs.example", "proof": "nothing"}).json()
        assert waits["verdict"] == "hold"
        assert {"rule", "answer", "because", "group"} <= waits["steps"][0].keys()
        mine = zoe.get(path).json()
        assert (mine["verdict"], mine["members"], mine["steps"]) == ("hold", None, [])
        problem(zoe.get(path, params={"sender": "x@ailleurs.example"}), 403, "forbidden")
        stranger = {"sender": "x@ailleurs.example", "proof": "nothing"}
        refused = api.get("/groups/contact@masociete.example/explain", params=stranger)
        assert refused.json()["verdict"] == "refuse"
        assert refused.json()["reply"].startswith("5")
        odd = problem(api.get(path, params={"sender": "no address"}), 422, "invalid")
        assert at_fault(odd).keys() == {"sender"}
