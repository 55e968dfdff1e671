"""The ledger from above: lists by whose business they are, what was decided each day, what waits."""

from __future__ import annotations

from dataclasses import replace

from tests.moderation.ledgers import DAY, GROUP, NOW, TERMS, arrival, recorded
from tests.support.letters import untyped

from groupmilter.groups.ticket import Kind
from groupmilter.moderation.item import DESK, Event, Item, State, Way, Who
from groupmilter.moderation.journal import Filter
from groupmilter.moderation.ledger import Ledger, Letter
from groupmilter.moderation.overview import Crowd, Day, Waiting, Wanted

JEAN = Who("jean@own.example", Way.MAIL, "uuid-jean")
HELD = frozenset({State.HELD})
LETTER = Letter(0, 0, "told", "a@own.example", "A", "en", "", 0, NOW, "")


def _item(ledger: Ledger, number: int, *, group: int = 1, at: int = NOW, **terms: object) -> Item:
    came = replace(arrival(number), group=group)
    return ledger.record(came, replace(TERMS, **untyped(terms)), State.HELD, at).item


def test_pairs_of_group_and_deciders_are_few_however_many_items_there_are(ledger: Ledger) -> None:
    for number in range(1, 6):
        _item(ledger, number)
    special = _item(ledger, 6, moderators=("security@own.example",))
    other = _item(ledger, 7, group=2, group_address="other@own.example")
    found = dict(ledger.overview.scopes(HELD))
    assert {scope[0] for scope in found} == {1, 2}
    assert len(found) == 3
    waits = ledger.overview.waits()
    assert {wait.scope[0]: wait.many for wait in waits if wait.item != special} == {1: 5, 2: 1}
    assert [wait.many for wait in waits if wait.item == special] == [1]
    assert {wait.scope: wait.item for wait in waits} == found
    [scope] = [scope for scope, item in found.items() if item == special]
    assert ledger.overview.page(Wanted(HELD, (scope,))) == (special,)
    mine = tuple(scope for scope in found if scope[0] == 2)
    assert ledger.overview.page(Wanted(HELD, mine)) == (other,)
    assert ledger.overview.count(Wanted(HELD, ())) == 0
    assert ledger.overview.by_group(Wanted(HELD)) == {GROUP: 6, "other@own.example": 1}


def test_lists_come_in_pages_from_either_end(ledger: Ledger) -> None:
    items = [recorded(ledger, number) for number in range(1, 8)]
    page = ledger.overview.page
    assert page(Wanted(HELD), first=2, limit=3) == tuple(items[2:5])
    assert page(Wanted(HELD), limit=2, oldest=False) == (items[6], items[5])
    assert ledger.overview.count(Wanted(HELD)) == 7
    assert ledger.overview.count(Wanted(HELD, group="nobody@own.example")) == 0


def test_what_the_desk_sends_on_by_itself_waits_for_nobody(ledger: Ledger) -> None:
    ledger.record(replace(arrival(1), kind=Kind.SPLIT), TERMS, State.APPROVED, NOW)
    assert ledger.overview.count(Wanted(frozenset(State))) == 0
    assert ledger.overview.waited((NOW, NOW + 1)) == (Crowd(0, 0),)


def test_days_count_what_was_decided_in_a_zone(ledger: Ledger) -> None:
    midnight = NOW - NOW % DAY
    one, two, three, four = (_item(ledger, number, at=midnight - DAY) for number in range(1, 5))
    ledger.change(one.id, Event.APPROVE, JEAN, midnight - 3600)
    ledger.change(two.id, Event.REJECT, JEAN, midnight - 60)
    ledger.change(three.id, Event.EXPIRE, DESK, midnight + 60)
    ledger.change(one.id, Event.RELEASE, DESK, midnight + 60)
    day = midnight // DAY
    assert ledger.overview.days(midnight - DAY, 0) == (Day(day - 1, 1, 1), Day(day, 0, 0, 1))
    assert ledger.overview.days(midnight - DAY, 7200) == (Day(day, 1, 1, 1),)
    assert ledger.overview.days(midnight, 0) == (Day(day, 0, 0, 1),)
    times = (midnight - 2 * DAY, midnight - DAY, midnight - 3600, midnight, midnight + DAY)
    assert ledger.overview.waited(times) == (Crowd(4, 4), Crowd(3, 4), Crowd(2, 3), Crowd(1, 2))
    assert ledger.item(four.id) == four


def test_what_came_and_went_within_a_day_has_waited_too(ledger: Ledger) -> None:
    for number in range(1, 4):
        ledger.change(_item(ledger, number).id, Event.APPROVE, JEAN, NOW + 60)
    ledger.change(_item(ledger, 4, at=NOW + 60).id, Event.REJECT, JEAN, NOW + 60)
    assert ledger.overview.waited((NOW - 1, NOW + 30, NOW + 90, NOW + DAY)) == (
        Crowd(3, 3),
        Crowd(0, 4),
        Crowd(0, 0),
    )
    assert ledger.overview.waited((NOW,)) == ledger.overview.waited(()) == ()


def test_what_was_approved_and_put_aside_then_waits_again(ledger: Ledger) -> None:
    item = _item(ledger, 1)
    ledger.change(item.id, Event.APPROVE, JEAN, NOW + 10)
    ledger.change(item.id, Event.SHUNT, DESK, NOW + 20)
    assert ledger.overview.waited((NOW, NOW + 30)) == (Crowd(1, 1),)


def test_letters_that_wait_are_counted(ledger: Ledger) -> None:
    assert ledger.overview.letters() == Waiting()
    ledger.letters.plan([LETTER, replace(LETTER, planned=NOW - 60)])
    assert ledger.overview.letters() == Waiting(2, NOW - 60, 0)


def test_the_journal_is_read_by_who_what_where_and_when(ledger: Ledger) -> None:
    for number in range(5):
        who = Who(f"Person{number % 2}@own.example", Way.COMMAND)
        ledger.note(
            "group-edit", who, NOW + number, group=f"g{number % 3}@own.example", group_uuid=f"u{number % 3}",
            detail=str(number),
        )  # fmt: skip
    ledger.note("log-in", JEAN, NOW + 9)
    journal = ledger.journal

    def found(wanted: Filter) -> list[str]:
        return [row.detail for row in journal.page(wanted)]

    assert found(Filter()) == ["", "4", "3", "2", "1", "0"]
    assert [row.detail for row in journal.page(Filter(), first=1, limit=2)] == ["4", "3"]
    assert found(Filter(actor="person1@OWN")) == ["3", "1"]
    assert found(Filter(actor="person_@own")) == []
    assert found(Filter(action="log-in")) == [""]
    assert found(Filter(groups=frozenset({"u0", "u2"}))) == ["3", "2", "0"]
    assert found(Filter(groups=frozenset({"u0", "u2"}), address="g0@own.example")) == ["3", "0"]
    assert found(Filter(uuid="u1", address="g2@own.example")) == ["4", "2", "1"]
    assert found(Filter(groups=frozenset())) == []
    assert found(Filter(since=NOW + 1, until=NOW + 3)) == ["2", "1"]
    assert journal.count(Filter(actor="person0")) == 3
    assert journal.actions() == ("group-edit", "log-in")
    assert set(journal.groups()) == {"u0", "u1", "u2"}
    assert set(journal.groups("u2", "g0@own.example")) == {"u0", "u2"}
    assert [row.id for row in journal.those((2, 4, 99))] == [4, 2]
    assert [row.detail for row in journal.each(Filter(), 4)] == ["", "4", "3", "2"]
