"""Taking in what the MTA has delivered: recorded and filed once, whatever comes, and whatever breaks in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.moderation.deskwork import Deskwork, deskwork
from tests.moderation.holding import SALES
from tests.moderation.ledgers import KEYS, NOW

from groupmilter.groups.directory import DirectoryUnknown
from groupmilter.groups.ticket import Keys, Kind, Ticket, digest, seal
from groupmilter.moderation.item import DESK, Event, Item, State
from groupmilter.moderation.ledger import Ledger, LedgerUnavailable
from groupmilter.moderation.mailbox import Folder, Maildir


@pytest.fixture
def work(tmp_path: Path) -> Iterator[Deskwork]:
    with deskwork(tmp_path) as made:
        yield made


def only(work: Deskwork) -> Item:
    (item,) = work.hold.items().values()
    return item


def test_a_held_message_is_recorded_asked_about_and_filed(work: Deskwork) -> None:
    name = work.hold.delivered(work.hold.ticket(1), subject="the quarter")
    work.take(name)
    item = only(work)
    assert (item.state, item.arrival.file, item.arrival.subject) == (State.HELD, name, "the quarter")
    assert (item.terms.group_address, item.arrival.return_path) == (SALES, "client@outside.example")
    assert work.hold.place(name) == "Held"
    assert work.played.asked == [("request", item.name)]
    assert work.lines() == ["recorded"]


@pytest.mark.parametrize("kind", [Kind.SPLIT, Kind.REFUSE])
def test_what_nobody_decides_about_is_approved_and_nobody_is_asked(work: Deskwork, kind: Kind) -> None:
    name = work.hold.delivered(work.hold.ticket(1, kind))
    work.take(name)
    assert (only(work).state, work.hold.place(name), work.played.asked) == (State.APPROVED, "Held", [])


def test_a_second_copy_of_one_ticket_is_one_item(work: Deskwork) -> None:
    ticket = work.hold.ticket(1)
    first, second = work.hold.delivered(ticket), work.hold.delivered(ticket)
    for name in (first, second, first):
        work.take(name)
    assert (only(work).arrival.file, work.hold.place(first), work.hold.place(second)) == (
        first,
        "Held",
        "gone",
    )
    assert work.lines("warning") == ["delivered twice into the hold mailbox"]


def test_a_second_copy_takes_the_place_of_a_file_that_is_gone(work: Deskwork) -> None:
    ticket = work.hold.ticket(1)
    first, second = work.hold.delivered(ticket), work.hold.delivered(ticket)
    work.take(first)
    work.hold.mailbox.remove(first)
    work.take(second)
    assert (only(work).arrival.file, work.hold.place(second)) == (second, "Held")
    assert b"text" in work.hold.mailbox.read(only(work).arrival.file)


def test_a_copy_of_what_has_ended_is_not_kept(work: Deskwork) -> None:
    ticket = work.hold.ticket(1)
    first, second = work.hold.delivered(ticket), work.hold.delivered(ticket)
    work.take(first)
    work.hold.ledger.change(only(work).id, Event.REJECT, DESK, NOW)
    work.hold.mailbox.remove(first)
    work.take(second)
    assert (only(work).state, work.hold.place(second)) == (State.REJECTED, "gone")


def test_one_ticket_with_another_content_is_shunted_and_both_are_kept(work: Deskwork) -> None:
    ticket = work.hold.ticket(1)
    first = work.hold.delivered(ticket)
    second = work.hold.delivered(ticket, body="something else\n")
    third = work.hold.delivered(ticket, body="something else\n")
    for name in (first, second, third, second):
        work.take(name)
    items = work.hold.items()
    assert {name: item.state for name, item in items.items()} == {
        first: State.HELD, second: State.SHUNTED, third: State.SHUNTED
    }  # fmt: skip
    assert items[second].note == "a ticket that was used for another message"
    assert [work.hold.place(name) for name in (first, second, third)] == ["Held", "Shunted", "Shunted"]
    assert len(work.played.asked) == 1, "nobody can approve what was not shown"


OTHERS = Keys({2: b"x" * 32}, 2)


@pytest.mark.parametrize(
    "local",
    [
        "unprocessed", "hold+", "hold+garbage", "postmaster", "approve+x", "release", "bounce+garbage", "",
        f"hold+{seal(Ticket(Kind.HOLD, NOW, 1, digest('group-sales')), OTHERS)}",
        f"hold+{seal(Ticket(Kind.RELEASE, NOW, 1, digest('group-sales')), KEYS)}",
        f"hold+{seal(Ticket(Kind.BOUNCE, NOW, 1, digest('group-sales')), KEYS)}",
        f"bounce+{seal(Ticket(Kind.HOLD, NOW, 1, digest('group-sales')), KEYS)}",
        "hold+\udce9\udcff", "h\udcc3ld",
    ],
)  # fmt: skip
def test_whatever_has_no_ticket_of_ours_is_shunted(work: Deskwork, local: str) -> None:
    name = work.arrived(local)
    work.take(name)
    assert (only(work).state, work.hold.place(name), work.played.asked) == (State.SHUNTED, "Shunted", [])
    assert only(work).note.startswith("no ticket of ours")
    work.take(name)
    assert len(work.hold.items()) == 1


@pytest.mark.parametrize(
    "octets", [b"", b"\n", b"\0", b"\xff" * 1000, b"Return-Path: <>\nDelivered-To: ", b"no colon"]
)
def test_a_file_that_is_no_message_is_shunted(work: Deskwork, octets: bytes) -> None:
    (work.hold.mailbox.path / "new" / "17.1.mx").write_bytes(octets)
    work.take("17.1.mx")
    assert (only(work).state, work.hold.place("17.1.mx")) == (State.SHUNTED, "Shunted")
    assert work.hold.mailbox.read("17.1.mx") == octets


def test_mail_to_a_group_that_came_past_the_milter_can_be_let_through_to_it(work: Deskwork) -> None:
    names = [
        work.arrived("unprocessed", f"17.{n}.mx", original=address)
        for n, address in enumerate(
            ("Sales@Example.ORG", "news@example.org", "anna@example.org", "who@example.org")
        )
    ]
    for name in names:
        work.take(name)
    items = work.hold.items()
    groups = [items[name].terms.group_address for name in names]
    assert groups == ["sales@example.org", "news@example.org", "", ""]
    assert [items[name].arrival.group for name in names] == [
        digest("group-sales"),
        digest("group-news"),
        0,
        0,
    ]
    assert {item.arrival.strength for item in items.values()} == {0}, "nobody is proven"
    assert items[names[0]].note == "no ticket of ours: Sales@Example.ORG"


def test_a_group_that_is_gone_leaves_its_mail_to_a_human(work: Deskwork) -> None:
    name = work.hold.delivered(work.hold.ticket(1, group="group-gone"))
    work.take(name)
    assert (only(work).state, only(work).note, work.hold.place(name)) == (
        State.SHUNTED, "its group is gone", "Shunted"
    )  # fmt: skip


def test_a_moderators_answer_is_taken_and_forgotten(work: Deskwork) -> None:
    ticket = seal(Ticket(Kind.ANSWER, NOW, 1, digest("t"), digest("person-anna"), 4), KEYS)
    name = work.arrived(f"hold+{ticket}")
    work.take(name)
    assert [answer.kind for answer in work.played.answers] == [Kind.ANSWER]
    assert (work.hold.items(), work.hold.place(name)) == ({}, "gone")


def test_a_delivery_report_is_filed_and_holds_nobody_up(work: Deskwork) -> None:
    ticket = seal(Ticket(Kind.BOUNCE, NOW, 1, digest("group-sales")), KEYS)
    name = work.arrived(f"bounce+{ticket}")
    work.take(name)
    assert (work.hold.items(), work.hold.place(name)) == ({}, "Reports")
    assert work.hold.ledger.waiting().total == 0, "reports don't fill the quota"


@pytest.mark.parametrize("local", ["hold", "bounce", "unprocessed"])
def test_while_the_directory_is_unknown_mail_stays_and_is_taken_again(work: Deskwork, local: str) -> None:
    kinds = {"hold": Kind.HOLD, "bounce": Kind.BOUNCE}
    ticket = seal(Ticket(kinds[local], NOW, 1, digest("group-sales")), KEYS) if local in kinds else ""
    name = work.arrived(f"{local}+{ticket}" if ticket else local, original=SALES)
    work.directory.unknown = DirectoryUnknown("mirror too old")
    if local != "bounce":
        with pytest.raises(DirectoryUnknown):
            work.take(name)
        assert (work.hold.items(), work.hold.place(name)) == ({}, "inbox")
    work.directory.unknown = None
    work.take(name)
    assert work.hold.place(name) == {"hold": "Held", "bounce": "Reports", "unprocessed": "Shunted"}[local]


def test_without_the_ledger_mail_stays_and_is_taken_again(work: Deskwork) -> None:
    name = work.hold.delivered(work.hold.ticket(1))
    state = work.hold.folder / "state.db"
    state.rename(work.hold.folder / "elsewhere.db")
    with pytest.raises(LedgerUnavailable):
        work.take(name)
    assert work.hold.place(name) == "inbox"
    (work.hold.folder / "elsewhere.db").rename(state)
    work.take(name)
    assert work.hold.place(name) == "Held"


def test_a_crash_between_the_steps_only_repeats_them(work: Deskwork, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before recording, before asking, before filing: the next attempt ends in the same state."""

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    name = work.hold.delivered(work.hold.ticket(1))
    for place, method in ((Ledger, "record"), (type(work.played), "ask"), (Maildir, "move")):
        with monkeypatch.context() as patched:
            patched.setattr(place, method, killed)
            with pytest.raises(Killed):
                work.take(name)
        assert work.hold.place(name) == "inbox"
    work.take(name)
    item = only(work)
    assert (item.state, work.hold.place(name)) == (State.HELD, "Held")
    assert [row.action for row in work.hold.ledger.audit()] == ["record"]


def test_what_was_decided_before_it_was_filed_goes_where_it_belongs(
    work: Deskwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = work.hold.delivered(work.hold.ticket(1))
    with monkeypatch.context() as patched:
        patched.setattr(Maildir, "move", lambda *_: (_ for _ in ()).throw(OSError("no")))
        with pytest.raises(OSError, match="no"):
            work.take(name)
    work.hold.ledger.change(only(work).id, Event.REJECT, DESK, NOW)
    work.played.asked.clear()
    work.take(name)
    assert (work.hold.place(name), work.played.asked) == ("Rejected", [])


def test_a_surprise_is_shunted_for_a_human_and_the_next_goes_on(work: Deskwork) -> None:
    one, two = work.hold.delivered(work.hold.ticket(1)), work.hold.delivered(work.hold.ticket(2))
    work.played.failing = [ZeroDivisionError("odd")]
    work.take(one)
    work.take(two)
    items = work.hold.items()
    assert {name: (item.state, work.hold.place(name)) for name, item in items.items()} == {
        one: (State.SHUNTED, "Shunted"), two: (State.HELD, "Held")
    }  # fmt: skip
    assert items[one].note == "surprise: ZeroDivisionError: odd"
    assert "surprise at held mail" in work.lines("error")


def test_a_surprise_at_an_answer_is_shunted_too(work: Deskwork) -> None:
    ticket = seal(Ticket(Kind.ANSWER, NOW, 1, digest("t"), digest("person-anna"), 4), KEYS)
    name = work.arrived(f"hold+{ticket}")
    work.played.failing = [ValueError("odd")]
    work.take(name)
    assert (only(work).state, work.hold.place(name)) == (State.SHUNTED, "Shunted")


def test_what_is_gone_meanwhile_is_nobodys(work: Deskwork) -> None:
    work.take("17.gone.mx")
    assert (work.hold.items(), work.lines()) == ({}, ["gone from the hold mailbox"])


def test_a_file_that_cant_be_read_stays_where_it_is(work: Deskwork) -> None:
    (work.hold.mailbox.path / "new" / "17.1.mx").mkdir()
    with pytest.raises(OSError, match="no regular file"):
        work.take("17.1.mx")
    assert list(work.hold.mailbox.names(Folder.INBOX)) == ["17.1.mx"]
