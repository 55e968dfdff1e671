"""Senders remembered along with a decision by the API: for whom the page offers it, and nobody else."""

from __future__ import annotations

from tests.panel.calling import calling, problem
from tests.panel.house import House
from tests.panel.watching import PLAIN, held

from groupmilter.moderation.item import Item
from groupmilter.panel.api.access import Scope
from groupmilter.policy.facts import Strength

BYPASS, DENIED = "dgModerationBypassAddress", "dgDeniedSenderAddress"


def _from(home: House, local: str) -> Item:
    message = PLAIN.replace(b"marie@partner.example>\nSub", local.encode() + b"@new.example>\nSub")
    return held(home, message, strength=Strength.DMARC)


def test_an_owner_has_a_sender_let_through_or_blocked(home: House) -> None:
    with calling(home, "helene") as helene:
        for local, decision, attribute in (("ana", "approve", BYPASS), ("otto", "reject", DENIED)):
            path = f"/held/{_from(home, local).name}/decision"
            said = helene.post(path, json={"decision": decision, "remember": True}).json()
            assert (said["remembered"], said["not_remembered"]) == (True, None)
            assert f"{local}@new.example" in home.office.values("commercial", attribute)
    rows = home.parts.ledger.audit(action="group-edit")[-2:]
    assert {(row.actor, row.way) for row in rows} == {("helene.lefevre@masociete.example", "api")}


def test_the_decision_of_whoever_owns_nothing_stands_and_says_why_not(home: House) -> None:
    item = _from(home, "mona")
    with calling(home, "jean", language="fr") as jean:
        said = jean.post(f"/held/{item.name}/decision", json={"decision": "reject", "remember": True}).json()
    assert (said["state"], said["remembered"]) == ("rejected", False)
    assert said["not_remembered"] == "Seuls les propriétaires du groupe le peuvent."
    assert "mona@new.example" not in home.office.values("commercial", DENIED)


def test_nobody_is_remembered_unasked_and_a_token_to_decide_writes_no_group(home: House) -> None:
    item = _from(home, "rita")
    path = f"/held/{item.name}/decision"
    with calling(home, "helene", [Scope.READ, Scope.DECIDE]) as helene:
        problem(helene.post(path, json={"decision": "approve", "remember": True}), 403, "not-in-scope")
        assert helene.get(f"/held/{item.name}").json()["state"] == "held"
        said = helene.post(path, json={"decision": "approve"}).json()
    assert (said["state"], said["remembered"], said["not_remembered"]) == ("approved", False, None)
    assert "rita@new.example" not in home.office.values("commercial", BYPASS)
