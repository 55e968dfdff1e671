"""The desk's turns: everything due is done once, in order, and one thing that fails keeps nothing else waiting."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.moderation.deskwork import Deskwork, Played, deskwork
from tests.moderation.holding import SALES, SETTINGS
from tests.moderation.ledgers import DAY, KEYS, NOW

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Kind, Ticket, digest, seal
from groupmilter.moderation.item import DESK, Event, Item, State, Way, Who
from groupmilter.moderation.ledger import Letter
from groupmilter.moderation.mailbox import Folder
from groupmilter.policy.settings import Expiry, Moderation

ANNA = Who("anna@example.org", Way.LINK, "person-anna")
DEADLINE = 30.0


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Deskwork]:
    with deskwork(tmp_path) as made:
        yield made


def held(work: Deskwork, number: int = 1, *, noticed: bool = True) -> Item:
    """An item that has come in and been asked about."""
    name = work.hold.delivered(work.hold.ticket(number))
    work.desk.turn()
    item = work.hold.items()[name]
    if noticed:
        work.hold.ledger.mark(item.id, noticed=NOW)
    return work.hold.items()[name]


def now(work: Deskwork, item: Item) -> Item:
    found = work.hold.ledger.item(item.id)
    assert found is not None
    return found


def place(work: Deskwork, item: Item) -> str:
    return work.hold.place(item.arrival.file)


def test_what_comes_in_is_taken_in_before_anything_is_sent(work: Deskwork) -> None:
    name = work.hold.delivered(work.hold.ticket(1))
    assert not work.desk.turn()
    assert work.hold.place(name) == "Held"
    assert [kind for kind, _ in work.played.asked] == ["request"]
    assert work.played.order == ["send out", "letters"]
    work.desk.turn()
    assert len(work.played.asked) == 1


@pytest.mark.parametrize(
    ("event", "state", "folder"),
    [
        (Event.APPROVE, State.APPROVED, "Held"),
        (Event.REJECT, State.REJECTED, "Rejected"),
        (Event.SHUNT, State.SHUNTED, "Shunted"),
        (Event.EXPIRE, State.EXPIRED, "Expired"),
    ],
)
def test_what_was_decided_elsewhere_gets_its_folder(
    work: Deskwork, event: Event, state: State, folder: str
) -> None:
    item = held(work)
    letter = Letter(0, item.id, "request", "anna@example.org", "", "", "", 0, NOW, "")
    work.hold.ledger.letters.plan([letter, replace(letter, kind="decided")])
    work.hold.ledger.change(item.id, event, ANNA, NOW)
    work.desk.turn()
    assert (now(work, item).state, place(work, item)) == (state, folder)
    assert [one.kind for one in work.hold.ledger.letters.due(NOW)] == ["decided"], "nobody is asked any more"


@pytest.mark.parametrize(
    ("kind", "event", "folder"),
    [(Kind.HOLD, Event.RELEASE, "Approved"), (Kind.REFUSE, Event.REPORT, "Rejected")],
)
def test_what_is_out_is_kept_in_its_folder(work: Deskwork, kind: Kind, event: Event, folder: str) -> None:
    name = work.hold.delivered(work.hold.ticket(1, kind))
    work.desk.turn()
    item = work.hold.items()[name]
    if kind is Kind.HOLD:
        work.hold.ledger.change(item.id, Event.APPROVE, ANNA, NOW)
    work.hold.ledger.change(item.id, event, DESK, NOW)
    work.desk.turn()
    assert place(work, item) == folder


def test_one_item_that_cant_be_settled_keeps_no_other_waiting_and_is_tried_again(work: Deskwork) -> None:
    items = [held(work, number) for number in range(3)]
    root = work.hold.mailbox.path
    blocking = root / ".Rejected" / "cur" / f"{items[0].arrival.file}:2,S"
    blocking.write_text("somebody's", "utf-8")
    for item in items:
        work.hold.ledger.change(item.id, Event.REJECT, ANNA, NOW)
    for _ in range(3):
        work.desk.turn()
    assert [place(work, item) for item in items[1:]] == ["Rejected"] * 2
    assert (root / ".Held" / "cur" / blocking.name).exists()
    assert work.lines("error") == ["desk can't go on with a step"], "logged once"
    blocking.unlink()
    work.desk.turn()
    assert place(work, items[0]) == "Rejected"
    assert work.lines("info").count("desk goes on") == 1


def test_an_unanswered_item_expires_once_and_only_if_somebody_was_asked(work: Deskwork) -> None:
    asked, unasked = held(work, 1), held(work, 2, noticed=False)
    work.hold.now = asked.terms.expires - 1
    work.desk.turn()
    assert now(work, asked).state is State.HELD
    work.hold.now += 1
    work.desk.turn()
    work.desk.turn()
    assert (now(work, asked).state, place(work, asked)) == (State.EXPIRED, "Expired")
    assert (now(work, asked).decided_by, now(work, asked).note) == ("desk", "expired undecided")
    assert (now(work, unasked).state, place(work, unasked)) == (State.HELD, "Held")
    assert [row.action for row in work.hold.ledger.audit(action="expire")] == ["expire"]


def test_where_the_policy_wants_it_an_unanswered_item_is_released(tmp_path: Path) -> None:
    settings = replace(SETTINGS, moderation=Moderation(expiry=Expiry.RELEASE))
    with deskwork(tmp_path, settings) as work:
        item = held(work)
        work.hold.now = item.terms.expires
        work.desk.turn()
        assert (now(work, item).state, place(work, item)) == (State.APPROVED, "Held")
        assert now(work, item).decided_by == "desk"


def test_a_decision_in_the_last_moment_stands_against_the_expiry(work: Deskwork) -> None:
    item = held(work)
    work.hold.now = item.terms.expires
    work.hold.ledger.change(item.id, Event.APPROVE, ANNA, work.hold.now)
    work.desk.turn()
    assert (now(work, item).state, now(work, item).decided_by) == (State.APPROVED, ANNA.name)


def test_moderators_are_reminded_once(work: Deskwork) -> None:
    item = held(work)
    work.played.asked.clear()
    work.hold.now = item.terms.remind - 1
    work.desk.turn()
    assert work.played.asked == []
    work.hold.now += 1
    for _ in range(3):
        work.desk.turn()
    assert work.played.asked == [("reminder", item.name)]


def test_a_reminder_that_failed_is_tried_again_and_keeps_no_other_waiting(work: Deskwork) -> None:
    items = [held(work, number) for number in range(2)]
    work.played.asked.clear()
    work.hold.now = items[0].terms.remind
    work.played.failing = [DirectoryUnknown("mirror too old")]
    work.desk.turn()
    assert work.played.asked == [("reminder", items[1].name)]
    work.desk.turn()
    assert work.played.asked == [("reminder", items[1].name), ("reminder", items[0].name)]


def test_mail_that_ended_is_deleted_after_its_days_and_the_ledger_keeps_what_happened(work: Deskwork) -> None:
    ends = {State.REJECTED: Event.REJECT, State.EXPIRED: Event.EXPIRE}
    items = {state: held(work, number) for number, state in enumerate(ends)}
    for state, event in ends.items():
        work.hold.ledger.change(items[state].id, event, ANNA, NOW)
    released, shunted, waiting = held(work, 7), held(work, 8), held(work, 9)
    work.hold.ledger.change(released.id, Event.APPROVE, ANNA, NOW)
    work.hold.ledger.change(released.id, Event.RELEASE, DESK, NOW)
    work.hold.ledger.change(shunted.id, Event.SHUNT, DESK, NOW)
    work.desk.turn()
    gone = [*items.values(), released]
    work.hold.now = NOW + 30 * DAY
    work.desk.turn()
    assert [place(work, item) for item in gone] == ["Rejected", "Expired", "Approved"]
    work.hold.now += 3600
    work.desk.turn()
    assert [place(work, item) for item in gone] == ["gone"] * 3
    assert [place(work, item) for item in (shunted, waiting)] == ["Shunted", "Expired"]
    assert [now(work, item).state for item in gone] == [State.REJECTED, State.EXPIRED, State.RELEASED]
    assert work.hold.ledger.agenda.finished_before(work.hold.now) == (now(work, waiting),)


def test_delivery_reports_are_deleted_after_their_days(work: Deskwork) -> None:
    ticket = seal(Ticket(Kind.BOUNCE, NOW, 1, digest("group-sales")), KEYS)
    names = [work.arrived(f"bounce+{ticket}", name) for name in ("17.old.mx", "17.new.mx")]
    work.desk.turn()
    old = NOW - 31 * DAY
    os.utime(work.hold.mailbox.find(names[0]), (old, old))
    os.utime(work.hold.mailbox.find(names[1]), (NOW, NOW))
    work.hold.now += 3600
    work.desk.turn()
    assert [work.hold.place(name) for name in names] == ["gone", "Reports"]


def test_many_are_tidied_in_one_go_and_one_that_cant_be_deleted_costs_nothing(
    work: Deskwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groupmilter.moderation.tidying._PAGE", 3)
    items = [held(work, number) for number in range(7)]
    for item in items:
        work.hold.ledger.change(item.id, Event.REJECT, ANNA, NOW)
    while work.desk.turn():
        pass
    (stuck,) = (work.hold.mailbox.path / ".Rejected" / "cur").glob(f"{items[0].arrival.file}*")
    stuck.unlink()
    stuck.mkdir()
    work.hold.now = NOW + 31 * DAY
    for _ in range(10):
        if not work.desk.turn():
            break
    else:
        pytest.fail("the desk never comes to rest")
    assert [place(work, item) for item in items] == ["Rejected"] + ["gone"] * 6


def test_what_a_crash_left_between_ledger_and_folders_is_settled_at_the_next_start(work: Deskwork) -> None:
    items = [held(work, number) for number in range(3)]
    for item, event in zip(items, (Event.REJECT, Event.EXPIRE, Event.SHUNT), strict=True):
        work.hold.ledger.change(item.id, event, ANNA, NOW)
    work.hold.mailbox.find(items[1].arrival.file).rename(
        work.hold.mailbox.path / "new" / items[1].arrival.file
    )
    fresh = replace(work.desk, _begun=False, _seen=work.hold.ledger.newest())
    fresh.turn()
    assert [place(work, item) for item in items] == ["Rejected", "Expired", "Shunted"]


def test_what_nobody_was_asked_about_before_a_crash_is_asked_about_at_the_next_start(work: Deskwork) -> None:
    one, two = held(work, 1, noticed=False), held(work, 2)
    work.played.asked.clear()
    replace(work.desk, _begun=False).turn()
    assert work.played.asked == [("request", one.name)]
    assert two.noticed


def test_the_start_is_tried_again_until_the_directory_is_known(work: Deskwork) -> None:
    item = held(work, noticed=False)
    work.played.asked.clear()
    work.played.failing = [DirectoryUnknown("mirror too old")] * 3
    fresh = replace(work.desk, _begun=False)
    for _ in range(5):
        fresh.turn()
    assert work.played.asked == [("request", item.name)]
    assert work.lines("error") == ["desk can't go on with a step"]


def test_while_the_directory_is_unknown_mail_waits_in_the_inbox_and_decisions_are_carried_out(
    work: Deskwork,
) -> None:
    item = held(work)
    work.directory.unknown = DirectoryUnknown("mirror too old")
    names = [work.hold.delivered(work.hold.ticket(number)) for number in range(2, 12)]
    work.hold.ledger.change(item.id, Event.REJECT, ANNA, NOW)
    for _ in range(3):
        work.desk.turn()
    assert place(work, item) == "Held", "its sender couldn't be told yet, which a restart must not forget"
    assert {work.hold.place(name) for name in names} == {"inbox"}
    assert len(work.lines("error")) == 2, "not one for each file: taking in, and telling the sender"
    work.directory.unknown = None
    work.desk.turn()
    assert place(work, item) == "Rejected"
    assert {work.hold.place(name) for name in names} == {"Held"}


def test_without_the_ledger_nothing_is_lost_and_one_line_says_so(work: Deskwork) -> None:
    name = work.hold.delivered(work.hold.ticket(1))
    work.desk.turn()
    state, aside = work.hold.folder / "state.db", work.hold.folder / "aside.db"
    state.rename(aside)
    later = [work.hold.delivered(work.hold.ticket(number)) for number in (2, 3)]
    for _ in range(3):
        work.desk.turn()
    assert {work.hold.place(one) for one in later} == {"inbox"}
    steps = [line["step"] for line in work.capture.entries if line["log_level"] == "error"]
    assert len(steps) == len(set(steps))
    aside.rename(state)
    work.desk.turn()
    assert {work.hold.place(one) for one in (name, *later)} == {"Held"}


def test_files_that_cant_be_taken_in_keep_none_behind_them_waiting(
    work: Deskwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("groupmilter.moderation.desk._AT_ONCE", 3)
    new = work.hold.mailbox.path / "new"
    for number in range(7):
        (new / f"16.{number}.mx").mkdir()
    names = [work.hold.delivered(work.hold.ticket(number)) for number in range(10)]
    for _ in range(20):
        work.desk.turn()
    assert {work.hold.place(name) for name in names} == {"Held"}
    (new / "16.3.mx").rmdir()
    (new / "16.3.mx").write_bytes(work.hold.octets(work.hold.ticket(99)))
    for _ in range(10):
        work.desk.turn()
    assert work.hold.place("16.3.mx") == "Held"


def test_killed_before_the_record_is_on_disk_no_file_has_moved(
    work: Deskwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [work.hold.delivered(work.hold.ticket(number)) for number in range(3)]

    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        if len(work.hold.ledger.items(set(State))) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Played, "ask", killed)
        with pytest.raises(Killed):
            work.desk.turn()
    assert {work.hold.place(name) for name in names} == {"inbox"}
    assert work.hold.items() == {}
    work.desk.turn()
    assert {work.hold.place(name) for name in names} == {"Held"}


def test_the_groups_sender_learns_of_the_outcome_if_he_is_proven(work: Deskwork) -> None:
    ticket = seal(Ticket(Kind.HOLD, NOW, 1, digest("group-sales"), digest("person-bert"), 4), KEYS)
    octets = work.hold.octets(ticket).replace(
        b"Return-Path: <client@outside.example>", b"Return-Path: <bert@example.org>"
    )
    path = work.hold.mailbox.path / "new" / "17.1.mx"
    path.write_bytes(octets)
    stranger = held(work, 2)
    work.desk.turn()
    proven = work.hold.items()["17.1.mx"]
    for item in (proven, stranger):
        work.hold.ledger.change(item.id, Event.REJECT, ANNA, NOW, comment="not here")
    for _ in range(2):
        work.desk.turn()
    told = [(letter.kind, letter.address) for letter in work.hold.ledger.letters.due(NOW)]
    assert told == [("rejected", "bert@example.org")], "never whoever isn't proven"
    assert proven.terms.group_address == SALES
    assert list(work.hold.mailbox.names(Folder.REJECTED))
