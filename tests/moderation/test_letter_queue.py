"""Letters in the ledger: planned once, due in order, counted as pieces of mail."""

from __future__ import annotations

from dataclasses import replace

from tests.moderation.ledgers import NOW

from groupmilter.moderation.ledger import Ledger, Letter

JEAN = "jean@own.example"


def letter(item: int = 1, kind: str = "request", address: str = JEAN, planned: int = NOW) -> Letter:
    return Letter(0, item, kind, address, "Jean", "fr", "uuid-jean", 0, planned, "detail")


def test_a_letter_is_planned_once_for_an_item_kind_and_address(ledger: Ledger) -> None:
    letters = ledger.letters
    assert letters.plan([letter(), letter(), letter(kind="reminder"), letter(address="bob@own.example")]) == 3
    assert letters.plan([letter(), letter(item=2)]) == 1
    first = letters.due(NOW)[0]
    assert replace(first, id=0) == letter()
    letters.sent([first.id], NOW)
    assert letters.plan([letter()]) == 0, "sent once is sent"


def test_what_is_about_no_item_is_planned_each_time(ledger: Ledger) -> None:
    assert ledger.letters.plan([letter(item=0, kind="invalid"), letter(item=0, kind="invalid")]) == 2


def test_due_letters_come_the_longest_waiting_first(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(item=number) for number in range(1, 5)])
    one, two, three, four = letters.due(NOW)
    letters.failed(one.id, NOW + 30, "450 4.2.1 later")
    letters.failed(two.id, NOW + 10, "450 4.2.1 later")
    assert letters.due(NOW + 9) == (three, four)
    assert letters.due(NOW + 30, limit=3) == (three, four, replace(two, attempts=1))
    letters.sent([three.id], NOW)
    assert [one.item_id for one in letters.due(NOW + 30)] == [4, 2, 1]


def test_unsent_letters_about_a_decided_item_are_dropped(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(), letter(kind="decided"), letter(item=2), letter(address="bob@own.example")])
    letters.sent([letters.due(NOW)[0].id], NOW)
    assert letters.drop(1, {"request", "reminder"}) == 1
    assert letters.drop(1, {"request", "reminder"}) == 0
    assert [(one.item_id, one.kind) for one in letters.due(NOW)] == [(1, "decided"), (2, "request")]


def test_an_hour_counts_pieces_of_mail_that_ask_and_a_summary_is_one(ledger: Ledger) -> None:
    letters = ledger.letters
    letters.plan([letter(item=number) for number in range(1, 8)])
    letters.plan([letter(item=1, kind="decided"), letter(item=9, address="bob@own.example")])
    ids = [one.id for one in letters.due(NOW)]
    letters.sent([ids[0]], NOW - 3601)
    letters.sent([ids[1]], NOW - 10)
    letters.sent(ids[2:6], NOW)
    letters.sent([ids[7]], NOW)
    assert letters.sent_since(JEAN, NOW - 3601) == 2
    assert letters.sent_since(JEAN, NOW - 3602) == 3
    assert letters.sent_since("bob@own.example", 0) == 0
    letters.sent([], NOW)
