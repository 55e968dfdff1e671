"""Counting what reports say: for members alone, once, on the day of the message; suspension and its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from tests.directory.mirrors import group, group_dn, person, person_dn
from tests.moderation.bounce_reports import (
    OTHERS_RECEIVED,
    QMAIL,
    absence,
    block,
    failed,
    notification,
    top,
)
from tests.moderation.deskwork import Deskwork, deskwork
from tests.moderation.holding import SETTINGS
from tests.moderation.ledgers import DAY, NOW, url

from groupmilter.directory.entry import Put
from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Kind
from groupmilter.moderation.item import DESK
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.moderation.mailbox import Folder
from groupmilter.policy.settings import Bounces

GONE, GHOST, VEILED, INSIDER = (
    "gone@outside.example", "Ghost@outside.example", "veiled@outside.example", "bert@example.org",
)  # fmt: skip
PAIRED = "pair@outside.example"
MORE = (
    Put(person("ghost", mail=GHOST)),
    Put(person("pair", mail=[PAIRED, "pair@example.org"])),
    Put(
        group(
            "sales", "bert", "ghost", "pair", group_dn("inner"), dgMemberAddress=[GONE], owner=[person_dn("owner")],
        )
    ),
    Put(group("inner", dgHiddenMembers="TRUE", dgMemberAddress=[VEILED], owner=[person_dn("anna")])),
)  # fmt: skip
NUMBERS = count(1)


@contextmanager
def at_work(folder: Path, **changes: object) -> Iterator[Deskwork]:
    settings = replace(SETTINGS, bounces=replace(Bounces(), **changes))  # type: ignore[arg-type]
    with deskwork(folder, settings, *MORE) as made:
        yield made


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Deskwork]:
    with at_work(tmp_path) as made:
        yield made


def put(work: Deskwork, octets: bytes) -> str:
    """Deliver a file into the inbox."""
    name = f"{NOW + next(NUMBERS)}.V1I1M1.mx"
    (work.hold.mailbox.path / "new" / name).write_bytes(octets)
    return name


def ticket(work: Deskwork, days: int = 0, name: str = "group-sales") -> str:
    """The ticket of another message to the group, sent some days ago."""
    return work.hold.ticket(next(NUMBERS), Kind.BOUNCE, name, work.hold.now - days * DAY)


def fail(work: Deskwork, *addresses: str, days: int = 0) -> str:
    """Report that a message of some days ago failed at some addresses."""
    name = put(work, failed(ticket(work, days), *addresses))
    work.take(name)
    return name


def counted(work: Deskwork, address: str = GONE) -> int:
    """How many failures of an address are counted."""
    return sum(one.messages for one in work.hold.ledger.bounces.standings(0, address=address))


def suspended(work: Deskwork) -> set[str]:
    return set(work.hold.ledger.bounces.suspended())


def test_a_failure_is_counted_for_the_member_and_the_report_is_kept(work: Deskwork) -> None:
    name = fail(work, GONE)
    (one,) = work.hold.ledger.bounces.failures(GONE)
    assert (one.address, one.group_address, one.status) == (GONE, "sales@example.org", "5.1.1")
    assert (one.cause, one.sent, one.file) == ("permanent", NOW, name)
    assert "no such user" in one.why
    assert work.hold.place(name) == "Reports"
    assert work.lines() == ["failure counted"]


@pytest.mark.parametrize("written", ["GONE@Outside.Example", "ghost@outside.example", "pair@example.org"])
def test_a_member_is_known_in_any_case_and_by_any_of_his_addresses(work: Deskwork, written: str) -> None:
    fail(work, written)
    member = {"GONE@Outside.Example": GONE, "ghost@outside.example": GHOST, "pair@example.org": PAIRED}[
        written
    ]
    assert counted(work, member) == 1


def test_who_is_no_member_counts_nowhere(work: Deskwork) -> None:
    name = fail(work, "somebody@outside.example", "anna@example.org")
    assert work.hold.ledger.bounces.standings(0) == ()
    assert work.hold.place(name) == "Reports"
    assert work.lines() == ["delivery report not counted: it names no member"]


def test_one_failure_is_counted_once_and_repeated_reports_are_not_kept(work: Deskwork) -> None:
    same = failed(ticket(work), GONE)
    first, second, third = (put(work, same) for _ in range(3))
    for name in (first, second, third, first):
        work.take(name)
    assert counted(work) == 1
    assert [work.hold.place(name) for name in (first, second, third)] == ["Reports", "gone", "gone"]


def test_a_second_report_that_says_more_is_kept(work: Deskwork) -> None:
    same = ticket(work)
    work.take(put(work, failed(same, GONE)))
    more = put(work, failed(same, GONE, GHOST))
    work.take(more)
    assert (counted(work), counted(work, GHOST), work.hold.place(more)) == (1, 1, "Reports")


@pytest.mark.parametrize(
    ("octets", "place"),
    [
        (lambda it: notification(it, [block(GONE, "delayed", "4.4.1")]), "Reports"),
        (lambda it: notification(it, [block(GONE, "delivered", "2.0.0")]), "Reports"),
        (lambda it: notification(it, [block(GONE)], return_path="gone@outside.example"), "Reports"),
        (lambda it: f"{top(it)}Subject: hello\n\nI am a person.\n".encode(), "Reports"),
        (absence, "gone"),
        (lambda it: absence(it, "gone@outside.example"), "gone"),
    ],
)  # fmt: skip
def test_what_is_no_failure_is_not_counted(work: Deskwork, octets: object, place: str) -> None:
    assert callable(octets)
    name = put(work, octets(ticket(work)))
    work.take(name)
    assert (counted(work), work.hold.place(name)) == (0, place)
    assert work.lines("error") == []


def test_a_report_in_no_standard_form_counts(work: Deskwork) -> None:
    work.take(put(work, (top(ticket(work)) + OTHERS_RECEIVED + QMAIL).encode()))
    assert counted(work) == 1


@pytest.mark.parametrize("days", [31, -2])
def test_a_ticket_of_another_time_counts_nothing(work: Deskwork, days: int) -> None:
    name = fail(work, GONE, days=days)
    assert (counted(work), work.hold.place(name)) == (0, "Reports")
    assert work.lines() == ["delivery report not counted: its message is too old"]


def test_a_group_that_is_gone_counts_nothing(work: Deskwork) -> None:
    name = put(work, failed(ticket(work, name="group-nowhere"), GONE))
    work.take(name)
    assert (counted(work), work.hold.place(name)) == (0, "Reports")
    assert work.lines() == ["delivery report not counted: its group is gone"]


def test_messages_of_several_days_suspend_an_outside_address(work: Deskwork) -> None:
    for days in (4, 3, 3, 2, 1, 1):
        fail(work, GONE, days=days)
    assert suspended(work) == set(), "six messages of four days"
    fail(work, GONE)
    assert suspended(work) == {GONE}
    (row,) = work.hold.ledger.audit(action="suspend")
    assert (row.actor, row.group, row.detail.split(": ")[0]) == ("desk", "sales@example.org", GONE)
    fail(work, GONE, days=5)
    assert len(work.hold.ledger.audit(action="suspend")) == 1


def test_many_reports_of_one_day_suspend_nobody(work: Deskwork) -> None:
    for _ in range(40):
        fail(work, GONE)
    assert (counted(work), suspended(work)) == (40, set())


def test_forged_reports_with_one_address_count_as_one_message(work: Deskwork) -> None:
    seen = ticket(work, days=3)
    for day in range(10):
        work.hold.now = NOW + day * DAY
        work.take(put(work, failed(seen, GONE, received=OTHERS_RECEIVED)))
    assert (counted(work), suspended(work)) == (1, set())


@pytest.mark.parametrize("status", ["5.7.1", "5.6.0", "5.2.3"])
def test_a_message_that_was_refused_speaks_not_against_the_address(work: Deskwork, status: str) -> None:
    for days in range(10):
        work.take(put(work, notification(ticket(work, days), [block(GONE, status=status)])))
    assert (counted(work), suspended(work)) == (10, set())


def test_failures_before_the_window_do_not_count(work: Deskwork) -> None:
    for days in (16, 17, 18, 19, 1):
        fail(work, GONE, days=days)
    assert (counted(work), suspended(work)) == (5, set())


@pytest.mark.parametrize("address", [INSIDER, PAIRED])
def test_nobody_of_the_organisation_is_ever_suspended(work: Deskwork, address: str) -> None:
    for days in range(10):
        fail(work, address, days=days)
    assert (counted(work, address), suspended(work)) == (10, set())


def test_the_policy_may_suspend_nobody(tmp_path: Path) -> None:
    with at_work(tmp_path, suspend=False) as work:
        for days in range(10):
            fail(work, GONE, days=days)
        assert (counted(work), suspended(work)) == (10, set())


def test_the_policy_may_count_our_own_reports_alone(tmp_path: Path) -> None:
    with at_work(tmp_path, outside_reports=False) as work:
        name = put(work, failed(ticket(work), GONE, received=OTHERS_RECEIVED))
        work.take(name)
        assert (counted(work), work.hold.place(name)) == (0, "Reports")
        fail(work, GONE)
        assert counted(work) == 1


def dead(work: Deskwork) -> None:
    for days in range(5):
        fail(work, GONE, days=days)
    assert suspended(work) == {GONE}


def test_after_its_time_an_address_is_tried_again_and_one_failure_suspends_it(work: Deskwork) -> None:
    dead(work)
    work.hold.now += 30 * DAY - 1
    work.desk.turn()
    assert suspended(work) == {GONE}
    work.hold.now += 1
    work.desk.turn()
    assert suspended(work) == set()
    fail(work, GONE, days=1)
    assert suspended(work) == set(), "a message from before the trial"
    work.hold.now += DAY
    fail(work, GONE)
    assert suspended(work) == {GONE}
    assert [row.action for row in work.hold.ledger.audit() if row.detail.startswith(GONE)] == [
        "suspend", "try-again", "suspend",
    ]  # fmt: skip


def test_a_trial_without_failure_ends_well(work: Deskwork) -> None:
    dead(work)
    work.hold.now += 30 * DAY
    work.desk.turn()
    work.hold.now += 14 * DAY
    work.desk.turn()
    assert work.hold.ledger.bounces.suspension(GONE) is None
    assert [row.action for row in work.hold.ledger.audit()][-1] == "resume"


def test_without_a_time_an_address_stays_suspended(tmp_path: Path) -> None:
    with at_work(tmp_path, retry=0) as work:
        dead(work)
        work.hold.now += 3650 * DAY
        work.desk.turn()
        assert suspended(work) == {GONE}


def test_resumption_forgives_and_an_old_report_counts_no_second_time(work: Deskwork) -> None:
    old = [failed(ticket(work, days), GONE) for days in range(5)]
    for octets in old:
        work.take(put(work, octets))
    assert work.hold.ledger.bounces.resume(GONE, DESK, NOW) is not None
    assert (suspended(work), counted(work)) == (set(), 0)
    for octets in old:
        work.take(put(work, octets))
    assert (suspended(work), counted(work)) == (set(), 0)
    assert work.hold.ledger.bounces.resume(GONE, DESK, NOW) is None


def test_hidden_members_of_a_group_inside_are_that_groups_affair(work: Deskwork) -> None:
    fail(work, VEILED, GONE)
    groups = {one.address: one.groups for one in work.hold.ledger.bounces.standings(0)}
    assert groups == {VEILED: ("inner@example.org",), GONE: ("sales@example.org",)}


def test_what_the_directory_cannot_tell_waits_in_the_mailbox_and_is_counted_once(work: Deskwork) -> None:
    name = put(work, failed(ticket(work), GONE))
    work.directory.unknown = DirectoryUnknown("away")
    work.desk.turn()
    assert (work.hold.place(name), counted(work)) == ("inbox", 0)
    work.directory.unknown = None
    work.desk.turn()
    work.desk.turn()
    assert (work.hold.place(name), counted(work)) == ("Reports", 1)


def test_with_the_ledger_down_a_report_waits_and_is_counted_once(
    work: Deskwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = put(work, failed(ticket(work), GONE))

    def down(*_: object) -> str:
        raise LedgerUnavailable("disk full")

    with monkeypatch.context() as broken:
        broken.setattr("groupmilter.moderation.bounce_book.BounceBook.count_each", down)
        work.desk.turn()
        assert (work.hold.place(name), counted(work)) == ("inbox", 0)
    work.desk.turn()
    assert (work.hold.place(name), counted(work)) == ("Reports", 1)


def test_a_surprise_with_one_report_keeps_it_for_a_human_and_the_others_go_on(
    work: Deskwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [put(work, failed(ticket(work), GONE)) for _ in range(2)]
    count_each = type(work.hold.ledger.bounces).count_each
    calls: list[str] = []

    def odd(book: object, one: object) -> dict[str, str]:
        calls.append("")
        if len(calls) == 1:
            raise RuntimeError("what is this?")
        return count_each(book, one)  # type: ignore[arg-type]

    monkeypatch.setattr("groupmilter.moderation.bounce_book.BounceBook.count_each", odd)
    work.desk.turn()
    assert [work.hold.place(name) for name in names] == ["Reports", "Reports"]
    assert work.lines("error") == ["surprise at held mail"]
    assert (counted(work), work.hold.items()) == (1, {}), "nobody can let it through to the group"


def test_the_oldest_reports_go_where_too_many_are_kept(
    work: Deskwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groupmilter.moderation.bouncing._MOST_REPORTS", 3)
    names = [fail(work, GONE, days=days) for days in range(5)]
    work.desk.turn()
    assert [work.hold.place(name) for name in names] == ["gone", "gone", "Reports", "Reports", "Reports"]
    monkeypatch.setattr("groupmilter.moderation.bouncing._MOST_OCTETS", 3000)
    work.hold.now += DAY
    work.desk.turn()
    assert sum(octets for _, octets in work.hold.mailbox.sizes(Folder.REPORTS)) <= 3000


def test_failures_are_forgotten_after_a_season(work: Deskwork) -> None:
    fail(work, GONE)
    work.hold.now += 91 * DAY
    work.desk.turn()
    assert counted(work) == 0


def test_a_ledger_that_is_opened_again_knows_it_all(work: Deskwork) -> None:
    dead(work)
    with closing(Ledger.open(url(work.hold.folder))) as again:
        assert again.bounces.suspended() == {GONE}
        (one,) = again.bounces.suspensions()
        assert (one.since, one.until, one.probing, one.actor) == (NOW, NOW + 30 * DAY, 0, "desk")
