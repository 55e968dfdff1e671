"""A ledger made anew from the hold mailbox alone: what each folder says, what is twice, what can't be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.moderation.holding import SALES, SETTINGS, Holding, holding
from tests.moderation.ledgers import KEYS, NOW

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import (
    Action,
    Keys,
    Kind,
    Ticket,
    Token,
    digest,
    seal,
    seal_token,
    unseal_token,
)
from groupmilter.moderation.arrival import read_arrival
from groupmilter.moderation.item import Event, State, Way, Who
from groupmilter.moderation.mailbox import Folder
from groupmilter.moderation.rebuilding import ORDER
from groupmilter.moderation.terms import terms

HOUR = 3600
ROOT = Who("root", Way.COMMAND, origin="pts/0")


@pytest.fixture
def hold(tmp_path: Path) -> Iterator[Holding]:
    with holding(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("folder", "kind", "state", "place"),
    [
        (Folder.INBOX, Kind.HOLD, State.HELD, "Held"),
        (Folder.HELD, Kind.HOLD, State.HELD, "Held"),
        (Folder.HELD, Kind.SPLIT, State.APPROVED, "Held"),
        (Folder.INBOX, Kind.REFUSE, State.APPROVED, "Held"),
        (Folder.APPROVED, Kind.HOLD, State.RELEASED, "Approved"),
        (Folder.APPROVED, Kind.SPLIT, State.RELEASED, "Approved"),
        (Folder.REJECTED, Kind.HOLD, State.REJECTED, "Rejected"),
        (Folder.REJECTED, Kind.REFUSE, State.REPORTED, "Rejected"),
        (Folder.EXPIRED, Kind.HOLD, State.EXPIRED, "Expired"),
        (Folder.SHUNTED, Kind.HOLD, State.SHUNTED, "Shunted"),
    ],
)
def test_the_folder_tells_the_state(
    hold: Holding, folder: Folder, kind: Kind, state: State, place: str
) -> None:
    name = hold.delivered(hold.ticket(1, kind), folder, subject="what became of me")
    assert hold.rebuild(ROOT) == ["recorded"]
    item = hold.items()[name]
    assert (item.state, hold.place(name)) == (state, place)
    assert (item.terms.group_address, item.arrival.subject) == (SALES, "what became of me")
    assert item.recorded == NOW
    row = hold.ledger.search.history(item)[0]
    assert (row.action, row.actor, row.way, row.after) == ("rebuild", "root", "command", state.value)


def test_done_again_it_changes_nothing(hold: Holding) -> None:
    for number, folder in enumerate(ORDER):
        hold.delivered(hold.ticket(number), folder)
    assert hold.rebuild() == ["recorded"] * len(ORDER)
    before, newest = hold.items(), hold.ledger.newest()
    assert hold.rebuild() == []
    assert (hold.items(), hold.ledger.newest()) == (before, newest)


def test_what_the_desk_has_recorded_is_found_again_as_it_was(hold: Holding) -> None:
    """Name, digest and terms are the same after the loss as before."""
    name = hold.delivered(hold.ticket(1), Folder.HELD)
    with hold.lookups.snapshot() as directory:
        arrival = read_arrival(hold.mailbox.read(name), name, KEYS, SETTINGS.service_domain)
        first = hold.ledger.record(arrival, terms(arrival, directory, SETTINGS, NOW), State.HELD, NOW).item
    token = seal_token(
        Token(Kind.ANSWER, Action.APPROVE, NOW + HOUR, first.digest, digest("person-anna")), KEYS
    )
    (hold.folder / "lost").mkdir()
    with holding(hold.folder / "lost") as later:
        later.mailbox = hold.mailbox
        assert later.rebuild() == ["recorded"]
        again = later.items()[name]
        assert replace(again, note="") == first
        opened = unseal_token(token, KEYS)
        assert opened is not None
        assert later.ledger.by_digest(opened.item) == again


def test_what_has_ended_is_purged_in_its_time(hold: Holding) -> None:
    name = hold.delivered(hold.ticket(1), Folder.REJECTED)
    hold.rebuild()
    item = hold.items()[name]
    assert item.finished == item.decided == hold.mailbox.time(name)
    assert hold.ledger.agenda.finished_before(item.finished + 1) == (item,)


def test_nothing_expires_before_somebody_was_asked_again(hold: Holding) -> None:
    hold.now = NOW + 365 * 24 * HOUR
    old = hold.delivered(hold.ticket(1), Folder.HELD)
    fresh = hold.delivered(hold.ticket(2, time=hold.now - HOUR), Folder.HELD)
    hold.rebuild()
    items = hold.items()
    assert items[old].terms.expires == hold.now + 24 * HOUR
    assert items[old].terms.remind == 0
    assert items[fresh].terms.expires == hold.now - HOUR + SETTINGS.hold_hours * HOUR
    assert items[fresh].terms.remind > hold.now


def test_a_second_copy_goes_and_a_second_content_is_shunted(hold: Holding) -> None:
    ticket = hold.ticket(1)
    first, again = hold.delivered(ticket, Folder.HELD), hold.delivered(ticket, Folder.HELD)
    other = hold.delivered(ticket, Folder.HELD, body="another text\n")
    assert hold.rebuild() == ["recorded", "duplicate", "shunted"]
    assert [hold.place(name) for name in (first, again, other)] == ["Held", "gone", "Shunted"]
    shunted = hold.items()[other]
    assert (shunted.state, shunted.note) == (
        State.SHUNTED, "a ticket that was used for another message",
    )  # fmt: skip


def test_a_copy_of_what_was_released_is_not_held_again(hold: Holding) -> None:
    ticket = hold.ticket(1)
    left, released = hold.delivered(ticket, Folder.HELD), hold.delivered(ticket, Folder.APPROVED)
    assert hold.rebuild() == ["recorded", "duplicate"]
    assert (hold.place(left), hold.items()[released].state) == ("gone", State.RELEASED)


def test_a_file_is_taken_for_the_items_own_where_that_is_gone(hold: Holding) -> None:
    ticket = hold.ticket(1)
    first = hold.delivered(ticket, Folder.HELD)
    hold.rebuild()
    hold.mailbox.remove(first)
    second = hold.delivered(ticket, Folder.HELD)
    assert hold.rebuild() == ["recorded"]
    assert list(hold.items()) == [second]


def test_what_has_no_ticket_of_ours_is_shunted_and_never_deleted(hold: Holding) -> None:
    stranger = hold.delivered("a" * 59, Folder.HELD)
    foreign = hold.delivered(hold.ticket(1, group="group-gone"), Folder.HELD)
    garbage = hold.delivered(hold.ticket(2), Folder.HELD)
    hold.mailbox.find(garbage).write_bytes(b"\0\xff" * 500)
    assert hold.rebuild() == ["shunted"] * 3
    items = hold.items()
    assert "no ticket of ours" in items[stranger].note
    assert items[foreign].note == "its group is gone"
    assert {hold.place(name) for name in (stranger, foreign, garbage)} == {"Shunted"}


def test_answers_and_strangers_in_the_inbox_are_left_to_the_desk(hold: Holding) -> None:
    answer = hold.delivered(hold.ticket(1, Kind.ANSWER))
    stranger = hold.delivered("no-ticket")
    assert hold.rebuild() == ["left", "left"]
    assert {hold.place(answer), hold.place(stranger)} == {"inbox"}
    assert hold.items() == {}


def test_one_file_that_cant_be_read_keeps_no_other_back(hold: Holding) -> None:
    bad, good = hold.delivered(hold.ticket(1), Folder.HELD), hold.delivered(hold.ticket(2), Folder.HELD)
    path = hold.mailbox.find(bad)
    path.unlink()
    path.mkdir()
    assert hold.rebuild() == ["unreadable", "recorded"]
    assert list(hold.items()) == [good]


def test_without_a_directory_nothing_is_recorded(hold: Holding) -> None:
    hold.delivered(hold.ticket(1), Folder.HELD)
    (hold.folder / "mirror.db").rename(hold.folder / "away.db")
    with pytest.raises(DirectoryUnknown):
        hold.rebuild()
    assert hold.items() == {}


def test_a_decision_stands_where_a_file_comes_in_once_more(hold: Holding) -> None:
    ticket = hold.ticket(1)
    name = hold.delivered(ticket, Folder.HELD)
    hold.rebuild()
    hold.ledger.change(hold.items()[name].id, Event.REJECT, ROOT, NOW)
    again = hold.delivered(ticket, Folder.INBOX)
    assert hold.rebuild() == ["duplicate"]
    assert hold.place(again) == "gone"
    assert hold.items()[name].state is State.REJECTED


def test_what_no_key_opened_is_held_again_once_the_key_is_back(hold: Holding) -> None:
    foreign = Keys({2: b"f" * 32}, 2)
    sealed = seal(Ticket(Kind.HOLD, NOW, 1, digest("group-sales")), foreign)
    split = seal(Ticket(Kind.SPLIT, NOW, 2, digest("group-sales")), foreign)
    name, other = hold.delivered(sealed, Folder.HELD), hold.delivered(split, Folder.HELD)
    twice = hold.delivered(hold.ticket(3), Folder.HELD)
    conflicting = hold.delivered(hold.ticket(3), Folder.HELD, body="another\n")
    assert hold.rebuild() == ["shunted", "shunted", "recorded", "shunted"]
    assert hold.rebuilding().reopen() == 0, "nothing has changed yet"
    before = hold.items()[name]
    both = replace(hold.rebuilding(ROOT), keys=Keys({**KEYS.keys, **foreign.keys}, 1))
    assert both.reopen() == 2
    assert both.reopen() == 0
    items = hold.items()
    assert [items[one].state for one in (name, other, twice, conflicting)] == [
        State.HELD, State.APPROVED, State.HELD, State.SHUNTED,
    ]  # fmt: skip
    assert (hold.place(name), hold.place(conflicting)) == ("Held", "Shunted")
    again = items[name]
    assert (again.id, again.arrival.ticket, again.terms.group_address) == (before.id, sealed, SALES)
    assert again.digest == digest(sealed), "letters that name the ticket find it"
    row = hold.ledger.search.history(again)[-1]
    assert (row.action, row.before, row.after, row.detail) == (
        "reopen",
        "shunted",
        "held",
        f"was {before.name}",
    )


def test_what_a_human_has_decided_about_is_not_opened_again(hold: Holding) -> None:
    foreign = Keys({2: b"f" * 32}, 2)
    name = hold.delivered(seal(Ticket(Kind.HOLD, NOW, 1, digest("group-sales")), foreign), Folder.HELD)
    hold.rebuild()
    hold.ledger.change(hold.items()[name].id, Event.REJECT, ROOT, NOW)
    assert replace(hold.rebuilding(), keys=foreign).reopen() == 0
    assert hold.items()[name].state is State.REJECTED
