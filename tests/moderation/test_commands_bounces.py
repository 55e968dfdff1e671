"""The commands about members whose mail fails: what they show people and programs, what they change and refuse."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.hosts import Host, host

from groupmilter.cli.exits import Exit
from groupmilter.cli.times import iso
from groupmilter.moderation.bounce_book import DAY, Failed, Suspension
from groupmilter.moderation.item import DESK

ODD = "odd@masociete.example"
GONE, BERNARD = "old@partner.example", "gus@masociete.example"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Host]:
    with host(tmp_path) as made:
        yield made


def fail(site: Host, address: str, number: int, **changes: str) -> Failed:
    """A failure of a message of so many days ago; of one moment for all of a test, for days end at midnight."""
    now = site.came + 60
    given = {
        "group_address": ODD,
        "cause": "permanent",
        "status": "5.1.1",
        "why": "550 5.1.1 no such user",
    } | changes
    one = Failed(
        f"ticket {number}", address, "17.1.mx", "uuid-odd", given["group_address"], given["cause"],
        given["status"], given["why"], now - number * DAY, now - 60,
    )  # fmt: skip
    ledger = site.opened()
    ledger.bounces.count(one)
    ledger.close()
    return one


def suspended(site: Host) -> frozenset[str]:
    ledger = site.opened()
    found = ledger.bounces.suspended()
    ledger.close()
    return found


def test_nothing_fails(site: Host) -> None:
    assert site.call("bounces", "list").stdout == "Nothing fails.\n"
    assert site.call("bounces", "list", "--group", ODD).stdout == f"Nothing fails in {ODD}.\n"
    found = site.asked("bounces", "list")
    assert found == {"window": 14 * DAY, "suspend_after": 5, "suspend": True, "addresses": []}
    said = site.call("bounces", "show", GONE, code=Exit.FINDING).output
    assert f"{GONE}: nothing failed there" in said


def test_failures_are_listed_most_first_and_suspended_ones_always(site: Host) -> None:
    for number in range(3):
        fail(site, GONE, number)
    fail(site, "spam@x.example", 7, cause="message", status="5.7.1", why="[bold]spam[/] \x1b[31m")
    fail(site, "else@x.example", 8, group_address="news@masociete.example")
    site.call("bounces", "suspend", "quiet@x.example", "--reason", "asked us to")
    shown = site.call("bounces", "list").stdout
    for part in (
        GONE,
        "550 5.1.1 no such user",
        "[bold]spam[/]",
        "(message refused)",
        "quiet@x.example",
        "asked us to",
    ):
        assert part in shown
    assert "\x1b" not in shown
    assert "4 members, 1 suspended." in shown
    assert "An outside address is suspended after failures of 5 days within 14." in shown
    found = site.asked("bounces", "list")["addresses"]
    assert [(one["address"], one["state"], one["messages"], one["days"]) for one in found] == [
        (GONE, "failing", 3, 3), ("else@x.example", "failing", 1, 1), ("spam@x.example", "failing", 1, 0),
        ("quiet@x.example", "suspended", 0, 0),
    ]  # fmt: skip
    assert found[0]["groups"] == [ODD]
    assert (found[0]["cause"], found[0]["status"]) == ("permanent", "5.1.1")
    of_odd = site.asked("bounces", "list", "--group", "ODD@masociete.example")["addresses"]
    assert [one["address"] for one in of_odd] == [GONE, "spam@x.example"]
    only = site.asked("bounces", "list", "--suspended")["addresses"]
    assert [one["address"] for one in only] == ["quiet@x.example"]
    assert len(site.asked("bounces", "list", "--limit", "2")["addresses"]) == 2


def test_everything_about_one_address(site: Host) -> None:
    newest = [fail(site, GONE, number) for number in (3, 2)][-1]
    fail(site, GONE, 1, cause="message", status="5.7.1", why="550 5.7.1 spam")
    site.call("bounces", "suspend", GONE.upper().replace("OLD", "old"), "-r", "it is dead")
    shown = site.call("bounces", "show", GONE).stdout
    for part in (
        "until it is resumed",
        "550 5.1.1 no such user",
        "the message was refused, not the address",
        "it is dead",
    ):
        assert part in shown
    found = site.asked("bounces", "show", GONE)
    assert (found["state"], found["outside"], found["messages"], found["days"]) == ("suspended", True, 3, 2)
    assert [one["cause"] for one in found["failures"]] == ["message", "permanent", "permanent"]
    assert found["failures"][1]["sent"] == iso(newest.sent)
    assert [(row["action"], row["detail"]) for row in found["history"]] == [
        ("suspend", f"{GONE}: it is dead")
    ]


def test_suspend_and_resume_leave_rows_and_refuse_what_makes_no_sense(site: Host) -> None:
    assert site.asked("bounces", "suspend", GONE) == {"address": GONE, "state": "suspended"}
    assert suspended(site) == {GONE}
    assert "is suspended already" in site.call("bounces", "suspend", GONE, code=Exit.FINDING).output
    assert site.asked("bounces", "resume", GONE) == {"address": GONE, "state": "resumed"}
    assert suspended(site) == frozenset()
    assert "is not suspended" in site.call("bounces", "resume", GONE, code=Exit.FINDING).output
    assert "no mail address" in site.call("bounces", "suspend", "x", code=Exit.FINDING).output
    said = site.call("bounces", "suspend", BERNARD, code=Exit.FINDING).output
    assert "never suspended" in said
    assert suspended(site) == frozenset()
    ledger = site.opened()
    rows = [
        (row.action, row.way, row.detail) for row in ledger.audit() if row.action in {"suspend", "resume"}
    ]
    ledger.close()
    assert rows == [("suspend", "command", GONE), ("resume", "command", GONE)]


def test_somebody_of_the_organisation_is_shown(site: Host) -> None:
    fail(site, BERNARD, 1)
    shown = site.call("bounces", "show", BERNARD).stdout
    assert "somebody of the organisation is never suspended" in shown
    assert site.asked("bounces", "show", BERNARD)["outside"] is False


def test_one_on_trial_and_one_with_an_end_say_so(site: Host) -> None:
    ledger, now = site.opened(), int(time.time())
    ledger.bounces.suspend(Suspension(GONE, now, now + DAY, 0, "desk", ODD, "550 gone"), DESK)
    ledger.close()
    assert "tried again in" in site.call("bounces", "show", GONE).stdout
    ledger = site.opened()
    ledger.bounces.try_again(GONE, DESK, now)
    ledger.close()
    assert "on trial since" in site.call("bounces", "show", GONE).stdout
    assert "on trial" in site.call("bounces", "list").stdout
    assert site.asked("bounces", "list")["addresses"][0]["state"] == "trial"


def test_expand_and_explain_name_who_is_left_out(site: Host) -> None:
    before = site.asked("expand", ODD)
    assert before["suspended"] == []
    outside = next(m["address"] for m in before["members"] if not m["address"].endswith("@masociete.example"))
    site.call("bounces", "suspend", outside)
    assert site.asked("expand", ODD)["suspended"] == [outside]
    assert f"suspended: {outside} gets nothing for now" in site.call("expand", ODD).stdout
    question = ("explain", "--local", "--from", "anne@masociete.example", "--to", ODD, "--login", "anne")
    (found,) = site.asked(*question)["recipients"]
    assert found["suspended"] == [outside]
    assert found["members"] == before["count"] - 1
    assert f"delivery to {outside} is suspended" in site.call(*question).stdout


def test_without_a_ledger_each_says_so(site: Host) -> None:
    site.lose_the_ledger()
    for arguments in (("list",), ("show", GONE), ("suspend", GONE), ("resume", GONE)):
        assert "there is no ledger" in site.call("bounces", *arguments, code=Exit.STATE).output
    assert site.asked("expand", ODD)["suspended"] == []
