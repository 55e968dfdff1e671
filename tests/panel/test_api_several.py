"""Several messages decided at once, the audit as a table, what joining would come to, and the queue, by the API."""

from __future__ import annotations

from tests.membership.offices import JEAN
from tests.panel.calling import ADMINISTRATOR, at_fault, calling, mirrored, problem
from tests.panel.house import House
from tests.panel.watching import held

from groupmilter.membership.table import rows
from groupmilter.moderation.item import Event, Way, Who
from groupmilter.panel.api.access import Scope

COMMERCIAL = "commercial@masociete.example"


def test_several_messages_are_decided_all_or_none(home: House) -> None:
    items = [held(home) for _ in range(3)]
    names = [item.name for item in items]
    wanted = {"names": names, "decision": "reject", "reason": "Plus court"}
    with calling(home, "zoe") as zoe, calling(home, "jean", [Scope.READ, Scope.WRITE]) as reading:
        assert at_fault(problem(zoe.post("/held", json=wanted), 422, "invalid")).keys() == {"names"}
        problem(reading.post("/held", json=wanted), 403, "not-in-scope")
    with calling(home, "jean") as jean:
        wrong = problem(jean.post("/held", json=wanted | {"names": [*names, "aaaaaaaaaa"]}), 422, "invalid")
        assert [each["value"] for each in wrong["errors"]] == ["aaaaaaaaaa"]
        assert jean.get(f"/held/{names[0]}").json()["state"] == "held"
        problem(jean.post("/held", json=wanted | {"names": []}), 422, "invalid")
        home.parts.ledger.change(items[2].id, Event.APPROVE, Who("root", Way.COMMAND), 1)
        done = jean.post("/held", json=wanted).json()["items"]
        assert [each["name"] for each in done] == names
        assert [each["happened"] for each in done] == [True, True, False]
        assert [each["state"] for each in done] == ["rejected", "rejected", "approved"]
        assert (done[0]["reason"], done[0]["decided_by"], done[2]["decided_by"]) == (
            "Plus court",
            JEAN,
            "root",
        )


def test_what_takes_several_approvals_says_how_many_are_missing(home: House) -> None:
    items = [held(home), held(home, approvals=2)]
    wanted = {"names": [item.name for item in items], "decision": "approve"}
    with calling(home, "jean") as jean:
        first, second = jean.post("/held", json=wanted).json()["items"]
        assert (first["state"], first["approvals_missing"]) == ("approved", 0)
        assert (second["state"], second["approvals_missing"], second["happened"]) == ("held", 1, True)


def test_the_audit_is_a_table_of_what_each_may_see(home: House) -> None:
    with calling(home, ADMINISTRATOR) as api, calling(home, "zoe") as zoe:
        assert api.patch(f"/groups/{COMMERCIAL}", json={"description": "=1+1"}).status_code == 200
        answer = api.get("/audit/export", params={"group": COMMERCIAL, "action": "group-edit"})
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        found = rows(answer.text)
        assert {row["group"] for row in found} == {COMMERCIAL}
        listed = api.get("/audit", params={"group": COMMERCIAL, "action": "group-edit"}).json()
        assert [row["detail"] for row in found] == [each["detail"] for each in listed["items"]]
        assert COMMERCIAL not in zoe.get("/audit/export").text
        problem(api.get("/audit/export", params={"offset": "1"}), 422, "invalid")


def test_what_joining_and_leaving_would_come_to(home: House) -> None:
    with calling(home, "zoe", language="fr") as zoe, calling(home, ADMINISTRATOR) as api:
        closed = zoe.get("/groups/contact@masociete.example/membership").json()
        assert (closed["member"], closed["join"]["verdict"]) == (False, "refused")
        assert "propriétaires" in closed["join"]["why"]
        opened = zoe.get("/groups/newsletter@masociete.example/membership").json()
        assert (opened["join"]["verdict"], opened["join"]["why"]) == ("at-once", None)
        assert opened["leave"]["verdict"] == "refused"
        made = api.post("/groups", json={"address": "cercle@masociete.example", "join_policy": "approval"})
        assert made.status_code == 201
        mirrored(home, "cercle")
        path = "/groups/cercle@masociete.example"
        asked = zoe.post(f"{path}/join", json={}).json()
        offer = zoe.get(f"{path}/membership").json()["join"]
        assert (offer["verdict"], offer["waiting"]) == ("ask", asked["name"])
        assert zoe.delete(f"/requests/{asked['name']}").status_code == 200
        assert zoe.get(f"{path}/membership").json()["join"]["waiting"] is None
        problem(zoe.get("/groups/rien@masociete.example/membership"), 404, "not-found")


def test_the_status_says_where_it_waits(home: House) -> None:
    held(home)
    with calling(home, ADMINISTRATOR) as api:
        status = api.get("/status").json()
    queue = {each["group"]: each["messages"] for each in status["queue"]}
    assert queue[COMMERCIAL] >= 1
    assert sum(queue.values()) == status["waiting"]
    assert status["letters"].keys() == {"waiting", "oldest", "failed"}
