"""``groupmilter requests``, called as an administrator does, over a real directory."""

from __future__ import annotations

import pytest
from tests.enrolment.clubs import ARCTIC, JEAN, STRANGER, ZOE, Club
from tests.membership.offices import PEOPLE

from groupmilter.cli.exits import Exit
from groupmilter.moderation.item import Way, Who
from groupmilter.moderation.request import Request


def waiting(club: Club, reason: str = "") -> Request:
    asked = club.ask(JEAN, ARCTIC, reason=reason).request
    assert asked is not None
    return asked


def test_an_administrator_sees_and_accepts(club: Club, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = waiting(club, "J'y travaille.")
    listed = club.office.asked("requests", "list", "--group", ARCTIC)
    assert (listed["total"], [one["name"] for one in listed["requests"]]) == (1, [asked.name])
    assert JEAN in club.office.call("requests", "list").stdout.replace("\n", "")
    for name, value in {"COLUMNS": "80", "FORCE_COLOR": "1", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    narrow = club.office.call("requests", "list").stdout
    assert all(f" {part} " in narrow for part in JEAN.replace("@", " @").split()), narrow
    shown = club.office.asked("requests", "show", asked.name[:6])
    assert (shown["reason"], shown["may_decide"]) == ("J'y travaille.", [ZOE])
    assert [row["action"] for row in shown["history"]] == ["request-join"]
    assert "J'y travaille." in club.office.call("requests", "show", asked.name).stdout
    [decided] = club.office.asked("requests", "accept", asked.name)["decisions"]
    assert (decided["happened"], decided["stage"], decided["decided_way"]) == (True, "done", "command")
    assert f"uid=jean,{PEOPLE}" in club.office.values("projet-arctique", "member")
    assert club.office.asked("requests", "list")["requests"] == []
    assert club.office.asked("requests", "list", "--stage", "done")["total"] == 1


def test_the_first_decision_stands(club: Club) -> None:
    asked = waiting(club)
    club.service.decide(asked, False, Who(ZOE, Way.PANEL), "Complet.")
    [late] = club.office.asked("requests", "accept", asked.name, code=Exit.DECIDED)["decisions"]
    assert (late["happened"], late["decided_by"], late["comment"]) == (False, ZOE, "Complet.")
    said = club.office.call("requests", "accept", asked.name)
    assert (said.exit_code, "in the panel; that stands" in said.stdout) == (Exit.DECIDED, True)


def test_a_refusal_wants_a_reason(club: Club) -> None:
    asked = waiting(club)
    assert club.office.call("requests", "reject", asked.name).exit_code == Exit.USAGE
    club.office.asked("requests", "reject", asked.name, "--reason", "Complet.")
    assert ("outcome", JEAN) in club.told()


def test_typing_errors_decide_nothing(club: Club) -> None:
    asked = waiting(club)
    assert club.office.call("requests", "accept", asked.name, "nothing").exit_code == Exit.FINDING
    assert club.office.call("requests", "list", "--stage", "some").exit_code == Exit.USAGE
    assert club.office.call("requests", "list", "--group", STRANGER).exit_code == Exit.FINDING
    assert club.again(asked).decided == 0
