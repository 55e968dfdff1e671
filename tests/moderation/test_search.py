"""Finding items: by a part of the name, by file, by mail, by what they left as; page after page."""

from __future__ import annotations

import pytest
from tests.moderation.ledgers import GROUP, NOW, arrival, recorded

from groupmilter.moderation import search as search_module
from groupmilter.moderation.item import DESK, Event, State, Way, Who
from groupmilter.moderation.ledger import Ledger, Letter

JEAN = Who("jean@own.example", Way.MAIL)


def test_by_the_beginning_of_a_name(ledger: Ledger) -> None:
    items = [recorded(ledger, number) for number in range(40)]
    for item in items:
        assert ledger.search.named(item.name) == ledger.search.named(item.name.upper()) == (item,)
    alike = ledger.search.named(items[0].name[:1], limit=50)
    assert set(alike) == {item for item in items if item.name[0] == items[0].name[0]}
    assert len(ledger.search.named("", limit=7)) == 7
    for strange in ("%", "_", "'", "zzzzzzzzzz"):
        assert ledger.search.named(strange) == ()


def test_by_file(ledger: Ledger) -> None:
    first, second = recorded(ledger, 1), recorded(ledger, 2)
    assert ledger.search.by_files([first.arrival.file, "none"]) == {first.arrival.file: first}
    assert ledger.search.known_files([second.arrival.file, "none"]) == {second.arrival.file}


def test_all_pages_each_item_once(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "_PAGE", 3)
    items = [recorded(ledger, number) for number in range(10)]
    other = ledger.record(
        arrival(99), items[0].terms.__class__(group_address="other@own.example"), State.HELD, NOW
    ).item
    assert list(ledger.search.each({State.HELD})) == [*items, other]
    assert list(ledger.search.each({State.HELD}, group=GROUP)) == items
    assert list(ledger.search.each({State.HELD}, newest=items[4].id)) == items[:5]
    assert list(ledger.search.each({State.REJECTED})) == []
    ledger.mark(items[0].id, noticed=NOW)
    assert [item.id for item in ledger.search.unasked()] == [item.id for item in (*items[1:], other)]


def test_all_pages_though_items_leave_the_state_meanwhile(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_module, "_PAGE", 2)
    ids = [recorded(ledger, number).id for number in range(7)]
    seen = []
    for item in ledger.search.each({State.HELD}):
        ledger.change(item.id, Event.APPROVE, JEAN, NOW)
        seen.append(item.id)
    assert seen == ids


def test_counts(ledger: Ledger) -> None:
    assert ledger.search.counts() == {}
    assert ledger.search.newest() == 0
    held, gone = recorded(ledger, 1), recorded(ledger, 2)
    ledger.change(gone.id, Event.REJECT, JEAN, NOW)
    assert ledger.search.counts() == {State.HELD: 1, State.REJECTED: 1}
    assert ledger.search.counts(group="nobody@own.example") == {}
    assert (ledger.search.newest(), held.id) == (gone.id, 1)


def test_by_mail_and_by_the_queue_id_it_left_with(ledger: Ledger) -> None:
    item = recorded(ledger, 1)
    assert ledger.search.of_mail(message_id=item.arrival.message_id) == (item,)
    assert ledger.search.of_mail(queue_id=item.arrival.queue_id) == (item,)
    assert ledger.search.sent_out_as("4F2A0B3C5D") == ()
    ledger.change(item.id, Event.APPROVE, JEAN, NOW)
    ledger.change(item.id, Event.RELEASE, DESK, NOW, note="4F2A0B3C5D")
    assert [found.id for found in ledger.search.sent_out_as("4F2A0B3C5D")] == [item.id]
    assert ledger.search.sent_out_as("%") == ()


def test_what_was_written_about_an_item(ledger: Ledger) -> None:
    item = recorded(ledger, 1)
    address = "jean@own.example"
    ledger.letters.plan((Letter(0, item.id, "request", address, "Jean", "fr", "u", 0, NOW, ""),))
    one = ledger.letters.due(NOW)[0]
    ledger.letters.failed(one, NOW, "450 later")
    (posted,) = ledger.search.letters_about(item.id)
    assert (posted.kind, posted.address, posted.attempts) == ("request", address, 1)
    assert (posted.next_attempt, posted.sent, posted.why) == (NOW + 30, 0, "450 later")


def test_the_newest_rows_in_the_order_in_which_they_were_written(ledger: Ledger) -> None:
    for number in range(5):
        ledger.note("allow-sender", JEAN, NOW + number, group=GROUP, detail=str(number))
    ledger.note("token-forged", DESK, NOW + 9)
    newest = ledger.search.newest_audit(limit=3)
    assert [row.detail for row in newest] == ["3", "4", ""]
    assert [row.detail for row in ledger.search.newest_audit(group=GROUP, since=NOW + 3)] == ["3", "4"]
    assert len(ledger.search.newest_audit(action="token-forged")) == 1
    assert ledger.search.newest_audit(item="none") == ()
