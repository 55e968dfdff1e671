"""Letters in the ledger: planned once, due in order, counted as pieces of mail."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from tests.moderation.ledgers import NOW, recorded

from groupmilter.moderation.ledger import Ledger, Letter
from groupmilter.moderation.pacing import Piece

JEAN = "jean@own.example"


def letter(item: int = 1, kind: str = "request", address: str = JEAN, planned: int = NOW) -> Letter:
    return Letter(0, item, kind, address, "Jean", "fr", "uuid-jean", 0, planned, "detail")


def test_a_letter_is_planned_once_for_an_item_kind_and_address(ledger: Ledger) -> None:
    letters = ledger.letters
    assert letters.plan([letter(), letter(), letter(kind="decided"), letter(address="bob@own.example")]) == 3
    assert letters.plan([letter(), letter(item=2)]) == 1
    first = letters.due(NOW)[0]
    assert replace(first, id=0) == letter()
    letters.sent([first.id], NOW)
    assert letters.plan([letter()]) == 0, "sent once is sent"


def test_nobody_is_reminded_of_what_he_still_has_to_be_asked_about(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter()])
    assert letters.plan([letter(kind="reminder")]) == 0
    assert letters.plan([letter(kind="reminder", address="bob@own.example")]) == 1
    letters.sent([letters.due(NOW)[0].id], NOW)
    assert letters.plan([letter(kind="reminder"), letter(kind="reminder")]) == 1


def test_what_is_about_no_item_is_planned_each_time(ledger: Ledger) -> None:
    assert ledger.letters.plan([letter(item=0, kind="invalid"), letter(item=0, kind="invalid")]) == 2


def test_due_letters_come_the_longest_waiting_first(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(item=number) for number in range(1, 5)])
    one, two, three, four = letters.due(NOW)
    letters.failed(one, NOW + 20, "450 4.2.1 later")
    letters.failed(two, NOW, "450 4.2.1 later")
    assert letters.due(NOW + 29) == (three, four)
    assert letters.due(NOW + 50, limit=3) == (three, four, replace(two, attempts=1))
    letters.sent([three.id], NOW)
    assert [one.item_id for one in letters.due(NOW + 50)] == [4, 2, 1]


def test_unsent_letters_about_a_decided_item_are_dropped(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(), letter(kind="decided"), letter(item=2), letter(address="bob@own.example")])
    letters.sent([letters.due(NOW)[0].id], NOW)
    assert letters.drop((1,), {"request", "reminder"}) == 1
    assert letters.drop((1,), {"request", "reminder"}) == 0
    assert [(one.item_id, one.kind) for one in letters.due(NOW)] == [(1, "decided"), (2, "request")]


def test_a_failed_letter_is_tried_later_and_later(ledger: Ledger) -> None:
    ledger.letters.plan([letter()])
    pauses, now = [], NOW
    for _ in range(12):
        one = ledger.letters.due(2**40)[0]
        ledger.letters.failed(one, now, "450 4.2.1 later")
        seconds = range(4 * 3600 + 1)
        pauses.append(bisect_left(seconds, 1, key=lambda pause: len(ledger.letters.due(now + pause))))
    assert pauses[:4] == [30, 60, 120, 240]
    assert pauses[-2:] == [4 * 3600] * 2


def test_an_hour_counts_pieces_of_mail_and_a_summary_is_one(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(item=number) for number in range(1, 8)])
    letters.plan([letter(item=1, kind="decided"), letter(item=9, address="bob@own.example")])
    ids = [one.id for one in letters.due(NOW)]
    letters.sent([ids[0]], NOW - 3600)
    letters.sent([ids[1]], NOW - 10)
    letters.sent(ids[2:6], NOW, summary=True)
    letters.sent([ids[7]], NOW)
    assert letters.pieces(JEAN, NOW - 3600, NOW, asking=True) == (Piece(NOW - 10), Piece(NOW, summary=True))
    assert letters.pieces(JEAN, NOW - 3601, NOW, asking=True)[0] == Piece(NOW - 3600)
    assert letters.pieces(JEAN, NOW - 3600, NOW, asking=False) == (Piece(NOW),)
    assert letters.pieces("bob@own.example", 0, NOW, asking=True) == ()
    assert letters.pieces(JEAN, NOW - 4000, NOW - 60, asking=True) == (Piece(NOW - 3600),)
    letters.sent([], NOW)


def test_who_has_waited_longest_is_served_first(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(item=number) for number in range(1, 4)])
    letters.plan([letter(address="bob@own.example"), letter(kind="decided", address="anna@own.example")])
    assert letters.addresses(NOW) == (JEAN, "bob@own.example", "anna@own.example")
    letters.postpone(JEAN, NOW, NOW + 600, asking=True)
    assert letters.addresses(NOW) == ("bob@own.example", "anna@own.example")
    assert letters.addresses(NOW + 600) == ("bob@own.example", "anna@own.example", JEAN)
    assert letters.due(NOW + 600, address="anna@own.example", asking=True) == ()
    assert [one.item_id for one in letters.due(NOW + 600, address=JEAN, asking=True)] == [1, 2, 3]
    assert [one.item_id for one in letters.waiting(JEAN, 2)[0]] == [1, 2]
    assert letters.waiting(JEAN, 2)[1] == 3


def test_what_is_sent_is_on_record_with_its_item(ledger: Ledger) -> None:
    one, two, three = (recorded(ledger, number) for number in (1, 2, 3))
    ledger.letters.plan([letter(item=item.id) for item in (one, two, three)])
    first, second, _ = ledger.letters.due(NOW)
    ledger.letters.sent([first.id, second.id], NOW + 5, summary=True)
    found = [ledger.item(item.id) for item in (one, two, three)]
    assert [item.noticed for item in found if item] == [NOW + 5, NOW + 5, 0]
    rows = ledger.audit(action="request-sent")
    assert [(row.item, row.detail, row.at) for row in rows] == [
        (one.name, JEAN, NOW + 5),
        (two.name, JEAN, NOW + 5),
    ]
    ledger.letters.counted(JEAN, NOW + 6)
    found = [ledger.item(item.id) for item in (one, two, three)]
    assert [item.noticed for item in found if item] == [NOW + 5, NOW + 5, NOW + 6]


def test_a_refused_letter_is_hopeless_until_another_is_planned(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(), letter(kind="decided")])
    asking = letters.due(NOW, asking=True)[0]
    assert letters.asked(1) == {asking.uuid: True}
    letters.failed(asking, NOW, "450 4.2.1 later")
    assert letters.asked(1) == {asking.uuid: True}
    letters.failed(asking, NOW, "550 5.1.1 unknown", refused=True)
    assert letters.asked(1) == {asking.uuid: False}
    letters.plan([replace(letter(address="bob@own.example"), uuid="bob")])
    assert letters.asked(1) == {asking.uuid: False, "bob": True}
